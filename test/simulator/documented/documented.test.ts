import { expect, test } from "vitest";
import { play } from "./play.ts";
import { ROWS } from "./rows.ts";
import { SimulatedStage } from "./simulated-stage.ts";

test.each(ROWS)("$call.api $call.action: $says", async (row) => {
  expect(await play(row, new SimulatedStage())).toEqual([]);
});

test("each documented behaviour has a page of AWS's documentation, and a sentence of its own", () => {
  const names = ROWS.map(({ call, says }) => `${call.api} ${call.action}: ${says}`);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  expect(ROWS.filter(({ page }) => !/^https:\/\/docs\.aws\.amazon\.com\/.+\.html$/.test(page))).toEqual([]);
});
