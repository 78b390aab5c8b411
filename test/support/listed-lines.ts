import { LOG_LINES } from "../../src/observe/log-lines.ts";

const OF_EVERY_LINE = new Set(["level", "time", "msg", "trace_id", "span_id"]);

interface Logged {
  readonly level?: string;
  readonly msg?: string;
}

/** The log lines in an output, each an object; text between them is left out. */
function loggedIn(output: string): readonly Logged[] {
  return output.split("\n").flatMap((line) => {
    if (!line.startsWith('{"level":')) return [];
    try {
      return [JSON.parse(line) as Logged];
    } catch {
      return []; // The process was killed while it wrote the line.
    }
  });
}

/** How the log lines of an output differ from the lines that `LOG_LINES` lists: message, level, fields. */
export function unlistedIn(output: string): readonly string[] {
  return loggedIn(output).flatMap(({ level, msg = "", ...fields }) => {
    const listed = (LOG_LINES as Readonly<Record<string, { level: string; fields: readonly string[] }>>)[msg];
    if (listed === undefined) return [`'${msg}' is not listed`];
    const given = new Set(Object.keys(fields).filter((field) => !OF_EVERY_LINE.has(field)));
    const known = new Set(listed.fields.map((field) => field.replace("?", "")));
    const required = listed.fields.filter((field) => !field.endsWith("?"));
    return [
      ...(level === listed.level ? [] : [`'${msg}' is logged at ${level}, and listed at ${listed.level}`]),
      ...[...given].filter((field) => !known.has(field)).map((field) => `'${msg}' has '${field}', which is not listed`),
      ...required.filter((field) => !given.has(field)).map((field) => `'${msg}' lacks '${field}'`),
    ];
  });
}
