import { expect, test } from "vitest";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { listed } from "../provider/support.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

const targetsIn = (params: URLSearchParams) => listed(params, "Targets", "Id");

function drainAll(
  region: SimulatedRegion,
  nodes: readonly Instance[],
  {
    engine = region.engine(),
    deadlineSeconds,
  }: { engine?: ReturnType<SimulatedRegion["engine"]>; deadlineSeconds?: number } = {},
): Promise<readonly DrainOutcome[]> {
  const deadline = deadlineSeconds === undefined ? {} : { deadline: region.clock.now() + deadlineSeconds * 1_000 };
  const drains = nodes.map(({ id }) =>
    engine.drain({ node: { by: "id", value: id }, dryRun: false, ...deadline }, never),
  );
  return Promise.all(drains);
}

function regionWith(count: number, delaySeconds = 30) {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: count }, (_, number) =>
    region.node({ privateIp: `10.0.${Math.floor(number / 200)}.${(number % 200) + 1}` }),
  );
  const group = region.group({ name: "web", nodes, delaySeconds });
  return { region, nodes, group };
}

const statuses = (outcomes: readonly DrainOutcome[]) => [...new Set(outcomes.map(({ status }) => status))];

test("250 nodes leave one group by three calls, none of which names more than 100 targets", async () => {
  const { region, nodes } = regionWith(250);
  expect(statuses(await region.clock.run(drainAll(region, nodes)))).toEqual(["drained"]);
  expect(region.callsOf("DeregisterTargets").map((params) => targetsIn(params).length)).toEqual([100, 100, 50]);
  // One to find them all, one look to read back, one at the end.
  expect(region.callsOf("DescribeTargetHealth")).toHaveLength(3);
});

test("a batch is taken when its call may be made: whoever comes while it waits for the quota goes along", async () => {
  const { region, nodes } = regionWith(30);
  // One (de)registration a call and 25 s.
  const engine = region.engine({ QUOTA_SHARE: "0.01" });
  const first = drainAll(region, nodes.slice(0, 1), { engine });
  await region.clock.advance(60_000);
  const rest = drainAll(region, nodes.slice(1), { engine });
  expect(statuses(await region.clock.run(Promise.all([first, rest]).then((lists) => lists.flat())))).toEqual([
    "drained",
  ]);
  expect(region.callsOf("DeregisterTargets").length).toBeLessThanOrEqual(2);
});

test("a thousand requests for ten nodes make as many calls as ten", async () => {
  const calls = [];
  for (const times of [1, 100]) {
    const { region, nodes } = regionWith(10);
    const asked = Array.from({ length: times }, () => nodes).flat();
    expect(statuses(await region.clock.run(drainAll(region, asked)))).toEqual(["drained"]);
    calls.push(region.calls.map(({ action, at }) => `${at} ${action}`));
  }
  expect(calls[1]).toEqual(calls[0]);
});

test.each([
  ["which AWS names costs one call more", true, 2],
  ["which AWS doesn't name costs two calls for each time that a hundred can be halved", false, 15],
])("one bad target among 100 %s", async (_, isNamed, callsMax) => {
  const { region, nodes } = regionWith(100);
  const bad = nodes[37]?.id ?? "";
  region.intercept = ({ action, params }) =>
    action === "DeregisterTargets" && targetsIn(params).includes(bad)
      ? elbError("InvalidTarget", isNamed ? `The following targets are not registered: '${bad}'` : "Unknown target")
      : undefined;
  const outcomes = await region.clock.run(drainAll(region, nodes, { deadlineSeconds: 120 }));
  expect(outcomes.filter(({ status }) => status === "drained")).toHaveLength(99);
  const atOnce = region.calls.filter(({ action, at }) => action === "DeregisterTargets" && at === 0);
  expect(atOnce.length).toBeGreaterThan(1);
  expect(atOnce.length).toBeLessThanOrEqual(callsMax);
});

test("a group that is deleted while its nodes leave ends their registrations, and is no failure", async () => {
  const { region, nodes, group } = regionWith(3, 300);
  const drain = drainAll(region, nodes);
  await region.clock.advance(20_000);
  region.world.targetGroups.delete(group.arn);
  expect(statuses(await region.clock.run(drain))).toEqual(["drained"]);
});

test("a group that is deleted before its nodes could be deregistered ends their registrations too", async () => {
  const { region, nodes, group } = regionWith(3, 300);
  region.intercept = ({ action }) => {
    if (action === "DeregisterTargets") region.world.targetGroups.delete(group.arn);
    return undefined;
  };
  expect(statuses(await region.clock.run(drainAll(region, nodes)))).toEqual(["drained"]);
});

test.each([
  ["a server's error", () => elbError("InternalFailure", "We are sorry", 500)],
  ["throttling", () => elbError("Throttling", "Rate exceeded")],
])("%s that passes costs attempts, and no registration", async (_, answer) => {
  const { region, nodes } = regionWith(5);
  region.intercept = ({ action, before }) => (action === "DeregisterTargets" && before < 20 ? answer() : undefined);
  const outcomes = await region.clock.run(drainAll(region, nodes, { deadlineSeconds: 200 }));
  expect(statuses(outcomes)).toEqual(["drained"]);
  expect(region.callsOf("DeregisterTargets")).toHaveLength(21);
});

test("a connection that breaks after AWS has carried out the call does no harm: the call is repeated", async () => {
  const { region, nodes } = regionWith(5);
  region.simulator.faults.add({ action: "DeregisterTargets", when: { first: 2 }, effect: { type: "reset" } });
  expect(statuses(await region.clock.run(drainAll(region, nodes)))).toEqual(["drained"]);
  expect(region.callsOf("DeregisterTargets")).toHaveLength(3);
});

test.each([
  ["a server's error", "unavailable", () => elbError("InternalFailure", "We are sorry", 500)],
  ["throttling", "throttled", () => elbError("Throttling", "Rate exceeded")],
])("%s that does not pass ends at the deadline, with what stays registered and why", async (_, code, answer) => {
  const { region, nodes } = regionWith(2);
  region.intercept = ({ action }) => (action === "DeregisterTargets" ? answer() : undefined);
  const engine = region.engine({ QUOTA_SHARE: "1" });
  const outcomes = await region.clock.run(drainAll(region, nodes, { engine, deadlineSeconds: 120 }));
  expect(region.clock.elapsedMs).toBe(110_000);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      status: "deadline-passed",
      registrations: [{ state: "registered", newTrafficStopped: false, error: { code } }],
    });
  }
  expect(region.clock.sleeping).toBe(0);
});

test.each([
  ["a server's error", "unavailable", () => elbError("InternalFailure", "We are sorry", 500)],
  ["throttling", "throttled", () => elbError("Throttling", "Rate exceeded")],
])("%s that does not pass ends a drain without a deadline too", async (_, code, answer) => {
  const { region, nodes } = regionWith(1);
  region.intercept = ({ action }) => (action === "DeregisterTargets" ? answer() : undefined);
  const outcomes = await region.clock.run(drainAll(region, nodes, { engine: region.engine({ QUOTA_SHARE: "1" }) }));
  expect(outcomes).toMatchObject([
    { status: "deadline-passed", limit: { reason: "timeout" }, registrations: [{ error: { code } }] },
  ]);
  expect(region.clock.elapsedMs).toBeLessThan(15 * 60_000);
  expect(region.clock.sleeping).toBe(0);
});

test("one pool is finished before the next is begun, so that its nodes share their looks", async () => {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: 250 }, (_, number) =>
    region.node({ privateIp: `10.0.${Math.floor(number / 200)}.${(number % 200) + 1}` }),
  );
  for (let number = 0; number < 6; number++) region.group({ name: `g${number}`, nodes, delaySeconds: 30 });
  // One registration in five seconds: there are eighteen to make.
  const outcomes = await region.clock.run(drainAll(region, nodes, { engine: region.engine({ QUOTA_SHARE: "0.05" }) }));
  expect(statuses(outcomes)).toEqual(["drained"]);
  const order = region.callsOf("DeregisterTargets").map((params) => params.get("TargetGroupArn"));
  expect(order).toHaveLength(18);
  // One in twenty calls goes to whoever has waited longest.
  const changes = order.filter((arn, index) => index > 0 && arn !== order[index - 1]);
  expect(changes.length).toBeLessThanOrEqual(7);
});

test("a look that may end a hold is more urgent than one that only confirms", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], delaySeconds: 30 });
  const purposes: string[] = [];
  const engine = region.engine({}, [], ({ action, purpose }) => {
    if (action.endsWith("DescribeTargetHealth")) purposes.push(purpose);
  });
  expect(statuses(await region.clock.run(drainAll(region, [node], { engine })))).toEqual(["drained"]);
  expect(purposes).toEqual(["find", "confirm", "poll"]);
});

test("a node that AWS does not know keeps nobody else waiting: it is named in no other batch, and given up soon", async () => {
  const { region, nodes } = regionWith(5);
  for (let number = 1; number < 8; number++) region.group({ name: `g${number}`, nodes, delaySeconds: 30 });
  const [unknown] = nodes as [Instance];
  region.simulator.faults.add({
    action: "DeregisterTargets",
    naming: unknown.id,
    effect: { type: "error", code: "InvalidTarget", message: `The following targets are not valid: '${unknown.id}'` },
  });
  // One registration in five seconds.
  const outcomes = await region.clock.run(drainAll(region, nodes, { engine: region.engine({ QUOTA_SHARE: "0.05" }) }));
  expect(outcomes.map(({ status }) => status)).toEqual(["failed", "drained", "drained", "drained", "drained"]);
  expect(outcomes[0]).toMatchObject({
    error: {
      code: "registered-again",
      message: expect.stringContaining("it stayed registered, although AWS answered that it is not"),
    },
  });
  const named = region.callsOf("DeregisterTargets").map(targetsIn);
  const together = named.filter((ids) => ids.includes(unknown.id) && ids.length > 1);
  expect(together).toHaveLength(1);
  const alone = named.filter((ids) => ids.includes(unknown.id) && ids.length === 1);
  expect(alone.length).toBeLessThanOrEqual(2 * 8);
  // The others have left everywhere before it is asked for again.
  expect(named.findIndex((ids) => ids.length === 1)).toBeGreaterThanOrEqual(8);
});
