import type { DrainRecord } from "./drain-record.ts";
import type { EvictionOptions } from "./eviction.ts";
import type { Standing } from "./guard.ts";
import type { DrainSummary, LedgerEntry } from "./ledger.ts";
import { type NodeUndo, nodeUndoFailure } from "./node-undo.ts";
import type { RunningDrain } from "./outcome.ts";
import {
  errorReport,
  foundReport,
  limitReport,
  nodeReport,
  outcomeReport,
  runningReport,
  seconds,
  undoneReport,
  undoReport,
} from "./report.ts";
import type { AskedRequest } from "./request.ts";

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

/** Without its steps, which may be thousands. `now`: how it stands, while it runs. */
export function drainReport(record: DrainRecord, now: RunningDrain | undefined) {
  const { id, node, startedAt, requests, elsewhere, missing, end, undo } = record;
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

function requestReport({ askedAt, deadline, timeoutMs, reason, evict, asker }: AskedRequest) {
  return {
    askedAt: moment(askedAt),
    ...(deadline === undefined ? {} : { deadline: moment(deadline) }),
    ...(timeoutMs === undefined ? {} : { timeoutSeconds: seconds(timeoutMs) }),
    ...(reason === undefined ? {} : { reason }),
    ...(evict && { evict: evictionReport(evict) }),
    ...(asker && { asker }),
  };
}

/** By the names that requests have for it. */
function evictionReport(options: EvictionOptions) {
  const { gracePeriodSeconds, podSelector, deletesEmptyDirData, evictsUnmanaged, disablesEviction } = options;
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriod: gracePeriodSeconds }),
    ...(podSelector === undefined ? {} : { podSelector }),
    deleteEmptydirData: deletesEmptyDirData === true,
    evictUnmanaged: evictsUnmanaged === true,
    disableEviction: disablesEviction === true,
  };
}

/** One step of a drain. `record`: of the drain, at least up to this step. */
export function stepReport(entry: LedgerEntry, record: Pick<DrainRecord, "registrations"> & Partial<DrainRecord>) {
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
    case "poll-failed":
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
    case "gap":
      return step;
    case "excluded":
    case "included":
    case "tainted":
    case "untainted":
      return { ...step, ...(entry.name === undefined ? {} : { name: entry.name }) };
    case "exclude-failed":
    case "include-failed":
    case "taint-failed":
    case "untaint-failed":
    case "evict-failed":
      return { ...step, error: entry.error };
    case "evicting":
    case "evicted":
      return { ...step, pods: entry.pods };
    case "eviction-refused":
      return { ...step, ...evictionRefusedReport(entry) };
    case "ended":
      return { ...step, ...(record.end && { outcome: outcomeReport(record.end.outcome) }) };
    case "undone":
      return { ...step, registrations: (record.undo?.end?.registrations ?? []).map(undoneReport) };
    default:
      return entry satisfies never;
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

function evictionRefusedReport({
  pod,
  budget,
  willRetry,
  error,
}: Extract<LedgerEntry, { readonly type: "eviction-refused" }>) {
  return { pod, ...(budget === undefined ? {} : { budget }), willRetry, error };
}

export type NodeUndoReport = ReturnType<typeof nodeUndoReport>;

/** How all drains of a node were undone. */
export function nodeUndoReport(undo: NodeUndo) {
  const { node, drains, uncordoned, error } = undo;
  const undone = drains.length > 0 ? ("undone" as const) : ("nothing-to-undo" as const);
  return {
    status: nodeUndoFailure(undo) === undefined ? undone : ("not-undone" as const),
    node: nodeReport(node),
    drains: drains.map(undoReport),
    ...(uncordoned === undefined ? {} : { uncordoned }),
    ...(error && { error: errorReport(error) }),
  };
}
