import { printable } from "../drain/errors.ts";
import { clockTime, placeCells, seconds } from "./cells.ts";
import { elapsedText, eventText } from "./event-text.ts";
import type { DrainRecordReport } from "./follow.ts";
import type { Look } from "./look.ts";
import { StepProgress } from "./step-progress.ts";
import { table, wrapped } from "./table.ts";
import { nodeText, outcomeText } from "./text.ts";

/** One drain of a service, for people: its steps, and the state or the results of its registrations. */
export function drainText(record: DrainRecordReport, look: Look): string {
  const { drainId, node, startedAt, endedAt, outcome, steps, now, undo } = record;
  const reasons = (now?.reasons ?? []).map((reason) => `, because: ${printable(reason, 200)}`).join("");
  const until = now?.limit === undefined ? "" : `; it ends at ${clockTime(now.limit.at)} at the latest`;
  const head =
    endedAt === undefined
      ? `Drain ${drainId} has been running since ${clockTime(startedAt)}${reasons}${until}.`
      : `Drain ${drainId} began at ${clockTime(startedAt)} and ended at ${clockTime(endedAt)} with the outcome '${outcome?.status}'.`;
  const undone = { running: "It is being undone", ended: "It was undone" };
  const undoing = undo === undefined ? [] : ["", `${undone[undo.status]}: do not terminate the node because of it.`];
  const progress = new StepProgress({ drainId, node });
  const lines = steps.flatMap((step) => {
    const elapsed = progress.elapsedMs(step);
    const told = progress.of(step).flatMap((one) => eventText(one, elapsed) ?? []);
    return step.type === "accepted" ? [`${elapsedText(elapsed)}accepted`, ...told] : told;
  });
  const took = endedAt === undefined ? 0 : Date.parse(endedAt) - Date.parse(startedAt);
  const end = outcome === undefined ? holdLines(record, look) : ["", outcomeText(outcome, took, look)];
  return [nodeText({ node }), "", head, ...lines, ...(undo === undefined ? end : undoing)]
    .map((line) => wrapped(line, look.width))
    .join("\n");
}

function holdLines({ now }: DrainRecordReport, { width, paint }: Look): readonly string[] {
  const rows = (now?.registrations ?? []).map((one) => [
    ...placeCells(one),
    one.state,
    seconds(one.heldSeconds),
    one.holdSeconds === undefined ? "" : seconds(one.holdSeconds),
  ]);
  if (rows.length === 0) return [];
  const header = ["KIND", "LOAD BALANCER / POOL", "TARGET", "STATE", "HELD", "HOLD"];
  return ["", ...table({ header: header.map((title) => paint("title", title)), rows, width, naming: 1 })];
}
