import type { Node, Registration } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { AcceptedDrain } from "./event-source.ts";
import type { GuardedPool, Refusal } from "./guard.ts";
import type { NodeStatus, RunningDrain } from "./node-status.ts";
import type { DrainOutcome, RegistrationFate } from "./outcome.ts";
import type { DrainLimit, DrainPlan } from "./plan.ts";

export type OutcomeReport = ReturnType<typeof outcomeReport>;
export type PlanReport = ReturnType<typeof planReport>;
export type NodeStatusReport = ReturnType<typeof nodeStatusReport>;
export type GuardedReport = ReturnType<typeof guardedReport>;
export type FateReport = ReturnType<typeof fateReport>;
export type FoundReport = ReturnType<typeof foundReport>;
export type RegistrationReport = ReturnType<typeof registrationReport>;

/**
 * Outcomes and plans as outsiders get them in JSON: from `POST /drain` and from `--json`. Times are seconds, moments
 * are ISO 8601. Fields may be added, but none renamed or taken away.
 */
export function outcomeReport(outcome: DrainOutcome) {
  const { status } = outcome;
  switch (status) {
    case "drained":
      return {
        status,
        ...endedReport(outcome),
        registrations: outcome.registrations.map(fateReport),
        ...elsewhereReport(outcome),
      };
    case "nothing-registered":
      return { status, ...endedReport(outcome), registrations: [], ...elsewhereReport(outcome) };
    case "cancelled":
      return { status, ...endedReport(outcome), registrations: outcome.registrations.map(fateReport) };
    case "abandoned":
      return { status, ...begunReport(outcome), registrations: outcome.registrations.map(fateReport) };
    case "refused":
      return { status, ...endedReport(outcome), ...refusalReport(outcome.refusal) };
    case "planned":
      return { status, ...endedReport(outcome), plan: planReport(outcome.plan) };
    case "deadline-passed":
      return {
        status,
        ...begunReport(outcome),
        limit: limitReport(outcome.limit),
        searched: outcome.searched,
        ...(outcome.error === undefined ? {} : { error: errorReport(outcome.error) }),
        registrations: outcome.registrations.map(fateReport),
      };
    case "instance-gone":
      return { status, message: outcome.message };
    case "failed":
      return {
        status,
        ...begunReport(outcome),
        error: errorReport(outcome.error),
        registrations: outcome.registrations.map(fateReport),
      };
    default:
      return outcome satisfies never;
  }
}

export function planReport(plan: DrainPlan) {
  return {
    node: nodeReport(plan.node),
    asOf: new Date(plan.asOf).toISOString(),
    longestHoldSeconds: seconds(plan.longestHoldMs),
    limit: limitReport(plan.limit),
    registrations: plan.registrations.map(
      ({ registration, action, isWritable, waitMs, holdMs, shortByMs, unsaved }) => ({
        ...registrationReport(registration),
        state: registration.detail,
        action,
        writable: isWritable,
        waitSeconds: seconds(waitMs),
        holdSeconds: seconds(holdMs),
        shortBySeconds: seconds(shortByMs),
        unsaved,
      }),
    ),
    ...(plan.guard && {
      guard: {
        ...(plan.guard.refusal && { refusal: refusalReport(plan.guard.refusal) }),
        pools: plan.guard.pools.map(guardedReport),
      },
    }),
    ...elsewhereReport(plan),
    warnings: plan.warnings,
  };
}

/** To whoever does not wait for the outcome. */
export function acceptedReport({ id, node }: AcceptedDrain) {
  return { status: "accepted" as const, drainId: id, node: nodeReport(node) };
}

/** Where a node is registered now, and the drain that runs for it. */
export function nodeStatusReport(status: NodeStatus) {
  return {
    node: nodeReport(status.node),
    asOf: new Date(status.asOf).toISOString(),
    registrations: status.registrations.map(foundReport),
    ...elsewhereReport(status),
    ...(status.drain && { drain: runningReport(status.drain) }),
  };
}

export function runningReport({ drainId, startedAt, reasons, limit, registrations }: RunningDrain) {
  return {
    drainId,
    startedAt: new Date(startedAt).toISOString(),
    reasons,
    ...(limit && { limit: limitReport(limit) }),
    registrations: registrations.map(fateReport),
  };
}

function refusalReport({ reason, message, pools }: Refusal) {
  return { reason, message, pools: pools.map(guardedReport) };
}

function guardedReport({ pool, ...standing }: GuardedPool) {
  return { kind: pool.kind, loadBalancer: pool.loadBalancer, pool: pool.name, ...standing };
}

function endedReport({ drainId, node }: { readonly drainId: string; readonly node: Node }) {
  return { drainId, node: nodeReport(node) };
}

/** Where the node was not found there was no drain. */
function begunReport({ drainId, node }: { readonly drainId?: string; readonly node?: Node }) {
  return node === undefined ? {} : { drainId, node: nodeReport(node) };
}

export function nodeReport({ id, name, network, cluster }: Pick<Node, "id" | "name" | "network" | "cluster">) {
  return { id, name, network, cluster };
}

function elsewhereReport({ elsewhere }: Pick<DrainPlan, "elsewhere">) {
  return { elsewhere: elsewhere.map(foundReport) };
}

export function foundReport(registration: Registration) {
  return { ...registrationReport(registration), state: registration.detail };
}

export function registrationReport({ pool, target }: Registration) {
  return { kind: pool.kind, loadBalancer: pool.loadBalancer, pool: pool.name, target };
}

/** What it takes to register it again, besides what people read. */
function identityReport({ pool, listed }: Registration) {
  return { poolId: pool.id, ...(listed === undefined ? {} : { listed }) };
}

function fateReport(fate: RegistrationFate) {
  return {
    ...registrationReport(fate.registration),
    ...identityReport(fate.registration),
    state: fate.state,
    ...(fate.guard === undefined ? {} : { guard: fate.guard }),
    deregistered: fate.deregistered ?? false,
    heldSeconds: seconds(fate.heldMs),
    ...(fate.holdMs === undefined ? {} : { holdSeconds: seconds(fate.holdMs) }),
    newTrafficStopped: fate.newTrafficStopped,
    cameBack: fate.cameBack,
    ...(fate.error === undefined ? {} : { error: errorReport(fate.error) }),
  };
}

export function limitReport({ reason, at }: DrainLimit) {
  return { reason, at: new Date(at).toISOString() };
}

export function errorReport({ code, message }: DrainError) {
  return { code, message };
}

export function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
