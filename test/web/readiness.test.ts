import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { type AccessProblem, DrainError } from "../../src/drain/errors.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { Readiness, type ReadyState, withQueue } from "../../src/web/readiness.ts";

const DENIED: AccessProblem = { action: "a", error: new DrainError("access-denied", "m") };

/** Checks that end as `check` says; `checks` has when each began, in seconds. */
function scene(check: (signal: AbortSignal, clock: VirtualClock) => Promise<readonly AccessProblem[]>) {
  const clock = new VirtualClock();
  const stop = newAbort();
  const changes: ReadyState[] = [];
  const checks: number[] = [];
  const readiness = new Readiness({
    clock,
    check: (signal) => {
      checks.push(clock.elapsedMs / 1_000);
      return check(signal, clock);
    },
    onChange: (state) => changes.push(state),
  });
  const running = readiness.run(stop.signal);
  return { clock, stop, changes, checks, readiness, running };
}

describe("readiness", () => {
  test("is checked at once, then once a minute, and says so only when something has changed", async () => {
    let problems: readonly AccessProblem[] = [];
    const { clock, changes, checks, readiness } = scene(async () => problems);
    expect(readiness.state).toEqual({ status: "checking" });
    await clock.advance(60_000);
    expect(readiness.state).toEqual({ status: "ready", checkedAt: clock.now() });
    problems = [DENIED];
    await clock.advance(120_000);
    expect(readiness.state).toEqual({ status: "not-ready", checkedAt: clock.now(), problems });
    problems = [];
    await clock.advance(60_000);
    expect(checks).toEqual([0, 60, 120, 180, 240]);
    expect(changes.map(({ status }) => status)).toEqual(["ready", "not-ready", "ready"]);
  });

  test("is not asked of AWS by whoever asks for it", async () => {
    const { clock, checks, readiness } = scene(async () => []);
    await clock.advance(1_000);
    for (let asked = 0; asked < 100; asked++) readiness.state;
    expect(checks).toEqual([0]);
  });

  test("is denied while a check can't end, and a check is given up after 45 s", async () => {
    const { clock, checks, readiness } = scene(
      (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    await clock.advance(44_999);
    expect(readiness.state).toEqual({ status: "checking" });
    await clock.advance(1);
    expect(readiness.state).toMatchObject({ status: "not-ready", problems: [{ error: { code: "unreachable" } }] });
    await clock.advance(60_000);
    expect(checks).toEqual([0, 105]);
  });

  test("survives a check that throws", async () => {
    const { clock, readiness } = scene(async () => {
      throw new TypeError("a fault");
    });
    await clock.advance(0);
    expect(readiness.state).toMatchObject({ status: "not-ready", problems: [{ error: { code: "internal" } }] });
  });

  test.each(["between two checks", "during a check"])("ends at the stop, %s, at once and for good", async (when) => {
    const { clock, stop, checks, changes, readiness, running } = scene(async (signal, time) => {
      if (when === "during a check") await time.sleep(10_000, signal);
      return [];
    });
    await clock.advance(5_000);
    stop.abort();
    expect(readiness.state).toEqual({ status: "stopping" });
    await running;
    await clock.advance(600_000);
    expect(readiness.state).toEqual({ status: "stopping" });
    expect(checks).toEqual([0]);
    expect(changes).toHaveLength(when === "during a check" ? 0 : 1);
    expect(clock.sleeping).toBe(0);
  });
});

describe("a service that reads a queue", () => {
  const ready = { status: "ready", checkedAt: 5 } as const;
  const error = new DrainError("cloud-error", "there is no such queue");
  const failing = { isKnown: true, trouble: { error, at: 7 } };

  test("is not ready while that can't be read", () => {
    expect(withQueue(ready, undefined)).toBe(ready);
    expect(withQueue(ready, { isKnown: true, trouble: undefined })).toBe(ready);
    expect(withQueue(ready, failing)).toEqual({
      status: "not-ready",
      checkedAt: 7,
      problems: [{ action: "sqs:ReceiveMessage", error }],
    });
    const denied = { action: "ec2:DescribeInstances", error: new DrainError("access-denied", "no") };
    const unready = { status: "not-ready", checkedAt: 5, problems: [denied] } as const;
    expect(withQueue(unready, failing)).toMatchObject({ problems: [denied, { action: "sqs:ReceiveMessage" }] });
    expect(withQueue({ status: "stopping" }, failing)).toEqual({ status: "stopping" });
  });

  test("is not ready before it has tried", () => {
    const untried = { isKnown: false, trouble: undefined };
    expect(withQueue(ready, untried)).toEqual({ status: "checking" });
    expect(withQueue({ status: "stopping" }, untried)).toEqual({ status: "stopping" });
    const unready = { status: "not-ready", checkedAt: 5, problems: [] } as const;
    expect(withQueue(unready, untried)).toBe(unready);
  });
});
