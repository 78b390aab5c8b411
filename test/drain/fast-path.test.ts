import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import { undoFailure } from "../../src/drain/undo.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";
import type { FakeCloud } from "../support/fake-cloud.ts";
import { FakeCluster } from "../support/fake-cluster.ts";
import { never } from "../support/simulated-region.ts";

const KEPT = { kubeProxyCheckMs: 20_000, keepsUnhealthyMs: Number.POSITIVE_INFINITY };
const CUT = { kubeProxyCheckMs: 20_000 };
const GUARD: GuardOptions = { minHealthy: { count: 1 }, maxVoluntary: { percent: 100 }, waitMs: 120_000 };

/** A node and another one behind an NLB whose health check asks kube-proxy, in a cluster. */
function scene({
  pool = KEPT as Parameters<FakeCloud["addPool"]>[3],
  guard = undefined as GuardOptions | undefined,
  nodes = 2,
  has = true,
} = {}) {
  const ledger = new MemoryLedger();
  const cluster = new FakeCluster(() => made.clock);
  const made: DrainScene = new DrainScene({ hasFastPath: has }, guard, { cluster, ledger });
  const members = Array.from({ length: nodes }, (_, at) => made.cloud.addNode(`i-${at + 1}`, `10.0.0.${at + 1}`));
  made.cloud.addPool("nlb", "tcp", members, pool);
  made.cloud.remembersAll = true;
  const record = async () => drainRecord((await ledger.read(ledger.list(1)[0]?.drain ?? "")) ?? []);
  const warnings = () => made.events.flatMap((event) => (event.type === "planned" ? event.plan.warnings : []));
  return { made, cluster, cloud: made.cloud, clock: made.clock, ledger, record, warnings, start: made.clock.now() };
}

describe("a drain with a short notice", () => {
  test("deregisters at once and taints the node beside that, once, and is held no shorter", async () => {
    const { made, cluster, record, start } = scene();
    const outcome = await made.drain("i-1", { deadlineSeconds: 120 });
    expect(outcome).toMatchObject({ status: "deadline-passed", limit: { reason: "deadline" } });
    expect(made.elapsedSeconds).toBe(110);
    expect(made.secondsOf("deregister")).toEqual([0]);
    expect(cluster.secondsOf("taint", start)).toEqual([0]);
    expect([...cluster.tainted]).toEqual(["i-1.internal"]);
    expect(made.events.filter(({ type }) => type === "tainted")).toMatchObject([{ name: "i-1.internal" }]);
    expect((await record())?.entries).toContainEqual(
      expect.objectContaining({ type: "tainted", name: "i-1.internal" }),
    );
  });

  test.each([
    ["without the option", { has: false }, 120, []],
    ["that is long enough", {}, 600, []],
    ["where connections would be cut", { pool: CUT }, 120, [expect.stringMatching(/NLB_FAST_PATH.*not taken: .*cut/)]],
  ])("taints nothing %s", async (_, input, deadlineSeconds, said) => {
    const { made, cluster, warnings } = scene(input);
    await made.drain("i-1", { deadlineSeconds });
    expect(cluster.tainted.size).toBe(0);
    expect(warnings().filter((warning) => warning.includes("NLB_FAST_PATH"))).toEqual(said);
  });

  test("taints nothing without a deadline, and says nothing of it", async () => {
    const { made, cluster, warnings } = scene({ pool: CUT });
    await made.drain("i-1");
    expect([cluster.tainted.size, warnings()]).toEqual([0, []]);
  });

  test("taints the node before a slow search is done, where every pool was known before", async () => {
    const { made, cluster, cloud, start } = scene();
    cloud.searchMs = 60_000;
    await made.drain("i-1", { deadlineSeconds: 120 });
    expect(cluster.secondsOf("taint", start)).toEqual([0]);
    expect(cluster.secondsOf("untaint", start)).toEqual([]);
  });

  test("waits for the search where not every pool was known before", async () => {
    const { made, cluster, cloud, start } = scene();
    cloud.remembersAll = false;
    cloud.searchMs = 60_000;
    await made.drain("i-1", { deadlineSeconds: 120 });
    expect(cluster.secondsOf("taint", start)).toEqual([60]);
  });

  test("takes the taint back where the search finds a pool that would cut connections", async () => {
    const { made, cluster, cloud, start } = scene();
    cloud.foundLate.add(cloud.addPool("nlb", "late", [cloud.addNode("i-1", "10.0.0.1")], CUT).id);
    cloud.searchMs = 60_000;
    await made.drain("i-1", { deadlineSeconds: 120 });
    expect(cluster.secondsOf("taint", start)).toEqual([0]);
    expect(cluster.secondsOf("untaint", start)).toEqual([60]);
    expect(cluster.tainted.size).toBe(0);
    expect(made.events.filter(({ type }) => /taint/.test(type)).map(({ type }) => type)).toEqual([
      "tainted",
      "untainted",
    ]);
  });

  test("taints the node when a request with a short deadline joins: a spot interruption after a recommendation", async () => {
    const { made, cluster, clock, start } = scene();
    const first = made.ask("i-1", { isVoluntary: true });
    await clock.advance(30_000);
    expect(cluster.tainted.size).toBe(0);
    const outcome = await made.drain("i-1", { deadlineSeconds: 120 });
    expect(outcome.status).toBe("deadline-passed");
    expect((await first).status).toBe("deadline-passed");
    expect(cluster.secondsOf("taint", start)).toEqual([30]);
  });

  test("does not taint it when the deadline leaves enough time since the deregistration", async () => {
    const { made, cluster, clock } = scene({ pool: { ...KEPT, drainMs: 0 } });
    const first = made.ask("i-1", { isVoluntary: true });
    await clock.advance(100_000);
    const outcome = await made.drain("i-1", { deadlineSeconds: 125 });
    expect([outcome.status, (await first).status]).toEqual(["drained", "drained"]);
    expect(cluster.calls.filter(({ verb }) => verb === "taint")).toEqual([]);
  });

  test("goes on after a restart: the taint stays, and the deadline with it", async () => {
    const { made, cluster, clock, ledger } = scene();
    const abandon = newAbort();
    const first = made.ask("i-1", { deadlineSeconds: 120, signal: abandon.signal });
    await clock.advance(30_000);
    abandon.abort();
    expect((await clock.run(first)).status).toBe("abandoned");
    const again = new DrainScene({ hasFastPath: true }, undefined, { cluster, ledger });
    again.cloud.addPool("nlb", "tcp", [again.cloud.addNode("i-1"), again.cloud.addNode("i-2", "10.0.0.2")], KEPT);
    await again.clock.advance(clock.elapsedMs);
    const record = drainRecord((await ledger.unfinished())[0] ?? []);
    if (record === undefined) throw new Error("nothing to resume");
    await again.clock.run(again.drainer.resume(record, never));
    expect(again.elapsedSeconds).toBe(110);
    expect(again.events.at(-1)).toMatchObject({ type: "ended", outcome: { status: "deadline-passed" } });
    expect([...cluster.tainted]).toEqual(["i-1.internal"]);
    expect(cluster.calls.filter(({ verb }) => verb === "untaint" || verb === "include")).toEqual([]);
  });

  test("does not make the last healthy target fail, which it keeps", async () => {
    const { made, cluster, cloud } = scene({ guard: GUARD, nodes: 1 });
    cloud.knowsHealth = true;
    const outcome = await made.drain("i-1", { deadlineSeconds: 120 });
    expect("registrations" in outcome && outcome.registrations.map(({ state }) => state)).toEqual(["kept"]);
    expect(cluster.calls.filter(({ verb }) => verb === "taint")).toEqual([]);
  });

  test("tries again where the cluster fails, and records that once", async () => {
    const { made, cluster, record, start } = scene();
    cluster.before = ({ verb, at }) => {
      if (verb === "taint" && at - start < 5_000) throw new DrainError("unreachable", "the API server does not answer");
    };
    await made.drain("i-1", { deadlineSeconds: 120 });
    expect(cluster.secondsOf("taint", start)).toEqual([0, 1, 3, 7]);
    const failed = (await record())?.entries.filter(({ type }) => type === "taint-failed");
    expect(failed).toMatchObject([{ error: { code: "unreachable" } }]);
    expect([...cluster.tainted]).toEqual(["i-1.internal"]);
  });

  test("is told by a plan, which assumes a spot interruption where no deadline is given", async () => {
    const taken = scene();
    taken.cloud.remembersAll = false;
    const plan = await taken.made.drainer.plan(taken.made.request("i-1"), never);
    expect(plan.fastPath).toEqual({ pools: ["tcp"], failsWithinMs: 20_000 });
    const cut = scene({ pool: CUT });
    cut.cloud.remembersAll = false;
    const { warnings, fastPath: none } = await cut.made.drainer.plan(cut.made.request("i-1"), never);
    expect(none).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/not taken for a spot interruption \(120 s\): .*tcp closes them/)]);
  });
});

describe("the undo of such a drain", () => {
  test("takes the taint back, also where another process has set it", async () => {
    const { made, cluster, clock, ledger } = scene();
    await made.drain("i-1", { deadlineSeconds: 120 });
    const again = new DrainScene({ hasFastPath: true }, undefined, { cluster, ledger });
    again.cloud.addPool("nlb", "tcp", [again.cloud.addNode("i-1"), again.cloud.addNode("i-2", "10.0.0.2")], KEPT);
    await again.clock.advance(clock.elapsedMs);
    const id = ledger.list(1)[0]?.drain ?? "";
    const outcome = await again.clock.run(again.drainer.cancel(id, { via: "http" }, never));
    expect(undoFailure(outcome)).toBeUndefined();
    expect([...cluster.tainted]).toEqual([]);
  });
});
