import { keyOf, type Registration } from "../drain/cloud-provider.ts";
import type { DrainError } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { Standing } from "../drain/guard.ts";
import type { RegistrationResult, RunningDrain } from "../drain/outcome.ts";
import {
  errorReport,
  limitReport,
  moment,
  nodeReport,
  registrationReport,
  seconds,
  standingReport,
} from "../drain/report.ts";
import type { UndoneNode } from "../drain/undo.ts";

/** Of one drain: sentences, and registrations that wait for the guard. Further ones are not shown. */
const NOTES_MAX = 20;
/** The order of registrations if not all are shown: those that need attention first. */
const ATTENTION: readonly RegistrationResult["state"][] = ["failed", "registered", "holding", "kept", "released"];

/**
 * What the events of a running drain say in addition to `RunningDrain`. It is bounded, because a node may be in
 * hundreds of pools.
 */
export class LiveDrain {
  readonly node: UndoneNode;
  #isSearched = false;
  #isCancelled = false;
  #notes: readonly string[] = [];
  readonly #guarded = new Map<string, Standing | undefined>();
  #trouble: { readonly what: string; readonly error: DrainError } | undefined;
  #waitsUntil: number | undefined;
  #pods: { readonly left: Set<string>; evicted: number; refused: string | undefined } | undefined;

  constructor(node: UndoneNode) {
    this.node = node;
  }

  observe(event: DrainEvent): void {
    switch (event.type) {
      case "planned": {
        const unsaved = event.plan.registrations.flatMap((each) =>
          each.unsaved.map(({ message }) => `${each.registration.pool.name}: ${message}`),
        );
        this.#isSearched = true;
        this.#trouble = undefined;
        this.#notes = [...new Set([...event.plan.warnings, ...unsaved])].slice(0, NOTES_MAX);
        return;
      }
      case "guarded":
        this.#trouble = undefined;
        this.#guard(event.registration, event.verdict, event.standing);
        return;
      case "deregistered":
        this.#guarded.delete(keyOf(event.registration));
        return;
      case "read-failed":
        this.#trouble = { what: event.what, error: event.error };
        return;
      case "awaiting-earlier-try":
        this.#waitsUntil = event.until;
        return;
      case "exclude-failed":
      case "taint-failed":
      case "evict-failed":
        this.#trouble = { what: "cluster", error: event.error };
        return;
      case "excluded":
      case "tainted":
        if (this.#trouble?.what === "cluster") this.#trouble = undefined;
        return;
      case "cancelled":
        this.#isCancelled = true;
        return;
      case "evicting":
      case "evicted":
      case "eviction-refused":
        this.#evict(event);
        return;
      default:
    }
  }

  #guard(registration: Registration, verdict: string, standing: Standing | undefined): void {
    const key = keyOf(registration);
    this.#guarded.delete(key);
    if (verdict === "waiting" && this.#guarded.size < NOTES_MAX) this.#guarded.set(key, standing);
  }

  #evict(event: Extract<DrainEvent, { readonly type: "evicting" | "evicted" | "eviction-refused" }>): void {
    this.#pods ??= { left: new Set(), evicted: 0, refused: undefined };
    if (event.type === "evicting") for (const pod of event.pods) this.#pods.left.add(pod);
    if (event.type === "eviction-refused") this.#pods.refused = `${event.pod}: ${event.error.message}`;
    if (event.type !== "evicted") return;
    this.#pods.refused = undefined;
    this.#pods.evicted += event.pods.length;
    for (const pod of event.pods) this.#pods.left.delete(pod);
  }

  /** For readers of the overview: at most `max` of its registrations. `now`: in milliseconds since the epoch. */
  report(drain: RunningDrain, { now, max }: { readonly now: number; readonly max: number }) {
    const { drainId, startedAt, reasons, limit, registrations } = drain;
    const counts: Partial<Record<RegistrationResult["state"], number>> = {};
    for (const { state } of registrations) counts[state] = (counts[state] ?? 0) + 1;
    const pods = this.#pods;
    return {
      drainId,
      node: nodeReport(this.node),
      startedAt: moment(startedAt),
      reasons,
      ...(limit && { limit: limitReport(limit) }),
      searched: this.#isSearched,
      ...(this.#isCancelled && { cancelled: true }),
      counts,
      registrations: shown(registrations, max).map((result) => this.#registrationReport(result, now)),
      notes: this.#notes,
      ...(this.#trouble && { trouble: { what: this.#trouble.what, ...errorReport(this.#trouble.error) } }),
      ...(this.#waitsUntil !== undefined && { earlierTryUntil: moment(this.#waitsUntil) }),
      ...(pods && {
        pods: {
          evicted: pods.evicted,
          remaining: pods.left.size,
          ...(pods.refused !== undefined && { refused: pods.refused }),
        },
      }),
    };
  }

  #registrationReport(result: RegistrationResult, now: number) {
    const { registration, state, guard, heldMs, holdMs, newTrafficStopped, cameBack, error } = result;
    const key = keyOf(registration);
    const standing = this.#guarded.get(key);
    return {
      ...registrationReport(registration),
      state,
      // To the second, because a time that is computed each time must not appear to change.
      ...(state === "holding" && { heldSince: moment(Math.round((now - heldMs) / 1_000) * 1_000) }),
      ...(state === "released" && { heldSeconds: seconds(heldMs) }),
      ...(holdMs !== undefined && { holdSeconds: seconds(holdMs) }),
      ...(state === "registered" && this.#guarded.has(key) && { waitsForGuard: standingReport(standing) }),
      ...(guard !== undefined && { guard }),
      newTrafficStopped,
      cameBack,
      ...(error && { error: errorReport(error) }),
    };
  }
}

function shown(registrations: readonly RegistrationResult[], max: number): readonly RegistrationResult[] {
  if (registrations.length <= max) return registrations;
  const rank = ({ state }: RegistrationResult) => ATTENTION.indexOf(state);
  return registrations.toSorted((one, other) => rank(one) - rank(other)).slice(0, max);
}
