import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PolicyNeeds, policyFor } from "../../../src/aws/policy.ts";
import { CALLS, type MatrixCall } from "./calls.ts";
import { EXPECTED } from "./expected.ts";
import { FAULTS } from "./faults.ts";
import { expectInvariants, shownOutcome } from "./invariants.ts";
import { MOMENTS, runCell } from "./scene.ts";
import { readTable } from "./table.ts";

const CELLS = readTable();

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeAll(() => {
  process.on("unhandledRejection", note);
});
afterAll(() => {
  process.off("unhandledRejection", note);
});

describe("the table of faults", () => {
  test("has every action that the printed policy allows, whatever the configuration", () => {
    const drain: PolicyNeeds = { writes: true, discovery: "tag", scope: "tag", clusterName: "demo" };
    const allowed = policyFor(drain).Statement.flatMap(({ Action }) => Action);
    const listed = new Set<string>(Object.values(CALLS).map(({ action }) => action));
    expect([...listed].sort()).toEqual([...new Set(allowed)].sort());
  });

  test.each(Object.entries<MatrixCall>(CALLS))("has each fault for %s once", (name, { namesPools }) => {
    const faults = CELLS.filter(({ call, moment }) => call === name && moment === "first").map(({ fault }) => fault);
    // What no call names can't vanish before it.
    expect(faults).toEqual(FAULTS.filter((fault) => namesPools || fault !== "vanished"));
  });

  test("strikes every call at least once", () => {
    expect(Object.keys(EXPECTED).sort()).toEqual(Object.keys(CALLS).sort());
    expect(CELLS.filter(({ moment, expected }) => moment !== "holding" && expected.startsWith("-"))).toEqual([]);
  });
});

describe.each(Object.keys(CALLS))("%s", (name) => {
  describe.each(MOMENTS)("%s", (moment) => {
    const cells = CELLS.filter((cell) => cell.call === name && cell.moment === moment);
    test.each(cells)("$fault: the drain ends as $expected, and leaves nothing behind", async (cell) => {
      const result = await runCell(cell);
      expect(shownOutcome(result)).toBe(cell.expected);
      await expectInvariants(cell, result);
      expect(unhandled).toEqual([]);
    });
  });
});
