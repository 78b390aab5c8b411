import { EXCLUDE_LABEL } from "../drain/cluster.ts";
import { printable } from "../drain/errors.ts";
import type { NodeUndoReport } from "../drain/record-report.ts";
import type {
  FoundReport,
  GuardedReport,
  NodeStatusReport,
  OutcomeReport,
  PlanReport,
  ResultReport,
  UndoneReport,
  UndoReport,
} from "../drain/report.ts";
import { clockTime, placeCells, seconds, times } from "./cells.ts";
import { type Look, PLAIN_LOOK } from "./look.ts";
import { aligned, table, wrapped } from "./table.ts";

/** Texts for people: a plan, the state of a node, the end of a drain. From reports of this process or of a service. */

export function planText(plan: PlanReport, look: Look = PLAIN_LOOK): string {
  const { width, paint, isWide } = look;
  const warnings = plan.warnings.map((warning) => note(warning, look));
  if (plan.registrations.length === 0)
    return [nodeText(plan), "", nothingRegistered(plan, look), ...warnings].join("\n");
  const rows = plan.registrations.map((registration) => [
    ...withPod(placeCells(registration), registration.pod),
    stateText(registration.state, look),
    actionText(registration, look),
    `${registration.kind === "classic" ? "at most " : ""}${seconds(registration.holdSeconds)}`,
    registration.shortBySeconds > 0 ? paint("bad", `${seconds(Math.ceil(registration.shortBySeconds))} short`) : "fits",
    ...(isWide ? [seconds(registration.waitSeconds), registration.unsaved.map(({ code }) => code).join(",")] : []),
  ]);
  const header = [
    ...["KIND", "LOAD BALANCER / POOL", "TARGET", "STATE", "ACTION", "HOLD", "LIMIT"],
    ...(isWide ? ["WAIT", "UNSAVED"] : []),
  ];
  const limit = plan.limit.reason === "deadline" ? "the deadline minus its margin" : "the timeout";
  const lines = [
    nodeText(plan),
    "",
    ...places(header, rows, look),
    "",
    `Longest hold: ${seconds(plan.longestHoldSeconds)}. The limit is ${limit}, at ${clockTime(plan.limit.at)}.`,
    ...fastPathText(plan),
    ...warnings,
    ...guardLines(plan, look),
    ...unsavedText(plan),
  ];
  return lines.map((line) => wrapped(line, width)).join("\n");
}

function actionText({ action, writable }: PlanReport["registrations"][number], { paint }: Look): string {
  if (action === "hold") return "hold (already draining)";
  return writable ? "deregister" : paint("bad", "deregister (not allowed)");
}

/** A table whose rows are places of a node. */
function places(header: readonly string[], rows: readonly (readonly string[])[], { width, paint }: Look) {
  return table({ header: header.map((title) => paint("title", title)), rows, width, naming: 1 });
}

/** In the words of AWS: `healthy`, `draining`, `unhealthy (Target.Timeout)`. */
function stateText(state: string, { paint }: Look): string {
  if (/^(healthy|InService)/.test(state)) return paint("good", state);
  return /^(unhealthy|OutOfService)/.test(state) ? paint("bad", state) : paint("note", state);
}

/** `10.0.1.9:8080 (shop/web-1)` */
function withPod(cells: readonly string[], pod: string | undefined): readonly string[] {
  return pod === undefined ? cells : [...cells.slice(0, -1), `${cells.at(-1)} (${pod})`];
}

/** The registrations of a node, and the state of its drain. */
export function nodeStatusText(status: NodeStatusReport, look: Look = PLAIN_LOOK): string {
  const { width, isWide } = look;
  const found = isWide ? [...status.registrations, ...status.elsewhere] : status.registrations;
  const rows = found.map((registration) => [
    ...placeCells(registration),
    stateText(registration.state, look),
    ...(isWide ? [registration.doubt ?? ""] : []),
  ]);
  const header = ["KIND", "LOAD BALANCER / POOL", "TARGET", "STATE", ...(isWide ? ["DOUBT"] : [])];
  const where = rows.length === 0 ? [nowhere(status)] : places(header, rows, look);
  const elsewhere = rows.length > 0 && status.elsewhere.length > 0 ? ["", elsewhereText(status.elsewhere)] : [];
  const warnings = (status.warnings ?? []).map((warning) => look.paint("note", `Warning: ${warning}`));
  const asOf = ["", `Read from AWS at ${clockTime(status.asOf)}.`, ...warnings];
  const drains = [...runningText(status), ...lastDrainText(status, look)];
  const lines = [nodeText(status), "", ...where, ...elsewhere, ...asOf, ...drains];
  return lines.map((line) => wrapped(line, width)).join("\n");
}

function lastDrainText({ lastDrain }: NodeStatusReport, look: Look): readonly string[] {
  if (lastDrain === undefined) return [];
  const { drainId, startedAt, endedAt, status, undo, outcome } = lastDrain;
  const undone = { running: " It is being undone.", ended: " It was undone." };
  const more = undo === undefined ? "" : undone[undo];
  const head = `The last drain ${drainId} ended at ${clockTime(endedAt)} with the outcome '${status}'.${more}`;
  if (outcome === undefined) return ["", head];
  return ["", head, ...outcomeText(outcome, Date.parse(endedAt) - Date.parse(startedAt), look).split("\n")];
}

/** The end of a drain. `tookMs`: how long it took. */
export function outcomeText(outcome: OutcomeReport, tookMs: number, look: Look = PLAIN_LOOK): string {
  const lines = endText(outcome, tookMs, look).split("\n");
  return lines.map((line) => (/^(Not drained|Refused)/.test(line) ? look.paint("bad", line) : line)).join("\n");
}

function endText(outcome: OutcomeReport, tookMs: number, look: Look): string {
  const warningsOf = ({ warnings = [] }: { readonly warnings?: readonly string[] }) =>
    warnings.map((warning) => note(warning, look));
  switch (outcome.status) {
    case "drained":
      return [drainedText(outcome, tookMs, look), ...evictedText(outcome), ...warningsOf(outcome)].join("\n");
    case "nothing-registered":
      return [nothingRegistered(outcome, look), ...evictedText(outcome), ...warningsOf(outcome)].join("\n");
    case "possibly-registered":
      return possiblyRegisteredReport(outcome);
    case "refused":
      return refusedText(outcome);
    case "planned":
      return `${planText(outcome.plan, look)}\n\nDry run: nothing was changed.`;
    case "instance-gone":
      return outcome.message;
    case "deadline-passed":
      return [limitText(outcome), ...remaining(outcome.registrations).map(resultText)].join("\n");
    case "cancelled":
      return [
        "Cancelled before the end: its targets are being registered again. Do not terminate the node.",
        ...outcome.registrations.map(resultText),
      ].join("\n");
    case "superseded":
      return [`Not drained: ${outcome.message}.`, ...outcome.registrations.map(resultText)].join("\n");
    case "abandoned":
      return outcome.registrations.length === 0
        ? "Stopped before anything was deregistered."
        : [
            "Stopped before the end. Deregistered targets stay deregistered:",
            ...outcome.registrations.map(resultText),
          ].join("\n");
    case "failed":
      return [
        `Not drained (${outcome.error.code}): ${outcome.error.message}`,
        ...outcome.registrations.map(resultText),
      ].join("\n");
    default:
      return outcome satisfies never;
  }
}

function evictedText({ eviction }: Outcome<"drained" | "nothing-registered">): readonly string[] {
  if (eviction === undefined) return [];
  const { evicted } = eviction;
  return [`Evicted ${evicted} ${evicted === 1 ? "pod" : "pods"}.`];
}

type Outcome<S extends OutcomeReport["status"]> = Extract<OutcomeReport, { status: S }>;

export function nodeText({ node }: Pick<PlanReport, "node">): string {
  return [node.id, node.name, node.network, node.cluster && `cluster ${node.cluster}`].filter(Boolean).join("  ");
}

function runningText({ drain }: NodeStatusReport): readonly string[] {
  if (drain === undefined) return [];
  const why = drain.reasons.map((reason) => `, because: ${printable(reason, 200)}`).join("");
  const until = drain.limit === undefined ? "" : `; it ends at ${clockTime(drain.limit.at)} at the latest`;
  const drainsSince = `Drain ${drain.drainId} has been running since ${clockTime(drain.startedAt)}${why}${until}.`;
  return ["", drainsSince, ...drain.registrations.map(resultText)];
}

function drainedText({ node, registrations, elsewhere }: Outcome<"drained">, tookMs: number, { paint }: Look): string {
  const kept = registrations.filter(({ state }) => state === "kept");
  const drained = `${paint("good", `${node.id} is drained`)}: ${times(registrations.length - kept.length)} deregistered and held, in ${seconds(tookMs / 1_000)}.`;
  if (kept.length > 0) {
    const left = `${drained} It can be terminated; until then it serves as the last healthy target:`;
    return [left, ...kept.map(resultText), ...(elsewhere.length > 0 ? [elsewhereText(elsewhere)] : [])].join("\n");
  }
  return elsewhere.length === 0 ? `${drained} It can be terminated.` : `${drained} ${elsewhereText(elsewhere)}`;
}

function possiblyRegisteredReport({ node, registrations, elsewhere }: Outcome<"possibly-registered">): string {
  return [
    `${node.id} may still get traffic: do not terminate it. ${times(registrations.length)} drained.`,
    "These targets may be the node's or another machine's, and were not deregistered:",
    ...doubtfulLines(elsewhere),
    "If a target is the node's, deregister it yourself and drain again. If it is not, set DISCOVERY=tag, or",
    "OTHER_VPCS=ignore, so that it is not considered.",
  ].join("\n");
}

function doubtfulLines(elsewhere: readonly FoundReport[]): readonly string[] {
  return elsewhere.flatMap(({ doubt, ...where }) =>
    doubt === undefined ? [] : [`  ${placeCells(where).join(" ")}: ${doubt}`],
  );
}

function nothingRegistered({ node, elsewhere }: Pick<PlanReport, "node" | "elsewhere">, { paint }: Look): string {
  if (elsewhere.length === 0)
    return paint("good", `No load balancer that was searched lists ${node.id}: it can be terminated.`);
  if (elsewhere.some(({ doubt }) => doubt !== undefined))
    return `No load balancer is known to list ${node.id}, but some may:\n${doubtfulLines(elsewhere).join("\n")}`;
  return `No load balancer with the tag of the cluster lists ${node.id}. ${elsewhereText(elsewhere)}`;
}

/**
 * It does not say that the node can go: an NLB sends traffic to a node for minutes after AWS has stopped listing it.
 */
function nowhere({ node, elsewhere }: Pick<PlanReport, "node" | "elsewhere">): string {
  const listed = elsewhere.length === 0 ? "" : ` ${elsewhereText(elsewhere)}`;
  return `No load balancer lists ${node.id} now.${listed}`;
}

function elsewhereText(elsewhere: readonly FoundReport[]): string {
  const untagged = elsewhere.filter(({ doubt }) => doubt === undefined);
  const pools = [...new Set(untagged.map(({ pool }) => pool))].join(", ");
  const certain = untagged.length === 0 ? [] : [`Still registered in pools without that tag: ${pools}.`];
  const possible = doubtfulLines(elsewhere);
  return [...certain, ...(possible.length === 0 ? [] : ["Possibly registered:", ...possible])].join("\n");
}

function refusedText({ message, pools }: Outcome<"refused">): string {
  const advice = pools.length === 0 ? [] : ["", ...aligned(pools.map(guardedCells))];
  return [`Refused: ${message}. On the command line: --force.`, ...advice].join("\n");
}

function fastPathText({ fastPath, limit }: PlanReport): readonly string[] {
  if (fastPath === undefined) return [];
  const when = limit.reason === "deadline" ? "" : ", for a spot interruption";
  const checks = `health checks of ${fastPath.pools.join(", ")} fail within ${seconds(fastPath.failsWithinSeconds)}`;
  return [`Fast path (NLB_FAST_PATH)${when}: the node is tainted, and ${checks}.`];
}

function guardLines({ guard }: PlanReport, { paint }: Look): readonly string[] {
  if (guard === undefined || guard.pools.length + (guard.refusal === undefined ? 0 : 1) === 0) return [];
  const refusal = guard.refusal && `It would be refused: ${guard.refusal.message}. On the command line: --force.`;
  const lines = aligned(guard.pools.map(guardedCells)).map((line) => `  ${line}`);
  return [
    "",
    ...(refusal === undefined ? [] : [paint("bad", refusal)]),
    "Healthy targets that would remain:",
    ...lines,
  ];
}

/** `alb`, `web-lb / web`, `2 of 3, 1 needed` */
function guardedCells({ healthyNow, wouldStay, needed, zone, ...place }: GuardedReport): readonly string[] {
  const [kind = "", name = ""] = placeCells({ ...place, target: "" });
  const tooFew = wouldStay < needed ? ": too few" : "";
  return [
    kind,
    zone === undefined ? name : `${name} in ${zone}`,
    `${wouldStay} of ${healthyNow}, ${needed} needed${tooFew}`,
  ];
}

function limitText({ limit, searched, error, registrations, eviction }: Outcome<"deadline-passed">): string {
  const left = remaining(registrations).filter(({ state }) => state !== "kept").length;
  const why = error === undefined ? "" : ` ${error.message}.`;
  if (registrations.length === 0)
    return `Not drained: the ${limit.reason} came before the registrations of the node were known.${why}`;
  const what = limit.reason === "deadline" ? "deadline (minus its margin)" : limit.reason;
  const missed = [
    ...(left > 0 ? [`the end of ${times(left)}`] : []),
    ...(searched ? [] : ["all load balancers had been searched"]),
    ...(eviction !== undefined && eviction.remaining.length > 0 ? ["all pods had been evicted"] : []),
  ];
  return `Not drained: the ${what} came before ${missed.join(", and before ")}.${why}`;
}

function resultText(result: ResultReport): string {
  const what = placeCells(result).join(" ");
  switch (result.state) {
    case "released":
      return `  released    ${what}, after ${seconds(result.heldSeconds)}${earlyText(result)}`;
    case "holding":
      return `  holding     ${what}, ${seconds(result.heldSeconds)}${result.holdSeconds === undefined ? "" : ` of ${seconds(result.holdSeconds)}`}; new traffic ${result.newTrafficStopped ? "had stopped" : "may still come"}`;
    case "registered":
      return `  registered  ${what}, still${result.error === undefined ? "" : `: ${result.error.message}`}`;
    case "failed":
      return `  failed      ${what}: ${result.error?.message ?? ""}`;
    case "kept":
      return `  kept        ${what}: its requests end when the machine terminates`;
    default:
      return result.state satisfies never;
  }
}

function earlyText({ idleSeconds, holdSeconds }: ResultReport): string {
  if (idleSeconds === undefined) return "";
  const delay = holdSeconds === undefined ? "" : ` of ${seconds(holdSeconds)}`;
  return `${delay}: no connection for ${seconds(idleSeconds)}`;
}

function unsavedText(plan: PlanReport): readonly string[] {
  const byMessage = new Map<string, string[]>();
  for (const { kind, pool, unsaved } of plan.registrations) {
    for (const { message } of unsaved) {
      const key = `${kind}: ${message}`;
      byMessage.set(key, [...(byMessage.get(key) ?? []), pool]);
    }
  }
  if (byMessage.size === 0) return [];
  const lines = [...byMessage].map(([message, pools]) => `  ${message}\n    in ${[...new Set(pools)].join(", ")}`);
  return ["", "Traffic that AWS does not allow to save:", ...lines];
}

function remaining(results: readonly ResultReport[]): readonly ResultReport[] {
  return results.filter(({ state }) => state !== "released");
}

function note(warning: string, { paint }: Look = PLAIN_LOOK): string {
  return paint("note", `Warning: ${warning}.`);
}

/** How the drains of a node were undone, for people. */
export function nodeUndoText({ node, drains, uncordoned, error }: NodeUndoReport): string {
  const undone = drains.length > 0 ? drains.map(undoText) : [`Nothing to undo: ${node.id} has no drain to undo.`];
  const schedulable = uncordoned === undefined ? [] : [`Node ${uncordoned} is schedulable.`];
  const failed =
    error === undefined
      ? []
      : [note(`node ${node.name} may still be excluded or cordoned (${error.message}); run it again`)];
  return [...undone, ...schedulable, ...failed].join("\n");
}

/** How a drain was undone, for people. */
export function undoText({ drainId, node, registrations, stillExcluded }: UndoReport): string {
  const count = (state: UndoneReport["state"]) => registrations.filter((one) => one.state === state).length;
  const again = `${times(count("registered"))} registered again`;
  const failed = count("failed");
  const excluded = stillExcluded === undefined ? [] : [note(excludedText(node, stillExcluded))];
  if (registrations.every(({ state }) => state === "untouched") && stillExcluded === undefined)
    return `Nothing to undo: the drain ${drainId} of ${node.id} had deregistered nothing.`;
  const summary =
    failed === 0 && stillExcluded === undefined
      ? `Drain ${drainId} of ${node.id} is undone: ${again}.`
      : `Drain ${drainId} of ${node.id} is not undone: ${again}, ${failed} failed.`;
  const rows = aligned(registrations.map((one) => ["", one.state, ...placeCells(one), why(one)]));
  return [summary, ...rows, ...excluded].join("\n");
}

function excludedText({ name }: UndoReport["node"], { message }: NonNullable<UndoReport["stillExcluded"]>): string {
  return `node ${name} is still excluded from load balancers (${message}); remove its label ${EXCLUDE_LABEL} with kubectl`;
}

function why({ state, error }: UndoneReport): string {
  if (state === "left") return "another program had deregistered it before the drain";
  if (state === "untouched") return "the drain had not deregistered it";
  return error?.message ?? "";
}
