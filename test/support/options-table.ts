import { OPTIONS, type Option, printableDefault } from "../../src/config/config.ts";

const MARKED = /<!-- options -->[\s\S]*<!-- \/options -->/;

/** The document with its table of options as the program has them. */
export function withOptionsTable(document: string): string {
  const rows = (Object.values(OPTIONS) as Option[]).map((option) => {
    const { variable, flag, help, usedBy } = option;
    const shown = printableDefault(option);
    const cells = [code(variable), code(flag), option.defaultText ?? code(shown), help, usedBy.join(", ")];
    return `| ${cells.join(" | ")} |`;
  });
  const table = ["| variable | flag | default | what it is | for |", "|---|---|---|---|---|", ...rows].join("\n");
  return document.replace(MARKED, `<!-- options -->\n${table}\n<!-- /options -->`);
}

function code(text: string | undefined): string {
  return text === undefined ? "" : `\`${text}\``;
}
