import fc from "fast-check";
import type { GuardOptions, Share } from "../../src/drain/guard.ts";
import { METHODS } from "./call-log.ts";
import type { Command } from "./commands.ts";
import { CALL_FAULTS, type FaultSpec } from "./faults.ts";
import type { PoolSpec, WorldSpec } from "./world.ts";

const SECOND = 1_000;
const COMMANDS_MAX = 14;
const LISTED_LATE_MS = 2 * SECOND;
const small = fc.nat({ max: 3 });
const ms = (max: number) => fc.integer({ min: 1, max });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

const pool: fc.Arbitrary<PoolSpec> = fc
  .record({
    kind: fc.constantFrom("alb", "nlb", "gwlb", "classic", "unattached"),
    delayMs: fc.constantFrom(0, 1, 5, 30, 60, 300, 600).map((seconds) => seconds * SECOND),
    initialMs: fc.constantFrom(0, 3, 20).map((seconds) => seconds * SECOND),
    listedMs: fc.constantFrom(0, 2, 90).map((seconds) => seconds * SECOND),
    byAddress: fc.boolean(),
    ports: fc.integer({ min: 1, max: 2 }),
    members: fc.array(small, { minLength: 1, maxLength: 4 }),
    isElsewhere: fc.integer({ min: 0, max: 9 }).map((one) => one === 9),
    isZonal: fc.integer({ min: 0, max: 3 }).map((one) => one === 3),
  })
  .map((made) => (made.kind === "classic" ? classic(made) : made));

/** It is listed as draining for a little longer than its delay, or for much shorter. */
function classic(made: PoolSpec): PoolSpec {
  const listedMs = made.listedMs > LISTED_LATE_MS ? -made.listedMs : made.listedMs;
  return { ...made, listedMs, byAddress: false, ports: 1, isZonal: false };
}

const guard: fc.Arbitrary<GuardOptions> = fc.record({
  minHealthy: fc.constantFrom<Share>({ count: 1 }, { count: 1 }, { count: 2 }, { count: 0 }, { percent: 34 }),
  waitMs: fc.constantFrom(120, 0, 20).map((seconds) => seconds * SECOND),
  maxVoluntary: fc.constantFrom<Share>({ percent: 100 }, { count: 1 }, { count: 2 }, { percent: 50 }),
});

export const world: fc.Arbitrary<WorldSpec> = fc.record({
  nodes: fc.integer({ min: 1, max: 4 }),
  pools: fc.array(pool, { minLength: 1, maxLength: 4 }),
  latenciesMs: fc.array(fc.constantFrom(0, 0, 0, 1, 40, 300, 2_500), { maxLength: 7 }),
  targetsPerCallMax: fc.constantFrom(100, 1, 2),
  recalls: fc.boolean(),
  indexAgeMs: fc.constantFrom(0, 0, 20 * SECOND, 100 * SECOND),
  guard: maybe(guard),
  zones: fc.constantFrom(["a"], ["a", "b"], ["a", "a", "b"], ["a", "b", undefined]),
});

const fault: fc.Arbitrary<FaultSpec> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("calls" as const),
      fault: fc.constantFrom(...CALL_FAULTS),
      method: fc.constantFrom("any" as const, ...METHODS),
      forMs: ms(120 * SECOND),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("stale" as const), byMs: ms(15 * SECOND), forMs: ms(60 * SECOND) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("ignored" as const), pool: small, forMs: ms(60 * SECOND) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("refused" as const), node: small, forMs: ms(60 * SECOND) }) },
);

const gapMs = fc.constantFrom(0, 1, 5, 60, 400).map((seconds) => seconds * SECOND);

const COMMANDS: readonly fc.WeightedArbitrary<Command>[] = [
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("ask" as const),
      node: small,
      by: fc.constantFrom("id", "id", "ip", "name"),
      deadlineMs: maybe(ms(500 * SECOND)),
      timeoutMs: maybe(ms(700 * SECOND)),
      isOwn: fc.boolean(),
      isVoluntary: fc.boolean(),
      force: fc.integer({ min: 0, max: 7 }).map((one) => one === 7),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("cancel" as const), drain: fc.constantFrom(0, 0, 0, 1, 2, 9) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("leave" as const), caller: small }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("wait" as const),
      ms: fc.oneof(ms(3 * SECOND), ms(30 * SECOND), ms(250 * SECOND)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("register" as const),
      pool: small,
      node: small,
      port: fc.nat({ max: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("takeOut" as const), pool: small, node: small }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("flap" as const),
      pool: small,
      node: small,
      port: fc.nat({ max: 2 }),
      ms: ms(20 * SECOND),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("fare" as const),
      pool: small,
      node: small,
      isHealthy: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("reuse" as const),
      from: small,
      to: small,
      pool: small,
      ms: fc.constantFrom(70 * SECOND, 5 * SECOND),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("vanish" as const), pool: small }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("terminate" as const), node: small }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("move" as const), from: small, to: small }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("fault" as const), fault }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("crash" as const), gapMs }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("stop" as const), gapMs }) },
];

export const script: fc.Arbitrary<readonly Command[]> = fc.array(fc.oneof(...COMMANDS), {
  minLength: 1,
  maxLength: COMMANDS_MAX,
});
