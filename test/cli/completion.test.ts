import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { stateDir } from "../support/ledger-entries.ts";
import { runHere } from "../support/run-here.ts";

/** As readline hands the words over: `=` separates them. */
const COMPLETE = `
source "$SCRIPT"
cd "$FOLDER"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_hasta_la_vista 2>/dev/null
printf '%s\\n' "\${COMPREPLY[@]}"
`;

/** What bash itself offers for the last of these words. */
async function scene() {
  const folder = await stateDir();
  const script = join(folder, "script");
  const { code, stdout, stderr } = await runHere(["completion", "bash"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  await writeFile(script, stdout);
  const offered = async (...words: readonly string[]) => {
    const args = ["--norc", "--noprofile", "-c", COMPLETE, "bash", "hasta-la-vista", ...words];
    const env = { PATH: process.env["PATH"], SCRIPT: script, FOLDER: folder };
    const { stdout: text, stderr: trouble } = await promisify(execFile)("bash", args, { env });
    expect(trouble).toBe("");
    return text.trim() === "" ? [] : text.trim().split("\n");
  };
  return { folder, offered };
}

async function helpOf(verb: string): Promise<string> {
  return (await runHere([verb, "--help"])).stdout;
}

describe("bash completes", () => {
  test("the verbs that --help lists", async () => {
    const { offered } = await scene();
    const [, commands = ""] = (await runHere(["--help"])).stdout.split("\nCommands:\n");
    const verbs = [...commands.matchAll(/^ {2}([a-z]+)/gm)].map(([, verb]) => verb);
    expect(verbs).toContain("drain");
    expect((await offered("")).filter((word) => !word.startsWith("-")).sort()).toEqual([...verbs].sort());
    expect(await offered("dra")).toEqual(["drain", "drains"]);
    expect(await offered("help", "pl")).toEqual(["plan"]);
  });

  test.each([
    "serve",
    "drain",
    "plan",
    "status",
    "drains",
    "cancel",
    "uncordon",
    "watch",
    "hold",
    "policy",
    "rbac",
    "simulate",
  ])("each flag of %s", async (verb) => {
    const { offered } = await scene();
    const flags = [...(await helpOf(verb)).matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
    expect(flags.length).toBeGreaterThan(1);
    expect((await offered(verb, "--")).sort()).toEqual([...new Set(flags)].sort());
  });

  test("values of which there are but a few: of flags, of options and of arguments", async () => {
    const { offered } = await scene();
    expect(await offered("status", "i-1", "--output", "")).toEqual(["json", "yaml", "wide", "name"]);
    expect(await offered("status", "-o", "w")).toEqual(["wide"]);
    expect(await offered("status", "--output", "=", "y")).toEqual(["yaml"]);
    expect(await offered("status", "--output", "=")).toEqual(["json", "yaml", "wide", "name"]);
    expect(await offered("plan", "--discovery", "")).toEqual(["vpc", "tag"]);
    expect(await offered("policy", "--for", "l")).toEqual(["lambda"]);
    expect(await offered("completion", "")).toEqual(["bash", "zsh", "fish"]);
  });

  test("files where a flag takes one, with spaces in their names, and nothing where it takes anything else", async () => {
    const { folder, offered } = await scene();
    await writeFile(join(folder, "my drain.json"), "");
    expect(await offered("cancel", "--from", "my")).toEqual(["my drain.json"]);
    expect(await offered("drain", "--kubeconfig", "scr")).toEqual(["script"]);
    expect(await offered("drain", "--deadline", "")).toEqual([]);
    expect(await offered("drain", "")).toEqual([]);
  });
});
