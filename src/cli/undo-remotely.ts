import type { NodeUndoReport } from "../drain/record-report.ts";
import type { UndoReport } from "../drain/report.ts";
import { parseNodeReference } from "../drain/request.ts";
import type { Call } from "./call.ts";
import { EXIT, exitCodeOfUndo } from "./exit-codes.ts";
import { RemoteError } from "./failure.ts";
import { isDrainId } from "./node-argument.ts";
import { printResult } from "./output.ts";
import { NOT_OURS, type RemoteAnswer, understand } from "./remote-answer.ts";
import { remoteFrom } from "./remote-from.ts";
import { patient, refused, serverFlag } from "./remote-reads.ts";
import { interruptSignal } from "./shutdown.ts";

/** A request for an undo through a service. */
export interface UndoRemotely {
  readonly verb: "cancel" | "uncordon";
  /** As it was typed: a node, or the id of a drain. */
  readonly given: string;
  readonly server: URL;
}

/** Lets a service undo drains: returns the exit code. */
export async function undoRemotely({ verb, given, server }: UndoRemotely, call: Call): Promise<number> {
  const { service } = await remoteFrom(call, verb, server);
  const interrupted = interruptSignal(call);
  const isDrain = verb === "cancel" && isDrainId(given);
  const node = () => `/nodes/${encodeURIComponent(parseNodeReference(given).value)}/drains`;
  const path = isDrain ? `/drains/${given}` : `${node()}${verb === "uncordon" ? "?uncordon=true" : ""}`;
  const answer = await patient(service, call)
    .ask("DELETE", path, undefined, interrupted)
    .catch((error: unknown) => {
      if (!interrupted.aborted) throw error;
      const at = serverFlag({ server });
      throw new RemoteError(
        `stopped waiting: the service goes on to register the targets again. See it: hasta-la-vista status ${given} ${at}. Wait for it: hasta-la-vista ${verb} ${given} ${at}`,
      );
    });
  const format = call.options["json"] === true ? "json" : "text";
  const text = isDrain ? await undoTextOf(answer) : await nodeTextOf(answer);
  if (text === undefined) {
    const exitCode = await refused(answer, format, call);
    // A machine that is gone is not registered again.
    return exitCode === EXIT.done ? EXIT.notDrained : exitCode;
  }
  await printResult(call, format, { data: answer.body, names: [], text: () => text });
  return answer.status === 200 ? EXIT.done : exitCodeOfUndo(understand(answer).code);
}

/** Undefined: there was no undo. */
async function undoTextOf(answer: RemoteAnswer): Promise<string | undefined> {
  const report = reportIn<UndoReport>(answer, ["undone"]);
  if (report === undefined) return undefined;
  if (!Array.isArray(report.registrations)) throw NOT_OURS;
  return (await import("./text.ts")).undoText(report);
}

async function nodeTextOf(answer: RemoteAnswer): Promise<string | undefined> {
  const report = reportIn<NodeUndoReport>(answer, ["undone", "nothing-to-undo"]);
  if (report === undefined) return undefined;
  if (!Array.isArray(report.drains)) throw NOT_OURS;
  return (await import("./text.ts")).nodeUndoText(report);
}

/** The problem of a partly failed undo contains its report. */
function reportIn<T extends UndoReport | NodeUndoReport>(
  { status, body }: RemoteAnswer,
  done: readonly T["status"][],
): T | undefined {
  const report = (status === 200 ? body : body["undo"]) as T | undefined;
  if (status === 200 && (report === undefined || !done.includes(report.status))) throw NOT_OURS;
  return report;
}
