import { type SpawnOptions, spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { checkAnswersFrom } from "./checked-fetch.ts";
import { CHILD_ACCESS_KEY_ID } from "./printed-policy.ts";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What every child gets: credentials that are worth nothing, and no search for others outside this machine. */
const ENVIRONMENT = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: CHILD_ACCESS_KEY_ID,
  AWS_SECRET_ACCESS_KEY: "simulated-secret-key",
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** Something other than a bundle in its place. */
export interface Program {
  readonly command: readonly string[];
  readonly options: Pick<SpawnOptions, "cwd" | "uid" | "gid">;
}

/** A bundle as a process of its own, which the test's end ends. */
export class Child {
  readonly finished: Promise<Finished>;
  readonly #process;
  readonly #waiting = new Set<() => void>();
  #stdout = "";
  #stderr = "";

  constructor(program: "cli" | "service" | Program, args: readonly string[], environment: Environment = {}) {
    const env = Object.fromEntries(
      Object.entries({ ...ENVIRONMENT, ...environment }).filter(([, value]) => value !== undefined),
    );
    const { command, options } =
      typeof program === "string" ? { command: [process.execPath, `dist/${program}.js`], options: {} } : program;
    const [file = "", ...first] = command;
    this.#process = spawn(file, [...first, ...args], { ...options, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process.stdout.on("data", (chunk) => {
      this.#stdout += chunk;
      for (const check of this.#waiting) check();
    });
    this.#process.stderr.on("data", (chunk) => {
      this.#stderr += chunk;
    });
    this.finished = new Promise((resolve) => {
      this.#process.once("close", (code) => {
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        for (const check of this.#waiting) check();
      });
    });
    onTestFinished(() => {
      this.#process.kill("SIGKILL");
    });
  }

  get output(): string {
    return this.#stdout + this.#stderr;
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
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.#stdout.split("\n").find((line) => pattern.test(line));
        if (found === undefined && this.#process.exitCode === null) return;
        this.#waiting.delete(check);
        if (found === undefined) reject(new Error(`no line like ${pattern} in:\n${this.output}`));
        else resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], environment: Environment = {}): Promise<Finished> {
  return new Child("cli", args, environment).finished;
}

/** Starts the service on a free port of 127.0.0.1, and resolves once it listens. Its answers are checked. */
export async function startService(
  environment: Environment = {},
): Promise<{ readonly child: Child; readonly url: string }> {
  const child = new Child("service", [], { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", ...environment });
  const { port } = JSON.parse(await child.line(/"listening"/));
  const url = `http://127.0.0.1:${port}`;
  checkAnswersFrom(url);
  return { child, url };
}
