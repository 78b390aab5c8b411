import { EventEmitter } from "node:events";
import { expect, onTestFinished } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import type { SignalName, Streams } from "../../src/cli/call.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { unlistedIn } from "./listed-lines.ts";
import {
  addressOf,
  ENVIRONMENT,
  type Environment,
  type Finished,
  keepSecretsOf,
  ON_A_FREE_PORT,
  type Running,
  Written,
} from "./program-run.ts";

/** What the build writes into the bundles. */
Object.assign(globalThis, { __VERSION__: manifest.version });
const { run } = await import("../../src/cli/run.ts");
const { runService } = await import("../../src/cli/run-service.ts");

const PROGRAMS = { cli: run, service: runService };

export interface Input {
  readonly program?: keyof typeof PROGRAMS;
  /** What is piped into it. */
  readonly stdin?: string;
  /** The columns of the terminal that its output is. Absent: it is a pipe. */
  readonly columns?: number;
  /** A `FastClock` where it waits for long. */
  readonly clock?: SystemClock;
}

/**
 * What `Child` is of a bundle, of the same program in this process: a tenth of the work. No secret that it gets may stand
 * in what it writes, it logs only lines that are listed, and no listener may stay when it has ended.
 */
class RunHere implements Running {
  readonly finished: Promise<Finished>;
  readonly #signals = new EventEmitter();
  readonly #written = new Written();

  constructor(
    args: readonly string[],
    given: Environment = {},
    { program = "cli", stdin = "", columns, clock = new SystemClock() }: Input = {},
  ) {
    const environment = { ...ENVIRONMENT, ...given };
    keepSecretsOf(environment);
    const output = (name: "stdout" | "stderr") => ({
      write: (text: string) => this.#written.add(name, text),
      ...(columns !== undefined && { isTTY: true, columns }),
    });
    const streams: Streams = {
      stdin: inChunks(stdin),
      stdout: output("stdout"),
      stderr: output("stderr"),
      signals: this.#signals,
      clock,
    };
    this.finished = this.#run(`${program} ${args.join(" ").slice(0, 80)}`, environment, () =>
      PROGRAMS[program](args, environment, streams),
    );
    // Whoever waits for its end hears why it failed.
    this.finished.catch(() => {});
  }

  get output(): string {
    return this.#written.both;
  }

  signal(name: SignalName): void {
    this.#signals.emit(name);
  }

  line(pattern: RegExp): Promise<string> {
    return this.#written.line(pattern);
  }

  async #run(name: string, environment: Environment, start: () => Promise<number>): Promise<Finished> {
    const leave = enter(environment);
    try {
      const code = await start();
      expect(this.#signals.eventNames()).toEqual([]);
      const { stdout, stderr } = this.#written;
      expect(unlistedIn(stdout)).toEqual([]);
      return { code, stdout, stderr };
    } finally {
      leave();
      this.#written.end(name, environment);
    }
  }
}

/** Runs a program in this process to its end. */
export function runHere(args: readonly string[], given: Environment = {}, input: Input = {}): Promise<Finished> {
  return new RunHere(args, given, input).finished;
}

/** Starts a program in this process that runs until the test's end at most. */
export function startHere(args: readonly string[], given: Environment = {}, input: Input = {}): RunHere {
  const run = new RunHere(args, given, input);
  onTestFinished(async () => {
    // The first stops it, the second abandons what it drains.
    run.signal("SIGTERM");
    run.signal("SIGTERM");
    await run.finished;
  });
  return run;
}

/** What `startService` does, in this process. */
export async function serveHere(
  given: Environment = {},
  args: readonly string[] = [],
  input: Pick<Input, "clock"> = {},
): Promise<{ readonly child: RunHere; readonly url: string }> {
  const child = startHere(args, { ...ON_A_FREE_PORT, ...given }, { ...input, program: "service" });
  return { child, url: await addressOf(child, given) };
}

async function* inChunks(text: string): AsyncIterable<Buffer> {
  if (text !== "") yield Buffer.from(text);
}

let inside: { readonly environment: string; readonly before: NodeJS.ProcessEnv; runs: number } | undefined;

/**
 * The AWS SDK looks for credentials, endpoint and region in the process's own environment: for the length of a run it is
 * the run's. Runs beside each other must agree about it.
 */
function enter(environment: Environment): () => void {
  const own = Object.entries(environment).filter(([name]) => name === "HOME" || name.startsWith("AWS_"));
  const wanted = JSON.stringify(own);
  if (inside !== undefined && inside.environment !== wanted)
    throw new Error("two runs with different AWS variables can't share this process: run one after the other");
  if (inside === undefined) {
    inside = { environment: wanted, before: process.env, runs: 0 };
    const others = Object.entries(process.env).filter(
      ([name]) => name !== "HOME" && (!name.startsWith("AWS_") || name.startsWith("AWS_SDK_JS_")),
    );
    process.env = Object.fromEntries([
      ...others,
      ...own.filter(([, value]) => value !== undefined),
    ]) as NodeJS.ProcessEnv;
  }
  const mine = inside;
  mine.runs += 1;
  return () => {
    mine.runs -= 1;
    if (mine.runs > 0) return;
    process.env = mine.before;
    inside = undefined;
  };
}
