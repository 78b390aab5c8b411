import { describe, expect, test } from "vitest";
import { newAbort, whenAborted } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import { undoFailure } from "../../src/drain/undo.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCluster } from "../support/fake-cluster.ts";
import { never } from "../support/simulated-region.ts";

const GUARD: GuardOptions = { minHealthy: { count: 1 }, maxVoluntary: { percent: 100 }, waitMs: 120_000 };
const AWAY = new DrainError("unreachable", "the API server does not answer");

/** A node and another one behind an ALB, in a cluster. */
function scene(guard?: GuardOptions, nodes = 2) {
  const ledger = new MemoryLedger();
  const cluster = new FakeCluster(() => made.clock);
  const made: DrainScene = new DrainScene({}, guard, { cluster, ledger });
  const members = Array.from({ length: nodes }, (_, at) => made.cloud.addNode(`i-${at + 1}`, `10.0.0.${at + 1}`));
  const pool = made.cloud.addPool("alb", "web", members);
  made.cloud.remembersAll = true;
  const start = made.clock.now();
  const types = () =>
    made.events.flatMap(({ type }) => (/clud|deregistered|released|ended|guard/.test(type) ? [type] : []));
  const steps = async () => {
    const [last] = ledger.list(1);
    return (await ledger.read(last?.drain ?? "")) ?? [];
  };
  return { made, cluster, cloud: made.cloud, clock: made.clock, ledger, pool, members, start, types, steps };
}

describe("a drain in a cluster", () => {
  test("excludes the node before it deregisters it", async () => {
    const { made, cluster, types, steps } = scene();
    expect((await made.drain("i-1")).status).toBe("drained");
    expect([...cluster.excluded]).toEqual(["i-1.internal"]);
    expect(types()).toEqual(["excluded", "deregistered", "released", "ended"]);
    expect((await steps()).map(({ type }) => type)).toEqual(expect.arrayContaining(["excluded", "deregistered"]));
  });

  test("waits three seconds for a cluster that does not answer, and goes on without it", async () => {
    const { made, cluster, start } = scene();
    cluster.before = (_, signal) => whenAborted(signal);
    const outcome = await made.drain("i-1");
    expect(outcome.status).toBe("drained");
    expect(made.secondsOf("deregister")).toEqual([3]);
    expect(cluster.secondsOf("exclude", start)).toEqual([0]);
  });

  test("tries again beside the drain where the cluster fails, and records the failure once", async () => {
    const { made, cluster, types, start, steps } = scene();
    cluster.before = ({ at }) => {
      if (at - start < 20_000) throw AWAY;
    };
    expect((await made.drain("i-1")).status).toBe("drained");
    expect(made.secondsOf("deregister")).toEqual([3]);
    expect(cluster.secondsOf("exclude", start)).toEqual([0, 1, 3, 7, 15, 31]);
    expect(types()).toEqual(["exclude-failed", "deregistered", "excluded", "released", "ended"]);
    const failed = (await steps()).filter(({ type }) => type === "exclude-failed");
    expect(failed).toMatchObject([{ error: { code: "unreachable", message: AWAY.message } }]);
  });

  test("goes on at once where the cluster refuses, and tries again beside the drain", async () => {
    const { made, cluster, start, types } = scene();
    cluster.before = () => {
      throw new DrainError("access-denied", "us cannot patch nodes");
    };
    expect((await made.drain("i-1")).status).toBe("drained");
    expect(made.secondsOf("deregister")).toEqual([0]);
    expect(cluster.secondsOf("exclude", start).length).toBeGreaterThan(5);
    expect(types()).toEqual(["exclude-failed", "deregistered", "released", "ended"]);
  });

  test("goes on at once where the cluster has no such node", async () => {
    const { made, cluster, types } = scene();
    cluster.unknown.add("i-1");
    expect((await made.drain("i-1")).status).toBe("drained");
    expect(made.secondsOf("deregister")).toEqual([0]);
    expect(types()).toEqual(["excluded", "deregistered", "released", "ended"]);
    expect(made.events.find(({ type }) => type === "excluded")).not.toHaveProperty("name");
  });

  test("excludes a node that is registered nowhere: a controller may be about to register it", async () => {
    const { made, cluster, cloud } = scene();
    cloud.addNode("i-9", "10.0.0.9");
    expect((await made.drain("i-9")).status).toBe("nothing-registered");
    expect([...cluster.excluded]).toEqual(["i-9.internal"]);
  });

  test("excludes nothing that the guard refuses, and nothing in a dry run", async () => {
    const { made, cluster } = scene(GUARD, 1);
    expect((await made.drain("i-1", { isVoluntary: true })).status).toBe("refused");
    expect((await made.drain("i-1", { dryRun: true })).status).toBe("planned");
    expect(cluster.calls).toEqual([]);
  });

  test("excludes the node only after the guard has found enough replacements, and then deregisters what waited", async () => {
    const { made, cluster, cloud, clock, pool, start } = scene(GUARD, 1);
    cloud.knowsHealth = true;
    const drain = made.ask("i-1", { deadlineSeconds: 600 });
    await clock.advance(20_000);
    expect(cluster.calls).toEqual([]);
    cloud.addRegistration(pool, cloud.addNode("i-5", "10.0.0.5"));
    await clock.run(drain);
    const [excludedAt = 0] = cluster.secondsOf("exclude", start);
    expect(excludedAt).toBeGreaterThanOrEqual(20);
    expect(made.secondsOf("deregister")).toEqual([excludedAt]);
  });

  test("does not exclude a node that keeps the last healthy target of a pool, though it leaves another", async () => {
    const { made, cluster, cloud, members } = scene(GUARD, 1);
    cloud.knowsHealth = true;
    cloud.addPool("alb", "other", [...members, cloud.addNode("i-7", "10.0.0.7")]);
    const outcome = await made.drain("i-1", { deadlineSeconds: 120 });
    expect("registrations" in outcome && outcome.registrations.map(({ state }) => state).sort()).toContain("kept");
    expect(made.secondsOf("deregister")).toHaveLength(1);
    expect(cluster.calls).toEqual([]);
  });

  test("takes the exclusion back where a pool that was found later is to keep the node", async () => {
    const { made, cluster, cloud, members } = scene(GUARD, 2);
    const late = cloud.addPool("alb", "zlate", members.slice(0, 1));
    cloud.before = ({ method, pool }) => {
      if (method === "healthOf" && pool === late.id) return made.clock.sleep(1_000, never);
      return undefined;
    };
    cloud.knowsHealth = false;
    const outcome = await made.drain("i-1", { deadlineSeconds: 400 });
    expect("registrations" in outcome && outcome.registrations.map(({ state }) => state)).toContain("kept");
    expect([...cluster.excluded]).toEqual([]);
  });
});

describe("what controllers may have deregistered unseen", () => {
  test.each([
    ["is held for as long as a load balancer may go on, where no pool was known before", false, 0, 210],
    ["is held as long where every pool was first read a moment ago, perhaps after the controllers", true, 209_000, 210],
    ["is known where every pool was read long before", true, 210_000, 0],
  ])("%s", async (_, remembersAll, rememberedForMs, waitedSeconds) => {
    const { made, cloud } = scene();
    Object.assign(cloud, { remembersAll, rememberedForMs });
    cloud.addNode("i-8", "10.0.0.8");
    cloud.addPool("nlb", "tcp", [cloud.addNode("i-7", "10.0.0.7")]);
    const request = { ...made.request("i-8"), isExcludedBefore: true } as const;
    expect((await made.clock.run(made.drainer.drain(request, never))).status).toBe("nothing-registered");
    expect(made.elapsedSeconds).toBe(waitedSeconds);
  });
});

describe("the undo of a drain in a cluster", () => {
  const cancel = async (of: ReturnType<typeof scene>, signal = never) => {
    const id = of.ledger.list(1)[0]?.drain ?? "";
    return of.clock.run(of.made.drainer.cancel(id, { via: "http" }, signal));
  };

  test("takes the exclusion back before it registers anything", async () => {
    const of = scene();
    await of.made.drain("i-1");
    const outcome = await cancel(of);
    expect(undoFailure(outcome)).toBeUndefined();
    expect([...of.cluster.excluded]).toEqual([]);
    const order = of.made.events.flatMap(({ type }) => (["included", "registered"].includes(type) ? [type] : []));
    expect(order).toEqual(["included", "registered"]);
  });

  test("registers again though the cluster does not answer, and says at the end what is left to do", async () => {
    const of = scene();
    await of.made.drain("i-1");
    of.cluster.before = () => {
      throw AWAY;
    };
    const outcome = await cancel(of);
    expect(outcome.registrations.map(({ state }) => state)).toEqual(["registered"]);
    expect(undoFailure(outcome)).toMatchObject({ code: "unreachable" });
    expect(outcome.stillExcluded?.message).toBe(AWAY.message);
  });

  test("goes on with the exclusion that another life has not taken back", async () => {
    const of = scene();
    await of.made.drain("i-1");
    of.cluster.before = (_, signal) => whenAborted(signal);
    const abandon = newAbort();
    const cancelled = of.made.drainer.cancel(of.ledger.list(1)[0]?.drain ?? "", undefined, abandon.signal);
    cancelled.catch(() => {});
    await of.clock.advance(10_000);
    abandon.abort();
    await expect(cancelled).rejects.toThrow();
    of.cluster.before = () => {};
    const [entries = []] = await of.ledger.unfinished();
    const record = drainRecord(entries);
    expect(record?.undo).toBeDefined();
    if (record !== undefined) await of.clock.run(of.made.drainer.resume(record, never));
    expect([...of.cluster.excluded]).toEqual([]);
  });
});
