import type { Registration } from "../drain/cloud-provider.ts";
import { type DrainError, printable } from "../drain/errors.ts";
import type { DrainEvent, DrainObserver } from "../drain/events.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import { possiblyRegisteredText } from "../drain/plan.ts";
import { type AskedRequest, type DrainRequest, type NodeReference, REASON_CHARACTERS_MAX } from "../drain/request.ts";
import type { ExclusionStep, OfType } from "../drain/steps.ts";
import type { UndoOutcome } from "../drain/undo.ts";
import type { Log } from "./log.ts";

/** One line for each step of each drain: the event, the drain, the node and the pool. */
export function drainLog(log: Log): DrainObserver {
  return (event) => {
    const line = LINES[event.type] as (log: Log, about: DrainFields, event: DrainEvent) => void;
    line(log, { drain: event.drainId, node: event.node.id }, event);
  };
}

interface DrainFields {
  readonly drain: string;
  readonly node: string;
}

type LineOf<T> = (log: Log, about: DrainFields, event: OfType<DrainEvent, T>) => void;

const NO_LINE = () => {};

/** The log line of each step. */
const LINES: { readonly [T in DrainEvent["type"]]: LineOf<T> } = {
  accepted: (log, about, { node, request }) => log("drain started", { ...about, name: node.name, ...why(request) }),
  joined: (log, about, { request }) => log("drain joined", { ...about, ...why(request) }),
  resumed: (log, about, { node }) => log("drain resumed", { ...about, name: node.name }),
  // The plan has a summary.
  found: NO_LINE,
  planned: (log, about, { node, plan }) => {
    const { registrations, longestHoldMs, limit, warnings } = plan;
    log("drain planned", {
      ...about,
      name: node.name,
      registrations: registrations.length,
      longestHoldSeconds: seconds(longestHoldMs),
      limit: limit.reason,
      limitAt: new Date(limit.at).toISOString(),
    });
    for (const warning of warnings) log("plan warning", { ...about, warning });
  },
  deregistered: (log, about, event) =>
    log(beginningOf(event), { ...about, ...where(event.registration), ...holdUntil(event) }),
  guarded: (log, about, event) =>
    log(guardMessage(event), { ...about, ...where(event.registration), ...event.standing }),
  "deregister-failed": (log, about, { registration, error }) =>
    log("deregistration failed", { ...about, ...where(registration), ...failure(error) }),
  "deregistering-again": (log, about, { registration, because }) => {
    const message = because === "back" ? "target came back" : "deregistration had no effect";
    log(message, { ...about, ...where(registration) });
  },
  "poll-failed": (log, about, { registration, error }) =>
    log("target health read failed", { ...about, ...where(registration), ...failure(error) }),
  "read-failed": (log, about, { what, error }) => {
    const message = what === "health" ? "pool health read failed" : "registrations read failed";
    log(message, { ...about, ...failure(error) });
  },
  released: (log, about, { registration, heldMs, idleMs, notEarly }) => {
    const early = { ...(idleMs !== undefined && { idleSeconds: seconds(idleMs) }), ...(notEarly && { notEarly }) };
    log("target released", { ...about, ...where(registration), heldSeconds: seconds(heldMs), ...early });
  },
  failed: (log, about, { registration, error }) =>
    log("target not drained", { ...about, ...where(registration), ...failure(error) }),
  excluded: logExclusion,
  included: logExclusion,
  tainted: logExclusion,
  untainted: logExclusion,
  "exclude-failed": logExclusion,
  "include-failed": logExclusion,
  "taint-failed": logExclusion,
  "untaint-failed": logExclusion,
  evicting: (log, about, { pods }) => log("eviction started", { ...about, pods }),
  evicted: (log, about, { pods }) => log("pods evicted", { ...about, pods }),
  "eviction-refused": (log, about, { pod, budget, willRetry, error }) => {
    const more = { pod, ...(budget === undefined ? {} : { budget }), willRetry };
    log("eviction refused", { ...about, ...more, ...failure(error) });
  },
  "evict-failed": (log, about, { error }) => log("eviction failed", { ...about, ...failure(error) }),
  "awaiting-earlier-try": (log, about, { until }) =>
    log("drain extended", { ...about, until: new Date(until).toISOString() }),
  ended: (log, about, { outcome, tookMs }) => logEnd(log, outcome, { ...about, tookSeconds: seconds(tookMs) }),
  passed: NO_LINE,
  began: NO_LINE,
  // The lines about the end of the drain and the beginning of the undo say this.
  cancelled: NO_LINE,
  undoing: (log, about) => log("undo started", about),
  registered: (log, about, { registration }) => log("target registered", { ...about, ...where(registration) }),
  "register-failed": (log, about, { registration, error }) =>
    log("registration failed", { ...about, ...where(registration), ...failure(error) }),
  undone: (log, about, { outcome }) => logUndone(log, about, outcome),
};

/** One line for each failed attempt to find the node of a request. */
export function lookupLog(log: Log): (asked: NodeReference, error: DrainError) => void {
  return ({ by, value }, error) => log("node lookup failed", { asked: { [by]: value }, ...failure(error) });
}

const EXCLUSION = {
  excluded: "node excluded",
  included: "node exclusion removed",
  tainted: "node tainted",
  untainted: "node taint removed",
  "exclude-failed": "node exclusion failed",
  "include-failed": "node exclusion not removed",
  "taint-failed": "node taint failed",
  "untaint-failed": "node taint not removed",
} as const;

function logExclusion(log: Log, about: DrainFields, event: ExclusionStep): void {
  if ("error" in event) log(EXCLUSION[event.type], { ...about, ...failure(event.error) });
  else if (event.name === undefined) log("node not in cluster", about);
  else log(EXCLUSION[event.type], { ...about, name: event.name });
}

function guardMessage({ verdict, standing }: OfType<DrainEvent, "guarded">) {
  return verdict === "overridden" && standing === undefined ? "guard skipped" : GUARDED[verdict];
}

const GUARDED = {
  waiting: "deregistration delayed",
  waited: "replacement found",
  overridden: "guard overridden",
  kept: "target kept",
} as const;

/** A request that ended before its node was found, so that no drain could begin. */
export function logWithoutDrain(log: Log, outcome: DrainOutcome, { node: { by, value } }: DrainRequest): void {
  if ("node" in outcome && outcome.node !== undefined) return;
  const asked = { [by]: value };
  // A request for a node that does not exist is not a fault of the service.
  if (outcome.status === "failed") log("request failed", { asked, outcome: outcome.status, ...failure(outcome.error) });
  else logEnd(log, outcome, { asked });
}

function logUndone(log: Log, about: DrainFields, { registrations }: UndoOutcome): void {
  const failed = registrations.filter(({ state }) => state === "failed").length;
  if (failed === 0) log("undo completed", about);
  else log("undo failed", { ...about, failed });
}

function logEnd(log: Log, outcome: DrainOutcome, drain: object) {
  const about = { ...drain, outcome: outcome.status };
  switch (outcome.status) {
    case "drained":
      return log("drain completed", about);
    case "nothing-registered":
      return log(outcome.elsewhere.length === 0 ? "drain completed" : "node registered without cluster tag", about);
    case "possibly-registered":
      return log("node possibly registered", { ...about, error: possiblyRegisteredText(outcome.elsewhere) });
    case "refused": {
      const { reason, message, pools } = outcome.refusal;
      const short = pools.map(({ pool, ...standing }) => ({ pool: pool.name, ...standing }));
      return log("drain refused", { ...about, code: reason, error: message, pools: short });
    }
    case "planned":
      return log("dry run completed", about);
    case "instance-gone":
      return log("instance already terminated", { ...about, detail: outcome.message });
    case "deadline-passed":
      return log("drain timed out", {
        ...about,
        limit: outcome.limit.reason,
        searched: outcome.searched,
        ...(outcome.error === undefined ? {} : failure(outcome.error)),
        remaining: remaining(outcome.registrations),
      });
    case "abandoned":
      return log("drain abandoned", { ...about, remaining: remaining(outcome.registrations) });
    case "cancelled":
      return log("drain cancelled", about);
    case "superseded": {
      const { message: detail, registrations, undone } = outcome;
      const open = registrations.filter(({ deregistered }) => deregistered);
      if (open.length === 0 || undone !== undefined) return log("drain superseded", { ...about, detail });
      const remains = open.map(({ registration }) => nameOf(registration));
      return log("node left deregistered", { ...about, detail, remaining: remains });
    }
    case "failed":
      return log("drain failed", { ...about, ...failure(outcome.error) });
    default:
      return outcome satisfies never;
  }
}

function remaining(
  results: readonly { readonly state: string; readonly registration: Registration }[],
): readonly string[] {
  return results
    .filter(({ state }) => state !== "released" && state !== "kept")
    .map(({ registration }) => nameOf(registration));
}

function nameOf({ pool, target }: Registration): string {
  return `${pool.name} ${target}`;
}

function why({ reason, force }: Pick<AskedRequest, "reason" | "force">) {
  return {
    ...(reason === undefined ? {} : { reason: printable(reason, REASON_CHARACTERS_MAX) }),
    ...(force === true ? { forced: true as const } : {}),
  };
}

function where({ pool: { kind, loadBalancer, name, place }, target }: Registration) {
  return { kind, loadBalancer, pool: name, ...(place === undefined ? {} : { place }), target };
}

function failure({ code, message, cause }: DrainError) {
  // The place of a fault of this program, for its developers.
  const at = code === "internal" && cause instanceof Error ? { at: cause.stack?.split("\n").slice(1) } : {};
  return { code, error: message, ...at };
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

function beginningOf({ foundDraining, since }: OfType<DrainEvent, "deregistered">) {
  if (since !== undefined) return "hold resumed";
  return foundDraining ? "target found draining" : "target deregistered";
}

/** Absent until the terms of the pool are known. The plan has it then. */
function holdUntil({ holdUntil: at }: { readonly holdUntil?: number }) {
  return at === undefined ? {} : { holdUntil: new Date(at).toISOString() };
}
