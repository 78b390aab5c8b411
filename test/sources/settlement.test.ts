import { describe, expect, test } from "vitest";
import { DrainError, type DrainErrorCode } from "../../src/drain/errors.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { DrainPlan } from "../../src/drain/plan.ts";
import { foreignSettlement, jointly, type Settlement, settlementOf } from "../../src/sources/settlement.ts";

const node = { id: "i-00000001", name: "n", network: "vpc-1", addresses: [], addressPrefixes: [] };
const ended = { drainId: "d-1", node, elsewhere: [], registrations: [] };
const failed = (code: DrainErrorCode): DrainOutcome => ({
  ...ended,
  status: "failed",
  error: new DrainError(code, "why"),
});
const late = (reason: "deadline" | "timeout"): DrainOutcome => ({
  ...ended,
  status: "deadline-passed",
  searched: true,
  limit: { reason, at: 0 },
});

type Row = readonly [
  what: string,
  outcome: DrainOutcome,
  settlement: `${Settlement["message"]}, ${Settlement["hook"]}`,
];

const ROWS: readonly Row[] = [
  ["a node that was drained", { ...ended, status: "drained" }, "delete, continue"],
  ["a node that was registered nowhere", { ...ended, status: "nothing-registered" }, "delete, continue"],
  ["a node that may still be registered", { ...ended, status: "possibly-registered" }, "leave, untouched"],
  ["a machine that has gone", { status: "instance-gone", message: "gone" }, "delete, continue"],
  ["an instance that nobody knows", failed("node-not-found"), "delete, continue"],
  ["a deadline that came first", late("deadline"), "delete, continue"],
  ["a timeout that came first", late("timeout"), "leave, untouched"],
  ["a dry run", { ...ended, status: "planned", plan: {} as DrainPlan }, "leave, untouched"],
  [
    "a refusal",
    { ...ended, status: "refused", refusal: { reason: "too-few-healthy", message: "no", pools: [] } as never },
    "delete, untouched",
  ],
  ["a drain that was cancelled", { ...ended, status: "cancelled" }, "delete, untouched"],
  ["a stop of the program", { ...ended, status: "abandoned" }, "release, untouched"],
  ["a call that AWS denied", failed("access-denied"), "leave, untouched"],
  ["a call that AWS throttled", failed("throttled"), "leave, untouched"],
  ["an AWS out of reach", failed("unreachable"), "leave, untouched"],
  ["missing credentials", failed("no-credentials"), "leave, untouched"],
  ["a node that was registered again and again", failed("registered-again"), "leave, untouched"],
  ["a fault of the program", failed("internal"), "leave, untouched"],
  ["a node of another cluster", failed("other-cluster"), "release, untouched"],
];

describe("what becomes of message and hook", () => {
  test.each(ROWS)("after %s", (_, outcome, expected) => {
    const { message, hook } = settlementOf(outcome, { foreign: "release" });
    expect(`${message}, ${hook}`).toBe(expected);
  });

  test("of a node of another cluster is what was configured, and its hook is never ours to complete", () => {
    expect(settlementOf(failed("other-cluster"), { foreign: "delete" })).toEqual({
      message: "delete",
      hook: "untouched",
    });
    expect(foreignSettlement("release")).toEqual({ message: "release", hook: "untouched" });
  });

  test("of an instance that nobody knows is not ours to decide where the event is another account's", () => {
    const terms = { foreign: "release", isOtherAccount: true } as const;
    expect(settlementOf(failed("node-not-found"), terms)).toEqual({ message: "release", hook: "untouched" });
    expect(settlementOf({ ...ended, status: "drained" }, terms)).toEqual({ message: "delete", hook: "continue" });
  });

  test("that announces several nodes: it stays while one of them needs it", () => {
    expect(jointly(["delete", "delete"])).toBe("delete");
    expect(jointly(["delete", "leave"])).toBe("leave");
    expect(jointly(["leave", "release", "delete"])).toBe("release");
  });
});
