import type { Node, Pool, Registration } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { AcceptedDrain } from "./event-source.ts";
import type { EvictionResult } from "./eviction.ts";
import type { GuardedPool, Refusal, Standing } from "./guard.ts";
import type {
  DrainOutcome,
  EndedDrain,
  NodeStatus,
  RegistrationResult,
  RunningDrain,
  UndoneResult,
} from "./outcome.ts";
import type { DrainLimit, DrainPlan } from "./plan.ts";
import { type UndoOutcome, undoFailure } from "./undo.ts";

export type OutcomeReport = ReturnType<typeof outcomeReport>;
export type PlanReport = ReturnType<typeof planReport>;
export type NodeStatusReport = ReturnType<typeof nodeStatusReport>;
export type GuardedReport = ReturnType<typeof guardedReport>;
export type ResultReport = ReturnType<typeof resultReport>;
export type FoundReport = ReturnType<typeof foundReport>;
export type NodeReport = ReturnType<typeof nodeReport>;
export type RunningReport = ReturnType<typeof runningReport>;
export type RegistrationReport = ReturnType<typeof registrationReport>;

/**
 * Outcomes and plans in the JSON of `POST /drain` and `--json`. Durations are seconds, and times are ISO 8601. Fields
 * may be added, but none is renamed or removed.
 */
export function outcomeReport(outcome: DrainOutcome) {
  const { status } = outcome;
  switch (status) {
    case "drained":
      return { status, ...endedReport(outcome), ...allReport(outcome) };
    case "possibly-registered":
      return { status, ...endedReport(outcome), ...allReport(outcome) };
    case "nothing-registered":
      return { status, ...endedReport(outcome), ...allReport({ ...outcome, registrations: [] }) };
    case "cancelled":
      return { status, ...endedReport(outcome), registrations: outcome.registrations.map(resultReport) };
    case "superseded":
      return {
        status,
        ...begunReport(outcome),
        message: outcome.message,
        registrations: outcome.registrations.map(resultReport),
        ...(outcome.undone && { undone: outcome.undone.map(undoneReport) }),
      };
    case "abandoned":
      return { status, ...begunReport(outcome), registrations: outcome.registrations.map(resultReport) };
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
        registrations: outcome.registrations.map(resultReport),
      };
    case "instance-gone":
      return { status, message: outcome.message };
    case "failed":
      return {
        status,
        ...begunReport(outcome),
        error: errorReport(outcome.error),
        registrations: outcome.registrations.map(resultReport),
      };
    default:
      return outcome satisfies never;
  }
}

export function planReport(plan: DrainPlan) {
  return {
    node: nodeReport(plan.node),
    asOf: moment(plan.asOf),
    longestHoldSeconds: seconds(plan.longestHoldMs),
    limit: limitReport(plan.limit),
    registrations: plan.registrations.map(
      ({ registration, pod, action, isWritable, waitMs, holdMs, shortByMs, unsaved }) => ({
        ...registrationReport(registration),
        ...(pod === undefined ? {} : { pod }),
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
    ...(plan.fastPath && {
      fastPath: { pools: plan.fastPath.pools, failsWithinSeconds: seconds(plan.fastPath.failsWithinMs) },
    }),
    ...elsewhereReport(plan),
    warnings: plan.warnings,
  };
}

/** For a caller that does not wait for the outcome. */
export function acceptedReport({ id, node }: AcceptedDrain, hasBegun = true) {
  return {
    status: "accepted" as const,
    drainId: id,
    node: nodeReport(node),
    ...(hasBegun ? {} : { begun: false as const }),
  };
}

/** Where a node is registered now, and its running drain. */
export function nodeStatusReport(status: NodeStatus) {
  return {
    node: nodeReport(status.node),
    asOf: moment(status.asOf),
    registrations: status.registrations.map(foundReport),
    ...elsewhereReport(status),
    ...(status.warning === undefined ? {} : { warnings: [status.warning] }),
    ...(status.drain && { drain: runningReport(status.drain) }),
    ...(status.lastDrain && { lastDrain: endedDrainReport(status.lastDrain) }),
  };
}

function endedDrainReport({ drainId, startedAt, reasons, endedAt, status, undo, outcome }: EndedDrain) {
  return {
    drainId,
    startedAt: moment(startedAt),
    reasons,
    endedAt: moment(endedAt),
    status,
    ...(undo && { undo }),
    ...(outcome && { outcome: outcomeReport(outcome) }),
  };
}

export function runningReport({ drainId, startedAt, reasons, limit, registrations }: RunningDrain) {
  return {
    drainId,
    startedAt: moment(startedAt),
    reasons,
    ...(limit && { limit: limitReport(limit) }),
    registrations: registrations.map(resultReport),
  };
}

function refusalReport({ reason, message, pools }: Refusal) {
  return { reason, message, pools: pools.map(guardedReport) };
}

function guardedReport({ pool, ...standing }: GuardedPool) {
  return { ...poolReport(pool), ...standing };
}

function endedReport({ drainId, node, eviction }: Begun & { readonly drainId: string; readonly node: Node }) {
  return { drainId, node: nodeReport(node), ...(eviction && { eviction }) };
}

/** If the node was not found, there was no drain. */
function begunReport({ drainId, node, eviction }: Begun) {
  return { ...(node && { drainId, node: nodeReport(node) }), ...(eviction && { eviction }) };
}

interface Begun {
  readonly drainId?: string;
  readonly node?: Node;
  readonly eviction?: EvictionResult;
}

export function nodeReport({ id, name, network, cluster, place }: NodeIdentity) {
  return { id, name, network, cluster, ...(place === undefined ? {} : { place }) };
}

type NodeIdentity = Pick<Node, "id" | "name" | "network" | "cluster" | "place">;

type EndOfSearch = Extract<DrainOutcome, { status: "drained" | "possibly-registered" }>;

function allReport({
  registrations,
  elsewhere,
  warnings,
}: Pick<EndOfSearch, "registrations" | "elsewhere" | "warnings">) {
  return {
    registrations: registrations.map(resultReport),
    ...elsewhereReport({ elsewhere }),
    ...(warnings && { warnings }),
  };
}

function elsewhereReport({ elsewhere }: Pick<DrainPlan, "elsewhere">) {
  return { elsewhere: elsewhere.map(foundReport) };
}

export function foundReport(registration: Registration) {
  const { detail, doubt } = registration;
  return { ...registrationReport(registration), state: detail, ...(doubt === undefined ? {} : { doubt }) };
}

export function registrationReport({ pool, target }: Registration) {
  return { ...poolReport(pool), target };
}

function poolReport({ kind, loadBalancer, name, place }: Pool) {
  return { kind, loadBalancer, pool: name, ...(place === undefined ? {} : { place }) };
}

/** What is needed to register it again, in addition to what people read. */
function identityReport({ pool, listed, alsoListed }: Registration) {
  return { poolId: pool.id, ...(listed === undefined ? {} : { listed }), ...(alsoListed && { alsoListed }) };
}

function resultReport(result: RegistrationResult) {
  return {
    ...registrationReport(result.registration),
    ...identityReport(result.registration),
    state: result.state,
    ...(result.guard === undefined ? {} : { guard: result.guard }),
    deregistered: result.deregistered ?? false,
    heldSeconds: seconds(result.heldMs),
    ...(result.holdMs === undefined ? {} : { holdSeconds: seconds(result.holdMs) }),
    ...(result.idleMs === undefined ? {} : { idleSeconds: seconds(result.idleMs) }),
    newTrafficStopped: result.newTrafficStopped,
    cameBack: result.cameBack,
    ...(result.error === undefined ? {} : { error: errorReport(result.error) }),
  };
}

export function limitReport({ reason, at }: DrainLimit) {
  return { reason, at: moment(at) };
}

export function errorReport({ code, message }: DrainError) {
  return { code, message };
}

export function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

/**
 * `at`: in milliseconds since the epoch. Rounded as in the ledger: a running drain and its record show the same time, to the
 * millisecond.
 */
export function moment(at: number): string {
  return new Date(Math.round(at)).toISOString();
}

/** The fields of `GuardedPool`. Empty: the health of the pool could not be read. */
export function standingReport(standing: Standing | undefined) {
  if (standing === undefined) return {};
  const { zone, healthyNow, wouldStay, needed } = standing;
  return { ...(zone === undefined ? {} : { zone }), healthyNow, wouldStay, needed };
}

export type UndoReport = ReturnType<typeof undoReport>;
export type UndoneReport = ReturnType<typeof undoneReport>;

/** How a drain was undone, in JSON. As in `report.ts`, no field is renamed or removed. */
export function undoReport(outcome: UndoOutcome) {
  const { drainId, node, registrations, stillExcluded } = outcome;
  const status = undoFailure(outcome) === undefined ? ("undone" as const) : ("not-undone" as const);
  return {
    status,
    drainId,
    node: nodeReport(node),
    registrations: registrations.map(undoneReport),
    ...(stillExcluded && { stillExcluded: errorReport(stillExcluded) }),
  };
}

export function undoneReport({ registration, state, error }: UndoneResult) {
  return { ...registrationReport(registration), state, ...(error === undefined ? {} : { error: errorReport(error) }) };
}
