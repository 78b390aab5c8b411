import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export interface CodeBlock {
  readonly document: string;
  readonly line: number;
  /** What stands behind the fence: `sh`, or nothing. */
  readonly language: string;
  readonly text: string;
}

const FOLDERS = ["docs", "deploy", "decisions", "findings"];
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

/** The documentation as a site: a package of its own. */
const SITE = "docs-site";
/** What is made or installed there and in the project's root, and not the project's own. */
const NOT_OURS = [".git", "node_modules", "dist", "coverage"];

/** Every file of the project in a folder or below it, from the project's root. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if ((folder === "." || folder === SITE) && NOT_OURS.includes(entry.name)) return [];
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

export function codeBlocks(document: string): readonly CodeBlock[] {
  const text = readFileSync(document, "utf8");
  return [...text.matchAll(FENCED)].map(({ index, 2: language = "", 3: block = "" }) => {
    const line = text.slice(0, index).split("\n").length + 1;
    return { document, line, language, text: block };
  });
}

export interface Link {
  /** From the project's root. */
  readonly path: string;
  /** The part after `#`. */
  readonly anchor: string | undefined;
}

/** The links of a document to files of the project. */
export function linksOf(document: string): readonly Link[] {
  const text = readFileSync(document, "utf8").replace(FENCED, "");
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(({ 1: path = "", 2: anchor }) => ({
    path: path === "" ? document : normalize(join(dirname(document), path)),
    anchor,
  }));
}

/** The anchors that GitHub gives the headings of a document: `409-ambiguous`. */
export function anchorsOf(document: string): readonly string[] {
  const text = readFileSync(document, "utf8").replace(FENCED, "");
  const seen = new Map<string, number>();
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(({ 1: heading = "" }) => {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-");
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
}

/** What a crontab runs, as a shell would be given it: its variables, and each command without its times. */
export function commandsOfCrontab(crontab: string): string {
  return crontab.replace(/^(?:[\d*/,-]+ +){5}/gm, "").replace(/^([A-Z_]+=)/gm, "export $1");
}

function isDocument(name: string): boolean {
  return name.endsWith(".md");
}
