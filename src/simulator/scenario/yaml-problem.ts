import type { ErrorCode, YAMLError } from "yaml";

/**
 * Messages for the parser's codes, because its own messages name its internals. The codes:
 * https://eemeli.org/yaml/#errors
 */
const WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_DQ_ESCAPE: "the escape sequence in double quotes is not valid: use single quotes, or \\\\ for a backslash",
  BAD_INDENT: "the indentation is wrong, or a closing bracket is missing: correct it",
  BAD_SCALAR_START: "the value begins with a character that YAML reserves: put the value in quotes",
  BLOCK_AS_IMPLICIT_KEY: "a key follows where the value continues: correct the indentation, or put the value in quotes",
  DUPLICATE_KEY: "the key is given twice: remove one",
  MISSING_CHAR:
    "a quote, a closing bracket, a ':' after a key or a '-' before an entry is missing, or the indentation is wrong: correct it",
  MULTILINE_IMPLICIT_KEY: "a key continues on the next line: write it on one line, or correct the indentation",
  TAB_AS_INDENT: "the line is indented with a tab: use spaces",
  TAG_RESOLVE_FAILED: "the tag is not known, or does not fit the value: remove it",
  UNEXPECTED_TOKEN: "this does not belong here: correct the indentation, or put the value in quotes",
};

/** Messages for JSON, where indentation has no meaning. */
const JSON_WORDS: typeof WORDS = {
  BAD_INDENT: "a comma, a quote or a closing bracket is missing before this: add it",
  BLOCK_AS_IMPLICIT_KEY: "a comma or a closing bracket is missing before this: add it",
  BLOCK_IN_FLOW: "a comma or a closing bracket is missing before this: add it",
  MISSING_CHAR: "a comma, a ':', a quote or a closing bracket is missing before this: add it",
  MULTILINE_IMPLICIT_KEY: "a comma or a closing bracket is missing before this: add it",
  UNEXPECTED_TOKEN: "this does not belong here: a comma, a quote or a bracket is missing or too much",
};

/** How many characters of a line a message repeats. */
const LINE_MAX = 80;

/** Why `text` is not valid YAML, with the place and its line: `line 2, column 1: … The line is '…'`. */
export function yamlProblem({ code, linePos }: YAMLError, text: string): string {
  const isJson = /^\s*[{[]/.test(text);
  const what = (isJson ? JSON_WORDS[code] : undefined) ?? WORDS[code] ?? `this is not valid YAML (${code}): correct it`;
  const [start] = linePos ?? [];
  if (start === undefined) return what;
  const line = text.split("\n")[start.line - 1]?.trimEnd() ?? "";
  const shown = line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}…` : line;
  return `line ${start.line}, column ${start.col}: ${what}${shown === "" ? "" : `. The line is '${shown}'`}`;
}

/** Why a valid YAML document has no values. `error`: the error of the parser, which is always about aliases. */
export function aliasProblem({ message }: Error): string {
  const [, name] = /^Unresolved alias .*: (.*)$/s.exec(message) ?? [];
  return name === undefined
    ? "it has too many aliases, or one within itself: write out the values"
    : `the alias *${name} has no anchor &${name} before it: define the anchor, or put the value in quotes`;
}
