import { errorReport, nodeReport, registrationReport } from "./report.ts";
import { type UndoOutcome, undoFailure } from "./undo.ts";
import type { UndoneFate } from "./undoable.ts";

export type UndoReport = ReturnType<typeof undoReport>;
export type UndoneReport = ReturnType<typeof undoneReport>;

/** How a drain was undone, as outsiders get it in JSON. As in `report.ts`, no field is renamed or taken away. */
export function undoReport(outcome: UndoOutcome) {
  const { drainId, node, registrations } = outcome;
  const status = undoFailure(outcome) === undefined ? ("undone" as const) : ("not-undone" as const);
  return { status, drainId, node: nodeReport(node), registrations: registrations.map(undoneReport) };
}

export function undoneReport({ registration, state, error }: UndoneFate) {
  return { ...registrationReport(registration), state, ...(error === undefined ? {} : { error: errorReport(error) }) };
}
