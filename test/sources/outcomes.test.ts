import { expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import { type DrainOutcome, type ReportedOutcome, verdictOf } from "../../src/drain/outcome.ts";
import { settlementOf } from "../../src/sources/settlement.ts";
import { noticeEnd } from "../../src/sources/standing-notices.ts";

const TERMS = { foreign: "release" } as const;
const LIMIT = { at: 0 };

/** What becomes of the machine, of a notice that stands, of the message and of the hook. */
test.each<[DrainOutcome["status"], object, string]>([
  ["drained", {}, "can-go out delete continue"],
  ["nothing-registered", {}, "can-go out delete continue"],
  ["instance-gone", {}, "can-go out delete continue"],
  ["deadline-passed", { limit: { ...LIMIT, reason: "deadline" } }, "can-go out delete continue"],
  ["deadline-passed", { limit: { ...LIMIT, reason: "timeout" } }, "waits again leave untouched"],
  ["possibly-registered", {}, "waits again leave untouched"],
  ["failed", { error: new DrainError("throttled", "") }, "waits again leave untouched"],
  ["refused", {}, "waits again delete untouched"],
  ["superseded", {}, "stays over delete untouched"],
  ["cancelled", {}, "stays over delete untouched"],
  ["planned", {}, "undecided over leave untouched"],
  ["abandoned", {}, "undecided over release untouched"],
])("a drain that ended as %s %j: %s", (status, more, expected) => {
  const outcome = { status, ...more } as DrainOutcome;
  const { message, hook } = settlementOf(outcome, TERMS);
  expect([verdictOf(outcome), noticeEnd(outcome), message, hook].join(" ")).toBe(expected);
});

test("a drain that a service of another version reports in its own words is asked for again", () => {
  expect(noticeEnd({ status: "evaporated" } as unknown as ReportedOutcome)).toBe("again");
});
