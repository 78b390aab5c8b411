import type { UndoneReport, UndoReport } from "../drain/undo-report.ts";
import { aligned, placeCells, times } from "./text.ts";

/** How a drain was undone, for people. */
export function undoText({ drainId, node, registrations }: UndoReport): string {
  const count = (state: UndoneReport["state"]) => registrations.filter((one) => one.state === state).length;
  const again = `${times(count("registered"))} registered again`;
  const failed = count("failed");
  const summary =
    failed === 0
      ? `The drain ${drainId} of ${node.id} is undone: ${again}.`
      : `The drain ${drainId} of ${node.id} is not undone: ${again}, ${failed} not.`;
  return [summary, ...aligned(registrations.map((one) => ["", one.state, ...placeCells(one), why(one)]))].join("\n");
}

function why({ state, error }: UndoneReport): string {
  if (state === "left") return "somebody else had deregistered it before the drain";
  if (state === "untouched") return "the drain had not deregistered it";
  return error?.message ?? "";
}
