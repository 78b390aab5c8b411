import fc from "fast-check";
import { expect, test } from "vitest";
import { playRegion, regionCase } from "./region-case.ts";
import { runOf } from "./seeds.ts";

test("the whole engine is never throttled without a rival, and lets no node go against the region's own books", async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(regionCase, async ([spec, steps]) => {
    for (const { status } of await playRegion(spec, steps)) seen.add(status);
  });
  const run = runOf({ numRuns: 200, seed: 7 });
  await fc.assert(property, run);
  if (run.numRuns >= 30) expect([...seen]).toEqual(expect.arrayContaining(["drained", "deadline-passed"]));
});
