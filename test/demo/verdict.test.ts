import { expect, test } from "vitest";
import type { Loss } from "../../src/demo/traffic.ts";
import { tooSlowText, verdictOn } from "../../src/demo/verdict.ts";

const LOST: Loss = { at: 0, openedAt: 0, lostAt: 1, to: "nlb", cause: "timeout" };

/** Runs of the demo that sent so many requests in a real second, and lost so many. */
function runs(...each: readonly (readonly [sentPerRealSecond: number, lost: number])[]) {
  return each.map(([sentPerRealSecond, lost]) => ({ sentPerRealSecond, losses: Array<Loss>(lost).fill(LOST) }));
}

test.each([
  ["shown when the first way loses requests and ours none", runs([300, 40], [300, 10], [300, 0]), "shown"],
  ["not shown when ours loses one", runs([300, 40], [300, 10], [300, 1]), "not-shown"],
  ["not shown when no way loses any", runs([300, 0], [300, 0], [300, 0]), "not-shown"],
  ["shown by half of the requests that it means to send", runs([150, 40], [150, 10], [150, 0]), "shown"],
  ["not shown by fewer than half in any way", runs([300, 40], [300, 10], [149, 0]), "too-slow"],
  ["not shown by them whatever ours loses", runs([149, 40], [300, 10], [300, 7]), "too-slow"],
] as const)("that nothing is lost is %s", (_, of, verdict) => {
  expect(verdictOn(of)).toBe(verdict);
});

test("a machine that is too slow is told how many requests it sent, and what to do", () => {
  expect(tooSlowText(runs([300, 1], [41.4, 0], [300, 0]))).toMatch(
    /too slow.* sent 41 requests a second of about 300\. .*Run it again when nothing else runs\.$/,
  );
});
