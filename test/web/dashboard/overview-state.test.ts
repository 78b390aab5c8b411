import { expect, test } from "vitest";
import { changedBy, startedWith } from "../../../src/web/dashboard/overview-state.ts";
import type { Changes, Decision } from "../../../src/web/dashboard/reports.ts";
import { drain, NOW, overview, registration } from "./reports.ts";

const decision = (n: number): Decision => ({
  n,
  at: new Date(NOW).toISOString(),
  drainId: "d-1",
  node: { id: "i-1", name: "n", network: "vpc-1" },
  verdict: "waiting",
});

function changes(more: Partial<Changes>): Changes {
  return { ...overview([]), over: [], ...more };
}

test("changes replace drains, add new ones, and take away those that are over", () => {
  const before = startedWith(overview([drain("d-1", [registration()]), drain("d-2", [])]), NOW);
  const changed = drain("d-1", [registration({ state: "released" })]);
  const { overview: now } = changedBy(before, changes({ running: [changed, drain("d-3", [])], over: ["d-2"] }), NOW);
  expect(now.running.map(({ drainId }) => drainId)).toEqual(["d-1", "d-3"]);
  expect(now.running[0]).toEqual(changed);
  expect("over" in now).toBe(false);
});

test("a change that comes twice changes nothing the second time", () => {
  const before = startedWith(overview([], { decisions: [decision(1)] }), NOW);
  const change = changes({ decisions: [decision(3), decision(2)], running: [drain("d-1", [])] });
  const once = changedBy(before, change, NOW);
  expect(once.overview.decisions.map(({ n }) => n)).toEqual([3, 2, 1]);
  expect(changedBy(once, change, NOW)).toEqual(once);
});

test("no more than 50 decisions are kept", () => {
  const many = Array.from({ length: 50 }, (_, index) => decision(50 - index));
  const before = startedWith(overview([], { decisions: many }), NOW);
  const { overview: now } = changedBy(before, changes({ decisions: [decision(51)] }), NOW);
  expect([now.decisions.length, now.decisions[0]?.n, now.decisions.at(-1)?.n]).toEqual([50, 51, 2]);
});

test("the time is the service's, whatever the browser's clock says", () => {
  const behind = startedWith(overview([]), NOW - 3_600_000);
  expect(behind.aheadMs).toBe(3_600_000);
  expect(changedBy(behind, changes({}), NOW - 3_600_000).aheadMs).toBe(3_600_000);
});
