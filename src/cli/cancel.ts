import type { Command } from "commander";
import { createEngine } from "../app/engine.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { readText, readTextFile } from "../config/files.ts";
import { newAbort } from "../drain/abort.ts";
import { SystemClock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import { type UndoReport, undoReport } from "../drain/report.ts";
import { DRAIN_BYTES_MAX, type ReportedDrain, readDrainReport } from "./drain-file.ts";
import { eventText } from "./event-text.ts";
import { EXIT, exitCodeOfFailure } from "./exit-codes.ts";
import { UsageError } from "./failure.ts";
import { addOptions, configFrom } from "./options.ts";
import { NOT_OURS, understand } from "./remote-answer.ts";
import { print } from "./remote-drain.ts";
import type { RemoteAnswer } from "./remote-service.ts";
import { addServerOption, remoteFrom, type ServerOptions } from "./server-option.ts";
import { interruptSignal } from "./shutdown.ts";
import { undoText } from "./text.ts";

interface CancelOptions extends ServerOptions {
  readonly from?: string;
  readonly json?: true;
}

const STDIN = "-";

export function addCancelCommand(program: Command): void {
  const command = program
    .command("cancel")
    .summary("undo a drain: register again what it has deregistered")
    .description(
      "Registers again exactly what a drain has deregistered, and waits until that is seen: with --server a drain of a service, which is stopped if it still runs; with --from one that 'drain --json' has printed. An address comes back to an ALB only after its deregistration delay.",
    );
  addServerOption(addOptions(command, "cancel"))
    .argument("[drain-id]", "with --server: the drain, such as d-0123456789")
    .option("--from <file>", "what 'drain --json' has printed; - for stdin")
    .option("--json", "print one JSON object on stdout, and everything else on stderr")
    .action(async (drainId: string | undefined, options: CancelOptions) => {
      const { server, from } = options;
      if ((drainId === undefined) === (from === undefined) || (server === undefined) !== (drainId === undefined))
        throw new UsageError("give a drain's id and --server, or --from and the file that 'drain --json' has printed");
      process.exitCode =
        drainId !== undefined && server !== undefined
          ? await cancelRemotely(drainId, server, options, command)
          : await cancelFrom(from ?? STDIN, options, configFrom(command, "cancel"));
    });
}

async function cancelFrom(file: string, { json }: CancelOptions, config: Config): Promise<number> {
  if (!config.undo) {
    throw new ConfigError([
      "cancel registers targets again, which is not enabled: give --undo, and credentials that may what 'policy --undo' prints",
    ]);
  }
  const drain = await read(file);
  const clock = new SystemClock();
  const startedAt = clock.now();
  const observe = (event: DrainEvent) => {
    const line = eventText(event, clock.now() - startedAt);
    if (line !== undefined) (json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const { drainer } = createEngine(config, { clock, observers: [observe] });
  const interrupted = interruptSignal();
  try {
    const report = undoReport(await drainer.undo(drain, interrupted));
    process.stdout.write(`${json ? JSON.stringify(report) : undoText(report)}\n`);
    return exitCodeOfUndo(report);
  } catch (error) {
    if (!interrupted.aborted) throw error;
    process.stderr.write("hasta-la-vista: stopped before all was seen registered again: cancel once more goes on\n");
    return EXIT.notDrained;
  }
}

/** Throws `ConfigError`. */
async function read(file: string): Promise<ReportedDrain> {
  const name = `--from is '${printable(file)}', which`;
  let text: string;
  try {
    text = await (file === STDIN ? readText(process.stdin, DRAIN_BYTES_MAX) : readTextFile(file, DRAIN_BYTES_MAX));
  } catch (error) {
    throw new ConfigError([`--from is '${printable(file)}', which can't be used: ${(error as Error).message}`]);
  }
  return readDrainReport(name, text);
}

async function cancelRemotely(
  drainId: string,
  server: URL,
  { json }: CancelOptions,
  command: Command,
): Promise<number> {
  const { service } = await remoteFrom(command, "cancel", server);
  const answer = await service.ask("DELETE", `/drains/${encodeURIComponent(drainId)}`, undefined, newAbort().signal);
  const report = reportIn(answer);
  if (report === undefined) return print(answer, understand(answer), json, undefined);
  process.stdout.write(`${json ? JSON.stringify(answer.body) : undoText(report)}\n`);
  return exitCodeOfUndo(report);
}

/** The problem of an undo that has failed in part has its report inside. Absent: there was no undo. */
function reportIn({ status, body }: RemoteAnswer): UndoReport | undefined {
  const report = (status === 200 ? body : body["undo"]) as UndoReport | undefined;
  if (status === 200 && report?.status !== "undone") throw NOT_OURS;
  if (report !== undefined && !Array.isArray(report.registrations)) throw NOT_OURS;
  return report;
}

function exitCodeOfUndo({ registrations }: UndoReport): number {
  const failed = registrations.find(({ state }) => state === "failed");
  if (failed === undefined) return EXIT.done;
  const code = failed.error === undefined ? EXIT.notDrained : exitCodeOfFailure(failed.error.code);
  // The machine is gone, and so nothing of it is registered.
  return code === EXIT.done ? EXIT.notDrained : code;
}
