import { describe, expect, onTestFinished, test } from "vitest";
import { pump } from "../../src/app/pump.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { type ClusterNode, EXCLUDE_LABEL, type NodeChange, type NodeTrigger } from "../../src/drain/cluster.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { ClusterNodes, type NodeEvent } from "../../src/sources/cluster-nodes.ts";
import { undoWithdrawn } from "../../src/sources/recommendations.ts";
import { ALL_CASES } from "../support/cases.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCluster } from "../support/fake-cluster.ts";
import { never } from "../support/simulated-region.ts";

const ID = "i-00000000000000001";
const KARPENTER = { key: "karpenter.sh/disrupted", effect: "NoSchedule" };
const DEFAULT: readonly NodeTrigger[] = ["autoscaler", "karpenter", "deletion", "annotation"];

function node(more: Partial<ClusterNode> = {}): ClusterNode {
  return {
    name: "node-1",
    uid: "uid-1",
    providerId: `aws:///eu-west-1a/${ID}`,
    instanceId: ID,
    annotations: {},
    labels: {},
    taints: [],
    isUnschedulable: false,
    ready: "True",
    ...more,
  };
}

/** Node objects that change as a test says, and a service's pump on them. */
async function scene({
  triggers = DEFAULT,
  taints = [] as readonly string[],
  claimEndsAt = undefined as number | undefined,
  clusterAheadMs = 0,
  withdraw = undefined as (() => Promise<number>) | undefined,
} = {}) {
  const ledger = new MemoryLedger();
  const cluster = new FakeCluster(() => made.clock);
  const made: DrainScene = new DrainScene({}, undefined, { cluster, ledger, registersAgain: true });
  made.cloud.addPool("alb", "web", [made.cloud.addNode(ID), made.cloud.addNode("i-00000000000000002", "10.0.0.2")]);
  made.cloud.remembersAll = true;
  const queue: NodeChange[][] = [];
  let wake = () => {};
  const change = async (...changes: readonly NodeChange[]) => {
    queue.push([...changes]);
    wake();
    await made.clock.advance(1);
  };
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  async function* changes(signal: AbortSignal) {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else
        await new Promise<void>((resolve, reject) => {
          wake = resolve;
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
    }
  }
  const events: NodeEvent[] = [];
  const parts = { ledger, drainer: made.drainer };
  const source = new ClusterNodes({
    changes,
    clock: made.clock,
    time: { here: (at) => at - clusterAheadMs },
    triggers: new Set(triggers),
    taints: new Set(taints),
    autoscalerDelayMs: 120_000,
    deadlineOf: async ({ claim }) => (claim === undefined ? undefined : claimEndsAt),
    dryRun: false,
    withdraw: withdraw ?? ((instanceId) => undoWithdrawn(instanceId, parts, never)),
    onEvent: (event) => events.push(event),
  });
  const unsettled: unknown[] = [];
  const outcomes: string[] = [];
  const pumping = pump(source, made.drainer, {
    stop: stop.signal,
    abandon: never,
    onSettled: ({ status }) => outcomes.push(status),
    onUnsettled: (_, error) => unsettled.push(error),
  });
  const requests = () => made.events.flatMap((event) => (event.type === "accepted" ? [event.request.reason] : []));
  const registered = () => made.cloud.callsOf("register").length;
  return { made, cluster, ledger, change, events, outcomes, unsettled, requests, registered, stop, pumping, source };
}

describe("a Node object that announces a departure", () => {
  test.each<[string, Partial<ClusterNode>, string]>([
    ["Karpenter's taint", { taints: [KARPENTER] }, "Karpenter removes the node"],
    [
      "cluster-autoscaler's taint",
      { taints: [{ key: "ToBeDeletedByClusterAutoscaler", value: "now", effect: "NoSchedule" }] },
      "cluster-autoscaler removes the node",
    ],
    ["its deletion", { deletedAt: 1_767_225_600_000 }, "the Node object is being deleted"],
    ["the annotation", { annotations: { "hasta-la-vista.io/drain": "true" } }, "annotation hasta-la-vista.io/drain"],
  ])("by %s is drained", async (_, more, reason) => {
    const { made, cluster, change, requests, outcomes } = await scene();
    await change({ node: node() });
    expect(requests()).toEqual([]);
    await change({ node: node(more) });
    await made.clock.advance(400_000);
    expect(requests()).toEqual([reason]);
    expect(outcomes).toEqual(["drained"]);
    expect(cluster.released).toEqual([`${ID}.internal`]);
  });

  test.each<[string, Partial<ClusterNode>]>([
    ["a taint of Karpenter with another effect", { taints: [{ ...KARPENTER, effect: "NoExecute" }] }],
    ["the annotation with another value", { annotations: { "hasta-la-vista.io/drain": "false" } }],
    ["a cordon", { isUnschedulable: true }],
    ["the condition Ready that is False", { ready: "False" }],
    [
      "a taint that no trigger names",
      { taints: [{ key: "node.kubernetes.io/memory-pressure", effect: "NoSchedule" }] },
    ],
  ])("is not one with %s", async (_, more) => {
    const { made, change, requests, events } = await scene();
    await change({ node: node(more) });
    await made.clock.advance(60_000);
    expect(requests()).toEqual([]);
    expect(events).toEqual([]);
  });

  test.each<[NodeTrigger, Partial<ClusterNode>]>([
    ["cordon", { isUnschedulable: true }],
    ["not-ready", { ready: "Unknown", readySince: 5 }],
    ["taint", { taints: [{ key: "example.com/spot", effect: "NoSchedule" }] }],
  ])("by %s is drained where the option names it", async (trigger, more) => {
    const { made, change, outcomes } = await scene({ triggers: [trigger], taints: ["example.com/spot"] });
    await change({ node: node(more) });
    await made.clock.advance(400_000);
    expect(outcomes).toEqual(["drained"]);
  });

  test("is drained once, however often it changes", async () => {
    const { made, change, requests } = await scene();
    await change({ node: node({ taints: [KARPENTER] }) });
    for (let at = 0; at < 5; at++) await change({ node: node({ taints: [KARPENTER], isUnschedulable: at % 2 === 0 }) });
    await made.clock.advance(400_000);
    expect(requests()).toHaveLength(1);
  });

  test("is drained again and again while that fails", async () => {
    const { made, change, requests, outcomes } = await scene();
    made.cloud.before = ({ method }) => {
      if (method === "findRegistrations" && made.elapsedSeconds < 20) throw new DrainError("access-denied", "no");
    };
    await change({ node: node({ taints: [KARPENTER] }) });
    await made.clock.advance(500_000);
    expect(outcomes.slice(0, -1)).toEqual(outcomes.slice(0, -1).map(() => "failed"));
    expect(outcomes.at(-1)).toBe("drained");
    expect(requests().length).toBeGreaterThan(2);
    expect(requests().length).toBeLessThan(6);
  });

  test.each([
    ["behind", 3_600_000],
    ["ahead", -3_600_000],
  ])("has these deadlines by the cluster's clock where this machine's is an hour %s", async (_, clusterAheadMs) => {
    const START_MS = 1_767_225_600_000;
    const { made, change, outcomes } = await scene({
      clusterAheadMs,
      claimEndsAt: START_MS + clusterAheadMs + 100_000,
    });
    await change({ node: node({ claim: "claim-1", taints: [KARPENTER] }) });
    await made.clock.advance(60_000);
    expect(outcomes).toEqual([]);
    await made.clock.advance(41_000);
    expect(outcomes).toEqual(["deadline-passed"]);
    const value = String((START_MS + clusterAheadMs) / 1_000);
    const other = await scene({ clusterAheadMs });
    await other.change({
      node: node({ taints: [{ key: "ToBeDeletedByClusterAutoscaler", value, effect: "NoSchedule" }] }),
    });
    await other.made.clock.advance(100_000);
    expect(other.outcomes).toEqual([]);
    await other.made.clock.advance(21_000);
    expect(other.outcomes).toEqual(["deadline-passed"]);
  });

  test("has the deadline that the autoscaler's delay or the NodeClaim sets", async () => {
    const { made, change, outcomes } = await scene({ claimEndsAt: 1_767_225_600_000 + 100_000 });
    await change({ node: node({ taints: [KARPENTER], claim: "claim-1" }) });
    await made.clock.advance(95_000);
    expect(outcomes).toEqual(["deadline-passed"]);
    const other = await scene();
    const value = String(Math.floor(other.made.clock.now() / 1_000));
    await other.change({
      node: node({ taints: [{ key: "ToBeDeletedByClusterAutoscaler", value, effect: "NoSchedule" }] }),
    });
    await other.made.clock.advance(111_000);
    expect(other.outcomes).toEqual(["deadline-passed"]);
    expect(other.cluster.released).toEqual([`${ID}.internal`]);
  });

  test("and is no EC2 instance is reported once and left", async () => {
    const { made, change, requests, events } = await scene();
    const { instanceId: _, ...other } = node({ taints: [KARPENTER], providerId: "gce://project/zone/name" });
    await change({ node: other });
    await change({ node: { ...other, isUnschedulable: true } });
    await made.clock.advance(60_000);
    expect(requests()).toEqual([]);
    expect(events).toEqual([
      {
        type: "node-skipped",
        name: "node-1",
        providerId: "gce://project/zone/name",
        reason: "Karpenter removes the node",
      },
    ]);
  });

  test("is drained once it has a provider id", async () => {
    const { made, change, outcomes } = await scene();
    const { instanceId: _, providerId: __, ...without } = node({ taints: [KARPENTER] });
    await change({ node: without });
    await change({ node: node({ taints: [KARPENTER] }) });
    await made.clock.advance(400_000);
    expect(outcomes).toEqual(["drained"]);
  });
});

describe("a node that stays after all", () => {
  test.each([
    ["while it is drained", 5_000],
    ["after it was drained", 400_000],
  ])("is registered again and no longer excluded: %s", async (_, afterMs) => {
    const { made, cluster, change, events, registered } = await scene();
    await change({ node: node({ taints: [KARPENTER] }) });
    await made.clock.advance(afterMs);
    expect([...cluster.excluded]).toEqual([`${ID}.internal`]);
    await change({ node: node() });
    await made.clock.advance(400_000);
    expect([...cluster.excluded]).toEqual([]);
    expect(registered()).toBe(1);
    expect(events.map(({ type }) => type)).toEqual(["node-announced", "node-withdrawn"]);
  });

  test("stays out where another request has asked for its drain", async () => {
    const { made, cluster, change, registered } = await scene();
    await change({ node: node({ taints: [KARPENTER] }) });
    await made.clock.advance(1_000);
    const other = made.ask(ID, { reason: "spot interruption" });
    await change({ node: node() });
    await made.clock.run(other);
    expect(registered()).toBe(0);
    expect([...cluster.excluded]).toEqual([`${ID}.internal`]);
  });

  test("is not registered again while another announcement stands", async () => {
    const { made, change, registered } = await scene();
    await change({ node: node({ taints: [KARPENTER], deletedAt: 1 }) });
    await made.clock.advance(1_000);
    await change({ node: node({ deletedAt: 1 }) });
    await made.clock.advance(400_000);
    expect(registered()).toBe(0);
  });

  test("is not taken for one that is gone", async () => {
    const { made, change, registered } = await scene();
    await change({ node: node({ taints: [KARPENTER] }) });
    await made.clock.advance(1_000);
    await change({ gone: "uid-1" });
    await made.clock.advance(400_000);
    expect(registered()).toBe(0);
  });

  test("is registered again also where the taint went away while no process watched", async () => {
    const { made, change, registered } = await scene();
    await change({ node: node({ taints: [KARPENTER] }) });
    await made.clock.advance(400_000);
    await change({ gone: "uid-1" }); // As far as this process knows.
    await change({ node: node({ labels: { [EXCLUDE_LABEL]: "true" } }) });
    await made.clock.advance(400_000);
    expect(registered()).toBe(1);
  });

  test("is reported where it can't be registered again", async () => {
    const { made, change, events } = await scene({
      withdraw: async () => {
        throw new DrainError("drain-not-found", "removed because of its age");
      },
    });
    await change({ node: node({ taints: [KARPENTER] }) });
    await made.clock.advance(1_000);
    await change({ node: node() });
    expect(events.map(({ type }) => type)).toEqual(["node-announced", "node-not-withdrawn"]);
  });
});

/** More than fit into the calls of a few turns. */
const MANY = ALL_CASES ? 1_000 : 250;

test(`${MANY} nodes that are tainted at once are all drained`, async () => {
  const { made, change, outcomes } = await scene();
  const members = Array.from({ length: MANY }, (_, at) => `i-${String(at + 100).padStart(17, "0")}`);
  made.cloud.addPool(
    "alb",
    "many",
    members.map((id, at) => made.cloud.addNode(id, `10.1.${at >> 8}.${at & 255}`)),
  );
  await change(
    ...members.map((instanceId, at) => ({
      node: node({ uid: `many-${at}`, name: `many-${at}`, instanceId, taints: [KARPENTER] }),
    })),
  );
  await made.clock.advance(400_000);
  expect(outcomes.filter((status) => status === "drained")).toHaveLength(MANY);
});

test("nothing is delivered after the stop, and the pump ends", async () => {
  const { change, stop, pumping, requests, source } = await scene();
  stop.abort();
  await change({ node: node({ taints: [KARPENTER] }) });
  await pumping;
  await source.ended();
  expect(requests()).toEqual([]);
});
