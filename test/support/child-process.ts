import { type SpawnOptions, spawn } from "node:child_process";
import { expect, onTestFinished } from "vitest";
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

/** Something other than a bundle in its place. */
export interface Program {
  readonly command: readonly string[];
  readonly options: Pick<SpawnOptions, "cwd" | "uid" | "gid">;
}

/**
 * A bundle as a process of its own, which the test's end ends. No secret that it gets may stand in what it writes, and it
 * logs only lines that are listed.
 */
export class Child implements Running {
  readonly finished: Promise<Finished>;
  readonly #process;
  readonly #written = new Written();

  constructor(program: "cli" | "service" | Program, args: readonly string[], environment: Environment = {}) {
    const env = Object.fromEntries(
      Object.entries({ ...ENVIRONMENT, ...environment }).filter(([, value]) => value !== undefined),
    );
    const { command, options } =
      typeof program === "string" ? { command: [process.execPath, `dist/${program}.js`], options: {} } : program;
    const [file = "", ...first] = command;
    keepSecretsOf(env);
    const name = typeof program === "string" ? program : first.at(-1);
    this.#process = spawn(file, [...first, ...args], { ...options, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process.stdout.on("data", (chunk) => this.#written.add("stdout", `${chunk}`));
    this.#process.stderr.on("data", (chunk) => this.#written.add("stderr", `${chunk}`));
    this.finished = new Promise((resolve) => {
      this.#process.once("close", (code) => {
        const { stdout, stderr } = this.#written;
        this.#written.end(`${name}`, env);
        resolve({ code, stdout, stderr });
      });
    });
    onTestFinished(async () => {
      this.#process.kill("SIGKILL");
      // Of others' programs some leave children behind, which keep the outputs open.
      if (typeof program === "string") expect(unlistedIn((await this.finished).stdout)).toEqual([]);
    });
  }

  get output(): string {
    return this.#written.both;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Whoever reads the output leaves, as `| head` does. */
  closeOutput(): void {
    this.#process.stdout.destroy();
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** The first line on stdout, from the beginning, that matches. Rejects when the process ends without one. */
  line(pattern: RegExp): Promise<string> {
    return this.#written.line(pattern);
  }
}

/** Runs the bundled command line to its end. `runHere` is quicker where it is not about the process. */
export function runCli(args: readonly string[], environment: Environment = {}): Promise<Finished> {
  return new Child("cli", args, environment).finished;
}

/** Starts the service on a free port of 127.0.0.1, and resolves once it listens. Its answers are checked. */
export async function startService(
  environment: Environment = {},
  args: readonly string[] = [],
): Promise<{ readonly child: Child; readonly url: string }> {
  const child = new Child("service", args, { ...ON_A_FREE_PORT, ...environment });
  return { child, url: await addressOf(child, environment) };
}
