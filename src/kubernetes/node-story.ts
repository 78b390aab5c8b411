import type { Registration } from "../drain/cloud-provider.ts";
import type { DrainEvent } from "../drain/events.ts";
import { type DrainOutcome, verdictOf } from "../drain/outcome.ts";

/** Each field is an annotation `hasta-la-vista.io/…`. Annotations without a field are removed. */
export interface NodeState {
  readonly state: "draining" | "drained" | "not-drained" | "undoing";
  readonly "drain-id": string;
  /** ISO 8601. */
  readonly "estimated-end"?: string;
  /** The status of the drain's outcome. */
  readonly result?: string;
}

/** The report of one event. */
export interface NodeReport {
  readonly event?: {
    readonly reason: string;
    readonly type: "Normal" | "Warning";
    readonly action: string;
    /** A sentence. */
    readonly note: string;
  };
  /** `none`: the node is in use again, and the annotations are removed. */
  readonly state?: NodeState | "none";
}

/** A node may be in hundreds of pools. This many releases and problems of one drain are Events of their own. */
const DETAILS_MAX = 15;

/** What a person reads about a drain at its node, event by event. */
export class NodeStory {
  /** By drain: the number of reported details. */
  readonly #details = new Map<string, number>();
  /** By drain: the reported troubles. */
  readonly #troubles = new Map<string, Set<string>>();

  of(event: DrainEvent): readonly NodeReport[] {
    const { drainId } = event;
    switch (event.type) {
      case "accepted":
      case "resumed":
        return [{ state: { state: "draining", "drain-id": drainId } }];
      case "excluded":
        if (event.name === undefined) return [];
        return [normal("Excluded", "Exclude", `Excluded from load balancers (drain ${drainId}).`)];
      case "tainted":
        if (event.name === undefined) return [];
        return [normal("Tainted", "Exclude", `Health checks by kube-proxy fail from now on (drain ${drainId}).`)];
      case "planned":
        // The node and its object are not changed.
        return event.dryRun ? [] : [planned(event)];
      case "deregistered":
        return this.#detail(drainId, normal("Deregistered", "Deregister", `Deregistered from ${poolOf(event)}.`));
      case "released":
        return this.#detail(
          drainId,
          normal("Released", "Hold", `${poolOf(event)} sends no more traffic (held for ${seconds(event.heldMs)}).`),
        );
      case "deregistering-again":
        return this.#trouble(event, `${poolOf(event)} lists the node again; it is deregistered again.`);
      case "guarded":
        return event.verdict === "waited" ? [] : this.#trouble(event, `${poolOf(event)}: ${GUARDED[event.verdict]}.`);
      case "exclude-failed":
      case "include-failed":
        return this.#trouble(event, `The label could not be changed: ${event.error.message}.`);
      case "taint-failed":
      case "untaint-failed":
        return this.#trouble(event, `The taint could not be changed: ${event.error.message}.`);
      case "deregister-failed":
      case "poll-failed":
      case "failed":
        return this.#trouble(event, `${poolOf(event)}: ${event.error.message}.`);
      case "evicting":
        return [normal("Evicting", "Evict", `Cordoned. ${event.pods.length} pods are evicted (drain ${drainId}).`)];
      case "evicted":
        return this.#detail(drainId, normal("Evicted", "Evict", `Evicted ${event.pods.join(", ")}.`));
      case "eviction-refused":
        return this.#trouble(event, `Pod ${event.pod} is not evicted: ${event.error.message}.`);
      case "evict-failed":
        return this.#trouble(event, `The pods could not be evicted: ${event.error.message}.`);
      case "register-failed":
        return this.#trouble(event, `${poolOf(event)} was not registered again: ${event.error.message}.`);
      case "ended":
        this.#details.delete(drainId);
        this.#troubles.delete(drainId);
        return ended(event.outcome, drainId, event.tookMs);
      case "undoing":
        return [
          {
            ...normal("Cancelled", "Undo", `Drain ${drainId} is undone: its targets are registered again.`),
            state: { state: "undoing", "drain-id": drainId },
          },
        ];
      case "undone": {
        const { stillExcluded, registrations } = event.outcome;
        this.#troubles.delete(drainId);
        const failed = registrations.filter(({ state }) => state === "failed").length;
        if (failed === 0 && stillExcluded === undefined)
          return [{ ...normal("Undone", "Undo", `Drain ${drainId} is undone.`), state: "none" }];
        return [warning("NotUndone", "Undo", `Drain ${drainId} is not undone: ${failed} targets failed.`)];
      }
      default:
        // A reader of the Node object does not need this.
        return [];
    }
  }

  /** Details beyond the limit are only in the log. */
  #detail(drainId: string, report: NodeReport): readonly NodeReport[] {
    const told = (this.#details.get(drainId) ?? 0) + 1;
    this.#details.set(drainId, told);
    return told > DETAILS_MAX ? [] : [report];
  }

  /** Each trouble once. */
  #trouble({ drainId }: Pick<DrainEvent, "drainId">, note: string): readonly NodeReport[] {
    const known = this.#troubles.get(drainId) ?? new Set();
    this.#troubles.set(drainId, known);
    if (known.has(note) || known.size >= DETAILS_MAX) return [];
    known.add(note);
    return [warning("DrainDelayed", "Drain", note)];
  }
}

const GUARDED = {
  waiting: "too few healthy targets would remain, waiting for a replacement",
  overridden: "no more time to wait for a replacement, deregistered although too few healthy targets remain",
  kept: "the last healthy target, it stays registered until the machine terminates",
} as const;

function planned({ drainId, plan }: Extract<DrainEvent, { type: "planned" }>): NodeReport {
  const end = new Date(Math.min(plan.limit.at, plan.asOf + plan.longestHoldMs)).toISOString();
  const { length } = plan.registrations;
  const note = `${length} registrations, longest hold ${seconds(plan.longestHoldMs)}, end expected at ${end}.`;
  return {
    ...normal("Draining", "Drain", [note, ...plan.warnings].join(" ")),
    state: { state: "draining", "drain-id": drainId, "estimated-end": end },
  };
}

function ended(outcome: DrainOutcome, drainId: string, tookMs: number): readonly NodeReport[] {
  const { status } = outcome;
  if (status === "planned") return [];
  const canGo = verdictOf(outcome) === "can-go";
  const state = {
    state: canGo ? ("drained" as const) : ("not-drained" as const),
    "drain-id": drainId,
    result: status,
  };
  if (canGo && status !== "deadline-passed") {
    const note = `No load balancer sends traffic to the node any more (drain ${drainId}, ${seconds(tookMs)}).`;
    return [{ ...normal("Drained", "Drain", note), state }];
  }
  if (status === "cancelled" || status === "superseded") return [{ state }];
  return [{ ...warning("NotDrained", "Drain", `Drain ${drainId} ended: ${reasonOf(outcome)}.`), state }];
}

function reasonOf(outcome: DrainOutcome): string {
  switch (outcome.status) {
    case "failed":
      return outcome.error.message;
    case "refused":
      return outcome.refusal.message;
    case "deadline-passed":
      return `the ${outcome.limit.reason} has passed`;
    default:
      return outcome.status;
  }
}

function normal(reason: string, action: string, note: string): NodeReport {
  return { event: { type: "Normal", reason, action, note } };
}

function warning(reason: string, action: string, note: string): NodeReport {
  return { event: { type: "Warning", reason, action, note } };
}

function poolOf({ registration: { pool, target } }: { readonly registration: Registration }): string {
  const { loadBalancer, name } = pool;
  const where = loadBalancer === undefined || loadBalancer === name ? name : `${loadBalancer}/${name}`;
  return `${pool.kind} ${where} (${target})`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
