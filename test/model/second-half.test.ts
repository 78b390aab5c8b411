import { test } from "vitest";
import { playCases } from "./core-cases.ts";

test.each([5, 6, 7, 8])("no case of the model breaks a promise: the cases of seed %i", (seed) =>
  playCases({ numRuns: 1_300, seed }),
);
