import { type Config, ConfigError } from "../config/config.ts";
import { fileProblem, readText, readTextFile } from "../config/files.ts";
import { newAbort } from "../drain/abort.ts";
import { printable } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import { type UndoReport, undoReport } from "../drain/report.ts";
import type { Call, Streams } from "./call.ts";
import { DRAIN_BYTES_MAX, type ReportedDrain, readDrainReport } from "./drain-file.ts";
import { eventText } from "./event-text.ts";
import { EXIT, exitCodeOfFailure } from "./exit-codes.ts";
import { UsageError } from "./failure.ts";
import { clusterFor, configFrom, type ServerOptions } from "./options.ts";
import { NOT_OURS, understand } from "./remote-answer.ts";
import { print } from "./remote-drain.ts";
import { remoteFrom } from "./remote-from.ts";
import type { RemoteAnswer } from "./remote-service.ts";
import { interruptSignal } from "./shutdown.ts";
import { undoText } from "./text.ts";

interface CancelOptions extends ServerOptions {
  readonly from?: string;
  readonly json?: true;
}

const STDIN = "-";

export async function runCancel(call: Call): Promise<number> {
  const [drainId] = call.args;
  const { server, from } = call.options as CancelOptions;
  if ((drainId === undefined) === (from === undefined) || (server === undefined) !== (drainId === undefined))
    throw new UsageError(
      "give the id of a drain and --server, or give --from and a file with the output of 'drain --json'",
    );
  return drainId !== undefined && server !== undefined
    ? await cancelRemotely(drainId, server, call)
    : await cancelFrom(from ?? STDIN, call, configFrom(call, "cancel"));
}

async function cancelFrom(file: string, call: Call, config: Config): Promise<number> {
  const { stdout, stderr, clock } = call.streams;
  const { json } = call.options as CancelOptions;
  if (!config.undo) {
    throw new ConfigError([
      "cancel is not enabled: give --undo, and use credentials with the permissions that 'policy --undo' prints",
    ]);
  }
  const drain = await read(file, call.streams);
  const startedAt = clock.now();
  const observe = (event: DrainEvent) => {
    const line = eventText(event, clock.now() - startedAt);
    if (line !== undefined) (json ? stderr : stdout).write(`${line}\n`);
  };
  const { createEngine } = await import("../app/engine.ts");
  const opened = await clusterFor(call, config, clock);
  const { drainer } = createEngine(config, { clock, observers: [observe], cluster: opened?.cluster });
  const interrupted = interruptSignal(call);
  try {
    const report = undoReport(await drainer.undo(drain, interrupted));
    stdout.write(`${json ? JSON.stringify(report) : undoText(report)}\n`);
    return exitCodeOfUndo(report);
  } catch (error) {
    if (!interrupted.aborted) throw error;
    stderr.write(
      "hasta-la-vista: stopped before AWS listed all targets again: run the same cancel again to continue\n",
    );
    return EXIT.notDrained;
  } finally {
    opened?.close();
  }
}

/** Throws `ConfigError`. */
async function read(file: string, streams: Streams): Promise<ReportedDrain> {
  const name = `--from is '${printable(file)}', which`;
  let text: string;
  try {
    text = await (file === STDIN ? readText(streams.stdin, DRAIN_BYTES_MAX) : readTextFile(file, DRAIN_BYTES_MAX));
  } catch (error) {
    throw new ConfigError([
      `--from is '${printable(file)}', which can't be used: ${fileProblem(error as NodeJS.ErrnoException)}`,
    ]);
  }
  return readDrainReport(name, text);
}

async function cancelRemotely(drainId: string, server: URL, call: Call): Promise<number> {
  const { json } = call.options as CancelOptions;
  const { service } = await remoteFrom(call, "cancel", server);
  const answer = await service.ask("DELETE", `/drains/${encodeURIComponent(drainId)}`, undefined, newAbort().signal);
  const report = reportIn(answer);
  if (report === undefined) return print(call, answer, understand(answer), undefined);
  call.streams.stdout.write(`${json ? JSON.stringify(answer.body) : undoText(report)}\n`);
  return exitCodeOfUndo(report);
}

/** The problem of an undo that has failed in part has its report inside. Absent: there was no undo. */
function reportIn({ status, body }: RemoteAnswer): UndoReport | undefined {
  const report = (status === 200 ? body : body["undo"]) as UndoReport | undefined;
  if (status === 200 && report?.status !== "undone") throw NOT_OURS;
  if (report !== undefined && !Array.isArray(report.registrations)) throw NOT_OURS;
  return report;
}

function exitCodeOfUndo({ registrations, stillExcluded }: UndoReport): number {
  const failed = registrations.find(({ state }) => state === "failed");
  if (failed === undefined) return stillExcluded === undefined ? EXIT.done : EXIT.notDrained;
  const code = failed.error === undefined ? EXIT.notDrained : exitCodeOfFailure(failed.error.code);
  // The machine is gone, and so nothing of it is registered.
  return code === EXIT.done ? EXIT.notDrained : code;
}
