import { readFileSync, writeFileSync } from "node:fs";
import type { BesideRow } from "./beside/comparison.ts";
import { besideTable } from "./beside/table.ts";
import { curve } from "./curve.ts";
import { mixText } from "./messages/mix.ts";
import type { MessagesRow } from "./messages/rows.ts";
import { messagesTable } from "./messages/table.ts";
import type { CurvePoint, Row } from "./rows.ts";
import { LARGEST } from "./scenarios.ts";
import { legend, table } from "./table.ts";

export const DOCUMENT = "docs/performance.md";
export const PICTURE = "docs/cost-per-node.svg";

/** The document with these texts between their markers: `<!-- name -->` and `<!-- /name -->`. */
export function withSections(document: string, sections: Readonly<Record<string, string>>): string {
  let written = document;
  for (const [name, text] of Object.entries(sections)) {
    const marked = new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`);
    if (!marked.test(written)) throw new Error(`${DOCUMENT} has no markers for '${name}'`);
    written = written.replace(marked, () => `<!-- ${name} -->\n${text}\n<!-- /${name} -->`);
  }
  return written;
}

/** Puts what was measured into the document. The largest scenario has a table of its own, for it takes longest. */
export function writeDocument(rows: readonly Row[]): void {
  const document = readFileSync(DOCUMENT, "utf8");
  const tables = {
    table: rows.filter(({ name }) => name !== LARGEST),
    largest: rows.filter(({ name }) => name === LARGEST),
  };
  const measured = Object.entries(tables).filter(([, its]) => its.length > 0);
  const sections = Object.fromEntries(measured.map(([name, its]) => [name, table(its)]));
  writeFileSync(DOCUMENT, withSections(document, { scenarios: legend(), ...sections }));
}

export function writePicture(points: readonly CurvePoint[]): void {
  writeFileSync(PICTURE, curve(points));
}

/** The same for the service at a queue. */
export function writeMessages(rows: readonly MessagesRow[]): void {
  const document = readFileSync(DOCUMENT, "utf8");
  writeFileSync(DOCUMENT, withSections(document, { mix: mixText(), messages: messagesTable(rows) }));
}

/** The same for the product beside lifecycle-manager. */
export function writeBeside(rows: readonly BesideRow[]): void {
  const document = readFileSync(DOCUMENT, "utf8");
  writeFileSync(DOCUMENT, withSections(document, { beside: besideTable(rows) }));
}
