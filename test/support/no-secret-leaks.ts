import { afterAll, expect } from "vitest";
import { takeLeaks } from "./secret-search.ts";

// Runs in every test file, when all its programs have ended.
afterAll(() => {
  expect(takeLeaks()).toEqual([]);
});
