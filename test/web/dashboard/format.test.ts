import { describe, expect, test } from "vitest";
import { counted, duration, localTime, percent, poolName, sentence } from "../../../src/web/dashboard/format.ts";
import { outcomeText, stepText, undoText } from "../../../src/web/dashboard/past-texts.ts";
import { momentAfter, NOW } from "./reports.ts";

test.each([
  [0, "0 s"],
  [-5_000, "0 s"],
  [59_400, "59 s"],
  [59_600, "1 min 00 s"],
  [245_000, "4 min 05 s"],
  [3_599_900, "1 h 00 min"],
  [7_380_000, "2 h 03 min"],
  [277_200_000, "3 d 5 h"],
])("%d ms are %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  [{ pool: "web" }, "web"],
  [{ loadBalancer: "front", pool: "web" }, "front / web"],
  [{ loadBalancer: "legacy", pool: "legacy" }, "legacy"],
  [{ loadBalancer: "front", pool: "web", place: "444455556666/eu-west-1" }, "front / web (444455556666/eu-west-1)"],
])("the pool %j is shown as %s", (pool, text) => {
  expect(poolName(pool)).toBe(text);
});

test.each([
  ["the secret is wrong", "The secret is wrong."],
  ["ec2:DescribeInstances failed", "ec2:DescribeInstances failed."],
  ["AWS denied it.", "AWS denied it."],
  ["i-1 is gone", "i-1 is gone."],
  ["", ""],
])("'%s' is shown as '%s'", (text, shown) => {
  expect(sentence(text)).toBe(shown);
});

test("a moment of another day has its date", () => {
  expect(localTime(NOW, NOW)).toMatch(/^\d\d:\d\d:\d\d$/);
  expect(localTime(NOW - 2 * 86_400_000, NOW)).toMatch(/^2026-11-\d\d \d\d:\d\d:\d\d$/);
});

test("numbers are counted and bounded", () => {
  expect([counted(1, "node"), counted(12_000, "node")]).toEqual(["1 node", "12,000 nodes"]);
  expect([percent(1, 3), percent(2, 1), percent(-1, 1), percent(1, 0)]).toEqual(["33.3%", "100%", "0%", "0%"]);
});

describe("the texts of past drains", () => {
  const node = { id: "i-1", name: "n", network: "vpc-1" };
  const found = { kind: "alb", pool: "web", target: "i-1:80", state: "healthy" } as const;
  const base = { id: 1, at: momentAfter(0) };

  test("say how a drain has ended, and what has become of its targets", () => {
    const limit = { reason: "deadline", at: momentAfter(0) } as const;
    const about = { drainId: "d-1", node, registrations: [] };
    expect(outcomeText({ status: "deadline-passed", ...about, limit, searched: true })).toMatch(/^The deadline passed/);
    expect(outcomeText({ status: "failed", ...about, error: { code: "throttled", message: "too fast" } })).toBe(
      "too fast (throttled)",
    );
    const undone = [
      { ...found, state: "registered" },
      { ...found, state: "failed", error: { code: "access-denied", message: "AWS denied it" } },
    ] as const;
    const undo = { cancelledAt: momentAfter(0), registrations: [...undone] };
    expect(undoText({ ...undo, status: "ended" })).toBe(
      "Undo: 1 target registered again, 1 target not registered again. AWS denied it.",
    );
  });

  test("name up to three targets of a step, and count more", () => {
    const step = (count: number) =>
      stepText({ ...base, type: "released", registrations: Array.from({ length: count }, () => found) });
    expect(step(1)).toBe("released: web i-1:80");
    expect(step(4)).toBe("released: 4 targets");
    const error = { code: "x", message: "no" };
    expect(stepText({ ...base, type: "failed", registrations: [found], error })).toBe("failed: web i-1:80: no");
  });
});
