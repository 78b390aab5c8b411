import { EventEmitter, getEventListeners, once } from "node:events";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ScaledClock, VirtualClock } from "../../src/simulator/clock.ts";

const never = new AbortController().signal;

function fakeTimers(): void {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

/** Whether a promise has settled by now, microtasks aside. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

describe("a scaled clock", () => {
  test.each([
    { speed: 1, sleptMs: 250, tookMs: 250 },
    { speed: 60, sleptMs: 3_600_000, tookMs: 60_000 },
    { speed: 0.5, sleptMs: 1_000, tookMs: 2_000 },
  ])("at speed $speed sleeps $sleptMs ms in $tookMs", async ({ speed, sleptMs, tookMs }) => {
    fakeTimers();
    const clock = new ScaledClock(speed);
    const began = clock.now();
    const sleep = clock.sleep(sleptMs, never);
    await vi.advanceTimersByTimeAsync(tookMs - 1);
    expect(await isPending(sleep)).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    await sleep;
    expect(clock.now() - began).toBe(sleptMs);
  });

  test("begins with the wall clock's date", () => {
    fakeTimers();
    vi.setSystemTime(Date.UTC(2026, 10, 22));
    expect(new ScaledClock(60).now()).toBe(Date.UTC(2026, 10, 22));
  });

  test.each([1, 7, 333, 1_000])("never wakes a sleeper before its time, at speed %d", async (speed) => {
    const clock = new ScaledClock(speed);
    for (const ms of [0.5 * speed, 1.9 * speed, 3.3 * speed]) {
      const wakeAt = clock.now() + ms;
      await clock.sleep(ms, never);
      expect(clock.now()).toBeGreaterThanOrEqual(wakeAt);
    }
  });

  test("sleeps longer than a timer can be set for", async () => {
    fakeTimers();
    const clock = new ScaledClock(1);
    const weeks = 5 * 7 * 24 * 3_600_000;
    const sleep = clock.sleep(weeks, never);
    await vi.advanceTimersByTimeAsync(weeks - 1);
    expect(await isPending(sleep)).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    await sleep;
  });

  test("does not wait for a time that has passed", async () => {
    fakeTimers();
    await new ScaledClock(1).sleep(-1, never);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends an aborted sleep with the reason, and leaves no timer", async () => {
    fakeTimers();
    const stop = new AbortController();
    const sleep = new ScaledClock(1).sleep(1_000, stop.signal);
    stop.abort(new Error("enough"));
    await expect(sleep).rejects.toThrow("enough");
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("refuses the speed %d", (speed) => {
    expect(() => new ScaledClock(speed)).toThrow(RangeError);
  });

  test("stands still from its beginning at speed 0, at a whole millisecond", async () => {
    const clock = new ScaledClock(0);
    const began = clock.now();
    expect(Number.isInteger(began)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(clock.now()).toBe(began);
    await clock.advance(500);
    expect(clock.now()).toBe(began + 500);
  });

  test("runs by another speed from when it is set, also for those who sleep already", async () => {
    fakeTimers();
    const clock = new ScaledClock(1);
    const began = clock.now();
    const sleep = clock.sleep(60_000, never);
    await vi.advanceTimersByTimeAsync(10_000);
    clock.setSpeed(50);
    await vi.advanceTimersByTimeAsync(999);
    expect(await isPending(sleep)).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    await sleep;
    expect([clock.now() - began, clock.speed]).toEqual([60_000, 50]);
  });

  test("stands still at the speed 0, without a timer, and goes on from there", async () => {
    fakeTimers();
    const clock = new ScaledClock(1);
    const began = clock.now();
    const sleep = clock.sleep(1_000, never);
    await vi.advanceTimersByTimeAsync(400);
    clock.setSpeed(0);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect([clock.now() - began, await isPending(sleep), vi.getTimerCount()]).toEqual([400, true, 0]);
    clock.setSpeed(1);
    await vi.advanceTimersByTimeAsync(600);
    await sleep;
    expect(clock.now() - began).toBe(1_000);
  });

  test("wakes all whose time has come when it is advanced, in the order of their times, and no others", async () => {
    const clock = new ScaledClock(1);
    clock.setSpeed(0);
    const woken: number[] = [];
    const sleeps = [300, 100, 200, 400].map((ms) => clock.sleep(ms, never).then(() => woken.push(ms)));
    await clock.advance(300);
    expect(woken).toEqual([100, 200, 300]);
    expect(await isPending(sleeps[3] as Promise<unknown>)).toBe(true);
  });

  test("is advanced from sleeper to sleeper, so that what follows counts from its own moment", async () => {
    const clock = new ScaledClock(1);
    clock.setSpeed(0);
    const began = clock.now();
    const woken: (readonly [string, number])[] = [];
    const follow = async (name: string, everyMs: number) => {
      for (;;) {
        await clock.sleep(everyMs, stop.signal);
        woken.push([name, clock.now() - began]);
      }
    };
    const stop = new AbortController();
    const loops = [follow("slow", 200), follow("quick", 90)];
    await Promise.all([clock.advance(250), clock.advance(50)]);
    expect(woken).toEqual([
      ["quick", 90],
      ["quick", 180],
      ["slow", 200],
      ["quick", 270],
    ]);
    expect(clock.now() - began).toBe(300);
    stop.abort();
    await Promise.allSettled(loops);
  });

  test("is advanced while it runs, and goes on from there", async () => {
    const clock = new ScaledClock(1);
    const began = clock.now();
    const sleep = clock.sleep(3_600_000, never);
    await clock.advance(3_599_999.5);
    await sleep;
    expect(clock.now() - began).toBeGreaterThanOrEqual(3_600_000);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("can't be set to run at %d, or be advanced by it", (number) => {
    const clock = new ScaledClock(1);
    expect(() => clock.setSpeed(number)).toThrow(RangeError);
    expect(() => clock.advance(number)).toThrow(RangeError);
  });
});

describe("a virtual clock", () => {
  test("stands still until it is told to advance", async () => {
    const clock = new VirtualClock();
    const began = clock.now();
    const sleep = clock.sleep(1, never);
    expect(await isPending(sleep)).toBe(true);
    expect(clock.now()).toBe(began);
    await clock.advance(1);
    await sleep;
    expect(clock.now()).toBe(began + 1);
    expect(clock.elapsedMs).toBe(1);
  });

  test("wakes sleepers by their time, and those of one moment in the order in which they went to sleep", async () => {
    const clock = new VirtualClock();
    const woken: string[] = [];
    const sleeper = async (name: string, ms: number) => {
      await clock.sleep(ms, never);
      woken.push(`${name} at ${clock.elapsedMs}`);
    };
    const all = [sleeper("last", 30), sleeper("first", 10), sleeper("second", 20), sleeper("third", 20)];
    await clock.advance(100);
    await Promise.all(all);
    expect(woken).toEqual(["first at 10", "second at 20", "third at 20", "last at 30"]);
    expect(clock.elapsedMs).toBe(100);
  });

  test("lets someone who wakes sleep again within the same advance", async () => {
    const clock = new VirtualClock();
    const ticks: number[] = [];
    const ticking = (async () => {
      for (let tick = 0; tick < 3; tick++) {
        await clock.sleep(10, never);
        ticks.push(clock.elapsedMs);
      }
    })();
    await clock.advance(30);
    await ticking;
    expect(ticks).toEqual([10, 20, 30]);
  });

  test("wakes nobody before their time", async () => {
    const clock = new VirtualClock();
    const sleep = clock.sleep(10, never);
    await clock.advance(9);
    expect(await isPending(sleep)).toBe(true);
    await clock.advance(1);
    await sleep;
  });

  test("runs work to its end, as long as it waits for time alone", async () => {
    const clock = new VirtualClock();
    const work = async () => {
      await clock.sleep(3_600_000, never);
      await new Promise((resolve) => setImmediate(resolve));
      await clock.sleep(1_000, never);
      return "done";
    };
    expect(await clock.run(work())).toBe("done");
    expect(clock.elapsedMs).toBe(3_601_000);
  });

  test("hands on what the work throws", async () => {
    const clock = new VirtualClock();
    const work = async () => {
      await clock.sleep(1, never);
      throw new Error("broken");
    };
    await expect(clock.run(work())).rejects.toThrow("broken");
  });

  test("says so when the work waits for something other than time", async () => {
    const clock = new VirtualClock();
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow("waits for something other than time");
  });

  test("stands still while something is under way outside, whose end nobody here can foresee", async () => {
    const clock = new VirtualClock();
    const answers = new EventEmitter();
    const order: string[] = [];
    const call = async () => {
      await clock.outside(once(answers, "answer"));
      order.push(`answered at ${clock.elapsedMs}`);
      await clock.sleep(5, never);
      order.push(`done at ${clock.elapsedMs}`);
    };
    const rest = clock.sleep(10, never).then(() => order.push(`rested at ${clock.elapsedMs}`));
    // Many turns of the event loop later: far more than those after which the clock takes this process for idle.
    let turns = 200;
    const turn = () => (turns-- > 0 ? setImmediate(turn) : answers.emit("answer"));
    turn();
    await clock.run(Promise.all([call(), rest]));
    expect(order).toEqual(["answered at 0", "done at 5", "rested at 10"]);
  });

  test("goes on when what was outside fails, and hands on the failure", async () => {
    const clock = new VirtualClock();
    const failed = clock.outside(Promise.reject(new Error("no answer")));
    await expect(clock.run(failed)).rejects.toThrow("no answer");
    const sleep = clock.sleep(10, never);
    await clock.advance(10);
    await sleep;
  });

  test("ends an aborted sleep with the reason at once, and leaves nobody to wake", async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const sleep = clock.sleep(1_000, stop.signal);
    stop.abort(new Error("enough"));
    await expect(sleep).rejects.toThrow("enough");
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow("other than time");
    expect(clock.elapsedMs).toBe(0);
  });
});

describe.each([
  { name: "a scaled clock", create: () => new ScaledClock(1_000) },
  { name: "a virtual clock", create: () => new VirtualClock() },
])("$name", ({ create }) => {
  test("refuses to sleep for an aborted signal, with its reason", async () => {
    await expect(create().sleep(1_000, AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
  });

  test("leaves no listener on the signal, whether the sleep ends or is aborted", async () => {
    const clock = create();
    const stop = new AbortController();
    const slept = clock.sleep(1, stop.signal);
    if (clock instanceof VirtualClock) await clock.advance(1);
    await slept;
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    const aborted = clock.sleep(1_000_000, stop.signal);
    stop.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });
});
