import { describe, expect, test } from "vitest";
import { newAbort, whenAborted } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import type { DrainerOptions } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { EVICT_ALL, type EvictionOptions, jointEviction } from "../../src/drain/eviction.ts";
import { entryOf, lineOf } from "../../src/ledger/lines.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCluster, type FakePod } from "../support/fake-cluster.ts";
import { never } from "../support/simulated-region.ts";

const NODE = "i-1.internal";

/** A node with pods and another one behind a load balancer, in a cluster. */
function scene(
  pods: readonly FakePod[] = [{ pod: "shop/web-1" }],
  kind: "alb" | "nlb" = "alb",
  more: Partial<DrainerOptions> = {},
) {
  const ledger = new MemoryLedger();
  const cluster = new FakeCluster(() => made.clock);
  const made: DrainScene = new DrainScene({}, undefined, { cluster, ledger, ...more });
  const members = [made.cloud.addNode("i-1", "10.0.0.1"), made.cloud.addNode("i-2", "10.0.0.2")];
  const pool = made.cloud.addPool(kind, "web", members, { drainMs: 60_000 });
  cluster.pods.set(NODE, pods);
  made.cloud.remembersAll = true;
  const start = made.clock.now();
  const types = () =>
    made.events.flatMap(({ type }) => (/clud|deregistered|released|evict|ended/.test(type) ? [type] : []));
  const steps = async () => (await ledger.read(ledger.list(1)[0]?.drain ?? "")) ?? [];
  return { made, cluster, cloud: made.cloud, clock: made.clock, ledger, pool, start, types, steps };
}

describe("a drain that evicts", () => {
  test("excludes, deregisters, holds to the end, and evicts then", async () => {
    const { made, cluster, types, start, steps } = scene();
    const outcome = await made.drain("i-1", { evict: {} });
    expect(outcome).toMatchObject({ status: "drained", eviction: { evicted: 1, remaining: [] } });
    expect(types()).toEqual(["excluded", "deregistered", "released", "evicting", "evicted", "ended"]);
    const [heldSeconds = 0] = cluster.secondsOf("evict", start);
    expect(heldSeconds).toBeGreaterThanOrEqual(60);
    expect([...cluster.cordoned]).toEqual([NODE]);
    expect((await steps()).map(({ type }) => type)).toEqual(expect.arrayContaining(["evicting", "evicted"]));
    expect(cluster.released).toEqual([NODE]);
  });

  test("evicts nothing where no request asks for it", async () => {
    const { made, cluster } = scene();
    expect(await made.drain("i-1")).not.toHaveProperty("eviction");
    expect(cluster.calls.map(({ verb }) => verb)).toEqual(["exclude"]);
  });

  test("evicts the pods of a node that is registered nowhere", async () => {
    const { made, cluster, cloud } = scene();
    cloud.addNode("i-9", "10.0.0.9");
    cluster.pods.set("i-9.internal", [{ pod: "shop/a" }]);
    const outcome = await made.drain("i-9", { evict: {} });
    expect(outcome).toMatchObject({ status: "nothing-registered", eviction: { evicted: 1 } });
  });

  test("is not drained where a pod can't be evicted, after all others are gone, and the machine is not let go", async () => {
    const { made, cluster, steps } = scene([{ pod: "shop/stuck", isStuck: true }, { pod: "shop/web-1" }]);
    const outcome = await made.drain("i-1", { evict: {} });
    expect(outcome).toMatchObject({
      status: "failed",
      error: { code: "not-evicted", message: "1 pod was not evicted: shop/stuck (its budget does not allow it)" },
      registrations: [{ state: "released" }],
      eviction: { evicted: 1, remaining: [{ pod: "shop/stuck" }] },
    });
    expect(cluster.released).toEqual([]);
    const end = drainRecord(await steps())?.end;
    expect(end?.outcome).toMatchObject({ status: "failed", eviction: { evicted: 1 } });
  });

  test("waits for a disruption budget, and the default timeout does not run meanwhile", async () => {
    const late = scene();
    late.cluster.pods.set(NODE, [{ pod: "shop/web-1", allowedFrom: late.start + 600_000 }]);
    const outcome = await late.made.drain("i-1", { evict: {} });
    expect(outcome).toMatchObject({ status: "drained", eviction: { evicted: 1 } });
    expect(late.made.elapsedSeconds).toBe(630);
    const refused = late.made.events.filter(({ type }) => type === "eviction-refused");
    expect(refused).toMatchObject([{ pod: "shop/web-1", budget: "web", willRetry: true }]);
  });

  test("gives up on a budget that has refused for a quarter of an hour, and names it", async () => {
    const { made } = scene([{ pod: "shop/web-1", allowedFrom: Number.MAX_SAFE_INTEGER }]);
    const outcome = await made.drain("i-1", { evict: {} });
    expect(outcome).toMatchObject({ status: "failed", error: { code: "not-evicted" } });
    expect("error" in outcome && outcome.error?.message).toMatch(/^1 pod was not evicted: shop\/web-1 \(.*budget/);
    expect(made.elapsedSeconds).toBe(60 + 30 + 900);
  });

  test("ends by the caller's timeout, with what still keeps the pods", async () => {
    const { made } = scene([{ pod: "shop/web-1", allowedFrom: Number.MAX_SAFE_INTEGER }]);
    const outcome = await made.drain("i-1", { evict: {}, timeoutSeconds: 200 });
    expect(outcome).toMatchObject({
      status: "deadline-passed",
      error: { code: "throttled" },
      eviction: { evicted: 0, remaining: [{ pod: "shop/web-1" }] },
    });
    expect(made.elapsedSeconds).toBe(200);
  });

  test("evicts before the hold has ended where the machine goes: the pods get the time that they need", async () => {
    const { made, cluster, start } = scene([{ pod: "shop/web-1", graceSeconds: 40 }], "nlb");
    const outcome = await made.drain("i-1", { evict: EVICT_ALL, deadlineSeconds: 120 });
    // The limit is ten seconds before the deadline, and five are for the reading.
    expect(cluster.secondsOf("evict", start)).toEqual([65]);
    expect(outcome).toMatchObject({ status: "deadline-passed", eviction: { evicted: 1, remaining: [] } });
  });

  test("deregisters nothing where the options don't allow the eviction", async () => {
    const { made, cluster } = scene([{ pod: "shop/db", hasData: true }]);
    const outcome = await made.drain("i-1", { evict: {}, isVoluntary: true });
    expect(outcome).toMatchObject({ status: "failed", error: { code: "not-evicted" }, registrations: [] });
    expect(cluster.calls.map(({ verb }) => verb)).toEqual(["planEviction"]);
    expect(made.cloud.callsOf("deregister")).toEqual([]);
  });

  test("waits three seconds for a cluster that does not answer, deregisters, and evicts when it answers again", async () => {
    const { made, cluster, start } = scene();
    cluster.before = ({ at }, signal) => (at - start < 10_000 ? whenAborted(signal) : undefined);
    const outcome = await made.drain("i-1", { evict: {}, isVoluntary: true });
    expect(outcome).toMatchObject({ status: "drained", eviction: { evicted: 1 } });
    expect(made.secondsOf("deregister")).toEqual([6]);
  });

  test("does not evict pods that may still get traffic", async () => {
    const { made, cluster, cloud } = scene();
    cloud.before = ({ method }) => {
      if (method === "deregister") throw new DrainError("access-denied", "denied");
    };
    const outcome = await made.drain("i-1", { evict: {}, isVoluntary: true });
    expect(outcome).toMatchObject({ status: "failed", error: { code: "access-denied" } });
    expect(cluster.evictions).toEqual([]);
  });

  test("evicts for a request that joins", async () => {
    const { made, cluster, clock } = scene();
    const first = made.ask("i-1");
    await clock.advance(20_000);
    const second = made.ask("i-1", { evict: { podSelector: "app=web" } });
    await clock.run(Promise.all([first, second]));
    expect(cluster.evictions).toEqual([{ podSelectors: ["app=web"] }]);
  });

  test("evicts in every drain where it is to, except where the machine's owner evicts", async () => {
    const always = { evictsAlways: true };
    const { made, cluster } = scene(undefined, "alb", always);
    await made.drain("i-1");
    expect(cluster.evictions).toEqual([EVICT_ALL]);
    const other = scene(undefined, "alb", always);
    const request = { ...other.made.request("i-1"), isEvictedByOwner: true } as const;
    await other.clock.run(other.made.drainer.drain(request, never));
    expect(other.cluster.evictions).toEqual([]);
  });

  test("can't evict without a cluster, and says so before it deregisters", async () => {
    const made = new DrainScene();
    made.cloud.addPool("alb", "web", [made.cloud.addNode("i-1")]);
    const outcome = await made.drain("i-1", { evict: {}, isVoluntary: true });
    expect(outcome).toMatchObject({ status: "failed", error: { code: "not-evicted" } });
    expect("error" in outcome && outcome.error?.message).toMatch(/KUBERNETES/);
    expect(made.cloud.callsOf("deregister")).toEqual([]);
  });

  test("evicts after a restart in the way that was asked for", async () => {
    const of = scene();
    const abandon = newAbort();
    const evict = {
      gracePeriodSeconds: 5,
      deletesEmptyDirData: true,
      disablesEviction: true,
      podSelector: "app=web",
    } as const;
    const first = of.made.ask("i-1", { evict, signal: abandon.signal });
    await of.clock.advance(20_000);
    abandon.abort();
    expect((await first).status).toBe("abandoned");
    // As a file has them.
    const [entries = []] = await of.ledger.unfinished();
    const record = drainRecord(
      entries.map((entry) => entryOf(lineOf(entry).trim())).filter((one) => one !== undefined),
    );
    if (record === undefined) throw new Error("the drain is not recorded");
    await of.clock.run(of.made.drainer.resume(record, never));
    const { podSelector, ...same } = evict;
    expect(of.cluster.evictions).toEqual([{ ...same, podSelectors: [podSelector] }]);
  });

  test("gives the cordon back when it is cancelled", async () => {
    const of = scene();
    await of.made.drain("i-1", { evict: {} });
    expect([...of.cluster.cordoned]).toEqual([NODE]);
    await of.clock.run(of.made.drainer.cancel(of.ledger.list(1)[0]?.drain ?? "", { via: "http" }, never));
    expect([...of.cluster.cordoned, ...of.cluster.excluded]).toEqual([]);
  });
});

describe("what several requests for an eviction come to", () => {
  const joint = (...asked: readonly EvictionOptions[]) =>
    asked.reduce<ReturnType<typeof jointEviction> | undefined>(jointEviction, undefined);

  test.each([
    ["the longer time", [{ gracePeriodSeconds: 5 }, { gracePeriodSeconds: 60 }], { gracePeriodSeconds: 60 }],
    ["the pods' own time where one leaves it", [{ gracePeriodSeconds: 5 }, {}], {}],
    ["the pods of both", [{ podSelector: "a=1" }, { podSelector: "b=2" }], { podSelectors: ["a=1", "b=2"] }],
    ["all pods where one wants all", [{ podSelector: "a=1" }, {}], {}],
    [
      "what one of them lets happen",
      [{ deletesEmptyDirData: true }, { evictsUnmanaged: true }] as const,
      { deletesEmptyDirData: true, evictsUnmanaged: true },
    ],
    ["budgets where one respects them", [{ disablesEviction: true }, {}] as const, {}],
  ])("%s", (_, asked, result) => {
    expect(joint(...(asked as readonly EvictionOptions[]))).toEqual(result);
  });
});
