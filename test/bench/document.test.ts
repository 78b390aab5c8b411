import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { curve } from "../../bench/curve.ts";
import { DOCUMENT, PICTURE, withSections } from "../../bench/document.ts";
import { mixText } from "../../bench/messages/mix.ts";
import type { Row } from "../../bench/rows.ts";
import { SCENARIOS } from "../../bench/scenarios.ts";
import { legend, table } from "../../bench/table.ts";

const TEXT = readFileSync(DOCUMENT, "utf8");

const ROW: Row = {
  name: "one-node",
  client: "hasta-la-vista",
  nodes: 1,
  groups: 50,
  classic: 5,
  warm: false,
  drainCalls: 46,
  scanCalls: 52,
  indexCallsPerMinute: 0,
  callsByAction: {},
  throttledAnswers: 0,
  failedByThrottling: 0,
  firstDeregisterSeconds: 0.15,
  lastDeregisterSeconds: null,
  idealSeconds: 3.9,
  ratioToIdeal: null,
  noticedLateSeconds: 0.3,
  serviceMiB: null,
  cpuSeconds: 2,
  problem: "1 x throttled, 2 registrations stayed",
};

test("the table shows what there is, a dot where there is nothing, and below it what went wrong", () => {
  const [head, rule, row, ...rest] = table([ROW]).split("\n");
  expect(head?.split("|").length).toBe(row?.split("|").length);
  expect(head?.length).toBe(row?.length);
  expect(rule).toMatch(/^\|[-:|]+\|$/);
  expect(row?.split("|").map((cell) => cell.trim())).toEqual([
    "",
    "one-node",
    "hasta-la-vista",
    "cold",
    "46",
    "52",
    "0",
    "0",
    "0",
    "0.15",
    "·",
    "3.90",
    "·",
    "0.3",
    "·",
    "2.0",
    "",
  ]);
  expect(rest).toEqual(["", "- one-node, hasta-la-vista, cold: 1 x throttled, 2 registrations stayed"]);
});

test("the document has a place for everything that is written into it, and links that lead somewhere", () => {
  const written = withSections(TEXT, { scenarios: "S $& S", table: "T" });
  expect(written).toContain("<!-- scenarios -->\nS $& S\n<!-- /scenarios -->");
  expect(written).toContain("<!-- table -->\nT\n<!-- /table -->");
  expect(() => withSections(TEXT, { other: "" })).toThrow("no markers for 'other'");
  const targets = [...TEXT.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? "");
  expect(targets).toContain(PICTURE.replace("docs/", ""));
  expect(targets.filter((target) => !existsSync(join(dirname(DOCUMENT), target)))).toEqual([]);
});

test("the document's list of scenarios and its mix of messages are the bench's (`--write` writes them)", () => {
  expect(TEXT).toBe(withSections(TEXT, { scenarios: legend() }));
  for (const { name } of SCENARIOS) expect(TEXT).toContain(`| ${name} |`);
  expect(TEXT).toBe(withSections(TEXT, { mix: mixText() }));
});

test("the picture has a line for each client, which ends in its name", () => {
  const client = "hasta-la-vista";
  const picture = curve([
    { client, nodes: 1, callsPerNode: 100 },
    { client, nodes: 10, callsPerNode: 12.5 },
    { client: "ideal", nodes: 10, callsPerNode: 6.3 },
  ]);
  expect(picture.match(/<polyline/g)).toHaveLength(2);
  expect(picture).toContain(">hasta-la-vista, 12.5</text>");
  expect(picture).not.toContain("NaN");
});
