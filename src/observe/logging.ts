import type { Registration } from "../drain/cloud-provider.ts";
import { type DrainError, printable } from "../drain/errors.ts";
import type { DrainEvent, DrainObserver } from "../drain/events.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import { type DrainRequest, REASON_CHARACTERS_MAX } from "../drain/request.ts";
import type { UndoOutcome } from "../drain/undo.ts";
import type { Log } from "./log.ts";

/** One line for each step of each drain, which says what happened, in which drain, on which node, in which pool. */
export function drainLog(log: Log): DrainObserver {
  return (event) => {
    const about = { drain: event.drainId, node: event.node.id };
    switch (event.type) {
      case "started":
        return log.info({ ...about, name: event.node.name, ...why(event) }, "draining");
      case "resumed":
        return log.info({ ...about, name: event.node.name }, "taking up a drain that was begun before the restart");
      case "planned": {
        const { registrations, longestHoldMs, limit, warnings } = event.plan;
        const limitAt = new Date(limit.at).toISOString();
        log.info(
          {
            ...about,
            name: event.node.name,
            registrations: registrations.length,
            longestHoldSeconds: seconds(longestHoldMs),
            limit: limit.reason,
            limitAt,
          },
          "planned",
        );
        for (const warning of warnings) log.warn(about, warning);
        return;
      }
      case "joined":
        return log.info({ ...about, ...why(event) }, "another request joined this drain");
      case "deregistered":
        return log.info({ ...about, ...where(event.registration), ...holdUntil(event) }, deregisteredText(event));
      case "guarded": {
        const line = { ...about, ...where(event.registration), ...event.standing };
        return log[event.verdict === "waited" ? "info" : "warn"](line, guardedText(event));
      }
      case "deregister-failed":
        return log.warn(
          { ...about, ...where(event.registration), ...failure(event.error) },
          "could not deregister, will try again",
        );
      case "deregistering-again":
        return log.warn(
          { ...about, ...where(event.registration) },
          event.because === "back"
            ? "somebody registered it again, deregistering again"
            : "still registered, deregistering again",
        );
      case "look-failed":
        return log.warn(
          { ...about, ...where(event.registration), ...failure(event.error) },
          "could not look, will try again",
        );
      case "released":
        return log.info({ ...about, ...where(event.registration), heldSeconds: seconds(event.heldMs) }, "released");
      case "failed":
        return log.error({ ...about, ...where(event.registration), ...failure(event.error) }, "could not be taken out");
      case "awaiting-earlier-try":
        return log.info(
          { ...about, until: new Date(event.until).toISOString() },
          "waiting: an earlier try may have deregistered what is listed no more",
        );
      case "ended":
        return logEnd(log, about, event);
      case "cancelled":
        return log.info(about, "cancelled: registering again what the drain has deregistered");
      case "registered":
        return log.info({ ...about, ...where(event.registration) }, "registered again");
      case "register-failed":
        return log.error(
          { ...about, ...where(event.registration), ...failure(event.error) },
          "could not be registered again",
        );
      case "undone":
        return logUndone(log, about, event.outcome);
      default:
        return event satisfies never;
    }
  };
}

function guardedText({ verdict, standing }: Extract<DrainEvent, { type: "guarded" }>): string {
  if (verdict === "overridden" && standing === undefined)
    return "deregistering without the guard: target health could not be read in time";
  return GUARDED[verdict];
}

const GUARDED = {
  waiting: "waiting for a replacement: too few healthy targets would stay",
  waited: "enough healthy targets would stay now, deregistering",
  overridden: "deregistering though too few healthy targets stay",
  kept: "kept until the machine goes: it is the last healthy target",
} as const;

/** A request that ended before its node was known, so that no drain could begin. */
export function logWithoutDrain(log: Log, outcome: DrainOutcome, { node: { by, value } }: DrainRequest): void {
  if ("node" in outcome && outcome.node !== undefined) return;
  const { level, message, more = {} } = endOf(outcome);
  // Somebody asked for a node that there is not: nothing is wrong here.
  log[level === "error" ? "warn" : level]({ outcome: outcome.status, asked: { [by]: value }, ...more }, message);
}

function logEnd(log: Log, about: object, { outcome, tookMs }: Extract<DrainEvent, { type: "ended" }>): void {
  const { level, message, more = {} } = endOf(outcome);
  log[level]({ ...about, outcome: outcome.status, tookSeconds: seconds(tookMs), ...more }, message);
}

function logUndone(log: Log, about: object, { registrations }: UndoOutcome): void {
  const failed = registrations.filter(({ state }) => state === "failed").length;
  if (failed === 0) log.info(about, "undone: all that the drain had deregistered is registered again");
  else log.error({ ...about, failed }, "not undone: some of it stays deregistered");
}

interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly more?: object;
}

function endOf(outcome: DrainOutcome): LogLine {
  switch (outcome.status) {
    case "drained":
      return { level: "info", message: "drained: the node can go" };
    case "nothing-registered":
      return outcome.elsewhere.length === 0
        ? { level: "info", message: "nothing was registered: the node can go" }
        : {
            level: "warn",
            message: "registered only in pools without the cluster's tag, which DISCOVERY=tag leaves alone",
          };
    case "refused": {
      const { reason, message, pools } = outcome.refusal;
      const short = pools.map(({ pool, ...standing }) => ({ pool: pool.name, ...standing }));
      return {
        level: "warn",
        message: "refused: nothing was deregistered",
        more: { reason, why: message, pools: short },
      };
    }
    case "planned":
      return { level: "info", message: "dry run: nothing was changed" };
    case "instance-gone":
      return { level: "info", message: outcome.message };
    case "deadline-passed":
      return {
        level: "warn",
        message: `not drained: the ${outcome.limit.reason} came first`,
        more: {
          searched: outcome.searched,
          ...(outcome.error === undefined ? {} : failure(outcome.error)),
          remaining: remaining(outcome.registrations),
        },
      };
    case "abandoned":
      return {
        level: "warn",
        message: "abandoned; what was deregistered stays deregistered",
        more: { remaining: remaining(outcome.registrations) },
      };
    case "cancelled":
      return { level: "info", message: "cancelled: the node can't go" };
    case "superseded": {
      const open = outcome.registrations.filter(({ deregistered }) => deregistered);
      const isOut = open.length > 0 && outcome.undone === undefined;
      const message = isOut
        ? "drain ended: the machine runs, and was not registered again because UNDO is not enabled"
        : "drain ended: the announcement is out of date";
      const left = isOut ? { deregistered: open.map(({ registration }) => nameOf(registration)) } : {};
      return { level: isOut ? "warn" : "info", message, more: { why: outcome.message, ...left } };
    }
    case "failed":
      return { level: "error", message: "not drained", more: failure(outcome.error) };
    default:
      return outcome satisfies never;
  }
}

function remaining(
  fates: readonly { readonly state: string; readonly registration: Registration }[],
): readonly string[] {
  return fates
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

function where({ pool, target }: Registration) {
  return { kind: pool.kind, loadBalancer: pool.loadBalancer, pool: pool.name, target };
}

function failure({ code, message, cause }: DrainError) {
  // A fault of ours is mended by whoever knows where it happened.
  const at = code === "internal" && cause instanceof Error ? { at: cause.stack?.split("\n").slice(1) } : {};
  return { code, error: message, ...at };
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

function deregisteredText({ foundDraining, heldSince }: Extract<DrainEvent, { type: "deregistered" }>): string {
  if (heldSince !== undefined) return "deregistered earlier, holding";
  return foundDraining ? "found draining already, holding" : "deregistered, holding";
}

/** Not known while nobody has said yet how the pool lets go; the plan has it then. */
function holdUntil({ holdUntil: at }: { readonly holdUntil?: number }) {
  return at === undefined ? {} : { holdUntil: new Date(at).toISOString() };
}
