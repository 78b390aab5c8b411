import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { checkAnswersFrom } from "./checked-fetch.ts";
import { CHILD_ACCESS_KEY_ID } from "./printed-policy.ts";
import { canBeRecognised, keepSecret, searchFolderForSecrets, searchForSecrets } from "./secret-search.ts";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where drains are recorded: a folder of this worker. */
function stateHome(): string {
  const folder = mkdtempSync(join(tmpdir(), "state-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What every run gets: credentials that are worth nothing, and no search for others outside this machine. */
export const ENVIRONMENT = {
  PATH: process.env["PATH"],
  HOME: "/nonexistent",
  XDG_STATE_HOME: stateHome(),
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: CHILD_ACCESS_KEY_ID,
  AWS_SECRET_ACCESS_KEY: "worthless-aws-secret-key",
};

/** What a program has written so far. */
export class Written {
  stdout = "";
  stderr = "";
  #hasEnded = false;
  readonly #waiting = new Set<() => void>();

  get both(): string {
    return this.stdout + this.stderr;
  }

  add(output: "stdout" | "stderr", text: string): void {
    this[output] += text;
    for (const check of this.#waiting) check();
  }

  /** The first line on stdout, from the beginning, that matches. Rejects when the program ends without one. */
  line(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.stdout.split("\n").find((line) => pattern.test(line));
        if (found === undefined && !this.#hasEnded) return;
        this.#waiting.delete(check);
        if (found === undefined) reject(new Error(`no line like ${pattern} in:\n${this.both}`));
        else resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** The program has ended. No secret may stand in what it has written, its files included. */
  end(name: string, environment: Environment): void {
    searchForSecrets(`stdout of ${name}`, this.stdout);
    searchForSecrets(`stderr of ${name}`, this.stderr);
    for (const folder of foldersOf(environment)) searchFolderForSecrets(name, folder);
    this.#hasEnded = true;
    for (const check of this.#waiting) check();
  }
}

/** A program that runs, as a process or in this one. */
export interface Running {
  readonly finished: Promise<Finished>;
  /** Stdout, then stderr, so far. */
  readonly output: string;
  signal(name: "SIGINT" | "SIGTERM"): void;
  line(pattern: RegExp): Promise<string>;
}

/** What `startService` and `serveHere` give the service. */
export const ON_A_FREE_PORT = { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0" };

/** Where a service listens, once it does. Its answers are checked, and searched for secrets, until the test's end. */
export async function addressOf(service: Running, { TLS_CERT_FILE }: Environment): Promise<string> {
  const { port } = JSON.parse(await service.line(/"listening"/));
  const url = `${TLS_CERT_FILE === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  checkAnswersFrom(url);
  // Where it has not ended yet, so that they are searched whatever the test was about.
  onTestFinished(async () => void (await fetch(`${url}/metrics`).catch(() => {})));
  return url;
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
function foldersOf({ HOME, PATH, ...environment }: Environment): readonly string[] {
  const isFolder = (value: string) =>
    /^\/(?!proc\b|dev\b|sys\b)/.test(value) && statSync(value, { throwIfNoEntry: false })?.isDirectory() === true;
  return Object.values(environment).filter((value): value is string => value !== undefined && isFolder(value));
}
