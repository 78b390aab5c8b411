import type { Command } from "commander";
import { oneOf } from "../config/values.ts";
import type { Call, Environment, Streams } from "./call.ts";
import { UsageError } from "./failure.ts";
import { type Look, lookOf } from "./look.ts";
import { kindOf } from "./options.ts";

const FORMATS = ["json", "yaml", "wide", "name"] as const;

/** `text`: for people. It is the default. */
export type Format = "text" | (typeof FORMATS)[number];

/** The values of both flags. */
export interface OutputFlags {
  readonly json?: true;
  readonly output?: (typeof FORMATS)[number];
}

/** For verbs that list or report. */
export function addOutputOptions(command: Command): Command {
  return command
    .option(
      "-o, --output <format>",
      "form of the output. json or yaml: one object on stdout, and everything else on stderr; wide: all columns, in lines as long as they need; name: only names, one a line",
      kindOf("--output", oneOf(FORMATS)),
    )
    .option("--json", "the same as --output json");
}

/** Throws `UsageError`. */
export function formatFrom({ json, output }: OutputFlags): Format {
  if (json === true && output !== undefined && output !== "json")
    throw new UsageError(`--json and --output ${output} contradict each other: give one of them`);
  return json === true ? "json" : (output ?? "text");
}

/** Whether standard output belongs to a program. Then everything else goes to standard error. */
export function isForPrograms(format: Format): boolean {
  return format === "json" || format === "yaml" || format === "name";
}

/** One result, in each format. */
export interface Result {
  readonly data: object;
  readonly names: readonly string[];
  readonly text: (look: Look) => string | Promise<string>;
}

export async function printResult(
  { streams: { stdout }, environment }: Pick<Call, "streams" | "environment">,
  format: Format,
  { data, names, text }: Result,
): Promise<void> {
  stdout.write(await inFormat(format, { data, names, text }, { stdout, environment }));
}

async function inFormat(
  format: Format,
  { data, names, text }: Result,
  { stdout, environment }: Pick<Streams, "stdout"> & { readonly environment: Environment },
): Promise<string> {
  switch (format) {
    case "json":
    case "yaml":
      return dataText(format, data);
    case "name":
      return [...new Set(names)].map((name) => `${name}\n`).join("");
    case "wide":
    case "text":
      return `${await text(lookOf(stdout, environment, format === "wide"))}\n`;
    default:
      return format satisfies never;
  }
}

/** Data for programs, with a line end. */
async function dataText(format: "json" | "yaml", data: object): Promise<string> {
  if (format === "json") return `${JSON.stringify(data)}\n`;
  const { yamlText } = await import("./yaml-text.ts");
  return yamlText(data);
}
