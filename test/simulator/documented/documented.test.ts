import { expect, test } from "vitest";
import { play } from "./play.ts";
import { ROWS } from "./rows.ts";
import { SimulatedStage } from "./simulated-stage.ts";

test.each(ROWS)("$call.api $call.action: $says", async (row) => {
  expect(await play(row, new SimulatedStage())).toEqual([]);
});
