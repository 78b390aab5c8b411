import type { Command } from "commander";
import type { Config } from "../config.ts";
import { newAbort } from "../drain/abort.ts";
import { SystemClock } from "../drain/clock.ts";
import type { DrainObserver } from "../drain/events.ts";
import { outcomeReport } from "../drain/report.ts";
import { createEngine } from "../engine.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { LiveLines } from "./live-lines.ts";
import { addNodeArgument, type NodeOptions, requestFrom } from "./node-argument.ts";
import { addOptions, configFrom } from "./options.ts";
import { eventText, outcomeText } from "./text.ts";

export function addDrainCommand(program: Command): void {
  const command = program
    .command("drain")
    .summary("take a node out of its load balancers, and wait until traffic has ended")
    .description(
      "Takes a node out of every load balancer that could send it traffic, and waits until traffic has ended.",
    );
  addNodeArgument(addOptions(command, "drain")).action(async (node: string, options: NodeOptions) => {
    process.exitCode = await drain(node, options, configFrom(command, "drain"));
  });
}

async function drain(node: string, options: NodeOptions, config: Config): Promise<number> {
  const clock = new SystemClock();
  const startedAt = clock.now();
  const request = requestFrom(node, options, { now: startedAt, dryRun: config.dryRun });
  const live = process.stdout.isTTY && !options.json && !config.dryRun ? new LiveLines(clock) : undefined;
  const plain: DrainObserver = (event) => {
    const line = config.dryRun ? undefined : eventText(event, clock.now() - startedAt);
    if (line !== undefined) (options.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const { drainer } = createEngine(config, { clock, observers: [live?.observe ?? plain] });

  const outcome = await drainer.drain(request, interruptSignal());
  await live?.close();
  const text = options.json ? JSON.stringify(outcomeReport(outcome)) : outcomeText(outcome, clock.now() - startedAt);
  process.stdout.write(`${text}\n`);
  return exitCodeOf(outcome);
}

/** Aborts at the first Ctrl-C, so that the end can say what stays deregistered. The second one ends the program. */
function interruptSignal(): AbortSignal {
  const interrupted = newAbort();
  const onSignal = () => {
    if (interrupted.signal.aborted) process.exit(EXIT.notDrained);
    interrupted.abort();
  };
  // Listened to until the end: with nobody listening, what restores the terminal's cursor would end the program.
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
  return interrupted.signal;
}
