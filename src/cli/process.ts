import type { Environment, Streams } from "./call.ts";

type Run = (given: readonly string[], environment: Environment, streams: Streams) => Promise<number>;

/** Gives a run this process: its arguments, environment, streams and signals. The process ends with the run. */
export async function runAsProcess(run: Run): Promise<never> {
  const { stdout, stderr } = process;
  // A reader that leaves (`| head`) must not end a drain.
  for (const stream of [stdout, stderr]) stream.on("error", () => {});
  const streams = {
    // Node opens it when it is first asked for.
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr,
    signals: process,
  };
  const exitCode = await run(process.argv.slice(2), process.env, streams);
  // The caller that waits for the exit waits for the answer: aborted calls and their timers must not delay it.
  await Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))));
  process.exit(exitCode);
}
