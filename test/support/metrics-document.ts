import { readFileSync } from "node:fs";

const text = readFileSync("docs/metrics.md", "utf8");

/** The part of docs/metrics.md below a heading. */
export function metricsSection(heading: string): string {
  return text.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
}

/** The cells of a table of docs/metrics.md, without its head. */
export function metricsRows(heading: string): readonly (readonly string[])[] {
  return metricsSection(heading)
    .split("\n")
    .filter((line) => line.startsWith("| `") || /^\| [A-Z]/.test(line))
    .map((line) =>
      line
        .slice(2, -2)
        .split(/ ?(?<!\\)\| /)
        .map((cell) => cell.trim()),
    );
}

export interface DocumentedQuery {
  readonly question: string;
  /** PromQL. */
  readonly query: string;
}

/** The queries of docs/metrics.md, where `\|` stands for a bar inside a cell. */
export function metricsQueries(): readonly DocumentedQuery[] {
  return metricsRows("Queries").map(([question = "", cell = ""]) => ({
    question,
    query: (/`([^`]*)`/.exec(cell)?.[1] ?? "").replaceAll("\\|", "|"),
  }));
}
