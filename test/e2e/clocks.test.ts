import { describe, expect, test } from "vitest";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { type LifeOptions, live } from "../support/lives.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const HOUR_MS = 3_600_000;
const HOLD_SECONDS = 210;

/** A node behind an NLB, whose list is empty long before its hold ends, and a ledger that outlives processes. */
function scene() {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "tcp", type: "network", nodes: [node], delaySeconds: 30 });
  const ledger = new MemoryLedger();
  const deregisteredAt = () => (region.calls.find(({ action }) => action === "DeregisterTargets")?.at ?? 0) / 1_000;
  const outcome = async () => drainRecord((await ledger.read(ledger.list(1)[0]?.drain ?? "")) ?? [])?.end?.outcome;
  return { region, node, ledger, deregisteredAt, outcome };
}

/** Runs a drain in a process that dies after 30 s, and to its end in another one 10 s later. In seconds. */
async function restarted(one: LifeOptions, other: LifeOptions, deadlineSeconds?: number) {
  const { region, node, ledger, deregisteredAt, outcome } = scene();
  const first = live(region, ledger, one);
  const deadline = region.clock.now() + (one.aheadMs ?? 0) + (deadlineSeconds ?? 0) * 1_000;
  void first.ask(node.id, deadlineSeconds === undefined ? {} : { deadline });
  await region.clock.advance(30_000);
  first.die();
  await region.clock.advance(10_000);
  const differences: unknown[] = [];
  await region.clock.run(live(region, ledger, { ...other, onDifference: (each) => differences.push(each) }).takeUp());
  return { endedAt: region.clock.elapsedMs / 1_000, held: deregisteredAt(), outcome: await outcome(), differences };
}

const CLOCKS: readonly (readonly [string, number, number])[] = [
  ["is set forward by an hour between two processes", 0, HOUR_MS],
  ["is set back by an hour between two processes", 0, -HOUR_MS],
  ["was an hour ahead in the first process", HOUR_MS, 0],
  ["was an hour behind in the first process", -HOUR_MS, 0],
  ["goes from ahead to behind", HOUR_MS, -HOUR_MS],
  ["is as wrong as before", HOUR_MS, HOUR_MS],
];

describe.each(CLOCKS)("where the clock %s,", (_, before, after) => {
  const shiftMs = after - before;

  test("a hold on the same machine is as long as ever, to the second", async () => {
    const { endedAt, held, outcome, differences } = await restarted({ aheadMs: before }, { aheadMs: after });
    expect(outcome?.status).toBe("drained");
    expect(endedAt).toBeGreaterThanOrEqual(held + HOLD_SECONDS);
    expect(endedAt).toBeLessThanOrEqual(held + HOLD_SECONDS + 3);
    expect(differences).toEqual(shiftMs === 0 ? [] : [{ shiftMs, basis: "boot" }]);
  });

  test("a hold on another machine is as long as AWS's clock says", async () => {
    const other = { aheadMs: after, boot: "another boot" };
    const { endedAt, held, outcome, differences } = await restarted({ aheadMs: before }, other);
    expect(outcome?.status).toBe("drained");
    expect(endedAt).toBeGreaterThanOrEqual(held + HOLD_SECONDS);
    expect(endedAt).toBeLessThanOrEqual(held + HOLD_SECONDS + 5);
    expect(differences).toMatchObject(shiftMs === 0 ? [] : [{ basis: "cloud" }]);
  });

  test("a hold of which nothing tells how long it has lasted is held as long as it could have to be", async () => {
    const other = { aheadMs: after, boot: "another boot", isWithoutDates: true };
    const { endedAt, held, outcome } = await restarted({ aheadMs: before, isWithoutDates: true }, other);
    expect(outcome?.status).toBe("drained");
    expect(endedAt).toBeGreaterThanOrEqual(held + HOLD_SECONDS);
    // No longer than if it had begun with the restart.
    expect(endedAt).toBeLessThanOrEqual(40 + HOLD_SECONDS + 5);
  });

  test.each([
    ["the same machine", "the same boot", 100],
    ["another machine", "another boot", 103],
  ])("a deadline ends the drain in time on %s", async (_, boot, latest) => {
    const { endedAt, outcome } = await restarted({ aheadMs: before }, { aheadMs: after, boot }, 110);
    expect(outcome).toMatchObject({ status: "deadline-passed", limit: { reason: "deadline" } });
    expect(endedAt).toBeGreaterThanOrEqual(99);
    expect(endedAt).toBeLessThanOrEqual(latest);
  });

  test("the node's next drain still holds what the last one had not held to its end", async () => {
    const { region, node, ledger, deregisteredAt } = scene();
    const first = live(region, ledger, { aheadMs: before });
    await region.clock.run(first.ask(node.id, { timeoutMs: 60_000 }));
    first.die();
    await region.clock.advance(10_000);
    const outcome = await region.clock.run(live(region, ledger, { aheadMs: after }).ask(node.id));
    expect(outcome.status).toBe("drained");
    const endedAt = region.clock.elapsedMs / 1_000;
    expect(endedAt).toBeGreaterThanOrEqual(deregisteredAt() + HOLD_SECONDS);
    expect(endedAt).toBeLessThanOrEqual(deregisteredAt() + HOLD_SECONDS + 3);
  });

  test("a drain of two days ago is not resumed", async () => {
    for (const boot of ["the same boot", "another boot"]) {
      const { region, node, ledger, outcome } = scene();
      const first = live(region, ledger, { aheadMs: before });
      void first.ask(node.id);
      await region.clock.advance(5_000);
      first.die();
      await region.clock.advance(48 * HOUR_MS);
      const writes = region.callsOf("DeregisterTargets").length;
      await region.clock.run(live(region, ledger, { aheadMs: after, boot }).takeUp());
      expect((await outcome())?.status).toBe("abandoned");
      expect(region.callsOf("DeregisterTargets")).toHaveLength(writes);
    }
  });
});
