import type { Registration } from "../drain/cloud-provider.ts";
import { type DrainError, printable } from "../drain/errors.ts";
import type { DrainEvent, DrainObserver } from "../drain/events.ts";
import type { EvictionEvent } from "../drain/eviction.ts";
import type { ExclusionEvent } from "../drain/exclusion.ts";
import type { EarlyEnd } from "../drain/hold.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import { possiblyRegisteredText } from "../drain/plan.ts";
import { type DrainRequest, type NodeReference, REASON_CHARACTERS_MAX } from "../drain/request.ts";
import type { UndoOutcome } from "../drain/undo.ts";
import type { Log } from "./log.ts";

/** One line for each step of each drain: the event, the drain, the node and the pool. */
export function drainLog(log: Log): DrainObserver {
  return (event) => {
    const about = { drain: event.drainId, node: event.node.id };
    switch (event.type) {
      case "started":
        return log("drain started", { ...about, name: event.node.name, ...why(event) });
      case "resumed":
        return log("drain resumed", { ...about, name: event.node.name });
      case "planned": {
        const { registrations, longestHoldMs, limit, warnings } = event.plan;
        log("drain planned", {
          ...about,
          name: event.node.name,
          registrations: registrations.length,
          longestHoldSeconds: seconds(longestHoldMs),
          limit: limit.reason,
          limitAt: new Date(limit.at).toISOString(),
        });
        for (const warning of warnings) log("plan warning", { ...about, warning });
        return;
      }
      case "joined":
        return log("drain joined", { ...about, ...why(event) });
      case "deregistered":
        return log(beginningOf(event), { ...about, ...where(event.registration), ...holdUntil(event) });
      case "guarded":
        return log(guardMessage(event), { ...about, ...where(event.registration), ...event.standing });
      case "deregister-failed":
        return log("deregistration failed", { ...about, ...where(event.registration), ...failure(event.error) });
      case "deregistering-again": {
        const message = event.because === "back" ? "target came back" : "deregistration had no effect";
        return log(message, { ...about, ...where(event.registration) });
      }
      case "poll-failed":
        return log("target health read failed", { ...about, ...where(event.registration), ...failure(event.error) });
      case "read-failed": {
        const message = event.what === "health" ? "pool health read failed" : "registrations read failed";
        return log(message, { ...about, ...failure(event.error) });
      }
      case "released": {
        const heldSeconds = seconds(event.heldMs);
        return log("target released", { ...about, ...where(event.registration), heldSeconds, ...earlyEnd(event) });
      }
      case "failed":
        return log("target not drained", { ...about, ...where(event.registration), ...failure(event.error) });
      case "excluded":
      case "included":
      case "tainted":
      case "untainted":
      case "exclude-failed":
      case "include-failed":
      case "taint-failed":
      case "untaint-failed":
        return logExclusion(log, about, event);
      case "evicting":
      case "evicted":
      case "eviction-refused":
      case "evict-failed":
        return logEviction(log, about, event);
      case "awaiting-earlier-try":
        return log("drain extended", { ...about, until: new Date(event.until).toISOString() });
      case "ended":
        return logEnd(log, event.outcome, { ...about, tookSeconds: seconds(event.tookMs) });
      case "cancelled":
        return log("undo started", about);
      case "registered":
        return log("target registered", { ...about, ...where(event.registration) });
      case "register-failed":
        return log("registration failed", { ...about, ...where(event.registration), ...failure(event.error) });
      case "undone":
        return logUndone(log, about, event.outcome);
      default:
        return event satisfies never;
    }
  };
}

/** One line for each failure to find the node of a request. */
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

function logExclusion(log: Log, about: DrainFields, event: ExclusionEvent): void {
  if ("error" in event) log(EXCLUSION[event.type], { ...about, ...failure(event.error) });
  else if (event.name === undefined) log("node not in cluster", about);
  else log(EXCLUSION[event.type], { ...about, name: event.name });
}

function logEviction(log: Log, about: { readonly drain: string; readonly node: string }, event: EvictionEvent) {
  switch (event.type) {
    case "evicting":
      return log("eviction started", { ...about, pods: event.pods });
    case "evicted":
      return log("pods evicted", { ...about, pods: event.pods });
    case "eviction-refused": {
      const { pod, budget, willRetry } = event;
      const more = { pod, ...(budget === undefined ? {} : { budget }), willRetry };
      return log("eviction refused", { ...about, ...more, ...failure(event.error) });
    }
    case "evict-failed":
      return log("eviction failed", { ...about, ...failure(event.error) });
    default:
      return event satisfies never;
  }
}

function guardMessage({ verdict, standing }: Extract<DrainEvent, { type: "guarded" }>) {
  return verdict === "overridden" && standing === undefined ? "guard skipped" : GUARDED[verdict];
}

const GUARDED = {
  waiting: "deregistration delayed",
  waited: "replacement found",
  overridden: "guard overridden",
  kept: "target kept",
} as const;

/** A request that ended before its node was known, so that no drain could begin. */
export function logWithoutDrain(log: Log, outcome: DrainOutcome, { node: { by, value } }: DrainRequest): void {
  if ("node" in outcome && outcome.node !== undefined) return;
  const asked = { [by]: value };
  // A request for a node that does not exist is no fault of the service.
  if (outcome.status === "failed") log("request failed", { asked, outcome: outcome.status, ...failure(outcome.error) });
  else logEnd(log, outcome, { asked });
}

function logUndone(log: Log, about: DrainFields, { registrations }: UndoOutcome): void {
  const failed = registrations.filter(({ state }) => state === "failed").length;
  if (failed === 0) log("undo completed", about);
  else log("undo failed", { ...about, failed });
}

interface DrainFields {
  readonly drain: string;
  readonly node: string;
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

function why({ reason, forced }: { readonly reason?: string; readonly forced?: true }) {
  return {
    ...(reason === undefined ? {} : { reason: printable(reason, REASON_CHARACTERS_MAX) }),
    ...(forced === undefined ? {} : { forced }),
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

function beginningOf({ foundDraining, heldSince }: Extract<DrainEvent, { type: "deregistered" }>) {
  if (heldSince !== undefined) return "hold resumed";
  return foundDraining ? "target found draining" : "target deregistered";
}

/** Absent until the terms of the pool are known; the plan has it then. */
function holdUntil({ holdUntil: at }: { readonly holdUntil?: number }) {
  return at === undefined ? {} : { holdUntil: new Date(at).toISOString() };
}

function earlyEnd({ idleMs, notEarly }: EarlyEnd) {
  return { ...(idleMs !== undefined && { idleSeconds: seconds(idleMs) }), ...(notEarly && { notEarly }) };
}
