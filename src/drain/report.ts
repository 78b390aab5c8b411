import type { Node, Registration } from "./cloud-provider.ts";
import { type DrainRecord, drainRecord } from "./drain-record.ts";
import type { DrainError } from "./errors.ts";
import type { AcceptedDrain } from "./event-source.ts";
import type { EvictionFate } from "./eviction.ts";
import type { GuardedPool, Refusal, Standing } from "./guard.ts";
import type { DrainSummary, LedgerEntry } from "./ledger.ts";
import type { DrainOutcome, EndedDrain, NodeStatus, RegistrationFate, RunningDrain } from "./outcome.ts";
import type { DrainLimit, DrainPlan } from "./plan.ts";
import type { AskedRequest } from "./request.ts";
import { type UndoOutcome, undoFailure } from "./undo.ts";
import type { UndoneFate } from "./undoable.ts";

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
      return { status, ...endedReport(outcome), ...allReport(outcome) };
    case "possibly-registered":
      return { status, ...endedReport(outcome), ...allReport(outcome) };
    case "nothing-registered":
      return { status, ...endedReport(outcome), ...allReport({ ...outcome, registrations: [] }) };
    case "cancelled":
      return { status, ...endedReport(outcome), registrations: outcome.registrations.map(fateReport) };
    case "superseded":
      return {
        status,
        ...begunReport(outcome),
        message: outcome.message,
        registrations: outcome.registrations.map(fateReport),
        ...(outcome.undone && { undone: outcome.undone.map(undoneReport) }),
      };
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

/** For a caller that does not wait for the outcome. */
export function acceptedReport({ id, node }: AcceptedDrain, hasBegun = true) {
  return {
    status: "accepted" as const,
    drainId: id,
    node: nodeReport(node),
    ...(hasBegun ? {} : { begun: false as const }),
  };
}

/** Where a node is registered now, and the drain that runs for it. */
export function nodeStatusReport(status: NodeStatus) {
  return {
    node: nodeReport(status.node),
    asOf: new Date(status.asOf).toISOString(),
    registrations: status.registrations.map(foundReport),
    ...elsewhereReport(status),
    ...(status.drain && { drain: runningReport(status.drain) }),
    ...(status.lastDrain && { lastDrain: endedDrainReport(status.lastDrain) }),
  };
}

function endedDrainReport({ drainId, startedAt, reasons, endedAt, status, undo, outcome }: EndedDrain) {
  return {
    drainId,
    startedAt: new Date(startedAt).toISOString(),
    reasons,
    endedAt: new Date(endedAt).toISOString(),
    status,
    ...(undo && { undo }),
    ...(outcome && { outcome: outcomeReport(outcome) }),
  };
}

function runningReport({ drainId, startedAt, reasons, limit, registrations }: RunningDrain) {
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

function endedReport({ drainId, node, eviction }: Begun & { readonly drainId: string; readonly node: Node }) {
  return { drainId, node: nodeReport(node), ...(eviction && { eviction }) };
}

/** Where the node was not found there was no drain. */
function begunReport({ drainId, node, eviction }: Begun) {
  return { ...(node && { drainId, node: nodeReport(node) }), ...(eviction && { eviction }) };
}

interface Begun {
  readonly drainId?: string;
  readonly node?: Node;
  readonly eviction?: EvictionFate;
}

function nodeReport({ id, name, network, cluster }: Pick<Node, "id" | "name" | "network" | "cluster">) {
  return { id, name, network, cluster };
}

type EndOfSearch = Extract<DrainOutcome, { status: "drained" | "possibly-registered" }>;

function allReport({
  registrations,
  elsewhere,
  warnings,
}: Pick<EndOfSearch, "registrations" | "elsewhere" | "warnings">) {
  return {
    registrations: registrations.map(fateReport),
    ...elsewhereReport({ elsewhere }),
    ...(warnings && { warnings }),
  };
}

function elsewhereReport({ elsewhere }: Pick<DrainPlan, "elsewhere">) {
  return { elsewhere: elsewhere.map(foundReport) };
}

function foundReport(registration: Registration) {
  const { detail, doubt } = registration;
  return { ...registrationReport(registration), state: detail, ...(doubt === undefined ? {} : { doubt }) };
}

export function registrationReport({ pool, target }: Registration) {
  return { kind: pool.kind, loadBalancer: pool.loadBalancer, pool: pool.name, target };
}

/** What it takes to register it again, besides what people read. */
function identityReport({ pool, listed, alsoListed }: Registration) {
  return { poolId: pool.id, ...(listed === undefined ? {} : { listed }), ...(alsoListed && { alsoListed }) };
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

function limitReport({ reason, at }: DrainLimit) {
  return { reason, at: new Date(at).toISOString() };
}

function errorReport({ code, message }: DrainError) {
  return { code, message };
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

export type StepReport = ReturnType<typeof stepReport>;

/** Drains of the ledger as outsiders get them in JSON. As in `report.ts`, no field is renamed or taken away. */
export function drainListReport(summaries: readonly DrainSummary[]) {
  return { drains: summaries.map(summaryReport) };
}

function summaryReport({ drain, node, startedAt, reasons, end, undo }: DrainSummary) {
  return {
    drainId: drain,
    node,
    status: end === undefined ? ("running" as const) : ("ended" as const),
    startedAt: moment(startedAt),
    reasons,
    ...(end && { endedAt: moment(end.at), outcome: end.status }),
    ...(undo && { undo }),
  };
}

/** `now`: how it stands, while it runs. */
export function drainReport(record: DrainRecord, now: RunningDrain | undefined) {
  const { id, node, startedAt, requests, elsewhere, entries, missing, end, undo } = record;
  return {
    drainId: id,
    node: nodeReport(node),
    status: end === undefined ? ("running" as const) : ("ended" as const),
    startedAt: moment(startedAt),
    ...(end && { endedAt: moment(end.at) }),
    requests: requests.map(requestReport),
    registrations: record.registrations.flatMap((known) =>
      known === undefined ? [] : [{ ...foundReport(known.registration), foundAt: moment(known.foundAt) }],
    ),
    elsewhere: elsewhere.map(foundReport),
    steps: entries.map((entry) => stepReport(entry, record)),
    missingSteps: missing,
    ...(end && { outcome: outcomeReport(end.outcome) }),
    ...(undo && { undo: recordedUndoReport(undo) }),
    ...(now && { now: runningReport(now) }),
  };
}

function recordedUndoReport({ at, asker, end }: NonNullable<DrainRecord["undo"]>) {
  return {
    cancelledAt: moment(at),
    ...(asker && { asker }),
    status: end === undefined ? ("running" as const) : ("ended" as const),
    ...(end && { endedAt: moment(end.at), registrations: end.registrations.map(undoneReport) }),
  };
}

function requestReport({ askedAt, deadline, timeoutMs, reason, asker }: AskedRequest) {
  return {
    askedAt: moment(askedAt),
    ...(deadline === undefined ? {} : { deadline: moment(deadline) }),
    ...(timeoutMs === undefined ? {} : { timeoutSeconds: seconds(timeoutMs) }),
    ...(reason === undefined ? {} : { reason }),
    ...(asker && { asker }),
  };
}

/** One step of a drain. `record`: of the drain, at least up to this step. */
function stepReport(entry: LedgerEntry, record: Pick<DrainRecord, "registrations"> & Partial<DrainRecord>) {
  const step = { id: entry.n, at: moment(entry.at), type: entry.type };
  const meant = (of: readonly number[]) => ({
    registrations: of.flatMap((number) => {
      const known = record.registrations[number];
      return known === undefined ? [] : [foundReport(known.registration)];
    }),
  });
  switch (entry.type) {
    case "accepted":
    case "joined":
      return { ...step, request: requestReport(entry.request) };
    case "found":
      return {
        ...step,
        registrations: entry.registrations.map(foundReport),
        elsewhere: entry.elsewhere.map(foundReport),
      };
    case "planned":
      return {
        ...step,
        longestHoldSeconds: seconds(entry.longestHoldMs),
        limit: limitReport(entry.limit),
        warnings: entry.warnings,
      };
    case "deregistered":
      return {
        ...step,
        ...meant(entry.of),
        foundDraining: entry.foundDraining ?? false,
        heldSince: moment(entry.since ?? entry.at),
      };
    case "deregistering-again":
      return { ...step, ...meant(entry.of), because: entry.because };
    case "deregister-failed":
    case "look-failed":
    case "failed":
    case "register-failed":
      return { ...step, ...meant(entry.of), error: entry.error };
    case "released":
    case "registered":
      return { ...step, ...meant(entry.of) };
    case "guarded":
      return { ...step, ...meant(entry.of), verdict: entry.verdict, ...standingReport(entry.standing) };
    case "cancelled":
      return { ...step, ...(entry.asker && { asker: entry.asker }) };
    case "interrupted":
    case "resumed":
      return step;
    case "excluded":
    case "included":
      return { ...step, ...(entry.name === undefined ? {} : { name: entry.name }) };
    case "exclude-failed":
    case "include-failed":
    case "evict-failed":
      return { ...step, error: entry.error };
    case "evicting":
    case "evicted":
      return { ...step, pods: entry.pods };
    case "eviction-refused": {
      const { pod, budget, willRetry, error } = entry;
      return { ...step, pod, ...(budget === undefined ? {} : { budget }), willRetry, error };
    }
    case "ended":
      return { ...step, ...(record.end && { outcome: outcomeReport(record.end.outcome) }) };
    case "undone":
      return { ...step, registrations: (record.undo?.end?.registrations ?? []).map(undoneReport) };
    default:
      return entry satisfies never;
  }
}

const NEEDED: ReadonlySet<LedgerEntry["type"]> = new Set(["accepted", "found", "ended", "cancelled", "undone"]);

/** The steps of a drain as outsiders get them, one after the other. */
export class StepReports {
  /** Those that the others need to be understood. */
  readonly #needed: LedgerEntry[] = [];
  #record: DrainRecord | undefined;

  report(entry: LedgerEntry): StepReport {
    if (NEEDED.has(entry.type)) {
      this.#needed.push(entry);
      this.#record = drainRecord(this.#needed);
    }
    return stepReport(entry, this.#record ?? { registrations: [] });
  }
}

/** As `GuardedPool` has it. */
function standingReport(standing: Standing | undefined) {
  if (standing === undefined) return {};
  const { zone, healthyNow, wouldStay, needed } = standing;
  return { standing: { ...(zone === undefined ? {} : { zone }), healthyNow, wouldStay, needed } };
}

function moment(at: number): string {
  return new Date(at).toISOString();
}

export type UndoReport = ReturnType<typeof undoReport>;
export type UndoneReport = ReturnType<typeof undoneReport>;

/** How a drain was undone, as outsiders get it in JSON. As in `report.ts`, no field is renamed or taken away. */
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

function undoneReport({ registration, state, error }: UndoneFate) {
  return { ...registrationReport(registration), state, ...(error === undefined ? {} : { error: errorReport(error) }) };
}
