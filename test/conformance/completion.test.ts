import { execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { stateDir } from "../support/ledger-entries.ts";
import { Written } from "../support/program-run.ts";
import { runHere } from "../support/run-here.ts";
import { describeWith, programPath } from "./support/programs.ts";

/** The script that the program prints for a shell, in a folder of its own. */
async function scriptFor(shell: string) {
  const folder = await stateDir();
  const path = join(folder, `completion.${shell}`);
  const { code, stdout } = await runHere(["completion", shell]);
  expect(code).toBe(0);
  await writeFile(path, stdout);
  return { folder, path };
}

describeWith("fish", "fish", () => {
  test("offers verbs, flags and their values, with what they are", async () => {
    const { folder, path } = await scriptFor("fish");
    await writeFile(join(folder, "my-drain.json"), "");
    const offered = async (line: string) => {
      const args = ["--no-config", "-c", 'source $SCRIPT; cd $HOME; complete -C "$LINE"'];
      const env = { PATH: process.env["PATH"], HOME: folder, SCRIPT: path, LINE: line };
      const { stdout, stderr } = await promisify(execFile)(programPath("fish"), args, { env });
      expect(stderr).toBe("");
      return stdout.trim().split("\n");
    };
    expect(await offered("hasta-la-vista drai")).toEqual([
      expect.stringMatching(/^drain\ttake nodes out of their load balancers/),
      expect.stringMatching(/^drains\tlist running and past drains/),
    ]);
    expect(await offered("hasta-la-vista status --outp")).toEqual([
      expect.stringMatching(/^--output\tform of the output/),
    ]);
    const forms = (await offered("hasta-la-vista status --output ")).map((line) => line.split("\t")[0]);
    expect(forms.sort()).toEqual(["json", "name", "wide", "yaml"]);
    expect((await offered("hasta-la-vista completion ")).sort()).toEqual(["bash", "fish", "zsh"]);
    expect(await offered("hasta-la-vista cancel --from my")).toEqual([expect.stringMatching(/^my-drain\.json/)]);
  });
});

describeWith("zsh", "zsh", () => {
  test("completes what is typed on a terminal: verbs, values of flags, and files", async () => {
    const { folder, path } = await scriptFor("zsh");
    await writeFile(join(folder, "my-drain.json"), "");
    const env = { PATH: process.env["PATH"], HOME: folder, TERM: "dumb", SCRIPT: path };
    // A terminal of its own for the shell.
    const shell = spawn(
      "script",
      ["--quiet", "--return", "--flush", "--command", `${programPath("zsh")} -f -i`, "/dev/null"],
      { env },
    );
    const ended = new Promise((resolve) => shell.once("close", resolve));
    onTestFinished(async () => {
      shell.kill();
      await ended;
    });
    let written = new Written();
    shell.stdout.on("data", (chunk: Buffer) => written.add("stdout", chunk.toString("utf8").replaceAll("\r", "\n")));
    shell.stdin.write("PS1=; cd $HOME; autoload -Uz compinit; compinit -u -D; source $SCRIPT; echo REA''DY\n");
    await written.line(/^READY$/);
    for (const [typed, shown] of [
      ["hasta-la-vista comple\t", /hasta-la-vista completion $/],
      ["hasta-la-vista status --output y\t", /hasta-la-vista status --output yaml $/],
      ["hasta-la-vista policy --for la\t", /hasta-la-vista policy --for lambda $/],
      ["hasta-la-vista cancel --from my\t", /hasta-la-vista cancel --from my-drain\.json $/],
    ] as const) {
      written = new Written();
      shell.stdin.write(typed);
      expect(await written.line(shown)).toMatch(shown);
      // Removes the line.
      shell.stdin.write("\u0015");
    }
  });
});
