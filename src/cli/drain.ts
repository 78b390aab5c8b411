import { type Config, ConfigError } from "../config/config.ts";
import { SystemClock } from "../drain/clock.ts";
import type { DrainObserver } from "../drain/events.ts";
import { type OutcomeReport, outcomeReport } from "../drain/report.ts";
import { type Call, widthOf } from "./call.ts";
import { eventText } from "./event-text.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { type NodeOptions, nodeOf, requestFrom } from "./node-argument.ts";
import { clusterFor, configFrom } from "./options.ts";
import type { RemoteDrainOptions } from "./remote-drain.ts";
import { interruptSignal } from "./shutdown.ts";
import { outcomeText } from "./text.ts";

type DrainOptions = NodeOptions & Pick<RemoteDrainOptions, "reason" | "wait">;

export async function runDrain(call: Call): Promise<number> {
  const options = call.options as DrainOptions;
  const { server } = options;
  if (server === undefined) return await drain(call, options, configFrom(call, "drain"));
  const { drainRemotely } = await import("./remote-drain.ts");
  return await drainRemotely({ ...options, server }, call, new SystemClock());
}

async function drain(call: Call, options: DrainOptions, config: Config): Promise<number> {
  const { stdout, stderr } = call.streams;
  refuseWithoutServer(options);
  const clock = new SystemClock();
  const startedAt = clock.now();
  const request = requestFrom(nodeOf(call), options, { now: startedAt, dryRun: config.dryRun });
  const isLive = stdout.isTTY === true && !options.json && !config.dryRun;
  const live = isLive ? new (await import("./live-lines.ts")).LiveLines(clock, stdout) : undefined;
  const plain: DrainObserver = (event) => {
    const line = config.dryRun ? undefined : eventText(event, clock.now() - startedAt);
    if (line !== undefined) (options.json ? stderr : stdout).write(`${line}\n`);
  };
  const { createEngine } = await import("../app/engine.ts");
  const opened = await clusterFor(call, config, clock);
  const { drainer } = createEngine(config, { clock, observers: [live?.observe ?? plain], cluster: opened?.cluster });

  const outcome = outcomeReport(await drainer.drain(request, interruptSignal(call)));
  opened?.close();
  await live?.close();
  const readable = `${outcomeText(outcome, clock.now() - startedAt, widthOf(stdout))}${howToUndo(outcome)}`;
  const text = options.json ? JSON.stringify(outcome) : readable;
  stdout.write(`${text}\n`);
  return exitCodeOf(outcome);
}

/** The data for undoing a drain that was stopped, which is stored nowhere else. */
function howToUndo(outcome: OutcomeReport): string {
  if (outcome.status !== "abandoned" || outcome.registrations.length === 0) return "";
  const how =
    "To register the targets again, save the next line as drain.json and run: hasta-la-vista cancel --undo --from drain.json";
  return `\n${how}\n${JSON.stringify(outcome)}`;
}

/** Without a service the drain ends with the program: no other process would continue it. */
function refuseWithoutServer({ reason, wait = true }: DrainOptions): void {
  const given = [reason === undefined ? [] : "--reason", wait === true ? [] : wait === false ? "--no-wait" : "--wait"];
  const names = given.flat();
  if (names.length > 0)
    throw new ConfigError(names.map((name) => `${name} requires --server: give both, or leave it out`));
}
