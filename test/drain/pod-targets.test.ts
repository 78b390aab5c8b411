import { describe, expect, test } from "vitest";
import { whenAborted } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCluster, type FakePod } from "../support/fake-cluster.ts";
import { never } from "../support/simulated-region.ts";

const NODE = "i-1.internal";
const WEB: FakePod = { pod: "shop/web-1", addresses: ["10.1.0.1"] };

/** A node behind an NLB by its id, and behind an ALB by the addresses of its pods, which the cloud does not know of. */
function scene(pods: readonly FakePod[] = [WEB]) {
  const cluster = new FakeCluster(() => made.clock);
  const made: DrainScene = new DrainScene({}, undefined, { cluster, ledger: new MemoryLedger() });
  const { cloud, clock } = made;
  const node = cloud.addNode("i-1", "10.0.0.1");
  const instances = cloud.addPool("nlb", "tcp", [node], { drainMs: 60_000 });
  const addresses = cloud.addPool("alb", "web", [], { drainMs: 60_000 });
  for (const { addresses: own = [] } of pods) for (const one of own) cloud.addRegistration(addresses, node, 8_080, one);
  cluster.pods.set(NODE, pods);
  const ask = (more: Partial<DrainRequest> = {}) => made.drainer.drain({ ...made.request("i-1"), ...more }, never);
  const drain = (more: Partial<DrainRequest> = {}) => clock.run(ask(more));
  const seconds = (pool: typeof addresses) => made.secondsOf("deregister", pool);
  return { made, cluster, cloud, clock, node, instances, addresses, ask, drain, seconds };
}

describe("targets that are pods of a node", () => {
  test("are found by the pods that the cluster has on it, and deregistered at once where no program evicts them", async () => {
    const { drain, seconds, addresses, instances } = scene();
    const outcome = await drain();
    expect(outcome).toMatchObject({ status: "drained" });
    expect("registrations" in outcome && outcome.registrations.map(({ registration }) => registration.target)).toEqual([
      "10.1.0.1:8080",
      "i-1:80",
    ]);
    expect([seconds(addresses), seconds(instances)]).toEqual([[0], [0]]);
  });

  test("leave with their pods where the drain evicts them, and are held from then on", async () => {
    const { drain, seconds, addresses, instances, made } = scene();
    const outcome = await drain({ evict: {} });
    expect(outcome).toMatchObject({ status: "drained", eviction: { evicted: 1 } });
    expect(seconds(instances)).toEqual([0]);
    // The hold of the NLB is 210 s. Then the pod is evicted.
    expect(seconds(addresses)).toEqual([210]);
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(210 + 60);
    const order = made.events.flatMap(({ type }) => (/evict|released/.test(type) ? [type] : []));
    expect(order).toEqual(["released", "evicting", "evicted", "released"]);
  });

  test("leave with their pods where the machine's owner evicts them", async () => {
    const { ask, seconds, addresses, clock, cluster } = scene();
    const drain = ask({ isEvictedByOwner: true });
    await clock.advance(600_000);
    expect(seconds(addresses)).toEqual([]);
    cluster.leaves(NODE, "shop/web-1");
    expect(await clock.run(drain)).toMatchObject({ status: "drained" });
    expect(seconds(addresses)).toEqual([602]);
    expect(cluster.evictions).toEqual([]);
  });

  test.each([
    ["of a DaemonSet", { ...WEB, isBound: true }],
    ["that are terminating already", { ...WEB, isLeaving: true }],
  ])("are deregistered at once of pods %s", async (_, pod) => {
    const { drain, seconds, addresses } = scene([pod]);
    expect(await drain({ isEvictedByOwner: true })).toMatchObject({ status: "drained" });
    expect(seconds(addresses)).toEqual([0]);
  });

  test("are deregistered in time for their hold where the machine goes before their pods", async () => {
    const { drain, seconds, addresses } = scene();
    await drain({ isEvictedByOwner: true, deadline: Date.parse("2026-01-01T00:10:00Z") });
    // The limit is ten seconds before the deadline, the hold takes 60 s, and 5 are left for its end.
    expect(seconds(addresses)).toEqual([600 - 10 - 60 - 4]);
  });

  test("are deregistered at once where the cluster does not answer within three seconds, and the drain says so", async () => {
    const { drain, seconds, addresses, instances, cluster, cloud, node } = scene();
    cloud.addRegistration(addresses, node, 80, "10.0.0.1");
    cluster.before = (_, signal) => whenAborted(signal);
    const outcome = await drain({ isEvictedByOwner: true });
    expect([seconds(addresses), seconds(instances)]).toEqual([[3], [3]]);
    expect(outcome).toMatchObject({
      status: "drained",
      warnings: [expect.stringMatching(/^the pods of i-1 could not be read \(the cluster did not answer within 3 s\)/)],
    });
  });

  test("are looked for again before the end, where the cluster could not be read at first", async () => {
    const { drain, seconds, addresses, cluster, made } = scene();
    const start = made.clock.now();
    cluster.before = ({ at }) => {
      if (at - start < 20_000) throw new DrainError("unavailable", "away");
    };
    const outcome = await drain();
    expect(outcome).toMatchObject({ status: "drained" });
    expect(outcome).not.toHaveProperty("warnings");
    expect("registrations" in outcome && outcome.registrations).toHaveLength(2);
    expect(seconds(addresses)[0]).toBeGreaterThanOrEqual(210);
  });

  test("are looked for again before the end, where pods have started on the node meanwhile", async () => {
    const { ask, seconds, addresses, cluster, cloud, clock, node } = scene();
    const drain = ask();
    await clock.advance(30_000);
    cluster.pods.set(NODE, [WEB, { pod: "shop/late", addresses: ["10.1.0.9"] }]);
    cloud.addRegistration(addresses, node, 8_080, "10.1.0.9");
    const outcome = await clock.run(drain);
    expect("registrations" in outcome && outcome.registrations.map(({ state }) => state)).toEqual([
      "released",
      "released",
      "released",
    ]);
    expect(seconds(addresses)).toHaveLength(2);
  });

  test("are looked for again before the end, where a pod that had its address already has become ready meanwhile", async () => {
    const late: FakePod = { pod: "shop/late", addresses: ["10.1.0.9"] };
    const { ask, seconds, addresses, cluster, cloud, clock, node } = scene();
    cluster.pods.set(NODE, [WEB, late]);
    const drain = ask();
    await clock.advance(30_000);
    cluster.pods.set(NODE, [WEB, { ...late, readySince: clock.now() }]);
    cloud.addRegistration(addresses, node, 8_080, "10.1.0.9");
    const outcome = await clock.run(drain);
    expect("registrations" in outcome && outcome.registrations.map(({ state }) => state)).toEqual([
      "released",
      "released",
      "released",
    ]);
    expect(seconds(addresses)).toHaveLength(2);
  });

  test("are looked for again where the wait for other pods has shown them, but no search has known them", async () => {
    const { ask, seconds, addresses, cluster, cloud, clock, node } = scene();
    const drain = ask({ isEvictedByOwner: true });
    await clock.advance(30_000);
    cluster.pods.set(NODE, [WEB, { pod: "kube-system/late", addresses: ["10.1.0.9"], isBound: true }]);
    cloud.addRegistration(addresses, node, 8_080, "10.1.0.9");
    await clock.advance(30_000);
    cluster.leaves(NODE, "shop/web-1");
    const outcome = await clock.run(drain);
    expect("registrations" in outcome && outcome.registrations).toHaveLength(3);
    expect(seconds(addresses)).toHaveLength(2);
  });

  test.each([
    ["were ready long before the drain, and are no targets", "2025-12-31T23:58:59Z", "10.1.0.9", 1],
    ["were ready a moment before the drain, and were found", "2025-12-31T23:59:59Z", "10.1.0.1", 1],
    ["were ready a moment before the drain, and were not found", "2025-12-31T23:59:59Z", "10.1.0.9", 2],
  ])("are looked for so often where their pods %s", async (_, readySince, address, searches) => {
    const { drain, clock, cloud, cluster } = scene();
    cluster.pods.set(NODE, [{ pod: "shop/web-1", addresses: [address], readySince: Date.parse(readySince) }]);
    expect(clock.now()).toBe(Date.parse("2026-01-01T00:00:00Z"));
    await drain();
    expect(cloud.callsOf("findRegistrations")).toHaveLength(searches);
  });

  test("that are not looked for at the end, because the cluster does not answer then, are named in a warning", async () => {
    const { ask, cluster, clock } = scene();
    const drain = ask();
    await clock.advance(30_000);
    cluster.before = ({ verb }) => {
      if (verb === "podsOf") throw new DrainError("unavailable", "away");
    };
    expect(await clock.run(drain)).toMatchObject({
      status: "drained",
      warnings: [
        expect.stringMatching(/^the pods of i-1 could not be read at the end of the drain \(away\): targets of/),
      ],
    });
  });

  test("do not wait for a cluster that is no longer there to say what their pods do", async () => {
    const { ask, seconds, addresses, cluster, clock } = scene();
    const drain = ask({ isEvictedByOwner: true });
    await clock.advance(100_000);
    cluster.before = ({ verb }, signal) => (verb === "podsOf" ? whenAborted(signal) : undefined);
    const outcome = await clock.run(drain);
    expect(seconds(addresses)[0]).toBeLessThanOrEqual(106);
    expect(outcome).toMatchObject({ warnings: [expect.stringMatching(/could no longer be read/)] });
  });

  test("stay registered, and the drain fails, where their pod can't be evicted", async () => {
    const { drain, seconds, addresses } = scene([{ ...WEB, isStuck: true }]);
    const outcome = await drain({ evict: {} });
    expect(outcome).toMatchObject({ status: "failed", error: { code: "not-evicted" } });
    expect(seconds(addresses)).toEqual([]);
  });
});
