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
import type { Cell } from "./e2e/fault-matrix/scene.ts";
import { MOMENTS } from "./e2e/fault-matrix/scene.ts";
import { chosenCells, readTable } from "./e2e/fault-matrix/table.ts";
import { UNDO_EXPECTED } from "./e2e/fault-matrix/undo-expected.ts";
import { UNDO_MOMENTS } from "./e2e/fault-matrix/undo-scene.ts";
import { WAIT_LONGEST } from "./support/order.ts";
import { BY_THEMSELVES, projects, startsProcesses } from "./support/projects.ts";
import { skippedLine } from "./support/skipped-suites.ts";
import type { SourceFile } from "./support/source-tree.ts";

describe("a test file shares its worker with others", () => {
  const files = new Map(
    [
      file("test/types.test.ts", { types: ["src/program.ts"] }),
      file("test/far.test.ts", { imports: ["src/near.ts"] }),
      file("src/near.ts", { imports: ["src/program.ts", "test/far.test.ts"] }),
      file("src/program.ts", { packages: ["node:child_process"] }),
    ].map((each) => [each.path, each]),
  );

  test("unless it starts processes, by however many imports", () => {
    expect(startsProcesses("test/far.test.ts", files)).toBe(true);
    expect(startsProcesses("src/near.ts", files)).toBe(true);
  });

  test("where it only names types of what starts them", () => {
    expect(startsProcesses("test/types.test.ts", files)).toBe(false);
  });

  test("and what it reaches exists", () => {
    const lost = new Map([["test/a.test.ts", file("test/a.test.ts", { imports: ["src/no-such-file.ts"] })]]);
    expect(() => startsProcesses("test/a.test.ts", lost)).toThrow("test/a.test.ts reaches src/no-such-file.ts");
  });

  test("as most do", () => {
    const { inside, programs } = projects();
    expect(inside).toContain("test/drain/hold.test.ts");
    expect(programs).toContain("test/e2e/crash-matrix.test.ts");
    expect(inside.length).toBeGreaterThan(programs.length);
    expect(inside.filter((path) => programs.includes(path))).toEqual([]);
    for (const path of [...WAIT_LONGEST, ...Object.keys(BY_THEMSELVES)]) expect(programs).toContain(path);
  });
});

const TABLES: readonly [scene: string, cells: readonly Cell<string>[]][] = [
  ["drain", readTable(EXPECTED, MOMENTS)],
  ["undo", readTable(UNDO_EXPECTED, UNDO_MOMENTS)],
  ["guard", readTable(GUARD_EXPECTED, GUARD_MOMENTS)],
  ["queue", readTable(QUEUE_EXPECTED, QUEUE_MOMENTS)],
  ["own hook", readTable(OWN_HOOK_EXPECTED, OWN_HOOK_MOMENTS)],
  ["postponed", readTable(POSTPONE_EXPECTED, POSTPONE_MOMENTS)],
];

describe.each(TABLES)("the part of the fault matrix that every run plays: %s", (_, cells) => {
  const chosen = chosenCells(cells, false);
  const pairs: readonly [what: string, pairOf: (cell: Cell<string>) => string][] = [
    ["each call meets each fault", ({ call, fault }) => `${call}, ${fault}`],
    ["each call meets each moment", ({ call, moment }) => `${call}, ${moment}`],
    ["each fault meets each moment", ({ fault, moment }) => `${fault}, ${moment}`],
  ];

  test.each(pairs)("%s", (_, pairOf) => {
    expect(new Set(chosen.map(pairOf))).toEqual(new Set(cells.map(pairOf)));
  });

  test("it is half of the whole at most where there are many, and the whole where all cases are asked for", () => {
    if (cells.length > 100) expect(chosen.length).toBeLessThanOrEqual(cells.length / 2);
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

function file(
  path: string,
  { imports = [], packages = [], types = [] }: { readonly [what: string]: readonly string[] },
): SourceFile {
  return { path, text: "", imports: [...imports, ...types], packages, values: { imports, packages } };
}
