import { describe, expect, test } from "vitest";
import { Drainer } from "../../src/drain/drainer.ts";
import { nodeStatusReport } from "../../src/drain/report.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

/** A node that is the last healthy one of its pool, beside one in a pool with another. */
function scene() {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const [alone, other] = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  cloud.addPool("alb", "web", [alone], { drainMs: 30_000 });
  cloud.addPool("alb", "api", [other, cloud.addNode("i-3", "10.0.0.3")], { drainMs: 30_000 });
  const ledger = new MemoryLedger();
  const times = { deadlineMarginMs: 10_000 };
  const guard = { minHealthy: { count: 1 }, waitMs: 10_000, maxVoluntary: { count: 9 } };
  const drainer = new Drainer({ cloud, clock, times, ledger, guard });
  const accept = (id: string, more = {}) =>
    drainer.accept({ node: { by: "id", value: id }, dryRun: false, isVoluntary: true, ...more }, never);
  const status = async (id: string) => drainer.status({ by: "id", value: id }, never);
  return { clock, cloud, ledger, drainer, accept, status };
}

/** Whether it has resolved by now. */
async function hasResolved(promise: Promise<void> | undefined): Promise<boolean> {
  const not = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([promise?.then(() => true), not].filter((one) => one !== undefined));
}

describe("a drain has begun", () => {
  test("once its guard has allowed it, and never where that refuses it", async () => {
    const { clock, cloud, accept } = scene();
    cloud.before = ({ method }) => (method === "healthOf" ? clock.sleep(5_000, never) : undefined);
    const [allowed, refused] = await clock.run(Promise.all([accept("i-2"), accept("i-1")]));
    await clock.advance(4_000);
    expect(await hasResolved(allowed.begun)).toBe(false);
    await clock.advance(1_001);
    expect([await hasResolved(allowed.begun), await hasResolved(refused.begun)]).toEqual([true, false]);
    expect(await refused.outcome).toMatchObject({ status: "refused" });
  });

  test("at once where nothing can refuse it, and as soon as a request joins that can't be refused", async () => {
    const { clock, cloud, accept } = scene();
    cloud.before = ({ method }) => (method === "healthOf" ? clock.sleep(60_000, never) : undefined);
    const first = await clock.run(accept("i-2"));
    expect(await hasResolved(first.begun)).toBe(false);
    const second = await clock.run(accept("i-2", { isVoluntary: false }));
    expect([await hasResolved(first.begun), await hasResolved(second.begun)]).toEqual([true, true]);
  });
});

describe("a node's status", () => {
  test("shows its last drain: refused, with the pools that would keep too few", async () => {
    const { clock, accept, status } = scene();
    const { drain, outcome } = await clock.run(accept("i-1", { reason: "upgrade" }));
    await clock.run(Promise.resolve(outcome));
    const { lastDrain } = nodeStatusReport(await clock.run(status("i-1")));
    expect(lastDrain).toMatchObject({
      ...{ drainId: drain?.id, status: "refused", reasons: ["upgrade"] },
      outcome: { status: "refused", reason: "too-few-healthy", pools: [{ pool: "web", wouldStay: 0 }] },
    });
  });

  test("shows the drain that runs, and not the one before it", async () => {
    const { clock, accept, status } = scene();
    const { outcome } = await clock.run(accept("i-2", { timeoutMs: 5_000 }));
    await clock.run(Promise.resolve(outcome));
    expect((await clock.run(status("i-2"))).lastDrain).toMatchObject({ status: "deadline-passed" });
    await clock.run(accept("i-2", { isVoluntary: false }));
    const running = await clock.run(status("i-2"));
    expect([running.drain !== undefined, running.lastDrain]).toEqual([true, undefined]);
  });

  test("says how the last drain ended also where its ledger can't be read", async () => {
    const { clock, ledger, accept, status } = scene();
    const { outcome } = await clock.run(accept("i-1"));
    await clock.run(Promise.resolve(outcome));
    ledger.read = () => Promise.reject(new Error("EIO"));
    const { lastDrain } = await clock.run(status("i-1"));
    expect(lastDrain).toMatchObject({ status: "refused" });
    expect(lastDrain?.outcome).toBeUndefined();
  });
});

test("to cancel a drain that was refused undoes nothing, at once", async () => {
  const { clock, cloud, drainer, accept } = scene();
  const { drain, outcome } = await clock.run(accept("i-1"));
  await clock.run(Promise.resolve(outcome));
  const before = clock.elapsedMs;
  const undone = await clock.run(drainer.cancel(drain?.id ?? "", undefined, never));
  expect(clock.elapsedMs).toBe(before);
  expect(undone.registrations.map(({ state }) => state)).toEqual(["untouched"]);
  expect(cloud.callsOf("register")).toEqual([]);
});
