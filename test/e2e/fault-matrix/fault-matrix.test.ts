import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../../support/cases.ts";
import { EXPECTED } from "./expected.ts";
import { expectInvariants, shownOutcome } from "./invariants.ts";
import { MOMENTS, runCell } from "./scene.ts";
import { chosenCells, readTable } from "./table.ts";
import { unhandledRejections } from "./unhandled.ts";

const TABLE = readTable(EXPECTED, MOMENTS);
const CELLS = chosenCells(TABLE, ALL_CASES);

const unhandled = unhandledRejections();

test("strikes every call of a drain at least once", () => {
  expect(TABLE.filter(({ moment, expected }) => moment !== "holding" && expected.startsWith("-"))).toEqual([]);
});

describe.each(Object.keys(EXPECTED))("%s", (name) => {
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
