import { expect, test } from "vitest";
import type { BesideRow } from "../../bench/beside/comparison.ts";
import { callsOf, missedGoals, pairsOf } from "../../bench/beside/goals.ts";
import { besideTable } from "../../bench/beside/table.ts";

const OURS: BesideRow = {
  kind: "alb",
  program: "hasta-la-vista",
  firstDeregisterSeconds: 2,
  lastDeregisterSeconds: 3,
  hookSeconds: 32,
  hookResult: "CONTINUE",
  drainCalls: {
    "elasticloadbalancing:DeregisterTargets": 10,
    "classic:DescribeLoadBalancers": 1,
    "ec2:DescribeTags": 2,
  },
  drainCallsByPurpose: { deregister: 10, find: 1, hook: 2 },
  indexCalls: 40,
  refusedCalls: 0,
  requestsSent: 1_000,
  requestsLost: 0,
};
const THEIRS: BesideRow = {
  ...OURS,
  program: "lifecycle-manager",
  firstDeregisterSeconds: 14,
  hookSeconds: 128,
  indexCalls: 0,
  requestsLost: 7,
};

test("a run that meets every goal exactly misses none", () => {
  expect(missedGoals([OURS, THEIRS])).toEqual([]);
  expect(pairsOf([OURS, THEIRS])).toEqual([
    { kind: "alb", ours: OURS, theirs: THEIRS, firstDeregistrationRatio: 7, hookRatio: 4 },
  ]);
});

test("each goal that is missed is told, and those of time not for an NLB, whose hold is longer than lifecycle-manager's", () => {
  const late: BesideRow = {
    ...OURS,
    firstDeregisterSeconds: 2.1,
    hookSeconds: 33,
    hookResult: "ABANDON",
    requestsLost: 1,
    drainCalls: { ...OURS.drainCalls, "elasticloadbalancing:DescribeTargetHealth": 1 },
  };
  expect(missedGoals([late, THEIRS])).toEqual([
    "alb: the first deregistration is 6.7 times sooner, not 7 times",
    "alb: the end of the hook is 3.9 times sooner, not 4 times",
    "alb: the hook ended with ABANDON",
    "alb: 1 requests were lost",
    "alb: the drain made 14 calls, where lifecycle-manager made 13",
  ]);
  expect(
    missedGoals([
      { ...late, kind: "nlb", hookResult: "CONTINUE", requestsLost: 0 },
      { ...THEIRS, kind: "nlb" },
    ]),
  ).toEqual(["nlb: the drain made 14 calls, where lifecycle-manager made 13"]);
});

test("calls are counted by API, and the table has a row for each program", () => {
  expect([callsOf(OURS), callsOf(OURS, "classic:"), callsOf(OURS, "ec2:")]).toEqual([13, 1, 2]);
  const lines = besideTable([OURS, THEIRS]).split("\n");
  expect(lines[2]).toBe("| ALB | hasta-la-vista | 2.0 | 3.0 | 32.0 | CONTINUE | 13 | 10 | 1 | 2 | 0 | 40 | 0 | 1000 |");
  expect(lines.at(-1)).toBe(
    "- ALB: lifecycle-manager took 7 times as long to its first deregistration, and 4.0 times as long to the end of its hook.",
  );
});
