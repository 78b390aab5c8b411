import { DescribeAutoScalingInstancesCommand } from "@aws-sdk/client-auto-scaling";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAutoScalingClient } from "../../src/aws/event-clients.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { Delivery } from "../../src/drain/event-source.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { MetadataService } from "../../src/simulator/metadata/metadata-service.ts";
import { ImdsClient } from "../../src/sources/imds-client.ts";
import { InstanceMetadata } from "../../src/sources/instance-metadata.ts";
import { LifecycleHooks } from "../../src/sources/lifecycle-hooks.ts";
import { MetadataWatch } from "../../src/sources/metadata-watch.ts";
import { TerminationHook } from "../../src/sources/termination-hook.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const GONE: DrainOutcome = { status: "instance-gone", message: "it is terminated" };
const LATE: DrainOutcome = {
  status: "deadline-passed",
  limit: { reason: "timeout", at: 0 },
  searched: true,
  registrations: [],
};
const ABANDONED: DrainOutcome = { status: "abandoned", registrations: [] };
const CANCELLED = { status: "cancelled", drainId: "d-1", registrations: [] } as unknown as DrainOutcome;

/** A member of a group with two hooks, which reads its own metadata, and has its deliveries settled by hand. */
async function scene(options: { readonly ownDelaySeconds?: number; readonly actions?: readonly string[] } = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const node = region.node();
  const hook = (name: string) =>
    ({
      name,
      transition: "autoscaling:EC2_INSTANCE_TERMINATING",
      heartbeatTimeoutSeconds: 60,
      defaultResult: "CONTINUE",
    }) as const;
  const { ownDelaySeconds } = options;
  const own =
    ownDelaySeconds === undefined ? [] : [region.group({ name: "own", nodes: [node], delaySeconds: ownDelaySeconds })];
  const group = world.addAutoScalingGroup({
    name: "workers",
    instanceIds: [node.id],
    targetGroups: own,
    hooks: [hook("drain"), hook("logs")],
  });
  const credentials = options.actions === undefined ? undefined : restricted(region, options.actions);
  const autoScaling = createAutoScalingClient({ region: world.region, ...region.aws(credentials) });
  // At its first call the SDK loads modules, for which no virtual clock waits.
  await autoScaling.send(new DescribeAutoScalingInstancesCommand({})).catch(() => {});
  const told: string[] = [];
  const stop = newAbort();
  const abandon = newAbort();
  onTestFinished(() => {
    stop.abort();
    abandon.abort();
  });
  const calls = { autoScaling, caller: new UnmeteredCaller({ clock }), clock };
  const metadata = new MetadataService(world, node);
  const client = new ImdsClient({
    clock,
    send: async ({ path: url, ...request }) =>
      metadata.answer({ ...request, url }) ?? Promise.reject(new Error("switched off")),
  });
  const watch = new MetadataWatch({
    ...{ client, heedsRecommendations: false, clock, intervalMs: 2_000, maintenanceLeadMs: 3_900_000 },
    ...{ bootedAt: () => 0, onEvent: () => {} },
  });
  const source = new InstanceMetadata({
    watch,
    identity: await clock.run(watch.identity(stop.signal)),
    clock,
    dryRun: false,
    abandon: abandon.signal,
    hook: new TerminationHook({
      ...calls,
      hookName: "drain",
      hooks: new LifecycleHooks({ ...calls, onEvent: ({ type }) => told.push(type) }),
      abandon: abandon.signal,
      onFailure: ({ code }) => told.push(code),
    }),
  });
  const deliveries: Delivery[] = [];
  void (async () => {
    for await (const delivery of source.deliveries(stop.signal)) deliveries.push(delivery);
  })();
  const waiting = () => {
    world.catchUp();
    return (group.scaleInOf(node.id)?.activeActions(clock.now()) ?? []).map(({ hook: { name } }) => name).sort();
  };
  return { region, world, clock, group, node, deliveries, told, waiting, abandon };
}

function restricted(region: SimulatedRegion, actions: readonly string[]) {
  const accessKeyId = "hooked";
  const Statement = [{ Effect: "Allow", Action: actions, Resource: "*" }];
  region.simulator.access.restrict({ accessKeyId, document: { Version: "2012-10-17", Statement } as never });
  return { accessKeyId, secretAccessKey: "simulated" };
}

describe("the termination hook of a machine that watches itself", () => {
  test("waits past its timeout while the drain runs, and goes on when it has ended; others' hooks are theirs", async () => {
    const { world, clock, group, node, deliveries, waiting, told } = await scene();
    world.beginScaleIn(group, node);
    await clock.advance(50_000);
    expect(waiting()).toEqual(["drain", "logs"]);
    await clock.advance(100_000);
    expect(waiting()).toEqual(["drain"]);
    await clock.run(Promise.resolve(deliveries[0]?.settle(GONE)));
    expect([waiting(), told.at(-1)]).toEqual([[], "hook-continued"]);
  });

  test("is completed when it begins to wait after the drain has ended", async () => {
    const { world, clock, group, node, deliveries, waiting, told } = await scene({ ownDelaySeconds: 60 });
    world.beginScaleIn(group, node);
    await clock.advance(4_000);
    const settled = deliveries[0]?.settle(GONE);
    await clock.advance(30_000);
    expect([waiting(), told]).toEqual([[], []]);
    await clock.advance(45_000);
    await settled;
    expect([waiting(), told.at(-1)]).toEqual([["logs"], "hook-continued"]);
  });

  test.each([
    ["a drain that failed", LATE],
    ["a drain that somebody cancelled", CANCELLED],
  ])("is left to its own timeout after %s", async (_, outcome) => {
    const { world, clock, group, node, deliveries, waiting, told } = await scene();
    world.beginScaleIn(group, node);
    for (let second = 0; second < 90; second += 1) {
      await clock.advance(1_000);
      for (const { settle } of deliveries.splice(0)) await clock.run(settle(outcome));
    }
    expect(waiting()).toEqual([]);
    expect(told).not.toContain("hook-continued");
  });

  test("is looked after once AWS tells who waits, though it failed for half a minute", async () => {
    const { region, world, clock, group, node, deliveries, waiting, told } = await scene();
    const failing = { api: "autoscaling", action: "DescribeAutoScalingInstances" } as const;
    const mend = region.simulator.faults.add({
      ...failing,
      effect: { type: "error", code: "InternalFailure", status: 500 },
    });
    world.beginScaleIn(group, node);
    await clock.advance(30_000);
    expect(told).toEqual(["unavailable"]);
    mend();
    await clock.advance(150_000);
    expect(waiting()).toEqual(["drain"]);
    await clock.run(Promise.resolve(deliveries[0]?.settle(GONE)));
    expect([waiting(), told.at(-1), told.filter((each) => each === "unavailable")]).toEqual([
      [],
      "hook-continued",
      ["unavailable"],
    ]);
  });

  test("is left as it is when the program is told to end", async () => {
    const { world, clock, group, node, abandon, waiting, deliveries, told } = await scene();
    world.beginScaleIn(group, node);
    await clock.advance(10_000);
    abandon.abort();
    await clock.run(Promise.resolve(deliveries[0]?.settle(ABANDONED)));
    expect([waiting(), told]).toEqual([["drain", "logs"], ["hook-heartbeat"]]);
  });

  test.each([
    ["who waits", [], ["access-denied"]],
    [
      "the hook's completion",
      [
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLifecycleHooks",
        "autoscaling:RecordLifecycleActionHeartbeat",
      ],
      ["hook-heartbeat", "hook-not-completed"],
    ],
  ])("is said once to be out of reach where AWS denies %s, and the drain goes on", async (_, actions, expected) => {
    const { world, clock, group, node, deliveries, told } = await scene({
      actions: actions.length === 0 ? ["ec2:DescribeInstances"] : actions,
    });
    world.beginScaleIn(group, node);
    await clock.advance(10_000);
    await clock.run(Promise.resolve(deliveries[0]?.settle(GONE)));
    await clock.advance(60_000);
    expect([told, deliveries.length]).toEqual([expected, 1]);
  });
});
