import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { compare, NEEDED } from "../../../bench/beside/comparison.ts";
import { callsOf, missedGoals, pairsOf } from "../../../bench/beside/goals.ts";
import { KINDS } from "../../../bench/beside/region.ts";
import { missingOf } from "../support/kubernetes-programs.ts";

/**
 * The goal is 1, which `npm run bench:peers` judges. Measured: 0.99, 0.98 and 1. A busy machine lets a read come too late to be
 * shared, and an NLB's long hold needs more reads than the others.
 */
const CALLS_RATIO = { alb: 1.15, classic: 1.15, nlb: 1.3 };
const missing = missingOf(NEEDED);

describe.skipIf(missing !== undefined && process.env["CONFORMANCE"] !== "required")("beside lifecycle-manager", () => {
  beforeEach(() => expect(missing).toBeUndefined());

  // Both programs wait in real time: an NLB's hold alone takes three and a half minutes.
  test("a node under traffic leaves its load balancers sooner and without a lost request, for about as many calls", {
    timeout: 900_000,
  }, async () => {
    const rows = await compare(KINDS, onTestFinished);
    const told = JSON.stringify(rows, undefined, 1);
    expect(missedGoals(rows, CALLS_RATIO), told).toEqual([]);
    expect(pairsOf(rows).map(({ kind }) => kind)).toEqual([...KINDS]);
    for (const row of rows) {
      // lifecycle-manager does its part, too: the simulator refuses none of its calls, and it completes its hook.
      expect(row, told).toMatchObject({ hookResult: "CONTINUE", refusedCalls: 0 });
      expect(callsOf(row), told).toBeGreaterThan(20);
      expect(row.requestsSent, told).toBeGreaterThan(100);
    }
    const [nlb] = pairsOf(rows).filter(({ kind }) => kind === "nlb");
    expect(nlb?.theirs.requestsLost, told).toBeGreaterThan(0);
  });
});
