import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../../support/cases.ts";
import { POSTPONE_EXPECTED } from "./postpone-expected.ts";
import { POSTPONE_MOMENTS, runPostponeCell } from "./postpone-scene.ts";
import { chosenCells, readTable } from "./table.ts";
import { unhandledRejections } from "./unhandled.ts";

const CELLS = chosenCells(readTable(POSTPONE_EXPECTED, POSTPONE_MOMENTS), ALL_CASES);

const unhandled = unhandledRejections();

describe.each(Object.keys(POSTPONE_EXPECTED))("%s", (name) => {
  describe.each(POSTPONE_MOMENTS)("%s", (moment) => {
    const cells = CELLS.filter((cell) => cell.call === name && cell.moment === moment);
    test.each(cells)("$fault: maintenance that is hours ahead: $expected", async (cell) => {
      const { shown, struck, told, isDrainedInTime } = await runPostponeCell(cell);
      expect(shown).toBe(cell.expected);
      expect(struck).toBeGreaterThan(0);
      // Whatever has failed, the node is drained before the maintenance begins.
      expect(isDrainedInTime).toBe(true);
      expect(told.includes("not-postponed")).toBe(shown === "drained, deleted");
      expect(unhandled).toEqual([]);
    });
  });
});
