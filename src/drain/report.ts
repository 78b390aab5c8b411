import type { Registration } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { DrainOutcome, RegistrationFate } from "./outcome.ts";
import type { DrainLimit, DrainPlan } from "./plan.ts";

/**
 * Outcomes and plans as outsiders get them in JSON: from `POST /drain` and from `--json`. Times are seconds, moments
 * are ISO 8601. Fields may be added, but none renamed or taken away.
 */
export function outcomeReport(outcome: DrainOutcome) {
  const about =
    "node" in outcome && outcome.node !== undefined ? { drainId: outcome.drainId, node: nodeReport(outcome) } : {};
  const { status } = outcome;
  switch (status) {
    case "drained":
      return { status, ...about, registrations: outcome.registrations.map(fateReport), ...elsewhereReport(outcome) };
    case "nothing-registered":
      return { status, ...about, registrations: [], ...elsewhereReport(outcome) };
    case "abandoned":
      return { status, ...about, registrations: outcome.registrations.map(fateReport) };
    case "planned":
      return { status, ...about, plan: planReport(outcome.plan) };
    case "deadline-passed":
      return {
        status,
        ...about,
        limit: limitReport(outcome.limit),
        registrations: outcome.registrations.map(fateReport),
      };
    case "instance-gone":
      return { status, message: outcome.message };
    case "failed":
      return {
        status,
        ...about,
        error: errorReport(outcome.error),
        registrations: outcome.registrations.map(fateReport),
      };
    default:
      return outcome satisfies never;
  }
}

export function planReport(plan: DrainPlan) {
  return {
    node: nodeReport(plan),
    longestHoldSeconds: seconds(plan.longestHoldMs),
    limit: limitReport(plan.limit),
    registrations: plan.registrations.map(({ registration, action, holdMs, shortByMs, unsaved }) => ({
      ...registrationReport(registration),
      state: registration.detail,
      action,
      writable: registration.pool.writable ?? true,
      holdSeconds: seconds(holdMs),
      shortBySeconds: seconds(shortByMs),
      unsaved,
    })),
    ...elsewhereReport(plan),
    warnings: plan.warnings,
  };
}

function nodeReport({ node }: Pick<DrainPlan, "node"> | { readonly node?: DrainPlan["node"] }) {
  return { id: node?.id, name: node?.name, network: node?.network, cluster: node?.cluster };
}

function elsewhereReport({ elsewhere }: Pick<DrainPlan, "elsewhere">) {
  return {
    elsewhere: elsewhere.map((registration) => ({ ...registrationReport(registration), state: registration.detail })),
  };
}

function registrationReport({ pool, target }: Registration) {
  return { kind: pool.kind, loadBalancer: pool.loadBalancer, pool: pool.name, target };
}

function fateReport(fate: RegistrationFate) {
  return {
    ...registrationReport(fate.registration),
    state: fate.state,
    heldSeconds: seconds(fate.heldMs),
    holdSeconds: seconds(fate.holdMs),
    newTrafficStopped: fate.newTrafficStopped,
    cameBack: fate.cameBack,
    ...(fate.error === undefined ? {} : { error: errorReport(fate.error) }),
  };
}

function limitReport({ reason, at }: DrainLimit) {
  return { reason, at: new Date(at).toISOString() };
}

function errorReport({ code, message }: DrainError) {
  return { code, message };
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
