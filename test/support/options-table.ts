import { OPTIONS, type Option, type OptionName, printableDefault } from "../../src/config/config.ts";
import { OPTION_TEXTS } from "../../src/config/option-texts.ts";

const MARKED = /<!-- options -->[\s\S]*<!-- \/options -->/;

/** The document with its options as the program has them: a table to find one, and a section for each. */
export function withOptionsTable(document: string): string {
  const options = Object.entries(OPTIONS) as [OptionName, Option][];
  const index = [
    "| variable | flag | default | used by |",
    "|---|---|---|---|",
    ...options.map(([, option]) => {
      const { variable, flag, usedBy } = option;
      return `| [${variable}](#${variable.toLowerCase()}) | ${code(flag)} | ${defaultOf(option)} | ${usedBy.join(", ")} |`;
    }),
  ];
  const sections = options.map(([name, option]) => section(name, option));
  const generated = [index.join("\n"), ...sections].join("\n\n");
  return document.replace(MARKED, `<!-- options -->\n${generated}\n<!-- /options -->`);
}

function section(name: OptionName, option: Option): string {
  const { variable, flag, type, range, usedBy, requiredBy = [] } = option;
  const { description, example, changeWhen } = OPTION_TEXTS[name];
  const required = requiredBy.length === 0 ? "" : ` Required by ${requiredBy.join(", ")}.`;
  return [
    `### ${variable}`,
    "",
    plain(description),
    "",
    ...(flag === undefined
      ? ["- Flag: none, because other users of the machine can list command lines"]
      : [`- Flag: ${code(flag)}`]),
    `- Type and range: ${type}, ${range}`,
    `- Default: ${defaultOf(option) || "none"}`,
    `- Example: ${code(`${variable}=${example}`)}`,
    `- When to change it: ${plain(changeWhen)}`,
    `- Used by: ${usedBy.join(", ")}.${required}`,
  ].join("\n");
}

/** `<name>` would be taken for HTML. */
function plain(text: string): string {
  return text.replaceAll("<", "\\<");
}

function defaultOf(option: Option): string {
  return option.defaultText ?? code(printableDefault(option));
}

function code(text: string | undefined): string {
  return text === undefined ? "" : `\`${text}\``;
}
