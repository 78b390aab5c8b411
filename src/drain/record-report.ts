import type { DrainRecord } from "./drain-record.ts";
import type { EvictionOptions } from "./eviction.ts";
import type { DrainSummary, LedgerEntry } from "./ledger.ts";
import { type NodeUndo, nodeUndoFailure } from "./node-undo.ts";
import type { RunningDrain } from "./outcome.ts";
import {
  errorReport,
  foundReport,
  limitReport,
  moment,
  nodeReport,
  outcomeReport,
  runningReport,
  seconds,
  standingReport,
  undoneReport,
  undoReport,
} from "./report.ts";
import type { AskedRequest } from "./request.ts";
import type { OfType } from "./steps.ts";

/** Its other fields depend on its type: `web/drain-schemas.ts` describes them. */
export interface StepReport {
  readonly id: number;
  readonly at: string;
  readonly type: LedgerEntry["type"];
}

/** Drains of the ledger in the JSON of the API. As in `report.ts`, no field is renamed or removed. */
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

/** Without its steps, of which there may be thousands. `now`: its state, while it runs. */
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

/** With the names that requests use. */
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

/** One step of a drain. `record`: the record of the drain, at least up to this step. */
export function stepReport(entry: LedgerEntry, record: KnownRecord): StepReport {
  const own = OWN_REPORTS[entry.type as keyof typeof OWN_REPORTS] as OwnReport<never> | undefined;
  const more = own === undefined ? commonReport(entry, record) : own(entry as never, record);
  return { id: entry.n, at: moment(entry.at), type: entry.type, ...more };
}

type KnownRecord = Pick<DrainRecord, "registrations"> & Partial<DrainRecord>;
type OwnReport<E> = (entry: E, record: KnownRecord) => object;

/** The fields of the entry, with registrations in place of their numbers. */
function commonReport(entry: LedgerEntry, record: KnownRecord): object {
  const { drain: _, n: __, at: ___, type: ____, clock: _____, of, ...more } = entry as LedgerEntry & { of?: Numbers };
  return { ...(of && meant(of, record)), ...more };
}

type Numbers = readonly number[];

function meant(of: Numbers, { registrations }: KnownRecord) {
  return {
    registrations: of.flatMap((number) => registrations[number] ?? []).map((known) => foundReport(known.registration)),
  };
}

const askedReport = ({ request }: { readonly request: AskedRequest }) => ({ request: requestReport(request) });

/** The steps whose reports have other fields than their entries, or other units. */
const OWN_REPORTS = {
  accepted: askedReport,
  joined: askedReport,
  found: ({ registrations, elsewhere }) => ({
    registrations: registrations.map(foundReport),
    elsewhere: elsewhere.map(foundReport),
  }),
  planned: ({ longestHoldMs, limit, warnings }) => ({
    longestHoldSeconds: seconds(longestHoldMs),
    limit: limitReport(limit),
    warnings,
  }),
  deregistered: ({ at, of, foundDraining = false, since = at }, record) => ({
    ...meant(of, record),
    foundDraining,
    heldSince: moment(since),
  }),
  guarded: ({ of, verdict, standing }, record) => ({
    ...meant(of, record),
    verdict,
    ...(standing && { standing: standingReport(standing) }),
  }),
  ended: (_, { end }) => ({ ...(end && { outcome: outcomeReport(end.outcome) }) }),
  undone: (_, { undo }) => ({ registrations: (undo?.end?.registrations ?? []).map(undoneReport) }),
  // The node is for the next start only.
  gap: () => ({}),
} satisfies { readonly [T in LedgerEntry["type"]]?: OwnReport<OfType<LedgerEntry, T>> };

export type NodeUndoReport = ReturnType<typeof nodeUndoReport>;

/** The results of undoing all drains of a node. */
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
