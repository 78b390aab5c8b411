import fc from "fast-check";
import { expect, test } from "vitest";
import { PacedBucket } from "../../src/aws/paced-bucket.ts";

const SIZE = { burst: 20, perSecond: 4 };

/** Takes all there is room for. */
function takeAll(bucket: PacedBucket, now: number): number {
  let taken = 0;
  for (; bucket.waitMs(now) === 0; taken++) bucket.take();
  return taken;
}

test("in no span of time are more calls let through than the burst and what comes back meanwhile", () => {
  const steps = fc.array(fc.record({ ms: fc.nat(20_000), throttled: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (script) => {
      const bucket = new PacedBucket(SIZE, 0);
      const taken: { readonly at: number; readonly calls: number }[] = [];
      let now = 0;
      for (const { ms, throttled } of script) {
        now += ms;
        taken.push({ at: now, calls: takeAll(bucket, now) });
        if (throttled) bucket.throttled(now);
      }
      for (const [index, { at: from }] of taken.entries()) {
        let calls = 0;
        for (const one of taken.slice(index)) {
          calls += one.calls;
          expect(calls).toBeLessThanOrEqual(SIZE.burst + (SIZE.perSecond * (one.at - from)) / 1_000 + 1e-6);
        }
      }
    }),
  );
});

test("whoever waits as long as it says finds room", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(3_000), { maxLength: 30 }),
      fc.double({ min: 0.01, max: 50, noNaN: true }),
      (gaps, share) => {
        const bucket = new PacedBucket({ burst: 20 * share, perSecond: 4 * share }, 0);
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          if (gap % 3 === 0) bucket.throttled(now);
          now += bucket.waitMs(now);
          expect(bucket.waitMs(now)).toBe(0);
          bucket.take();
        }
      },
    ),
  );
});

test("a clock that is set gives no more than the burst at once, and takes nothing away for good", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -10_000_000, max: 10_000_000 }), { maxLength: 40 }), (jumps) => {
      const bucket = new PacedBucket(SIZE, 0);
      let now = 0;
      for (const jump of jumps) {
        now += jump;
        expect(takeAll(bucket, now)).toBeLessThanOrEqual(SIZE.burst);
      }
      expect(takeAll(bucket, now + 5_000)).toBeGreaterThanOrEqual(SIZE.burst - 1);
    }),
  );
});

test("throttled, it gives way by a factor, once for each jam, and comes back by a constant", () => {
  const bucket = new PacedBucket(SIZE, 0);
  const pace = (now: number) => {
    const [one, two] = [bucket.msFor(1_000, now), bucket.msFor(1_001, now)];
    return 1_000 / (two - one);
  };
  bucket.throttled(0);
  bucket.throttled(500);
  expect(pace(500)).toBeCloseTo(4 * (0.85 + 0.01), 5);
  bucket.throttled(1_500);
  expect(pace(1_500)).toBeCloseTo(4 * 0.88 * 0.85, 1);
  expect(pace(60_000)).toBe(4);
});

test("throttled for ever, it still lets a call through now and then", () => {
  const bucket = new PacedBucket(SIZE, 0);
  let now = 0;
  for (let time = 0; time < 200; time++) {
    now += 2_000;
    bucket.throttled(now);
  }
  expect(bucket.waitMs(now)).toBeLessThanOrEqual(5_000);
});

test("a jam from before the clock was set back does not hide the next one", () => {
  const bucket = new PacedBucket(SIZE, 3_600_000);
  bucket.throttled(3_600_000);
  const before = bucket.msFor(1_000, 0);
  bucket.throttled(0);
  expect(bucket.msFor(1_000, 0)).toBeGreaterThan(before);
});
