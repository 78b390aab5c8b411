import type { Command } from "commander";
import type { SystemClock } from "../drain/clock.ts";

/** Where text goes. `process.stdout` is one. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Where it is a file or a pipe of the process. */
  readonly fd?: number;
}

/** The characters of a terminal's line. Undefined of a file or a pipe, where a line is as long as it needs. */
export function widthOf({ isTTY, columns }: Output): number | undefined {
  return isTTY === true ? (columns ?? 80) : undefined;
}

/** The source of the signals that stop the program. `process` is one. */
export interface Signals {
  on(name: SignalName, listener: () => void): unknown;
  off(name: SignalName, listener: () => void): unknown;
}

export type SignalName = "SIGINT" | "SIGTERM";

export type Environment = Readonly<Record<string, string | undefined>>;

/** All that a run reads and writes besides files and the network, and its time. */
export interface Streams {
  readonly stdin: AsyncIterable<Buffer>;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly signals: Signals;
  readonly clock: SystemClock;
}

/** One start of a verb. */
export interface Call {
  /** What stands behind the verb, flags left out. */
  readonly args: readonly string[];
  /** The flags, read. The verb that declares them knows their types. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The same as commander has them. */
  readonly command: Command;
  readonly environment: Environment;
  /** Its listeners are forgotten when the run ends. */
  readonly streams: Streams;
  /** Ends the run at once with this exit code, whatever it waits for. */
  readonly endNow: (exitCode: number) => void;
}

/** Does what a verb is for. Resolves to the exit code. */
type RunVerb = (call: Call) => Promise<number>;

/** A verb as the program knows it before it runs: cheap to load, for every start loads all of them. */
export interface Verb {
  /** Adds its name, help, arguments and flags to the program. */
  readonly declare: (program: Command) => Command;
  /** Loads what it does, which is its own chunk of the bundle. */
  readonly load: () => Promise<RunVerb>;
}
