import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RegistrationState } from "../../src/drain/cloud-provider.ts";
import { type HoldProgress, type HoldVerdict, judge, nextPoll } from "../../src/drain/hold.ts";
import { LOAD_BALANCER_KINDS as KINDS, type LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";
import { RELEASES } from "../support/fake-cloud.ts";

const STATES = ["live", "initial", "draining", "absent", "unlisted"] as const satisfies readonly RegistrationState[];

/** The terms of AWS's load balancers, which have each form that terms can have. */
function pool(kind: LoadBalancerKind, drainSeconds: number) {
  return RELEASES.of(kind, { drainMs: drainSeconds * 1_000 });
}

describe("what a look means", () => {
  const BACK = { seenLeaving: false, wasBack: true };
  const cases: [string, LoadBalancerKind, number, Partial<HoldProgress>, RegistrationState, number, HoldVerdict][] = [
    ["draining before the end of the hold is held", "alb", 60, {}, "draining", 59, "wait"],
    ["draining at the end of an ALB's hold is over: the state is a timer", "alb", 60, {}, "draining", 60, "over"],
    ["absence shortens no ALB's hold", "alb", 5, {}, "absent", 29, "wait"],
    ["absence at the end is over", "alb", 5, {}, "absent", 30, "over"],
    ["absence shortens no NLB's hold", "nlb", 0, {}, "absent", 209, "wait"],
    ["an NLB's hold ends with its allowance", "nlb", 0, {}, "absent", 210, "over"],
    ["a classic load balancer's word ends its hold early", "classic", 300, {}, "absent", 10, "over"],
    ["but not before its own machines have learnt", "classic", 300, {}, "absent", 9, "wait"],
    ["classic draining is waited for even past its timeout", "classic", 60, {}, "draining", 61, "wait"],
    ["no word about requests in flight gives them all their time", "classic", 300, {}, "unlisted", 299, "wait"],
    ["and not a second more", "classic", 300, {}, "unlisted", 300, "over"],
    ["unlisted after it was back is held anew", "classic", 300, BACK, "unlisted", 300, "anew"],
    ["an unattached group is over once it is confirmed", "unattached", 300, {}, "absent", 7, "over"],
    ["live shortly after is an old read", "alb", 60, { seenLeaving: false }, "live", 7, "wait"],
    ["live for long means that the call did nothing", "alb", 60, { seenLeaving: false }, "live", 20, "ignored"],
    ["live after it was seen leaving has come back", "alb", 60, { seenLeaving: true }, "live", 7, "back"],
    ["initial has come back, whatever was seen", "alb", 60, { seenLeaving: false }, "initial", 1, "back"],
    ["live again is back until it is known to be another machine's", "alb", 60, BACK, "live", 12, "back"],
    ["draining after it was back is held anew", "alb", 60, BACK, "draining", 60, "anew"],
    ["absent after it was back is held anew", "alb", 60, BACK, "absent", 60, "anew"],
  ];
  test.each(cases)("%s", (_, kind, delay, progress, state, at, expected) => {
    const held: HoldProgress = { since: 0, seenLeaving: true, ...progress };
    expect(judge(pool(kind, delay), held, { state, at: at * 1_000 })).toBe(expected);
  });

  test("nothing is over before the shortest time its kind allows", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...KINDS),
        fc.constantFrom(...STATES),
        fc.nat(4_000),
        fc.nat(4_000),
        fc.boolean(),
        (kind, state, delay, at, seenLeaving) => {
          const target = pool(kind, delay);
          const verdict = judge(target, { since: 0, seenLeaving }, { state, at: at * 1_000 });
          if (verdict === "over") expect(at * 1_000).toBeGreaterThanOrEqual(target.newTrafficMs);
          if (state === "live" || state === "initial") expect(verdict).not.toBe("over");
        },
      ),
    );
  });
});

describe("when a pool is looked at", () => {
  const look = (kind: LoadBalancerKind, delay: number, progress: Partial<HoldProgress> = {}) =>
    nextPoll(pool(kind, delay), { since: 0, seenLeaving: true, ...progress }) / 1_000;

  test("a deregistration is read back after seven seconds", () => {
    expect(look("alb", 300)).toBe(7);
  });

  test("a hold that ends within ten seconds is read back at its end", () => {
    expect(look("classic", 0)).toBe(10);
  });

  test("a holding pool is read at least every minute, and at its end", () => {
    expect(look("alb", 300, { lastPoll: 7_000 })).toBe(67);
    expect(look("alb", 60, { lastPoll: 7_000 })).toBe(60);
  });

  test("a classic load balancer is asked every five seconds whether draining has ended", () => {
    expect(look("classic", 300, { lastPoll: 10_000 })).toBe(15);
  });

  test("a read that contradicts the deregistration is repeated after five seconds", () => {
    expect(look("alb", 300, { lastPoll: 7_000, seenLeaving: false })).toBe(12);
  });

  test("looks within the same second fall on the same moment, so that one call serves them", () => {
    expect(look("alb", 300, { since: 1 })).toBe(look("alb", 300, { since: 999 }));
  });

  test("the next look is always in the future, and never more than a minute ahead", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...KINDS),
        fc.nat(3_600),
        fc.nat(4_000_000),
        fc.boolean(),
        (kind, delay, lastPoll, seen) => {
          const at = nextPoll(pool(kind, delay), { since: 0, seenLeaving: seen, lastPoll });
          expect(at).toBeGreaterThan(lastPoll);
          expect(at - lastPoll).toBeLessThanOrEqual(61_000);
        },
      ),
    );
  });
});
