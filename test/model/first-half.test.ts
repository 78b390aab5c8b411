import { test } from "vitest";
import { expectAllSeen, playCases } from "./core-cases.ts";

test.each([1, 2, 3, 4])("no case of the model breaks a promise: the cases of seed %i", (seed) =>
  playCases({ numRuns: 1_300, seed }),
);

test("what can happen to a drain has happened in them", expectAllSeen);
