import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface CodeBlock {
  readonly document: string;
  readonly line: number;
  /** What stands behind the fence: `sh`, or nothing. */
  readonly language: string;
  readonly text: string;
}

const FOLDERS = ["docs", "deploy", "decisions"];
/** A fence, what it encloses, and the same fence again. */
const FENCED = /^( *)```(\S*)\n([\s\S]*?)^ *```$/gm;

/** Everything that is written for people, from the project's root. */
export const DOCUMENTS: readonly string[] = [
  ...readdirSync(".").filter(isDocument),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter(isDocument)
      .map((name) => join(folder, name)),
  ),
];

export function codeBlocks(document: string): readonly CodeBlock[] {
  const text = readFileSync(document, "utf8");
  return [...text.matchAll(FENCED)].map(({ index, 2: language = "", 3: block = "" }) => {
    const line = text.slice(0, index).split("\n").length + 1;
    return { document, line, language, text: block };
  });
}

/** What a crontab runs, as a shell would be given it: its variables, and each command without its times. */
export function commandsOfCrontab(crontab: string): string {
  return crontab.replace(/^(?:[\d*/,-]+ +){5}/gm, "").replace(/^([A-Z_]+=)/gm, "export $1");
}

function isDocument(name: string): boolean {
  return name.endsWith(".md");
}
