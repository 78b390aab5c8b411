import type { Command } from "commander";
import type { SystemClock } from "../drain/clock.ts";

/** Where text is written. `process.stdout` is one. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** The file descriptor, if it is a file or a pipe of the process. */
  readonly fd?: number;
}

/** The width of a terminal in characters. Undefined for a file or a pipe, where lines have any length. */
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

/** Everything that a run reads and writes except files and the network, and its clock. */
export interface Streams {
  readonly stdin: AsyncIterable<Buffer>;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly signals: Signals;
  readonly clock: SystemClock;
}

/** One start of a verb. */
export interface Call {
  /** The arguments after the verb, without flags. */
  readonly args: readonly string[];
  /** The parsed flags. The verb that declares them knows their types. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The same in commander's form. */
  readonly command: Command;
  readonly environment: Environment;
  /** Its listeners are removed when the run ends. */
  readonly streams: Streams;
  /** Ends the run at once with this exit code, whatever it waits for. */
  readonly endNow: (exitCode: number) => void;
}

/** Does the work of a verb. Resolves with the exit code. */
type RunVerb = (call: Call) => Promise<number>;

/** A verb as the program knows it before it runs. It must be cheap to load, because every start loads all of them. */
export interface Verb {
  /** Adds its name, help, arguments and flags to the program. */
  readonly declare: (program: Command) => Command;
  /** Loads its code, which is a chunk of the bundle. */
  readonly load: () => Promise<RunVerb>;
}
