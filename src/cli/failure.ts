import { CommanderError } from "commander";
import { ConfigError } from "../config/config.ts";
import { asDrainError, type DrainError, printable } from "../drain/errors.ts";
import type { OutcomeReport } from "../drain/report.ts";
import type { Streams } from "./call.ts";
import { EXIT, exitCodeOfFailure } from "./exit-codes.ts";

/** Lines on a terminal. `--json` lists all problems. */
const PROBLEMS_SHOWN_MAX = 20;
const PROBLEM_LENGTH_MAX = 1_000;

/** An argument or a flag that can't be used. The message names what was given, and says what to give instead. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** The service could not be reached, or its answer was not the expected one. */
export class RemoteError extends Error {
  readonly exitCode: number;
  /** Whether another attempt may succeed. */
  readonly isPassing: boolean;

  constructor(message: string, exitCode: number = EXIT.notDrained, { isPassing = false } = {}) {
    super(message);
    this.name = "RemoteError";
    this.exitCode = exitCode;
    this.isPassing = isPassing;
  }
}

/** What a program reads with `--json` if there is no result. */
interface FailureReport {
  readonly error: { readonly code: string; readonly message: string; readonly problems?: readonly string[] };
}

/** An error that no code of this program expects is a fault of the program, whatever its words. */
function messageOf(failure: DrainError, thrown: unknown): string {
  if (failure === thrown) return failure.message;
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return `this is a fault of hasta-la-vista, not of the command: report it with the command and the version (${name}: ${failure.message})`;
}

/** The format for programs. Undefined: people read the output. */
type MachineFormat = "json" | "yaml" | undefined;

/**
 * Writes the failure to stderr, and for a program as one object to stdout too. Returns the exit code. Help and version,
 * which commander throws after it has printed them, are not failures.
 */
export async function tellFailure(error: unknown, streams: Streams, format: MachineFormat): Promise<number> {
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === "commander.help")) {
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  if (error instanceof CommanderError) return report(streams, format, "usage", [sentence(error)]);
  if (error instanceof UsageError) return report(streams, format, "usage", [error.message]);
  if (error instanceof ConfigError) return report(streams, format, "configuration", error.problems);

  if (error instanceof RemoteError) {
    const message = printable(error.message, PROBLEM_LENGTH_MAX);
    streams.stderr.write(`hasta-la-vista: ${message}\n`);
    await print(streams, format, { error: { code: "service", message } } satisfies FailureReport);
    return error.exitCode;
  }
  const failure = asDrainError(error);
  const { code } = failure;
  const message = printable(messageOf(failure, error), PROBLEM_LENGTH_MAX);
  streams.stderr.write(`hasta-la-vista: ${message} (${code})\n`);
  // This is not a failure: the node can go.
  if (code === "instance-gone") await print(streams, format, { status: code, message } satisfies OutcomeReport);
  else await print(streams, format, { error: { code, message } } satisfies FailureReport);
  return exitCodeOfFailure(code);
}

async function report(
  streams: Streams,
  format: MachineFormat,
  code: "usage" | "configuration",
  given: readonly string[],
): Promise<number> {
  const problems = given.map((problem) => printable(problem, PROBLEM_LENGTH_MAX));
  streams.stderr.write(`hasta-la-vista: ${problemsText(problems)}\n`);
  await print(streams, format, { error: { code, message: problems.join("; "), problems } } satisfies FailureReport);
  return EXIT.usage;
}

async function print(streams: Streams, format: MachineFormat, report: object): Promise<void> {
  if (format === "json") streams.stdout.write(`${JSON.stringify(report)}\n`);
  if (format === "yaml") streams.stdout.write((await import("./yaml-text.ts")).yamlText(report));
}

function problemsText(problems: readonly string[]): string {
  if (problems.length === 1) return `${problems[0]}`;
  const hidden = problems.length - PROBLEMS_SHOWN_MAX;
  const lines = [...problems.slice(0, PROBLEMS_SHOWN_MAX), ...(hidden > 0 ? [`and ${hidden} more`] : [])];
  return `${problems.length} problems:\n  ${lines.join("\n  ")}`;
}

/** Commander's message in the form of this program: `error: unknown option '--x'\n(Did you mean --y?)`. */
function sentence({ message }: CommanderError): string {
  const text = message.replace(/^error: /, "").replace(/\n/g, " ");
  const [pattern, ours] = IN_OUR_WORDS.find(([said]) => said.test(text)) ?? [/$/, ""];
  return text.replace(pattern, ours);
}

/** Messages of commander, and their replacements. Other messages are not changed. */
const IN_OUR_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^missing required argument '(.+)'$/, "no <$1> is given: --help describes it"],
  [/^option '(?:-\w, )?((\S+) .+)' argument missing$/, "$2 has no value: give $1"],
  [/^too many arguments for '(.+)'\. Expected (\d+) .*but got (\d+)\.$/, "too many arguments for $1: $3 instead of $2"],
  [/^(unknown option .+) \(Did you mean (.+)\?\)$/, "$1: did you mean $2?"],
  [/^(unknown option .+)$/, "$1: --help lists the options"],
];
