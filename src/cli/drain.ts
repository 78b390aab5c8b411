import { type Command, InvalidArgumentError } from "commander";
import { createEngine } from "../app/engine.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { SystemClock } from "../drain/clock.ts";
import type { DrainObserver } from "../drain/events.ts";
import { type OutcomeReport, outcomeReport } from "../drain/report.ts";
import { REASON_CHARACTERS_MAX, TIMEOUT_SECONDS_MAX } from "../drain/request.ts";
import { eventText } from "./event-text.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { LiveLines } from "./live-lines.ts";
import { addDeadlineOption, addNodeArgument, type NodeOptions, requestFrom } from "./node-argument.ts";
import { addOptions, configFrom } from "./options.ts";
import { drainRemotely, type RemoteDrainOptions } from "./remote-drain.ts";
import { addServerOption } from "./server-option.ts";
import { interruptSignal } from "./shutdown.ts";
import { outcomeText } from "./text.ts";

type DrainOptions = NodeOptions & Pick<RemoteDrainOptions, "reason" | "wait">;

export function addDrainCommand(program: Command): void {
  const command = program
    .command("drain")
    .summary("take a node out of its load balancers, and wait until traffic has ended")
    .description(
      "Takes a node out of every load balancer that could send it traffic, and waits until traffic has ended.",
    );
  addNodeArgument(addDeadlineOption(addServerOption(addOptions(command, "drain"))))
    .option("--force", "drain even where too few healthy targets would stay, or too many drains run already")
    .option("--reason <text>", "with --server: why, for the service's log and reports", readReason)
    .option(
      "--wait <seconds>",
      "with --server: how long to wait; code 1 when the drain has not ended by then",
      readWait,
    )
    .option("--no-wait", "with --server: be content that the drain has begun")
    .action(async (node: string, options: DrainOptions) => {
      const { server } = options;
      process.exitCode =
        server === undefined
          ? await drain(node, options, configFrom(command, "drain"))
          : await drainRemotely(node, { ...options, server }, command, new SystemClock());
    });
}

async function drain(node: string, options: DrainOptions, config: Config): Promise<number> {
  refuseWithoutServer(options);
  const clock = new SystemClock();
  const startedAt = clock.now();
  const request = requestFrom(node, options, { now: startedAt, dryRun: config.dryRun });
  const live = process.stdout.isTTY && !options.json && !config.dryRun ? new LiveLines(clock) : undefined;
  const plain: DrainObserver = (event) => {
    const line = config.dryRun ? undefined : eventText(event, clock.now() - startedAt);
    if (line !== undefined) (options.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const { drainer } = createEngine(config, { clock, observers: [live?.observe ?? plain] });

  const outcome = outcomeReport(await drainer.drain(request, interruptSignal()));
  await live?.close();
  const told = `${outcomeText(outcome, clock.now() - startedAt)}${howToUndo(outcome)}`;
  const text = options.json ? JSON.stringify(outcome) : told;
  process.stdout.write(`${text}\n`);
  return exitCodeOf(outcome);
}

/** Whoever stops a drain may want it undone: what that takes is printed, for nothing else has it. */
function howToUndo(outcome: OutcomeReport): string {
  if (outcome.status !== "abandoned" || outcome.registrations.length === 0) return "";
  const how =
    "To register it again, put the next line into drain.json, and: hasta-la-vista cancel --undo --from drain.json";
  return `\n${how}\n${JSON.stringify(outcome)}`;
}

/** Here the drain ends with the program: nobody else would go on with it. */
function refuseWithoutServer({ reason, wait = true }: DrainOptions): void {
  const given = [reason === undefined ? [] : "--reason", wait === true ? [] : wait === false ? "--no-wait" : "--wait"];
  const names = given.flat();
  if (names.length > 0) throw new ConfigError(names.map((name) => `${name} is for --server alone: leave it out`));
}

function readWait(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds <= TIMEOUT_SECONDS_MAX) return seconds;
  throw new InvalidArgumentError(`Give seconds from 0 to ${TIMEOUT_SECONDS_MAX}, such as 60.`);
}

function readReason(text: string): string {
  if (text.length <= REASON_CHARACTERS_MAX) return text;
  throw new InvalidArgumentError(`Give at most ${REASON_CHARACTERS_MAX} characters.`);
}
