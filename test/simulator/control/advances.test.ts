import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { announced } from "../announced.ts";
import { Controlled } from "./controlled.ts";

const WITHOUT_TRAFFIC = "dataPlane: false\n";
const FLOWS = WITHOUT_TRAFFIC + readFileSync("docs/scenarios/flows.yaml", "utf8");
const BEHIND_A_BALANCER = `
targetGroups: [{ name: web, protocol: HTTP, port: 80, targets: [{ instances: [node] }] }]
loadBalancers:
  - { name: front, type: application, listeners: [{ protocol: HTTP, port: 80, action: { forward: [{ group: web }] } }] }
`;
const LAUNCHING = `
instances: [{ name: node, count: 2, spot: true }]
${BEHIND_A_BALANCER}
autoScalingGroups:
  - name: workers
    instances: [node]
    targetGroups: [web]
    maxSize: 3
    launchSeconds: 20
    hooks: [{ name: drain, heartbeatTimeoutSeconds: 45 }]
interruptions: [{ instances: [node-1], afterSeconds: 30, rebalanceLeadSeconds: 15 }]
`;
const CONTROLLED = `
${WITHOUT_TRAFFIC}
instances: [{ name: node, count: 3 }]
${BEHIND_A_BALANCER}
controllers: [{ intervalSeconds: 15, targetGroups: [web] }]
scheduledEvents: [{ instances: [node-2], code: instance-reboot, afterSeconds: 40, startsInSeconds: 50 }]
rootVolumeReplacements: [{ instances: [node-3], afterSeconds: 20 }]
autoScalingGroups: [{ name: workers, instances: [node], hooks: [{ name: drain, heartbeatTimeoutSeconds: 60 }] }]
`;

/** What AWS has announced, in seconds, and the state, after time has passed in steps. */
async function outcomeOf(text: string, steps: readonly number[]) {
  const clock = new ScaledClock(1);
  clock.setSpeed(0);
  const control = await Controlled.open(text, clock);
  const heard = announced(control.region.world);
  for (const seconds of steps) await control.post("clock/advances", { seconds });
  // Each region has a time, and its listeners have ports, of its own.
  return { heard, state: { ...(await control.state()), now: "", loadBalancers: [] } };
}

function times(count: number, seconds: number): readonly number[] {
  return new Array<number>(count).fill(seconds);
}

describe("an advance of the clock", () => {
  test("lets an interruption count from when it is due, and not from the end", async () => {
    const { heard, state } = await outcomeOf(FLOWS, [300]);
    expect(heard).toEqual([
      [60, "interruption terminate"],
      [180, "shutting-down"],
      [185, "terminated"],
    ]);
    expect(state.instances.map((instance) => instance.state)).toEqual(["running", "running", "terminated"]);
  });

  test("lets a group launch, and register, when it would have", async () => {
    const { heard, state } = await outcomeOf(LAUNCHING, [600]);
    expect(heard).toEqual([
      [30, "rebalance-recommendation"],
      [45, "interruption terminate"],
      [165, "shutting-down"],
      [170, "terminated"],
      [185, "pending"],
      [190, "running"],
      // The group lets go of the lost one when its target group has, and asks its hook although nothing is left to save.
      [465, "lifecycle-action"],
    ]);
    expect(state.targetGroups[0]?.targets.filter((target) => target.state === "healthy")).toHaveLength(2);
  });

  test.each([
    ["flows and an interruption", FLOWS],
    ["a launch, and the process of the new machine", LAUNCHING],
    ["a controller, maintenance and a root volume", CONTROLLED],
  ])("comes in one step to what it comes to in many: %s", async (_, text) => {
    const inOne = await outcomeOf(text, [300]);
    expect(await outcomeOf(text, times(300, 1))).toEqual(inOne);
    expect(await outcomeOf(text, times(6, 50))).toEqual(inOne);
  });
});
