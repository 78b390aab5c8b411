import { Command } from "commander";
import { printable } from "../drain/errors.ts";
import { tellFailure, UsageError } from "./failure.ts";
import { VERSION } from "./version.ts";

/**
 * Runs one of `verbs`, and leaves the exit code in `process.exitCode`. Whatever goes wrong is said in a line each.
 * `hasDefault`: one of them needs no name.
 */
export async function runProgram(
  verbs: readonly ((program: Command) => void)[],
  { hasDefault = false }: { readonly hasDefault?: boolean } = {},
): Promise<void> {
  const program = new Command("hasta-la-vista")
    .description(
      "Takes a Kubernetes node out of every AWS load balancer, holds it until traffic has really ended, and only then lets it go.",
    )
    .version(VERSION)
    .exitOverride()
    // Said by `tellFailure`, in our form.
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", "\nExit codes: 0 done, 1 not drained, 2 usage or configuration, 3 refused.");
  for (const addTo of verbs) addTo(program);
  // A reader that leaves (`| head`) must not end a drain.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const given = process.argv.slice(2);
  try {
    await parse(program, given, hasDefault);
  } catch (error) {
    process.exitCode = tellFailure(error, given.includes("--json"));
  }
  // Whoever waits for the exit waits for the answer: aborted calls and their back-off timers must not delay it.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))),
  );
  process.exit();
}

async function parse(program: Command, given: readonly string[], hasDefault: boolean): Promise<void> {
  const verbs = program.commands.map((command) => command.name());
  const [first, second] = given.filter((word) => !word.startsWith("-"));
  const verb = first === "help" ? second : first;
  // Where a verb needs no name the first word may be a flag's value.
  const isKnown = hasDefault || verb === undefined || verbs.includes(verb);
  try {
    // Alone, for with `--help` beside it commander shows help and is content.
    await program.parseAsync(isKnown ? given : [verb], { from: "user" });
  } catch (error) {
    if (isKnown) throw error;
    const guess = /Did you mean ([^?]+)\?/.exec((error as Error).message)?.[1];
    const advice = guess === undefined ? `give one of ${verbs.join(", ")}` : `did you mean ${guess}?`;
    throw new UsageError(`unknown command '${printable(verb)}': ${advice}`);
  }
}
