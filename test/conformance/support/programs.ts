import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, onTestFinished } from "vitest";

/** The environment that `test/conformance/install` makes. */
const VENV = process.env["CONFORMANCE_VENV"] ?? "";
const IS_REQUIRED = process.env["CONFORMANCE"] === "required";
/** Python starts slowly, the more so on a machine that runs all the other tests meanwhile. */
const TIMEOUT_MS = 120_000;

export type Program =
  | "ansible-playbook"
  | "python"
  | "aws"
  | "cfn-lint"
  | "custodian"
  | "moto_server"
  | "haproxy"
  | "prometheus"
  | "promtool"
  | "alertmanager"
  | "nft"
  | "zsh"
  | "fish"
  | "chromium";

/**
 * Tests that need a program of the environment in CONFORMANCE_VENV. Without it they are skipped, which the run says at
 * its end, unless CONFORMANCE=required: then they fail.
 */
export function describeWith(program: Program, name: string, tests: () => void): void {
  const isMissing = VENV === "" || !existsSync(programPath(program));
  const where = VENV === "" ? "CONFORMANCE_VENV names no environment" : `${programPath(program)} does not exist`;
  describe.skipIf(isMissing && !IS_REQUIRED)(name, { timeout: TIMEOUT_MS }, () => {
    beforeEach(() => {
      if (isMissing) throw new Error(`CONFORMANCE=required, but ${where}`);
    });
    tests();
  });
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program of the environment as a child that the test's end ends. */
export class RunningProgram {
  readonly ended: Promise<Ended>;
  readonly #waiting = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #hasEnded = false;

  /** `input` is all that it can read. */
  constructor(
    program: Program,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    input = "",
  ) {
    const child = spawn(programPath(program), args, {
      env: { ...ENVIRONMENT, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {}).end(input); // One that ends without reading says so itself.
    const tell = () => {
      for (const check of this.#waiting) check();
    };
    child.stdout.on("data", (chunk) => {
      this.#stdout += chunk;
      tell();
    });
    child.stderr.on("data", (chunk) => {
      this.#stderr += chunk;
      tell();
    });
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        this.#hasEnded = true;
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
        tell();
      });
    });
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await this.ended.catch(() => {});
    });
  }

  /** What its output says of itself, as soon as it does. Rejects when it ends without. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = pattern.exec(this.#stdout + this.#stderr);
        if (found === null && !this.#hasEnded) return;
        this.#waiting.delete(check);
        if (found === null) reject(new Error(`nothing like ${pattern} in:\n${this.#stdout}${this.#stderr}`));
        else resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** No configuration but what is here, and credentials that are worth nothing. */
export const ENVIRONMENT = {
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_DEFAULT_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "simulated",
  AWS_SECRET_ACCESS_KEY: "simulated-secret-key",
  PYTHONPATH: import.meta.dirname.replace(/\/support$/, ""),
  PYTHONDONTWRITEBYTECODE: "1",
};

export function programPath(program: Program): string {
  return path.join(VENV, "bin", program);
}
