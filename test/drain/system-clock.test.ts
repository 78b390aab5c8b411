import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openClocks } from "../../src/app/clocks.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { FunctionClock } from "../../src/lambda/clock.ts";
import type { Log } from "../../src/observe/log.ts";
import { never } from "../support/simulated-region.ts";

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 0, 1);

/** A machine whose clocks a test sets. */
class Machine {
  #wall = START;
  #monotonic = 5_000_000;
  #uptime = 5_000_000;
  readonly clocks = { wall: () => this.#wall, monotonic: () => this.#monotonic, uptime: () => this.#uptime };

  passes(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
    this.#uptime += ms;
  }

  isSetForward(ms: number): void {
    this.#wall += ms;
  }

  /** The kernel sets the time of day right when it wakes up. */
  isSuspended(ms: number): void {
    this.#wall += ms;
    this.#uptime += ms;
  }

  /** A container whose uptime is not the machine's. */
  miscountsUptime(ms: number): void {
    this.#uptime += ms;
  }
}

describe("while a process runs", () => {
  test("a machine that interrupts it between two readings of its clocks does not make it wrong by as long", () => {
    const machine = new Machine();
    let readings = 0;
    const interrupted = (read: () => number) => () => {
      readings += 1;
      if (readings === 2 || readings === 9) machine.passes(83);
      return read();
    };
    const { wall, monotonic, uptime } = machine.clocks;
    const clock = new SystemClock({ wall: interrupted(wall), monotonic: interrupted(monotonic), uptime });
    readings = 0;
    expect(clock.bootedAt).toBe(START - 5_000_000);
    machine.passes(10_000);
    expect(clock.look()).toEqual({ steppedMs: 0, suspendedMs: 0 });
    expect(clock.bootedAt).toBe(START - 5_000_000);
  });

  test.each([HOUR_MS, -HOUR_MS, 30 * 24 * HOUR_MS])(
    "a time of day that is set by %i ms moves nothing, and is reported once",
    (ms) => {
      const machine = new Machine();
      const clock = new SystemClock(machine.clocks);
      machine.passes(1_000);
      machine.isSetForward(ms);
      machine.passes(1_000);
      expect(clock.now()).toBe(START + 2_000);
      expect(clock.look()).toEqual({ steppedMs: ms, suspendedMs: 0 });
      expect(clock.look()).toEqual({ steppedMs: 0, suspendedMs: 0 });
      expect(clock.offsetMs).toBe(ms);
      machine.isSetForward(-ms);
      expect(clock.look()).toEqual({ steppedMs: -ms, suspendedMs: 0 });
    },
  );

  test("a time of day that is set in small steps is reported when they come to a second", () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.clocks);
    const reported = Array.from({ length: 5 }, () => {
      machine.isSetForward(400);
      return clock.look().steppedMs;
    });
    expect(reported).toEqual([0, 0, 1_200, 0, 0]);
  });

  test("the time for which the machine was suspended has passed, and whatever was to end meanwhile ends at once", async () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.clocks);
    const asleep = clock.sleep(HOUR_MS, never);
    machine.passes(1_000);
    machine.isSuspended(2 * HOUR_MS);
    expect(clock.now()).toBe(START + 1_000);
    expect(clock.look()).toEqual({ steppedMs: 0, suspendedMs: 2 * HOUR_MS });
    expect(clock.now()).toBe(START + 1_000 + 2 * HOUR_MS);
    await asleep;
  });

  test("a suspension and a step at once are told apart", () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.clocks);
    machine.isSuspended(HOUR_MS);
    machine.isSetForward(2 * HOUR_MS);
    expect(clock.look()).toEqual({ steppedMs: 2 * HOUR_MS, suspendedMs: HOUR_MS });
    expect(clock.now()).toBe(START + HOUR_MS);
  });

  test("an uptime that alone tells of a suspension cuts no hold", () => {
    const machine = new Machine();
    const clock = new SystemClock(machine.clocks);
    machine.miscountsUptime(HOUR_MS);
    expect(clock.look()).toEqual({ steppedMs: 0, suspendedMs: 0 });
    expect(clock.now()).toBe(START);
  });

  test("a sleeper whose timer comes too early goes on sleeping", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const machine = new Machine();
    const clock = new SystemClock(machine.clocks);
    let isAwake = false;
    const asleep = clock.sleep(10_000, never).then(() => {
      isAwake = true;
    });
    machine.passes(4_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(isAwake).toBe(false);
    machine.passes(6_000);
    await vi.advanceTimersByTimeAsync(6_000);
    await asleep;
  });
});

test("steps, suspensions and the difference to AWS's clock are logged, each once", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const machine = new Machine();
  const lines: unknown[] = [];
  const log: Log = (message, fields) => void lines.push([message, fields]);
  const { clock, time, watch } = openClocks(log, new SystemClock(machine.clocks));
  const stop = newAbort();
  const watched = watch(stop.signal);
  const passes = async (ms: number) => {
    machine.passes(ms);
    await vi.advanceTimersByTimeAsync(ms);
  };
  await passes(3_000);
  machine.isSetForward(HOUR_MS);
  await passes(3_000);
  machine.isSuspended(60_000);
  await passes(3_000);
  for (let answer = 0; answer < 3; answer++) time.sends()(new Date(clock.now() - HOUR_MS).toUTCString());
  // One answer alone may be wrong.
  time.sends()(new Date(0).toUTCString());
  for (let answer = 0; answer < 3; answer++) time.sends()(new Date(clock.now()).toUTCString());
  stop.abort();
  await watched;
  expect(lines).toEqual([
    ["clock stepped", { seconds: 3_600, offsetSeconds: 3_600 }],
    ["machine suspended", { seconds: 60 }],
    ["clock skew detected", { seconds: expect.closeTo(3_600, -1) }],
    ["clock skew resolved", {}],
  ]);
});

test("a Lambda function takes the time of day as an invocation begins, and counts on from there until it ends", () => {
  const machine = new Machine();
  const clock = new FunctionClock(machine.clocks);
  machine.passes(1_000);
  // Between invocations the process stands still, and so may its monotonic clock.
  machine.isSetForward(HOUR_MS);
  clock.invocationBegins();
  expect(clock.now()).toBe(START + 1_000 + HOUR_MS);
  machine.isSetForward(HOUR_MS);
  machine.passes(1_000);
  expect(clock.now()).toBe(START + 2_000 + HOUR_MS);
});
