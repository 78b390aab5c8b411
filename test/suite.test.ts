import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { TestModule } from "vitest/node";
import { EXPECTED } from "./e2e/fault-matrix/expected.ts";
import { GUARD_EXPECTED } from "./e2e/fault-matrix/guard-expected.ts";
import { GUARD_MOMENTS } from "./e2e/fault-matrix/guard-scene.ts";
import { OWN_HOOK_EXPECTED } from "./e2e/fault-matrix/own-hook-expected.ts";
import { OWN_HOOK_MOMENTS } from "./e2e/fault-matrix/own-hook-scene.ts";
import { POSTPONE_EXPECTED } from "./e2e/fault-matrix/postpone-expected.ts";
import { POSTPONE_MOMENTS } from "./e2e/fault-matrix/postpone-scene.ts";
import { QUEUE_EXPECTED } from "./e2e/fault-matrix/queue-expected.ts";
import { QUEUE_MOMENTS } from "./e2e/fault-matrix/queue-scene.ts";
import { MOMENTS } from "./e2e/fault-matrix/scene.ts";
import { chosenCells, type ExpectedCell, readTable } from "./e2e/fault-matrix/table.ts";
import { UNDO_EXPECTED } from "./e2e/fault-matrix/undo-expected.ts";
import { UNDO_MOMENTS } from "./e2e/fault-matrix/undo-scene.ts";
import { spread, WAIT_LONGEST } from "./support/order.ts";
import { skippedLine } from "./support/skipped-suites.ts";
import { sourceFiles } from "./support/source-tree.ts";

test("no test file replaces modules, for others have loaded them into the same worker", () => {
  // In two pieces, for this file replaces none.
  const replaces = new RegExp(`\\bvi\\.(?:${"mock"}|${"doMock"})\\(`);
  expect(replaces.test(`vi.${"mock"}("node:crypto")`)).toBe(true);
  expect(sourceFiles("test").filter(({ text }) => replaces.test(text))).toEqual([]);
});

test("each file that is to start first exists", () => {
  expect(WAIT_LONGEST.filter((path) => !existsSync(path))).toEqual([]);
});

describe("files that wait for real time", () => {
  test("start first and evenly among the first half of the others, and no file is lost", () => {
    const computing = Array.from({ length: 8 }, (_, index) => `c${index}`);
    expect(spread(["w0", "w1", "w2", "w3"], computing, 2)).toEqual("w0 w1 c0 c1 w2 c2 c3 w3 c4 c5 c6 c7".split(" "));
    expect(spread(["w0", "w1", "w2"], ["c0"], 1)).toEqual(["w0", "c0", "w1", "w2"]);
    expect(spread([], computing, 2)).toEqual(computing);
    expect(spread(["w0"], [], 2)).toEqual(["w0"]);
  });
});

const TABLES: readonly [scene: string, cells: readonly ExpectedCell<string>[]][] = [
  ["drain", readTable(EXPECTED, MOMENTS)],
  ["undo", readTable(UNDO_EXPECTED, UNDO_MOMENTS)],
  ["guard", readTable(GUARD_EXPECTED, GUARD_MOMENTS)],
  ["queue", readTable(QUEUE_EXPECTED, QUEUE_MOMENTS)],
  ["own hook", readTable(OWN_HOOK_EXPECTED, OWN_HOOK_MOMENTS)],
  ["postponed", readTable(POSTPONE_EXPECTED, POSTPONE_MOMENTS)],
];

describe.each(TABLES)("the part of the fault matrix that every run plays: %s", (_, cells) => {
  const chosen = chosenCells(cells, false);
  const expectSame = (pairOf: (cell: ExpectedCell<string>) => string) =>
    expect(new Set(chosen.map(pairOf))).toEqual(new Set(cells.map(pairOf)));

  test("each call meets each moment, and comes to each of its endings", () => {
    expectSame(({ call, moment }) => `${call}, ${moment}`);
    expectSame(({ call, expected }) => `${call}, ${expected}`);
  });

  // A call that has a table for itself need not: the others' calls do.
  if (new Set(cells.map(({ call }) => call)).size > 1)
    test("each fault meets each moment", () => expectSame(({ fault, moment }) => `${fault}, ${moment}`));

  test("it is a quarter of the whole at most where there are many, and the whole where all cases are asked for", () => {
    if (cells.length > 100) expect(chosen.length).toBeLessThanOrEqual(cells.length / 4);
    expect(chosenCells(cells, true)).toEqual(cells);
  });
});

describe("what was skipped is said in one line, with the command that runs it", () => {
  const module = (moduleId: string, skipped: number) =>
    ({ moduleId, children: { allTests: () => Array(skipped) } }) as unknown as TestModule;

  test("of all files together", () => {
    const modules = [module("/p/test/conformance/moto.test.ts", 10), module("/p/test/conformance/packed.test.ts", 3)];
    expect(skippedLine([...modules, module("/p/test/drain/hold.test.ts", 0)])).toMatch(
      /^Skipped: 13 tests in 2 files .*: test\/conformance\/install VENV && .* npm test$/,
    );
  });

  test("and nothing is said where all ran", () => {
    expect(skippedLine([module("/p/test/conformance/moto.test.ts", 0)])).toBeUndefined();
  });
});
