import { newAbort } from "../drain/abort.ts";
import type { NodeUndoReport } from "../drain/record-report.ts";
import type { UndoReport } from "../drain/report.ts";
import { parseNodeReference } from "../drain/request.ts";
import type { Call } from "./call.ts";
import { EXIT, exitCodeOfUndo } from "./exit-codes.ts";
import { isDrainId } from "./node-argument.ts";
import { NOT_OURS, understand } from "./remote-answer.ts";
import { print } from "./remote-drain.ts";
import { remoteFrom } from "./remote-from.ts";
import type { RemoteAnswer } from "./remote-service.ts";
import { nodeUndoText, undoText } from "./text.ts";

/** What an undo through a service is asked for. */
export interface UndoRemotely {
  readonly verb: "cancel" | "uncordon";
  /** As it was typed: a node, or the id of a drain. */
  readonly given: string;
  readonly server: URL;
}

/** Has a service undo drains: returns the exit code. */
export async function undoRemotely({ verb, given, server }: UndoRemotely, call: Call): Promise<number> {
  const { service } = await remoteFrom(call, verb, server);
  const isDrain = verb === "cancel" && isDrainId(given);
  const node = () => `/nodes/${encodeURIComponent(parseNodeReference(given).value)}/drains`;
  const path = isDrain ? `/drains/${given}` : `${node()}${verb === "uncordon" ? "?uncordon=true" : ""}`;
  const answer = await service.ask("DELETE", path, undefined, newAbort().signal);
  const text = isDrain ? undoTextOf(answer) : nodeTextOf(answer);
  if (text === undefined) {
    const understood = understand(answer);
    // A machine that is gone is not registered again.
    const exitCode = understood.exitCode === EXIT.done ? EXIT.notDrained : understood.exitCode;
    return print(call, answer, { ...understood, exitCode }, undefined);
  }
  call.streams.stdout.write(`${call.options["json"] === true ? JSON.stringify(answer.body) : text}\n`);
  return answer.status === 200 ? EXIT.done : exitCodeOfUndo(understand(answer).code);
}

/** Undefined: there was no undo. */
function undoTextOf(answer: RemoteAnswer): string | undefined {
  const report = reportIn<UndoReport>(answer, ["undone"]);
  if (report === undefined) return undefined;
  if (!Array.isArray(report.registrations)) throw NOT_OURS;
  return undoText(report);
}

function nodeTextOf(answer: RemoteAnswer): string | undefined {
  const report = reportIn<NodeUndoReport>(answer, ["undone", "nothing-to-undo"]);
  if (report === undefined) return undefined;
  if (!Array.isArray(report.drains)) throw NOT_OURS;
  return nodeUndoText(report);
}

/** The problem of an undo that has failed in part has its report inside. */
function reportIn<T extends UndoReport | NodeUndoReport>(
  { status, body }: RemoteAnswer,
  done: readonly T["status"][],
): T | undefined {
  const report = (status === 200 ? body : body["undo"]) as T | undefined;
  if (status === 200 && (report === undefined || !done.includes(report.status))) throw NOT_OURS;
  return report;
}
