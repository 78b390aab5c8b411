import { describe, expect, test } from "vitest";
import { whenAborted } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import {
  type AskedEviction,
  EvictionGate,
  type GatedCluster,
  type GatedNode,
  type GatedPod,
  type GateEvent,
  type GateVerdict,
} from "../../src/drain/eviction-gate.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCluster, type FakePod } from "../support/fake-cluster.ts";
import { never } from "../support/simulated-region.ts";

const NODE = "i-1.internal";
const ASKED: AskedEviction = { namespace: "shop", name: "web-1", isOwn: false, isDryRun: false };
const POD: GatedPod = { uid: "web-1", node: NODE, isExempt: false, graceMs: 30_000 };
const LEAVING: GatedNode = { instanceId: "i-1", isLeaving: true };
const STAYS: GatedNode = { instanceId: "i-1", isLeaving: false };

/** What the API server would say of pod and nodes: what the watch has seen may be older. */
class GatedInMemory implements GatedCluster {
  pods = new Map<string, GatedPod>([["shop/web-1", POD]]);
  seen: GatedNode | undefined = STAYS;
  now: GatedNode | undefined = STAYS;
  reads: string[] = [];
  before: (signal: AbortSignal) => unknown = () => {};

  async pod({ namespace, name }: AskedEviction, signal: AbortSignal): Promise<GatedPod | undefined> {
    this.reads.push(`pod ${name}`);
    await this.before(signal);
    return this.pods.get(`${namespace}/${name}`);
  }

  known(name: string): GatedNode | undefined {
    return name === NODE ? this.seen : undefined;
  }

  async node(name: string, signal: AbortSignal): Promise<GatedNode | undefined> {
    this.reads.push(`node ${name}`);
    await this.before(signal);
    return name === NODE ? this.now : { instanceId: "i-2", isLeaving: false };
  }

  /** The watch has seen it too. */
  leave(node: GatedNode = LEAVING): void {
    this.seen = node;
    this.now = node;
  }
}

interface SceneInput {
  readonly kind?: "alb" | "nlb";
  readonly guard?: GuardOptions;
  readonly dryRun?: boolean;
  /** Absent: it is. */
  readonly isRegistered?: boolean;
  /** Of the node, in the cluster that the drainer knows. */
  readonly pods?: readonly FakePod[];
}

/** A node behind a load balancer that is held for 60 s (ALB) or 210 s (NLB), with one pod. */
function scene({ kind = "alb", guard, dryRun = false, pods = [], isRegistered = true }: SceneInput = {}) {
  const gated = new GatedInMemory();
  const events: GateEvent[] = [];
  const cluster = new FakeCluster(() => made.clock);
  const parts = { cluster, ledger: new MemoryLedger(), registersAgain: true };
  const made: DrainScene = new DrainScene({}, guard, parts, [(event) => gate.observe(event)]);
  const { clock, cloud, drainer } = made;
  const gate = new EvictionGate({
    clock,
    cluster: gated,
    dryRun,
    running: (id) => drainer.running(id),
    onEvent: (event) => events.push(event),
  });
  const node = cloud.addNode("i-1", "10.0.0.1");
  const pool = cloud.addPool(kind, "web", [isRegistered ? node : cloud.addNode("i-2", "10.0.0.2")], {
    drainMs: 60_000,
  });
  cluster.pods.set(NODE, pods);
  const judge = (more: Partial<AskedEviction> = {}): Promise<GateVerdict> => gate.judge({ ...ASKED, ...more }, never);
  const drain = (more: Partial<DrainRequest> = {}) => drainer.drain({ ...made.request("i-1"), ...more }, never);
  /** The drain runs, and has deregistered the node. */
  const begin = async (more: Partial<DrainRequest> = {}) => {
    const drained = drain(more);
    await clock.advance(1);
    return { drained };
  };
  const told = (type: GateEvent["type"]) => events.filter((event) => event.type === type);
  return { made, gated, cluster, clock, cloud, drainer, gate, node, pool, judge, drain, begin, told };
}

const HELD = { isHeld: true };
const passes = (because: string) => ({ isHeld: false, because });

describe("the eviction gate holds an eviction", () => {
  test("from the announcement until load balancers have stopped sending traffic to the node", async () => {
    const { gated, judge, drain, clock, told } = scene();
    expect(await judge()).toEqual(passes("node-stays"));
    gated.leave();
    expect(await judge()).toEqual(HELD);
    const drained = drain({ isEvictedByOwner: true });
    await clock.advance(1_000);
    expect(await judge()).toEqual(HELD);
    await clock.advance(55_000);
    expect(await judge()).toMatchObject(HELD);
    expect(await clock.run(drained)).toMatchObject({ status: "drained" });
    expect(await judge()).toEqual(passes("released"));
    expect(told("eviction-held")).toEqual([{ type: "eviction-held", pod: "shop/web-1", instanceId: "i-1" }]);
    expect(told("held-eviction-passed")).toEqual([
      expect.objectContaining({ pod: "shop/web-1", because: "released", heldMs: 60_000 }),
    ]);
  });

  test("before the node watch has seen the taint, by the Node object as it is now", async () => {
    const { gated, judge } = scene();
    gated.now = LEAVING;
    expect(await judge()).toEqual(HELD);
    expect(gated.reads).toEqual(["pod web-1", `node ${NODE}`]);
  });

  test("of a node that the watch does not know yet", async () => {
    const { gated, judge } = scene();
    gated.seen = undefined;
    gated.now = LEAVING;
    expect(await judge()).toEqual(HELD);
  });

  test("without asking for the Node object while its drain runs, and for the pod every 30 s", async () => {
    const { gated, judge, begin, clock } = scene({ kind: "nlb" });
    await begin();
    for (let second = 0; second < 60; second += 10) {
      expect(await judge()).toEqual(HELD);
      await clock.advance(10_000);
    }
    expect(gated.reads).toEqual(["pod web-1", "pod web-1"]);
  });

  test("of another pod of the same name, which is on another node, not", async () => {
    const { gated, judge, begin } = scene();
    await begin();
    expect(await judge({ uid: "web-1" })).toEqual(HELD);
    gated.pods.set("shop/web-1", { ...POD, uid: "new", node: "i-2.internal" });
    expect(await judge({ uid: "new" })).toEqual(passes("node-stays"));
  });

  test("of a node that is drained for another reason than its Node object", async () => {
    const { judge, begin, clock } = scene();
    const { drained } = await begin({ reason: "spot interruption" });
    expect(await judge()).toEqual(HELD);
    await clock.run(drained);
    expect(await judge()).toEqual(passes("released"));
  });

  test("and says when to try again in the last ten seconds alone", async () => {
    const { judge, drain, clock, made } = scene();
    void drain();
    await clock.advance(49_000);
    expect(await judge()).toEqual(HELD);
    await clock.advance(3_000);
    const [verdict, elapsed] = [await judge(), made.elapsedSeconds];
    expect(verdict).toEqual({ isHeld: true, retryAfterSeconds: 60 - elapsed });
  });

  test("while the drain waits for what an earlier try has deregistered", async () => {
    const { judge, drain, clock } = scene({ kind: "nlb", isRegistered: false });
    const drained = drain({ firstTriedAt: clock.now() - 10_000 });
    await clock.advance(10_000);
    expect(await judge()).toEqual(HELD);
    await clock.run(drained);
    expect(await judge()).toEqual(passes("released"));
  });

  test("while it is not known yet whether a controller has deregistered the node unseen", async () => {
    const { judge, drain, cluster, clock } = scene({ kind: "nlb", isRegistered: false });
    cluster.before = (_, signal) => whenAborted(signal);
    const drained = drain({ isExcludedBefore: true });
    for (let second = 0; second < 10; second += 1) {
      await clock.advance(1_000);
      expect(await judge()).toEqual(HELD);
    }
    await clock.run(drained);
    expect(await judge()).toEqual(passes("released"));
  });

  test("of a node whose drain an earlier process has begun", async () => {
    const { gate, judge, made, gated, node } = scene();
    gated.seen = LEAVING;
    gate.observe({ type: "resumed", drainId: "d-1", node });
    // The drain is one that this drainer does not run.
    expect(await judge()).toEqual(passes("released"));
    const other = new EvictionGate({
      clock: made.clock,
      cluster: gated,
      dryRun: false,
      running: (drainId) => ({ drainId, startedAt: 0, reasons: [], registrations: [], sendsUntil: Infinity }),
      onEvent: () => {},
    });
    other.observe({ type: "resumed", drainId: "d-1", node });
    await made.clock.advance(60_000);
    expect(await other.judge(ASKED, never)).toEqual(HELD);
  });

  test("while the guard waits for a replacement", async () => {
    const guard = { minHealthy: { count: 1 }, waitMs: 60_000, maxVoluntary: { percent: 100 } } as const;
    const { judge, drain, clock } = scene({ guard: { ...guard, names: NAMES } });
    void drain();
    await clock.advance(30_000);
    expect(await judge()).toEqual(HELD);
  });
});

const NAMES = { minHealthy: "MIN_HEALTHY", guardWaitMs: "GUARD_WAIT", maxVoluntary: "MAX_VOLUNTARY" };

describe("the eviction gate lets an eviction pass", () => {
  test.each<[string, GatedPod | undefined]>([
    ["that the machine's end takes, is terminating or has finished", { ...POD, isExempt: true }],
    ["that has no node yet", { uid: "web-1", isExempt: false, graceMs: 0 }],
    ["that is gone", undefined],
  ])("of a pod %s", async (_, pod) => {
    const { gated, judge, drain } = scene();
    gated.leave();
    void drain();
    if (pod === undefined) gated.pods.clear();
    else gated.pods.set("shop/web-1", pod);
    expect(await judge()).toEqual(passes("exempt"));
  });

  test("that the program itself makes, without asking for anything", async () => {
    const { gated, judge, drain } = scene();
    gated.leave();
    void drain();
    expect(await judge({ isOwn: true })).toEqual(passes("exempt"));
    expect(gated.reads).toEqual([]);
  });

  test("once a drain evicts itself, also in time for its deadline", async () => {
    const { judge, begin, clock, cluster, told } = scene({ kind: "nlb", pods: [{ pod: "shop/web-1" }] });
    await begin({ evict: {}, deadline: clock.now() + 120_000 });
    expect(await judge()).toEqual(HELD);
    for (let waited = 0; waited < 120 && cluster.evictions.length === 0; waited += 1) await clock.advance(1_000);
    expect(await judge()).toEqual(passes("released"));
    expect(told("held-eviction-passed")).toHaveLength(1);
  });

  test("whose node is no machine of EC2", async () => {
    const { gated, judge } = scene();
    gated.leave({ isLeaving: true });
    expect(await judge()).toEqual(passes("node-stays"));
  });

  test("whose node is gone", async () => {
    const { gated, judge } = scene();
    gated.seen = undefined;
    gated.now = undefined;
    expect(await judge()).toEqual(passes("node-stays"));
  });

  test("30 s after the announcement where no drain has begun", async () => {
    const { gated, judge, clock, told } = scene();
    gated.leave();
    expect(await judge()).toEqual(HELD);
    await clock.advance(29_000);
    expect(await judge()).toEqual(HELD);
    await clock.advance(1_000);
    expect(await judge()).toEqual(passes("no-drain"));
    await clock.advance(60_000);
    expect(await judge()).toEqual(passes("no-drain"));
    expect(told("held-eviction-passed")).toEqual([expect.objectContaining({ because: "no-drain", heldMs: 30_000 })]);
  });

  test("in a dry run, in which nothing is drained", async () => {
    const { gated, judge } = scene({ dryRun: true });
    gated.leave();
    expect(await judge()).toEqual(passes("exempt"));
    expect(gated.reads).toEqual([]);
  });

  test("in time for the pod to end before the deadline of the drain", async () => {
    const { judge, drain, clock } = scene({ kind: "nlb" });
    void drain({ deadline: clock.now() + 120_000 });
    // The drain ends ten seconds before its deadline. The pod has 30 s, and 10 s are left for its end.
    await clock.advance(69_000);
    expect(await judge()).toEqual(HELD);
    await clock.advance(1_000);
    expect(await judge()).toEqual(passes("deadline"));
  });

  test("by the grace period that the eviction itself gives", async () => {
    const { judge, drain, clock } = scene({ kind: "nlb" });
    void drain({ deadline: clock.now() + 120_000 });
    await clock.advance(60_000);
    expect(await judge({ graceMs: 39_000 })).toEqual(HELD);
    expect(await judge({ graceMs: 40_000 })).toEqual(passes("deadline"));
  });

  test("before the program that removes the node gives up evicting", async () => {
    const { gated, judge, drain, clock } = scene({ kind: "nlb" });
    gated.leave({ ...LEAVING, evictBy: clock.now() + 100_000 });
    void drain();
    await clock.advance(99_000);
    expect(await judge()).toEqual(HELD);
    await clock.advance(1_000);
    expect(await judge()).toEqual(passes("deadline"));
  });

  test("once the drain has failed, and while it is tried again for the same departure", async () => {
    const { gated, judge, drain, cloud, clock } = scene();
    gated.leave();
    cloud.before = ({ method }) => {
      if (method === "deregister") throw new DrainError("access-denied", "no");
    };
    expect(await clock.run(drain())).toMatchObject({ status: "failed" });
    expect(await judge()).toEqual(passes("released"));
    cloud.before = () => {};
    void drain();
    await clock.advance(1_000);
    expect(await judge()).toEqual(passes("released"));
  });

  test("in the end, where AWS can't be reached", async () => {
    const { gated, judge, drain, cloud, clock } = scene();
    gated.leave();
    cloud.before = ({ method }) => {
      if (method === "deregister") throw new DrainError("unreachable", "no route to AWS");
    };
    const drained = drain({ isEvictedByOwner: true });
    await clock.advance(30_000);
    expect(await judge()).toEqual(HELD);
    expect(await clock.run(drained)).toMatchObject({ status: "deadline-passed" });
    expect(await judge()).toEqual(passes("released"));
  });

  test("once the deadline has passed", async () => {
    const { gated, judge, drain, clock } = scene({ kind: "nlb" });
    gated.leave();
    expect(await clock.run(drain({ deadline: clock.now() + 30_000 }))).toMatchObject({ status: "deadline-passed" });
    expect(await judge()).toEqual(passes("released"));
  });

  test("whose pod is a target by its own address, as soon as the node itself is released", async () => {
    const { judge, drain, clock, cloud, cluster, node } = scene({
      pods: [{ pod: "shop/web-1", addresses: ["10.1.0.1"] }],
    });
    const addresses = cloud.addPool("alb", "pods", [], { drainMs: 60_000 });
    cloud.addRegistration(addresses, node, 8_080, "10.1.0.1");
    const drained = drain({ isEvictedByOwner: true });
    await clock.advance(30_000);
    expect(await judge()).toEqual(HELD);
    await clock.advance(40_000);
    // The target waits for its pod, whose eviction passes.
    expect(await judge()).toEqual(passes("released"));
    cluster.leaves(NODE, "shop/web-1");
    expect(await clock.run(drained)).toMatchObject({ status: "drained" });
  });

  test.each([
    ["the API server fails", () => Promise.reject(new DrainError("unavailable", "etcd is away")), "unavailable"],
    ["the API server does not answer within two seconds", whenAborted, "unreachable"],
    ["the answer is no object of Kubernetes", () => Promise.reject(new TypeError("x is undefined")), "internal"],
  ])("where %s, and says so", async (_, before, code) => {
    const { gated, judge, clock, told } = scene();
    gated.leave();
    gated.before = before;
    expect(await clock.run(judge())).toEqual(passes("unknown"));
    expect(told("gate-failed")).toEqual([{ type: "gate-failed", error: expect.objectContaining({ code }) }]);
  });

  test("beyond 200 that are being reviewed", async () => {
    const { gated, judge, drain, clock, told } = scene();
    gated.leave();
    void drain();
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    gated.before = () => answered;
    const waiting = Array.from({ length: 200 }, (_, index) => judge({ name: `web-${index}` }));
    expect(await judge()).toEqual(passes("unknown"));
    expect(told("gate-failed")).toMatchObject([{ error: { code: "throttled" } }]);
    answer();
    expect(await clock.run(Promise.all(waiting))).toHaveLength(200);
    expect(await judge()).toEqual(HELD);
  });
});

describe("the eviction gate", () => {
  test("answers a dry run truthfully, and remembers nothing of it", async () => {
    const { gated, judge, clock, told } = scene();
    gated.leave();
    expect(await judge({ isDryRun: true })).toEqual(HELD);
    await clock.advance(60_000);
    expect(await judge()).toEqual(HELD);
    await clock.advance(30_000);
    expect(await judge({ isDryRun: true })).toEqual(passes("no-drain"));
    expect(told("eviction-held")).toHaveLength(1);
    expect(told("held-eviction-passed")).toHaveLength(0);
  });

  test("holds again for the next departure of a node whose drain was undone", async () => {
    const { judge, drain, drainer, clock, made } = scene();
    await clock.run(drain());
    expect(await judge()).toEqual(passes("released"));
    const drainId = made.events[0]?.drainId ?? "";
    await clock.run(drainer.cancel(drainId, undefined, never));
    void drain();
    await clock.advance(1_000);
    expect(await judge()).toEqual(HELD);
  });

  test("holds again for the next departure of a node, 15 minutes after its last drain", async () => {
    const { judge, drain, begin, clock, cloud, pool, node } = scene();
    await clock.run(drain());
    await clock.advance(900_000);
    expect(await judge()).toEqual(passes("node-stays"));
    cloud.addRegistration(pool, node);
    await begin();
    expect(await judge()).toEqual(HELD);
  });

  test("holds nothing again while a node that is drained takes long to leave", async () => {
    const { gated, judge, drain, clock, told } = scene();
    gated.leave();
    await clock.run(drain());
    for (let minute = 0; minute < 60; minute += 10) {
      expect(await judge()).toEqual(passes("released"));
      await clock.advance(600_000);
    }
    expect(told("eviction-held")).toEqual([]);
  });

  test("holds for 30 s at most after the drain of a node that still leaves was cancelled", async () => {
    const { gated, judge, begin, drainer, clock, made } = scene({ kind: "nlb" });
    gated.leave();
    expect(await judge()).toEqual(HELD);
    await begin();
    await clock.advance(40_000);
    await clock.run(drainer.cancel(made.events[0]?.drainId ?? "", undefined, never));
    expect(await judge()).toEqual(HELD);
    await clock.advance(30_000);
    expect(await judge()).toEqual(passes("no-drain"));
  });

  test("waits anew for the drain of a node whose departure was withdrawn before", async () => {
    const { gated, judge, clock } = scene();
    gated.leave();
    expect(await judge()).toEqual(HELD);
    gated.leave(STAYS);
    expect(await judge()).toEqual(passes("node-stays"));
    await clock.advance(60_000);
    gated.leave();
    expect(await judge()).toEqual(HELD);
  });

  test("holds again for a drain that was refused before", async () => {
    const guard = { minHealthy: { count: 1 }, waitMs: 0, maxVoluntary: { percent: 100 }, names: NAMES } as const;
    const { gated, judge, drain, clock, cloud, pool } = scene({ guard });
    gated.leave();
    expect(await clock.run(drain({ isVoluntary: true }))).toMatchObject({ status: "refused" });
    expect(await judge()).toEqual(passes("released"));
    cloud.addRegistration(pool, cloud.addNode("i-2", "10.0.0.2"), 80);
    void drain({ isVoluntary: true });
    await clock.advance(1_000);
    expect(await judge()).toEqual(HELD);
  });

  test("counts every answer", async () => {
    const { judge, told } = scene();
    await judge();
    await judge({ isOwn: true });
    expect(told("eviction-reviewed")).toEqual([
      { type: "eviction-reviewed", verdict: passes("node-stays") },
      { type: "eviction-reviewed", verdict: passes("exempt") },
    ]);
  });
});
