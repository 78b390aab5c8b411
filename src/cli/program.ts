import { Command, CommanderError } from "commander";
import { ConfigError } from "../config.ts";
import { asDrainError } from "../drain/errors.ts";
import { EXIT, exitCodeOfFailure } from "./exit-codes.ts";
import { configProblems } from "./options.ts";
import { RemoteError } from "./remote-service.ts";
import { VERSION } from "./version.ts";

/** Runs one of `verbs`, and leaves the exit code in `process.exitCode`. Whatever goes wrong is said in a line each. */
export async function runProgram(verbs: readonly ((program: Command) => void)[]): Promise<void> {
  const program = new Command("hasta-la-vista")
    .description(
      "Takes a Kubernetes node out of every AWS load balancer, holds it until traffic has really ended, and only then lets it go.",
    )
    .version(VERSION)
    .exitOverride()
    .addHelpText("after", "\nExit codes: 0 done, 1 not drained, 2 usage or configuration, 3 refused.");
  for (const addTo of verbs) addTo(program);
  // A reader that leaves (`| head`) must not end a drain.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
  // Whoever waits for the exit waits for the answer: aborted calls and their back-off timers must not delay it.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))),
  );
  process.exit();
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof ConfigError) {
    process.stderr.write(`hasta-la-vista: ${configProblems(error)}\n`);
    return EXIT.usage;
  }
  if (error instanceof RemoteError) {
    process.stderr.write(`hasta-la-vista: ${error.message}\n`);
    return error.exitCode;
  }
  const failure = asDrainError(error);
  process.stderr.write(`hasta-la-vista: ${failure.message} (${failure.code})\n`);
  return exitCodeOfFailure(failure.code);
}
