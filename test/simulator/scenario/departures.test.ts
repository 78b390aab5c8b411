import { describe, expect, onTestFinished, test } from "vitest";
import { VirtualClock } from "../../../src/simulator/clock.ts";
import { openRegion } from "../../../src/simulator/scenario/open-region.ts";
import { readScenario } from "../../../src/simulator/scenario/read-scenario.ts";
import { announced } from "../announced.ts";

/** What AWS announces in the first hour of a scenario's region. */
async function hourOf(text: string) {
  return (await hourIn(text)).heard;
}

/** The region of a scenario after an hour, and what AWS has announced by then. */
async function hourIn(text: string) {
  const clock = new VirtualClock();
  const region = await openRegion(readScenario(`dataPlane: false\n${text}`), { clock });
  onTestFinished(() => region.close());
  const heard = announced(region.world);
  await clock.advance(3_600_000);
  return { world: region.world, clock, heard };
}

function problemsOf(text: string): readonly string[] {
  try {
    readScenario(text);
    return [];
  } catch (error) {
    return (error as { readonly problems: readonly string[] }).problems;
  }
}

describe("a scenario", () => {
  test("takes machines back, one or all of an entry's, at the time that it names", async () => {
    const heard = await hourOf(`
instances: [{ name: node, count: 2 }, { name: reserved }]
interruptions:
  - { instances: [node], afterSeconds: 10, action: stop }
  - { instances: [reserved], afterSeconds: 20, of: capacity-reservation }
`);
    expect(heard).toEqual([
      [10, "interruption stop"],
      [10, "interruption stop"],
      [20, "interruption terminate"],
      [130, "stopping"],
      [130, "stopping"],
      [135, "stopped"],
      [135, "stopped"],
      [140, "shutting-down"],
      [145, "terminated"],
    ]);
  });

  test("gives members of an Auto Scaling group new root volumes, and they come back", async () => {
    const { world, heard } = await hourIn(`
instances: [{ name: node, count: 2 }]
autoScalingGroups: [{ name: workers, instances: [node], hooks: [{ name: drain, heartbeatTimeoutSeconds: 60 }] }]
rootVolumeReplacements: [{ instances: [node-2], afterSeconds: 30 }]
`);
    expect(heard).toEqual([[30, "lifecycle-action"]]);
    const members = world.autoScalingGroups.get("workers")?.members(world.clock.now());
    expect(members?.map(({ lifecycleState }) => lifecycleState)).toEqual(["InService", "InService"]);
  });

  test.each([
    ["retain", "running", "Terminating:Retained"],
    ["terminate", "terminated", undefined],
  ])("says that an instance whose hook is abandoned is to %s", async (terminateHookAbandon, state, lifecycleState) => {
    const { world, clock } = await hourIn(`
instances: [{ name: node }]
autoScalingGroups:
  - name: workers
    instances: [node]
    hooks: [{ name: drain, heartbeatTimeoutSeconds: 60 }]
    terminateHookAbandon: ${terminateHookAbandon}
`);
    const [workers] = world.autoScalingGroups.values();
    const [node] = world.instances.values();
    if (workers === undefined || node === undefined) throw new Error("a group of one node");
    world.beginScaleIn(workers, node);
    await clock.advance(3_600_000);
    expect(node.state(clock.now(), world.timing)).toBe(state);
    expect(workers.members(clock.now()).map((member) => member.lifecycleState)[0]).toBe(lifecycleState);
  });

  test("recommends to replace machines, before it takes them back or without that", async () => {
    const heard = await hourOf(`
instances: [{ name: a }, { name: b }]
interruptions: [{ instances: [a], afterSeconds: 5, rebalanceLeadSeconds: 3000, action: hibernate }]
rebalanceRecommendations: [{ instances: [b], afterSeconds: 7 }]
`);
    expect(heard).toEqual([
      [5, "rebalance-recommendation"],
      [7, "rebalance-recommendation"],
      [3_005, "interruption hibernate"],
      [3_005, "stopping"],
      [3_010, "stopped"],
    ]);
  });

  test("lets machines vanish in the middle of everything, where it says so", async () => {
    const { world } = await hourIn(`
instances: [{ name: a }, { name: b }, { name: c }]
interruptions:
  - { instances: [a] }
  - { instances: [b], skipOsShutdown: true }
  - { instances: [c], of: capacity-reservation, skipOsShutdown: true }
`);
    expect([...world.instances.values()].map(({ hasVanished }) => hasVanished)).toEqual([false, true, true]);
  });

  test("schedules events, which happen at their time", async () => {
    const heard = await hourOf(`
instances: [{ name: a }]
scheduledEvents: [{ code: instance-stop, instances: [a], afterSeconds: 30, startsInSeconds: 600, windowSeconds: 60 }]
`);
    expect(heard).toEqual([
      [30, "scheduled-change"],
      [630, "stopping"],
      [630, "scheduled-change"],
      [635, "stopped"],
    ]);
  });

  test("says what is wrong with its departures", () => {
    expect(
      problemsOf(`
interruptions:
  - { instances: [nobody] }
  - { instances: [] }
  - { instances: [nobody], of: capacity-reservation, action: stop }
rebalanceRecommendations: [{ instances: [nobody] }]
scheduledEvents: [{ code: system-reboot, instances: [nobody], startsInSeconds: 1 }]
instanceMetadata: { instances: [nobody], limitStatus: 500 }
events:
  - { queue: departures }
  - { queue: "http://me:secret@127.0.0.1:4566/1/departures" }
  - { queue: "http://127.0.0.1:4566/1/departures", from: auto-scaling, kinds: [interruption] }
  - { queue: "http://127.0.0.1:4566/1/departures", topic: hooks }
controllers: [{ intervalSeconds: 1, autoScalingGroups: [nobody] }]
`),
    ).toEqual(
      expect.arrayContaining([
        "interruptions[0].instances[0]: there is no instance 'nobody'",
        expect.stringMatching(/^interruptions\[1\]\.instances: /),
        "interruptions[2]: instances of a capacity reservation are terminated without a recommendation: remove action and rebalanceLeadSeconds",
        "rebalanceRecommendations[0].instances[0]: there is no instance 'nobody'",
        "scheduledEvents[0].instances[0]: there is no instance 'nobody'",
        "instanceMetadata.instances[0]: there is no instance 'nobody'",
        expect.stringMatching(/^instanceMetadata\.limitStatus: /),
        "events[0].queue: give a URL such as http://127.0.0.1:9324/000000000000/departures",
        "events[1].queue: give a URL without user and password",
        "events[2]: kinds is only for events of EventBridge: remove it",
        "events[3].topic: give a topic's ARN such as arn:aws:sns:eu-west-1:123456789012:hooks",
        "controllers[0].autoScalingGroups[0]: there is no Auto Scaling group 'nobody'",
      ]),
    );
  });
});
