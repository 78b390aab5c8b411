import { expect, test } from "vitest";
import { courses } from "../../bench/soak/growth.ts";
import { hasFailed, jsonOf, type Part, textOf } from "../../bench/soak/report.ts";
import { serviceUnderLoad } from "../../bench/soak/service-under-load.ts";
import { virtualDays } from "../../bench/soak/virtual-days.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { ALL_CASES } from "../support/cases.ts";
import { stateDir } from "../support/ledger-entries.ts";

function part(values: readonly Readonly<Record<string, number>>[]): Part {
  const samples = values.map((one, index) => ({ atSeconds: index, values: one }));
  return { name: "a part", lasted: "a while", realSeconds: 1, done: { drained: 3 }, faults: [], samples };
}

function growing(measure: string, values: readonly number[]): boolean {
  return courses(part(values.map((value) => ({ [measure]: value }))).samples)[0]?.grows === true;
}

test("memory grows when the last third's median is more than 5 % above the second's, whatever it was at first", () => {
  expect(growing("heapMiB", [10, 20, 30, 100, 101, 99, 105, 104, 105])).toBe(false);
  expect(growing("heapMiB", [10, 20, 30, 100, 101, 99, 106, 105, 107])).toBe(true);
  expect(growing("heapMiB", [90, 90, 90, 50, 50, 50, 40, 40, 40])).toBe(false);
});

test("what is counted grows when it is above all of the second third more often than not", () => {
  expect(growing("openFiles", [1, 1, 1, 30, 32, 30, 32, 30, 99])).toBe(false);
  expect(growing("openFiles", [1, 1, 1, 30, 32, 30, 33, 33, 30])).toBe(true);
});

test("a soak in which something grows, or has gone wrong, has failed and says so", () => {
  const flat = part([{ listeners: 3 }, { listeners: 3 }, { listeners: 3 }]);
  const leaky = part([{ listeners: 3 }, { listeners: 4 }, { listeners: 5 }]);
  const wrong = { ...flat, faults: ["an answer was missing"] };
  expect([flat, leaky, wrong].map(hasFailed)).toEqual([false, true, true]);
  expect(textOf(leaky)).toMatch(/listeners +3 +4 +5 +GROWS/);
  expect(textOf(wrong)).toContain("FAULT: an answer was missing");
  expect(jsonOf(leaky)).toMatchObject({ failed: true, courses: [{ measure: "listeners", grows: true }] });
});

test("fewer than three samples tell nothing", () => {
  expect(() => courses(part([{ heapMiB: 1 }, { heapMiB: 1 }]).samples)).toThrow("three at least");
});

const ROUND_MS = ALL_CASES ? 1_800_000 : 1_350_000;

test.each(["memory", "file"])(
  "drains leave nothing behind while nodes and pools come and go and AWS fails, with the ledger in: %s",
  async (kept) => {
    const ledger = kept === "file" ? { folder: await stateDir() } : {};
    const { done, faults, samples } = await virtualDays({
      ...{ clock: new VirtualClock(), rounds: 1, roundMs: ROUND_MS, seed: 1 },
      ...ledger,
    });
    expect(faults).toEqual([]);
    expect(done["drained"]).toBeGreaterThan(ALL_CASES ? 8 : 4);
    expect(samples).toHaveLength(1);
    // The index, the controllers and the coming and going of pools.
    expect(samples[0]?.values).toMatchObject({ sleepers: 3, listeners: 3 });
  },
);

test("the service is measured under load, from outside and inside", async () => {
  const { done, faults, samples } = await serviceUnderLoad({
    ...{ seconds: 2, roundSeconds: 1, seed: 1, folder: await stateDir() },
  });
  expect(faults).toEqual([]);
  expect(done["nodes drained"]).toBeGreaterThan(0);
  expect(done["requests besides"]).toBeGreaterThan(0);
  expect(samples[0]?.values["heapMiB"]).toBeGreaterThan(5);
  expect(samples[0]?.values["openFiles"]).toBeGreaterThan(10);
});
