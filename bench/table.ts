import type { Row } from "./rows.ts";
import { SCENARIOS } from "./scenarios.ts";

const HEADINGS = [
  "scenario",
  "client",
  "",
  "drain calls",
  "scan calls",
  "index/min",
  "throttled",
  "failed",
  "first s",
  "last s",
  "ideal s",
  "ratio",
  "late s",
  "MiB",
  "CPU s",
] as const;
/** These are texts; all others are numbers, and stand to the right. */
const TEXTS = 3;

/** The rows as a Markdown table, whose columns are also straight in a terminal. What went wrong stands below it. */
export function table(rows: readonly Row[]): string {
  const cells = [[...HEADINGS], ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0), 2));
  const pad = (text: string, column: number) =>
    column < TEXTS ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  const [head = "", ...body] = cells.map((line) => `| ${line.map(pad).join(" | ")} |`);
  const rule = widths.map((width, column) => (column < TEXTS ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`));
  const problems = rows.filter(({ problem }) => problem !== null).map(problemLine);
  return [head, `|${rule.join("|")}|`, ...body, ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
}

function cellsOf(row: Row): string[] {
  return [
    row.name,
    row.client,
    row.warm ? "warm" : "cold",
    String(row.drainCalls),
    String(row.scanCalls),
    shown(row.indexCallsPerMinute),
    String(row.throttledAnswers),
    String(row.failedByThrottling),
    shown(row.firstDeregisterSeconds, 2),
    shown(row.lastDeregisterSeconds, 2),
    shown(row.idealSeconds, 2),
    shown(row.ratioToIdeal, 2),
    shown(row.noticedLateSeconds, 1),
    shown(row.serviceMiB),
    shown(row.cpuSeconds, 1),
  ];
}

function problemLine({ name, client, warm, problem }: Row): string {
  return `- ${name}, ${client}, ${warm ? "warm" : "cold"}: ${problem}`;
}

/** What the scenarios' names mean, and what lifecycle-manager needed where that was measured. */
export function legend(): string {
  const lines = SCENARIOS.map(({ name, title, region, lifecycleManagerCalls }) => {
    const { groups, classics, memberGroups, memberClassics, delaySeconds } = region;
    const pools = `${memberGroups} of ${groups} groups${classics > 0 ? `, ${memberClassics} of ${classics} classic` : ""}`;
    return `| ${name} | ${title} | ${pools} | ${delaySeconds} s | ${lifecycleManagerCalls ?? ""} |`;
  });
  const head = "| name | scenario | each node is in | delay | lifecycle-manager's calls |\n|---|---|---|---|--:|";
  return [head, ...lines].join("\n");
}

function shown(value: number | null, decimals = 0): string {
  return value === null ? "·" : value.toFixed(decimals);
}
