import type { Registration } from "../drain/cloud-provider.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { DrainOutcome, RegistrationFate } from "../drain/outcome.ts";
import type { DrainPlan } from "../drain/plan.ts";

/** What people read: a plan, a step of a drain, its end. */

export function planText(plan: DrainPlan): string {
  const { node } = plan;
  const about = [node.id, node.name, node.network, node.cluster && `cluster ${node.cluster}`]
    .filter(Boolean)
    .join("  ");
  if (plan.registrations.length === 0) {
    return [about, "", nothingRegistered(plan), ...plan.warnings.map(note)].join("\n");
  }
  const rows = plan.registrations.map(({ registration, action, holdMs, shortByMs }) => [
    registration.pool.kind,
    placeOf(registration),
    registration.target,
    registration.detail,
    action === "hold" ? "hold (already draining)" : "deregister",
    `${registration.pool.kind === "classic" ? "at most " : ""}${seconds(holdMs)}`,
    shortByMs > 0 ? `${seconds(shortByMs)} short` : "fits",
  ]);
  const header = ["KIND", "LOAD BALANCER / POOL", "TARGET", "STATE", "WOULD", "HOLD", "BEFORE THE LIMIT"];
  const limit = plan.limit.reason === "deadline" ? "the deadline, less its margin" : "the timeout";
  return [
    about,
    "",
    ...aligned([header, ...rows]),
    "",
    `Longest hold: ${seconds(plan.longestHoldMs)}. The limit is ${limit}, at ${clockTime(plan.limit.at)}.`,
    ...plan.warnings.map(note),
    ...unsavedText(plan),
  ].join("\n");
}

/** The plan in a line, and one for each of its warnings. */
export function planSummary({ node, registrations, longestHoldMs, warnings }: DrainPlan): string {
  const found = `${node.id} has ${times(registrations.length)}; longest hold ${seconds(longestHoldMs)}`;
  return [found, ...warnings.map((warning) => `warning: ${warning}`)].join("\n");
}

/** One line a step, for whoever watches without a terminal. */
export function eventText(event: DrainEvent, elapsedMs: number): string | undefined {
  const at = `${String(Math.round(elapsedMs / 1_000)).padStart(4)} s `;
  switch (event.type) {
    case "planned":
      return planSummary(event.plan).replace(/^/gm, at);
    case "started":
      return `${at}looking for ${event.node.id} (${event.node.name})`;
    case "joined":
      return `${at}joined the drain ${event.drainId}`;
    case "deregistered":
      return `${at}${event.foundDraining ? "found draining" : "deregistered"}  ${registrationText(event.registration)}`;
    case "deregistering-again":
      return `${at}${event.because === "back" ? "somebody registered it again" : "still registered"}: deregistering again  ${registrationText(event.registration)}`;
    case "deregister-failed":
      return `${at}${registrationText(event.registration)}: could not deregister, will try again: ${event.error.message}`;
    case "look-failed":
      return `${at}could not look (${event.error.message}), trying again  ${registrationText(event.registration)}`;
    case "released":
      return `${at}released after ${seconds(event.heldMs)}  ${registrationText(event.registration)}`;
    case "failed":
      return `${at}failed: ${event.error.message}  ${registrationText(event.registration)}`;
    case "ended":
      return undefined;
    default:
      return event satisfies never;
  }
}

export function outcomeText(outcome: DrainOutcome, tookMs: number): string {
  switch (outcome.status) {
    case "drained":
      return drainedText(outcome, tookMs);
    case "nothing-registered":
      return nothingRegistered(outcome);
    case "planned":
      return `${planText(outcome.plan)}\n\nDry run: nothing was changed.`;
    case "instance-gone":
      return outcome.message;
    case "deadline-passed":
      return [limitText(outcome), ...remaining(outcome.registrations).map(fateText)].join("\n");
    case "abandoned":
      return outcome.registrations.length === 0
        ? "Stopped before anything was deregistered."
        : [
            "Stopped before the end. What was deregistered stays deregistered:",
            ...outcome.registrations.map(fateText),
          ].join("\n");
    case "failed":
      return [
        `Not drained (${outcome.error.code}): ${outcome.error.message}`,
        ...outcome.registrations.map(fateText),
      ].join("\n");
    default:
      return outcome satisfies never;
  }
}

/** `alb`, `web-lb / web`, `i-0123456789abcdef0:30080` */
export function registrationCells(registration: Registration): readonly string[] {
  return [registration.pool.kind, placeOf(registration), registration.target];
}

/** Each row's cells in a line, those of a column below each other. */
export function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function registrationText(registration: Registration): string {
  return registrationCells(registration).join(" ");
}

export function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`;
}

type Outcome<S extends DrainOutcome["status"]> = Extract<DrainOutcome, { status: S }>;

function drainedText({ node, registrations, elsewhere }: Outcome<"drained">, tookMs: number): string {
  const drained = `${node.id} is drained: ${times(registrations.length)} deregistered and held, in ${seconds(tookMs)}.`;
  return elsewhere.length === 0 ? `${drained} It can go.` : `${drained} ${elsewhereText(elsewhere)}`;
}

function nothingRegistered({ node, elsewhere }: Pick<DrainPlan, "node" | "elsewhere">): string {
  if (elsewhere.length === 0) return `No load balancer knows ${node.id}: it can go.`;
  return `No load balancer with the cluster's tag knows ${node.id}. ${elsewhereText(elsewhere)}`;
}

function elsewhereText(elsewhere: readonly Registration[]): string {
  const pools = [...new Set(elsewhere.map(({ pool }) => pool.name))].join(", ");
  return `Still registered, without that tag, in ${pools}.`;
}

function limitText({ limit, registrations }: Outcome<"deadline-passed">): string {
  const left = remaining(registrations).length;
  if (registrations.length === 0)
    return `Not drained: the ${limit.reason} came before the node's registrations were known.`;
  if (left === 0) return `Not drained: the ${limit.reason} came before all of the node's registrations were known.`;
  const what = limit.reason === "deadline" ? "deadline, less its margin," : limit.reason;
  return `Not drained: the ${what} came before the end of ${times(left)}.`;
}

function fateText(fate: RegistrationFate): string {
  const what = registrationText(fate.registration);
  switch (fate.state) {
    case "released":
      return `  released    ${what}, after ${seconds(fate.heldMs)}`;
    case "holding":
      return `  holding     ${what}, ${seconds(fate.heldMs)}${fate.holdMs === undefined ? "" : ` of ${seconds(fate.holdMs)}`}; new traffic ${fate.newTrafficStopped ? "had stopped" : "may still come"}`;
    case "registered":
      return `  registered  ${what}, still${fate.error === undefined ? "" : `: ${fate.error.message}`}`;
    case "failed":
      return `  failed      ${what}: ${fate.error?.message ?? ""}`;
    default:
      return fate.state satisfies never;
  }
}

function unsavedText(plan: DrainPlan): readonly string[] {
  const byMessage = new Map<string, string[]>();
  for (const { registration, unsaved } of plan.registrations) {
    for (const { message } of unsaved) {
      const key = `${registration.pool.kind}: ${message}`;
      byMessage.set(key, [...(byMessage.get(key) ?? []), registration.pool.name]);
    }
  }
  if (byMessage.size === 0) return [];
  const lines = [...byMessage].map(([message, pools]) => `  ${message}\n    in ${[...new Set(pools)].join(", ")}`);
  return ["", "What AWS will not let anybody save:", ...lines];
}

function placeOf({ pool }: Registration): string {
  if (pool.loadBalancer === undefined) return `(no load balancer) / ${pool.name}`;
  return pool.loadBalancer === pool.name ? pool.name : `${pool.loadBalancer} / ${pool.name}`;
}

function remaining(fates: readonly RegistrationFate[]): readonly RegistrationFate[] {
  return fates.filter(({ state }) => state !== "released");
}

function note(warning: string): string {
  return `Warning: ${warning}.`;
}

function times(count: number): string {
  return count === 1 ? "1 registration" : `${count} registrations`;
}

function clockTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
