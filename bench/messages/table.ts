import type { MessagesRow } from "./rows.ts";

const COLUMNS: readonly (readonly [heading: string, cell: (row: MessagesRow) => string])[] = [
  ["messages", (row) => String(row.messages)],
  ["nodes", (row) => String(row.nodes)],
  ["joined", (row) => String(row.joined)],
  ["s", (row) => row.seconds.toFixed(2)],
  ["messages/s", (row) => (row.messages / row.seconds).toFixed(0)],
  ["bare s", (row) => row.bareSeconds.toFixed(2)],
  ["ratio", (row) => row.ratioToBare.toFixed(1)],
  ["CPU s", (row) => row.cpuSeconds.toFixed(2)],
  ["CPU ratio", (row) => row.cpuRatioToBare.toFixed(1)],
  ["MiB", (row) => row.peakMiB.toFixed(0)],
  ["more MiB", (row) => (row.peakMiB - row.beforeMiB).toFixed(0)],
  ["bare MiB", (row) => row.barePeakMiB.toFixed(0)],
  ["first s", (row) => row.firstDeregisterSeconds.toFixed(2)],
  ["median s", (row) => row.medianDeregisterSeconds.toFixed(2)],
  ["95 % s", (row) => row.p95DeregisterSeconds.toFixed(2)],
  ["alone ms", (row) => row.aloneMs.toFixed(0)],
];

/** The rows as a Markdown table, whose columns are also straight in a terminal. */
export function messagesTable(rows: readonly MessagesRow[]): string {
  const lines = [COLUMNS.map(([heading]) => heading), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [head = "", ...body] = lines.map(
    (line) => `| ${line.map((text, column) => text.padStart(widths[column] ?? 0)).join(" | ")} |`,
  );
  return [head, `|${widths.map((width) => `${"-".repeat(width + 1)}:`).join("|")}|`, ...body].join("\n");
}
