import { describe, expect, test } from "vitest";
import { Departures } from "../../bench/departures.ts";
import type { ElbCall } from "../../bench/purpose.ts";
import { nodeId } from "../../bench/region.ts";
import { Tally } from "../../bench/tally.ts";

const PLAN = { nodes: 2, groups: 3, classics: 0, memberGroups: 2, memberClassics: 0, delaySeconds: 30 };
const [A, B] = [nodeId(0), nodeId(1)] as const;
const OK = { status: 200, headers: {}, body: "", action: undefined };

function read(pool: string): ElbCall {
  return { api: "elbv2", action: "DescribeTargetHealth", pool, ids: [] };
}

function deregister(pool: string, ...ids: readonly string[]): ElbCall {
  return { api: "elbv2", action: "DeregisterTargets", pool, ids };
}

describe("departures", () => {
  test("are told from the requests to the first and the last accepted call, of the slowest wave", () => {
    const departures = new Departures(PLAN);
    departures.asked([A], 1_000);
    departures.acknowledged(deregister("g1", A), 1_030);
    departures.acknowledged(deregister("g2", A), 1_500);
    departures.asked([B], 9_000);
    departures.acknowledged(deregister("g1", B), 9_100);
    expect([departures.firstMs, departures.lastMs, departures.remaining]).toEqual([100, undefined, 1]);
    departures.acknowledged(deregister("g2", B), 9_200);
    expect([departures.firstMs, departures.lastMs, departures.remaining]).toEqual([100, 500, 0]);
  });

  test("count once, however often AWS accepts them", () => {
    const departures = new Departures(PLAN);
    departures.asked([A, B], 0);
    for (const at of [30, 60, 90]) departures.acknowledged(deregister("g1", A, B), at);
    expect(departures.remaining).toBe(2);
    departures.acknowledged(deregister("g2", A, B), 100);
    expect(departures.lastMs).toBe(100);
    expect(departures.holdEndsAt(A)).toBe(30_100);
  });

  test("of a node that AWS refuses are not waited for", () => {
    const departures = new Departures({ ...PLAN, refusedNode: 1 });
    departures.asked([A, B], 0);
    departures.acknowledged(deregister("g1", A), 30);
    departures.acknowledged(deregister("g2", A), 40);
    expect([departures.remaining, departures.lastMs]).toEqual([0, 40]);
  });

  test("end late by what comes after the last hold, or after the last search where that came later", () => {
    const departures = new Departures(PLAN);
    departures.asked([A, B], 0);
    departures.acknowledged(deregister("g1", A, B), 1_000);
    departures.drained(A, 31_500);
    expect(departures.noticedLateMs).toBe(500);
    departures.searched(40_000);
    departures.drained(B, 40_200);
    expect(departures.noticedLateMs).toBe(500);
  });
});

describe("a tally", () => {
  function tally() {
    const departures = new Departures(PLAN);
    departures.asked([A, B], 0);
    return { departures, counts: new Tally(departures) };
  }

  test("takes a read of a pool for a search until somebody was taken out of it, and for a look then", () => {
    const { departures, counts } = tally();
    counts.sent(read("g1"), undefined);
    counts.answered(deregister("g1", A), OK, 30);
    counts.sent(read("g1"), undefined);
    counts.sent(read("g2"), undefined);
    expect(counts.columns).toEqual({ drain: 1, scan: 2, index: 0 });
    // No drain runs: whoever reads next searches for other nodes.
    departures.drained(A, 100);
    departures.drained(B, 100);
    counts.sent(read("g1"), undefined);
    expect(counts.columns).toEqual({ drain: 1, scan: 3, index: 0 });
  });

  test("believes a client that says what its calls are for", () => {
    const { counts } = tally();
    counts.sent(read("g1"), undefined);
    for (const purpose of ["find", "verify", "refresh", "refresh", "describe", "deregister", "poll"] as const) {
      counts.told(purpose, 30);
    }
    expect(counts.columns).toEqual({ drain: 3, scan: 2, index: 2 });
  });

  test("counts every call by its action, refusals apart, and calls to EC2 in no column", () => {
    const { counts } = tally();
    const find: ElbCall = { api: "ec2", action: "DescribeInstances", pool: "", ids: [] };
    counts.sent(find, undefined);
    counts.answered(find, { ...OK, status: 503, body: "<Code>RequestLimitExceeded</Code>" }, 30);
    counts.sent(deregister("g1", A), undefined);
    counts.answered(deregister("g1", A), { ...OK, status: 400, body: "<Code>Throttling</Code>" }, 30);
    counts.answered(deregister("g1", A), { ...OK, status: 400, body: "<Code>InvalidTarget</Code>" }, 30);
    expect(counts.byAction).toEqual({ "ec2 DescribeInstances": 1, "elbv2 DeregisterTargets": 1 });
    expect(counts.throttledAnswers).toBe(2);
    expect(counts.columns).toEqual({ drain: 1, scan: 0, index: 0 });
  });
});
