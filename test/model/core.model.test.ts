import fc from "fast-check";
import { expect, test } from "vitest";
import { script, world } from "./arbitraries.ts";
import { play } from "./play.ts";

const NUM = Number(process.env["MODEL_CASES"] ?? 500);
const SEED = Number(process.env["MODEL_SEED"] ?? 1);
test("model", async () => {
  const statuses: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(world, script, async (spec, commands) => {
      const { events } = await play(spec, commands);
      for (const { event } of events) {
        const k = event.type === "ended" ? event.outcome.status : event.type;
        statuses[k] = (statuses[k] ?? 0) + 1;
      }
    }),
    { numRuns: NUM, seed: SEED },
  );
  console.log(statuses);
  expect(1).toBe(1);
});
