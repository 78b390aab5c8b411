import { EventEmitter } from "node:events";
import { expect } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import type { Streams } from "../../src/cli/call.ts";
import { ENVIRONMENT, type Environment, type Finished, foldersOf, keepSecretsOf } from "./child-process.ts";
import { searchFolderForSecrets, searchForSecrets } from "./secret-search.ts";

/** What the build writes into the bundles. */
Object.assign(globalThis, { __VERSION__: manifest.version });
const { run } = await import("../../src/cli/run.ts");
const { runService } = await import("../../src/cli/run-service.ts");

const PROGRAMS = { cli: run, service: runService };

interface Input {
  readonly program?: keyof typeof PROGRAMS;
  /** What is piped into it. */
  readonly stdin?: string;
}

/**
 * What `runCli` tells of the bundle, of the same program in this process: a tenth of the work. No secret that it gets may
 * stand in what it writes, and no listener may stay when it has ended.
 */
export async function runHere(
  args: readonly string[],
  given: Environment = {},
  { program = "cli", stdin = "" }: Input = {},
): Promise<Finished> {
  const environment = { ...ENVIRONMENT, ...given };
  keepSecretsOf(environment);
  const written = { stdout: "", stderr: "" };
  const signals = new EventEmitter();
  const output = (name: keyof typeof written) => ({
    write(text: string) {
      written[name] += text;
    },
  });
  const streams: Streams = {
    stdin: inChunks(stdin),
    stdout: output("stdout"),
    stderr: output("stderr"),
    signals,
  };
  const leave = enter(environment);
  try {
    const code = await PROGRAMS[program](args, environment, streams);
    expect(signals.eventNames()).toEqual([]);
    return { code, ...written };
  } finally {
    leave();
    for (const [name, text] of Object.entries(written))
      searchForSecrets(`${name} of ${args.join(" ").slice(0, 80)}`, text);
    for (const folder of foldersOf(environment)) searchFolderForSecrets(args[0] ?? "", folder);
  }
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
