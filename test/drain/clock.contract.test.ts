import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type Clock, SystemClock } from "../../src/drain/clock.ts";
import { ScaledClock, VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";

interface Scene {
  readonly clock: Clock;
  readonly pass: <T>(work: Promise<T>) => Promise<T>;
}

const IMPLEMENTATIONS: Readonly<Record<string, () => Scene>> = {
  system: () => ({ clock: new SystemClock(), pass: (work) => work }),
  scaled: () => ({ clock: new ScaledClock(10), pass: (work) => work }),
  virtual() {
    const clock = new VirtualClock();
    return { clock, pass: (work) => clock.run(work) };
  },
};

test("the system clock starts with the time of day, and is not moved by somebody who sets it", () => {
  const clock = new SystemClock();
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(60_000);
  const wall = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 3_600_000);
  onTestFinished(() => wall.mockRestore());
  expect(Date.now() - clock.now()).toBeGreaterThan(3_000_000);
});

describe.each(Object.entries(IMPLEMENTATIONS))("Clock: %s", (_, makeScene) => {
  test("a sleep is not shorter than it was to be", async () => {
    const { clock, pass } = makeScene();
    const before = clock.now();
    await pass(clock.sleep(30, never));
    // Node's timers count whole milliseconds.
    expect(clock.now() - before).toBeGreaterThanOrEqual(20);
  });

  test("sleepers wake in the order of their times", async () => {
    const { clock, pass } = makeScene();
    const woken: number[] = [];
    await pass(Promise.all([300, 100, 200].map((ms) => clock.sleep(ms, never).then(() => woken.push(ms)))));
    expect(woken).toEqual([100, 200, 300]);
  });

  test.each([0, -5])("a sleep of %i ms ends at once", async (ms) => {
    const { clock, pass } = makeScene();
    await pass(clock.sleep(ms, never));
  });

  test("an abort ends a sleep with its reason, also one that came before", async () => {
    const { clock } = makeScene();
    const stop = new AbortController();
    const asleep = clock.sleep(3_600_000, stop.signal);
    const reason = new Error("stop");
    stop.abort(reason);
    await expect(asleep).rejects.toBe(reason);
    await expect(clock.sleep(3_600_000, stop.signal)).rejects.toBe(reason);
  });

  test("a sleep longer than a timer can count does not end at once", async () => {
    const { clock } = makeScene();
    const stop = new AbortController();
    const asleep = clock.sleep(2 ** 40, stop.signal);
    const first = await Promise.race([
      asleep.then(() => "woke"),
      new Promise((resolve) => setTimeout(resolve, 20, "asleep")),
    ]);
    expect(first).toBe("asleep");
    stop.abort();
    await expect(asleep).rejects.toBe(stop.signal.reason);
  });
});
