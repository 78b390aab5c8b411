import { Command } from "commander";
import { printable } from "../drain/errors.ts";
import { type Environment, type SignalName, type Signals, type Streams, type Verb, widthOf } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { tellFailure, UsageError } from "./failure.ts";
import { VERSION } from "./version.ts";

export interface ProgramInput {
  readonly given: readonly string[];
  readonly environment: Environment;
  readonly streams: Streams;
  /** One of the verbs needs no name. */
  readonly hasDefault?: boolean;
}

/** Runs one of `verbs`, and resolves with the exit code. Each problem is written in one line. */
export async function runProgram(verbs: readonly Verb[], input: ProgramInput): Promise<number> {
  const signals = new RunSignals(input.streams.signals);
  const { stdout, stderr, clock } = input.streams;
  const streams: Streams = {
    // It is not opened before it is read.
    get stdin() {
      return input.streams.stdin;
    },
    stdout,
    stderr,
    signals,
    clock,
  };
  let endNow = (_: number) => {};
  const ended = new Promise<number>((resolve) => {
    endNow = resolve;
  });
  try {
    return await Promise.race([ended, runVerb(verbs, { ...input, streams }, endNow)]);
  } finally {
    signals.forget();
  }
}

async function runVerb(
  verbs: readonly Verb[],
  { given, environment, streams, hasDefault = false }: ProgramInput,
  endNow: (exitCode: number) => void,
): Promise<number> {
  let exitCode: number = EXIT.done;
  try {
    const program = programFor(streams);
    for (const { declare, load } of verbs) {
      const command = declare(program);
      command.action(async () => {
        const run = await load();
        exitCode = await run({ args: command.args, options: command.opts(), command, environment, streams, endNow });
      });
    }
    await parse(program, given, hasDefault);
    return exitCode;
  } catch (error) {
    return await tellFailure(error, streams, machineFormat(given));
  }
}

/** Programs get failures in the same format as the result. The flags may not have been parsed. */
function machineFormat(given: readonly string[]): "json" | "yaml" | undefined {
  if (given.includes("--json")) return "json";
  const asked = given.map((word, index) => {
    if (word === "-o" || word === "--output") return given[index + 1] ?? "";
    return /^(?:--output=|-o)(.+)$/.exec(word)?.[1] ?? "";
  });
  return (["json", "yaml"] as const).find((format) => asked.some((one) => one.toLowerCase() === format));
}

function programFor({ stdout, stderr }: Streams): Command {
  return new Command("hasta-la-vista")
    .description(
      "Takes Kubernetes nodes out of all AWS load balancers, waits until traffic has stopped, and reports that they can be terminated.",
    )
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      getOutHelpWidth: () => widthOf(stdout) ?? 80,
      getErrHelpWidth: () => widthOf(stderr) ?? 80,
      // `tellFailure` writes it in the form of this program.
      outputError: () => {},
    })
    .addHelpText("after", "\nExit codes: 0 done, 1 not drained, 2 usage or configuration error, 3 refused.");
}

async function parse(program: Command, given: readonly string[], hasDefault: boolean): Promise<void> {
  const verbs = program.commands.map((command) => command.name());
  const [first, second] = given.filter((word) => !word.startsWith("-"));
  const verb = first === "help" ? second : first;
  // If a verb needs no name, the first word may be the value of a flag.
  const isKnown = hasDefault || verb === undefined || verbs.includes(verb);
  try {
    // Alone, because with `--help` beside it commander would show help and report no error.
    await program.parseAsync(isKnown ? given : [verb], { from: "user" });
  } catch (error) {
    if (isKnown) throw error;
    const guess = /Did you mean ([^?]+)\?/.exec((error as Error).message)?.[1];
    const advice = guess === undefined ? `give one of ${verbs.join(", ")}` : `did you mean ${guess}?`;
    throw new UsageError(`unknown command '${printable(verb)}': ${advice}`);
  }
}

/** Signals whose listeners are removed when the run is over. */
class RunSignals implements Signals {
  readonly #signals: Signals;
  #listening: readonly { readonly name: SignalName; readonly listener: () => void }[] = [];

  constructor(signals: Signals) {
    this.#signals = signals;
  }

  on(name: SignalName, listener: () => void): void {
    this.#listening = [...this.#listening, { name, listener }];
    this.#signals.on(name, listener);
  }

  off(name: SignalName, listener: () => void): void {
    this.#listening = this.#listening.filter((one) => one.name !== name || one.listener !== listener);
    this.#signals.off(name, listener);
  }

  forget(): void {
    for (const { name, listener } of this.#listening) this.off(name, listener);
  }
}
