import { type SpawnOptions, spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { expect, onTestFinished } from "vitest";
import { checkAnswersFrom } from "./checked-fetch.ts";
import { unlistedIn } from "./listed-lines.ts";
import { CHILD_ACCESS_KEY_ID } from "./printed-policy.ts";
import { canBeRecognised, keepSecret, searchFolderForSecrets, searchForSecrets } from "./secret-search.ts";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What every run gets: credentials that are worth nothing, and no search for others outside this machine. */
export const ENVIRONMENT = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: CHILD_ACCESS_KEY_ID,
  AWS_SECRET_ACCESS_KEY: "worthless-aws-secret-key",
};

/** Something other than a bundle in its place. */
export interface Program {
  readonly command: readonly string[];
  readonly options: Pick<SpawnOptions, "cwd" | "uid" | "gid">;
}

/**
 * A bundle as a process of its own, which the test's end ends. No secret that it gets may stand in what it writes, and it
 * logs only lines that are listed.
 */
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
    keepSecretsOf(env);
    const name = typeof program === "string" ? program : first.at(-1);
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
        searchForSecrets(`stdout of ${name}`, this.#stdout);
        searchForSecrets(`stderr of ${name}`, this.#stderr);
        for (const folder of foldersOf(env)) searchFolderForSecrets(`${name}`, folder);
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        for (const check of this.#waiting) check();
      });
    });
    onTestFinished(async () => {
      this.#process.kill("SIGKILL");
      // Of others' programs some leave children behind, which keep the outputs open.
      if (typeof program === "string") expect(unlistedIn((await this.finished).stdout)).toEqual([]);
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

export function keepSecretsOf({ SECRET, SECRET_FILE = "", AWS_SECRET_ACCESS_KEY }: Environment): void {
  if (SECRET !== undefined) keepSecret(SECRET);
  // Any other is a simulator's, which it prints.
  if (AWS_SECRET_ACCESS_KEY === ENVIRONMENT.AWS_SECRET_ACCESS_KEY) keepSecret(AWS_SECRET_ACCESS_KEY);
  for (const secret of secretsIn(SECRET_FILE)) keepSecret(secret);
}

/** Those that can be recognised: some tests give files that hold none. */
function secretsIn(file: string): readonly string[] {
  try {
    if (!statSync(file).isFile()) return [];
    return readFileSync(file, "utf8").split(/\r?\n/).filter(canBeRecognised);
  } catch {
    return [];
  }
}

/** What a program may write to: the folders that its variables name. The system's own are no files, though they look so. */
export function foldersOf({ HOME, PATH, ...environment }: Environment): readonly string[] {
  const isFolder = (value: string) =>
    /^\/(?!proc\b|dev\b|sys\b)/.test(value) && statSync(value, { throwIfNoEntry: false })?.isDirectory() === true;
  return Object.values(environment).filter((value): value is string => value !== undefined && isFolder(value));
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
  const child = new Child("service", args, { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", ...environment });
  const { port } = JSON.parse(await child.line(/"listening"/));
  const url = `${environment["TLS_CERT_FILE"] === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  checkAnswersFrom(url);
  // Where it has not ended yet, so that they are searched for secrets whatever the test was about.
  onTestFinished(async () => void (await fetch(`${url}/metrics`).catch(() => {})));
  return { child, url };
}
