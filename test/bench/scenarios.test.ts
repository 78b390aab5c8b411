import { expect, test } from "vitest";
import { type ClientName, type Measured, measure } from "../../bench/measure.ts";
import { rowsOf } from "../../bench/rows.ts";
import { type BenchScenario, SCENARIOS } from "../../bench/scenarios.ts";
import { ALL_CASES } from "../support/cases.ts";

function scenario(name: string): BenchScenario {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
}

function measured(name: string, client: ClientName, change: Partial<BenchScenario> = {}): Promise<Measured> {
  return measure({ ...scenario(name), ...change }, { client, isWarm: false, cpuSecondsMax: 60 });
}

/** Everything but what depends on the machine. */
function counted<T extends Measured>(rows: readonly T[]) {
  return rows.map(({ cpuSeconds: _, ...row }) => row);
}

test("one node among 50 groups: nobody fails, the product stays near the ideal, and a second run counts the same", async () => {
  const rows = await rowsOf(scenario("one-node"), () => {});
  expect(rows.map(({ client, problem, failedByThrottling }) => ({ client, problem, failedByThrottling }))).toEqual(
    ["ideal", "hasta-la-vista", "one-at-a-time", "original", "ideal", "hasta-la-vista"].map((client) => ({
      client,
      problem: null,
      failedByThrottling: 0,
    })),
  );
  const [ideal, product, , , , warm] = rows;
  expect(ideal).toMatchObject({ drainCalls: 12, scanCalls: 51, throttledAnswers: 0, ratioToIdeal: 1 });
  expect(ideal?.callsByAction).toEqual({
    "classic DeregisterInstancesFromLoadBalancer": 2,
    "classic DescribeLoadBalancers": 1,
    "elbv2 DeregisterTargets": 10,
    "elbv2 DescribeTargetHealth": 50,
  });
  expect(product?.callsByAction).toMatchObject({
    "classic DeregisterInstancesFromLoadBalancer": 2,
    "elbv2 DeregisterTargets": 10,
  });
  // The ideal has no guard, which asks how the classic load balancers stand.
  expect(product?.ratioToIdeal).toBeLessThan(1.2);
  expect(product?.throttledAnswers).toBe(0);
  // Fewer than the 81 of the best peer that was measured, and all deregistrations are sent at once: one round trip.
  expect((warm?.drainCalls ?? Number.NaN) + (warm?.scanCalls ?? 0)).toBeLessThan(81);
  expect(warm?.lastDeregisterSeconds).toBeLessThanOrEqual(0.03);
  for (const row of [product, warm]) expect(row?.noticedLateSeconds).toBeLessThanOrEqual(2);
  if (ALL_CASES) expect(counted(await rowsOf(scenario("one-node"), () => {}))).toEqual(counted(rows));
  const [again] = counted([await measured("one-node", "hasta-la-vista")]);
  expect(product).toMatchObject(again ?? {});
  expect(again?.drainCalls).toBeGreaterThan(0);
});

test("an id that AWS refuses keeps no other node: every other registration ends, and hardly later", async () => {
  const product = await measured("refused-id", "hasta-la-vista");
  const ideal = await measured("refused-id", "ideal");
  expect((product.lastDeregisterSeconds ?? Number.NaN) / (ideal.lastDeregisterSeconds ?? 1)).toBeLessThan(1.25);
  expect(product.problem).toMatch(/^1 x [a-z-]+$/);
});

test("nodes that leave together cost the ideal one read and one call a pool, and never a refusal, rival or not", async () => {
  const alone = await measured("rival", "ideal", { hasRival: false });
  const beside = await measured("rival", "ideal");
  for (const { drainCalls, scanCalls, throttledAnswers, problem } of [alone, beside]) {
    expect({ drainCalls, scanCalls, throttledAnswers, problem }).toEqual({
      drainCalls: 12,
      scanCalls: 451,
      throttledAnswers: 0,
      problem: null,
    });
  }
  // 5 calls a second are left of the 8 that its share would be.
  expect((beside.lastDeregisterSeconds ?? 0) / (alone.lastDeregisterSeconds ?? 1)).toBeCloseTo(8 / 5, 1);
});

test("a client without a limiter is refused and fails where twenty drain at once, and the row says so", async () => {
  const original = await measured("twenty-at-once", "original");
  expect(original.throttledAnswers).toBeGreaterThan(0);
  expect(original.failedByThrottling).toBeGreaterThan(0);
  expect(original.lastDeregisterSeconds).toBeNull();
  expect(original.problem).toContain("registrations stayed");
});

test("a row that takes too much processor time is given up, and says so", async () => {
  const slow = { ...scenario("hundred-nodes"), region: { ...scenario("hundred-nodes").region, nodes: 20 } };
  const row = await measure(slow, { client: "one-at-a-time", isWarm: false, cpuSecondsMax: 0.05 });
  expect(row.problem).toContain("given up after 0.05 s of processor time");
  expect(row.lastDeregisterSeconds).toBeNull();
});
