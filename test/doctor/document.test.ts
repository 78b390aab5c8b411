import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FINDING_CODES, pageOf } from "../../src/doctor/finding.ts";

test("docs/doctor.md has a section for each finding, and for no other, with what it costs, its evidence and how to mend it", () => {
  const text = readFileSync("docs/doctor.md", "utf8");
  const findings = text.slice(text.indexOf("## Findings"), text.indexOf("## How the findings are tested"));
  const sections = findings.split("\n### ").slice(1);
  expect(sections.map((section) => section.split("\n")[0]).sort()).toEqual([...FINDING_CODES].sort());
  for (const section of sections) expect(section).toMatch(/- \*\*Costs:\*\*[\s\S]*- \*\*Evidence:\*\*/);
  for (const code of FINDING_CODES) expect(pageOf(code)).toBe(`docs/doctor.md#${code}`);
});

test("docs/doctor.md names the test of each finding, which is about it", () => {
  const text = readFileSync("docs/doctor.md", "utf8");
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \| `(test\/[\w./-]+)` \|$/gm)];
  expect(rows.map(([, code]) => code).sort()).toEqual([...FINDING_CODES].sort());
  for (const [, code = "", file = ""] of rows) expect(readFileSync(file, "utf8"), file).toContain(`"${code}"`);
});
