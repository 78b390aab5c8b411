import { DescribeAutoScalingInstancesCommand } from "@aws-sdk/client-auto-scaling";
import { describe, expect, test } from "vitest";
import { createAutoScalingClient } from "../../src/aws/event-clients.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { LifecycleHooks } from "../../src/sources/lifecycle-hooks.ts";
import type { HookEvent } from "../../src/sources/source-events.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

const SECOND_MS = 1_000;

/** Two nodes that wait for the hook `drain` of their group. */
async function scene({ timeoutSeconds = 60 } = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = [region.node(), region.node()];
  const group = world.addAutoScalingGroup({
    name: "workers",
    instanceIds: nodes.map(({ id }) => id),
    hooks: [
      {
        name: "drain",
        transition: "autoscaling:EC2_INSTANCE_TERMINATING",
        heartbeatTimeoutSeconds: timeoutSeconds,
        defaultResult: "ABANDON",
      },
    ],
  });
  const since = clock.now();
  for (const node of nodes) world.beginScaleIn(group, node);
  const autoScaling = createAutoScalingClient({ region: world.region, ...region.aws() });
  // At its first call the SDK loads modules, for which no virtual clock waits.
  await autoScaling.send(new DescribeAutoScalingInstancesCommand({}));
  const events: HookEvent[] = [];
  const onEvent = (event: HookEvent) => void events.push(event);
  const hooks = new LifecycleHooks({ autoScaling, caller: new UnmeteredCaller({ clock }), clock, onEvent });
  const waitingOf = (index: number) => {
    const instanceId = nodes[index]?.id ?? "";
    const [active] = group.scaleInOf(instanceId)?.activeActions(clock.now()) ?? [];
    return { action: { groupName: "workers", hookName: "drain", token: active?.token ?? "" }, instanceId };
  };
  const waiting = [waitingOf(0), waitingOf(1)] as const;
  const isWaiting = (index = 0) =>
    (group.scaleInOf(nodes[index]?.id ?? "")?.activeActions(clock.now()) ?? []).length > 0;
  const told = () => events.map(({ type }) => type);
  const beats = () => region.calls.filter(({ action }) => action === "RecordLifecycleActionHeartbeat");
  return { region, clock, since, hooks, waiting, isWaiting, told, beats, events };
}

describe("an instance that waits for a hook", () => {
  test("is kept waiting past the hook's timeout for as long as its drain lives, and no longer", async () => {
    const { clock, since, hooks, waiting, isWaiting, beats } = await scene();
    const alive = newAbort();
    const kept = hooks.sendHeartbeats(waiting[0], since, alive.signal);
    await clock.advance(600 * SECOND_MS);
    expect(isWaiting()).toBe(true);
    expect(isWaiting(1)).toBe(false);
    // Two fifths of the timeout apart, so that one may get lost.
    expect(beats()).toHaveLength(25);
    alive.abort();
    await clock.run(kept);
    await clock.advance(61 * SECOND_MS);
    expect(isWaiting()).toBe(false);
  });

  test("gets a heartbeat at once from whoever takes it over late", async () => {
    const { clock, since, hooks, waiting, isWaiting, beats } = await scene();
    await clock.advance(55 * SECOND_MS);
    const alive = newAbort();
    const kept = hooks.sendHeartbeats(waiting[0], since, alive.signal);
    await clock.advance(SECOND_MS);
    expect(beats()).toHaveLength(1);
    await clock.advance(50 * SECOND_MS);
    expect(isWaiting()).toBe(true);
    alive.abort();
    await kept;
  });

  test("is kept waiting while AWS fails every other heartbeat, which is told", async () => {
    const { region, clock, since, hooks, waiting, isWaiting, told } = await scene();
    let calls = 0;
    region.intercept = ({ action }) => {
      if (action !== "RecordLifecycleActionHeartbeat") return undefined;
      calls += 1;
      return calls % 12 < 10 ? elbError("InternalFailure", "An internal error has occurred", 500) : undefined;
    };
    const alive = newAbort();
    const kept = hooks.sendHeartbeats(waiting[0], since, alive.signal);
    await clock.advance(600 * SECOND_MS);
    expect(isWaiting()).toBe(true);
    expect(told()).toContain("hook-heartbeat-failed");
    expect(told()).toContain("hook-heartbeat");
    alive.abort();
    await clock.run(kept);
  });

  test("is kept waiting by the shortest timeout that AWS allows where the hook's own may not be read", async () => {
    const { region, clock, since, hooks, waiting, isWaiting, beats } = await scene({ timeoutSeconds: 30 });
    region.intercept = ({ action }) =>
      action === "DescribeLifecycleHooks" ? elbError("AccessDenied", "no", 403) : undefined;
    const alive = newAbort();
    const kept = hooks.sendHeartbeats(waiting[0], since, alive.signal);
    expect(await clock.run(hooks.deadlineOf(waiting[0].action, since, never))).toBeUndefined();
    await clock.advance(120 * SECOND_MS);
    expect(isWaiting()).toBe(true);
    expect(beats()).toHaveLength(10);
    alive.abort();
    await clock.run(kept);
  });

  test("gets no more heartbeats once somebody has let it go", async () => {
    const { clock, since, hooks, waiting, told, beats } = await scene();
    const kept = hooks.sendHeartbeats(waiting[0], since, never);
    await clock.advance(30 * SECOND_MS);
    await clock.run(hooks.complete(waiting[0], never));
    await clock.run(kept);
    expect(told()).toEqual(["hook-heartbeat", "hook-continued", "hook-over"]);
    const { length } = beats();
    await clock.advance(600 * SECOND_MS);
    expect(beats()).toHaveLength(length);
  });
});

describe("a hook", () => {
  test("is completed with CONTINUE, which lets the instance go", async () => {
    const { region, clock, hooks, waiting, isWaiting, told } = await scene();
    await clock.run(hooks.complete(waiting[0], never));
    expect(isWaiting()).toBe(false);
    expect(region.callsOf("CompleteLifecycleAction").map((params) => params.get("LifecycleActionResult"))).toEqual([
      "CONTINUE",
    ]);
    expect(told()).toEqual(["hook-continued"]);
  });

  test("that was completed already, timed out or whose group is gone is done with", async () => {
    const { clock, hooks, waiting, told } = await scene();
    await clock.run(hooks.complete(waiting[0], never));
    await clock.run(hooks.complete(waiting[0], never));
    await clock.advance(61 * SECOND_MS);
    await clock.run(hooks.complete(waiting[1], never));
    const gone = { ...waiting[1], action: { ...waiting[1].action, groupName: "deleted" } };
    await clock.run(hooks.complete(gone, never));
    expect(told()).toEqual(["hook-continued", "hook-over", "hook-over", "hook-over"]);
  });

  test("is completed though AWS throttles, contends and breaks off", async () => {
    const { region, clock, hooks, waiting, isWaiting } = await scene();
    const answers = [
      elbError("Throttling", "Rate exceeded"),
      elbError("ResourceContention", "You already have a pending update", 500),
      { status: 200, headers: {}, body: "<html>" },
    ];
    region.intercept = ({ action, before }) => (action === "CompleteLifecycleAction" ? answers[before] : undefined);
    await clock.run(hooks.complete(waiting[0], never));
    expect(isWaiting()).toBe(false);
  });

  test.each([
    ["nothing at all", ""],
    ["somebody else's page", "<html><body>Please sign in</body></html>"],
    ["the answer to another call", "<DescribeTagsResponse><DescribeTagsResult/></DescribeTagsResponse>"],
  ])("is completed once AWS has said so: %s is no word of AWS's", async (_, body) => {
    const { region, clock, hooks, waiting, isWaiting, told } = await scene();
    region.intercept = ({ action, before }) =>
      action === "CompleteLifecycleAction" && before < 2 ? { status: 200, body } : undefined;
    await clock.run(hooks.complete(waiting[0], never));
    expect(isWaiting()).toBe(false);
    expect(region.callsOf("CompleteLifecycleAction")).toHaveLength(3);
    expect(told()).toEqual(["hook-continued"]);
  });

  test("whose heartbeats somebody else answers is told not to be kept waiting", async () => {
    const { region, clock, since, hooks, waiting, isWaiting, told } = await scene();
    region.intercept = ({ action }) =>
      action === "RecordLifecycleActionHeartbeat" ? { status: 200, body: "<html/>" } : undefined;
    const alive = newAbort();
    const kept = hooks.sendHeartbeats(waiting[0], since, alive.signal);
    await clock.advance(59 * SECOND_MS);
    expect([isWaiting(), new Set(told())]).toEqual([true, new Set(["hook-heartbeat-failed"])]);
    alive.abort();
    await clock.run(kept);
  });

  test("that may not be completed says which action to allow", async () => {
    const { region, clock, hooks, waiting, isWaiting, told } = await scene();
    region.intercept = ({ action }) =>
      action === "CompleteLifecycleAction" ? elbError("AccessDenied", "User is not authorized", 403) : undefined;
    await expect(clock.run(hooks.complete(waiting[0], never))).rejects.toMatchObject({
      code: "access-denied",
      message: expect.stringContaining("AWS denied autoscaling:CompleteLifecycleAction"),
    });
    expect(isWaiting()).toBe(true);
    expect(told()).toEqual(["hook-not-completed"]);
  });

  test("ends after a hundred of its timeouts, or 48 hours; all who ask at once cost one call", async () => {
    const { region, clock, since, hooks, waiting } = await scene();
    const asked = waiting.map(({ action }) => hooks.deadlineOf(action, since, never));
    expect(await clock.run(Promise.all(asked))).toEqual([since + 6_000 * SECOND_MS, since + 6_000 * SECOND_MS]);
    expect(region.callsOf("DescribeLifecycleHooks")).toHaveLength(1);
    const slow = await scene({ timeoutSeconds: 7_200 });
    const [{ action }] = slow.waiting;
    expect(await slow.clock.run(slow.hooks.deadlineOf(action, slow.since, never))).toBe(
      slow.since + 172_800 * SECOND_MS,
    );
  });

  test("that AWS does not describe in time keeps no drain from beginning", async () => {
    const { region, clock, since, hooks, waiting } = await scene();
    region.intercept = () => elbError("ServiceUnavailable", "later", 503);
    const startedAt = clock.now();
    expect(await clock.run(hooks.deadlineOf(waiting[0].action, since, never))).toBeUndefined();
    expect(clock.now() - startedAt).toBe(2 * SECOND_MS);
  });
});
