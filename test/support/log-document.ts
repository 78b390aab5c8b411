import { readFileSync } from "node:fs";
import { LOG_LINES } from "../../src/observe/log-lines.ts";

/** In the order of the document. */
export const TABLES = ["src/observe/log-lines.ts", "src/observe/event-log-lines.ts"];
const MARKED = /<!-- lines -->[\s\S]*<!-- \/lines -->/;
const ENTRY =
  /^ {2}\/\/ (?<group>.+)$|^ {2}\/\*\*(?<meaning>(?:(?!\*\/)[\s\S])+)\*\/\n {2}(?:"(?<quoted>[^"]+)"|(?<plain>\w+)): /gm;
/** Between the lines of a comment. */
const LINE_START = /\s*\n\s*\*?\s*/g;

export interface DescribedLine {
  readonly group: string;
  readonly message: string;
  readonly meaning: string;
}

/** The lines with what the comments above them say. */
export function describedLines(): readonly DescribedLine[] {
  let group = "";
  const text = TABLES.map((table) => readFileSync(table, "utf8")).join("");
  return [...text.matchAll(ENTRY)].flatMap(({ groups = {} }) => {
    group = groups["group"] ?? group;
    const meaning = (groups["meaning"] ?? "").replace(LINE_START, " ").trim();
    return meaning === "" ? [] : [{ group, message: groups["quoted"] ?? groups["plain"] ?? "", meaning }];
  });
}

/** The document with the lines as the program has them: a table for each group. */
export function withLogLines(document: string): string {
  const lines = describedLines();
  const groups = [...new Set(lines.map(({ group }) => group))];
  const tables = groups.map((group) => {
    const rows = lines
      .filter((line) => line.group === group)
      .map(({ message, meaning }) => {
        const { level, fields } = LOG_LINES[message as keyof typeof LOG_LINES];
        const named = fields.map((field: string) => `\`${field.replace("?", "")}\`${field.endsWith("?") ? "?" : ""}`);
        return `| \`${message}\` | ${level} | ${meaning} | ${named.join(" ")} |`;
      });
    return [`## ${group}`, "", "| message | level | meaning | fields |", "|---|---|---|---|", ...rows].join("\n");
  });
  return document.replace(MARKED, `<!-- lines -->\n${tables.join("\n\n")}\n<!-- /lines -->`);
}
