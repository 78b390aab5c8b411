import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { AnswerLimits } from "../../src/sources/answer-limits.ts";

const LATE = { code: "unreachable", message: "AWS did not answer within 5 s" };

function scene() {
  const clock = new VirtualClock();
  const cut = newAbort();
  return { clock, cut, limits: new AnswerLimits(clock, cut.signal) };
}

/** A call that AWS does not answer, and that heeds no signal. */
const hanging = () => new Promise<void>(() => {});

describe("the time that AWS has to answer", () => {
  test("is one timer for calls that begin together, and none once all are answered", async () => {
    const { clock, limits } = scene();
    const answers: (() => void)[] = [];
    const calls = Array.from({ length: 100 }, () =>
      limits.within(5_000, () => new Promise<void>((resolve) => answers.push(resolve))),
    );
    expect(clock.sleeping).toBe(1);
    for (const answer of answers) answer();
    await Promise.all(calls);
    await clock.advance(0);
    expect(clock.sleeping).toBe(0);
  });

  test("is over for each of them, whether or not the call heeds it", async () => {
    const { clock, limits } = scene();
    const signals: AbortSignal[] = [];
    const calls = [1, 2].map(() =>
      limits.within(5_000, (signal) => {
        signals.push(signal);
        return hanging();
      }),
    );
    const settled = Promise.allSettled(calls);
    await clock.advance(4_900);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    await clock.advance(1_100);
    expect(await settled).toMatchObject([{ reason: LATE }, { reason: LATE }]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(clock.sleeping).toBe(0);
  });

  test("does not hide why a call has failed in time", async () => {
    const { limits } = scene();
    await expect(limits.within(5_000, () => Promise.reject(new RangeError("why")))).rejects.toThrow(/^why$/);
  });

  test("ends with everything else, also for a call that comes later", async () => {
    const { clock, cut, limits } = scene();
    const before = limits.within(5_000, hanging);
    cut.abort();
    await expect(before).rejects.toMatchObject(LATE);
    await expect(limits.within(5_000, hanging)).rejects.toMatchObject(LATE);
    await clock.advance(0);
    expect(clock.sleeping).toBe(0);
  });
});
