import type { Clock } from "./clock.ts";
import { type CloudProvider, keyOf, type Node } from "./cloud-provider.ts";
import type { Cluster } from "./cluster.ts";
import { type DrainRecord, drainRecord } from "./drain-record.ts";
import type { Drainer } from "./drainer.ts";
import { asDrainError, DrainError } from "./errors.ts";
import { CLUSTER_WITHIN_MS } from "./exclusion.ts";
import type { DrainSummary, Ledger } from "./ledger.ts";
import { LimitPassed, repeatWhilePassing, withLimit } from "./limit.ts";
import { toFind } from "./node-lookup.ts";
import { type Asker, HTTP, type NodeReference } from "./request.ts";
import { type UndoneNode, type UndoOutcome, undoFailure } from "./undo.ts";
import { type Undoable, undoablesOfRecord } from "./undoable.ts";

/** How long the cloud is asked which machine the name means. After that the ledger has to know it. */
const FOUND_WITHIN_MS = 30_000;
/** The number of drains that are searched for the name of a machine that the cloud does not know any more. */
const SEARCHED_MAX = 10_000;

const NO_LEDGER: Pick<Ledger, "list" | "listOf" | "read"> = {
  list: () => [],
  listOf: () => [],
  read: async () => undefined,
};

export interface NodeUndoOptions {
  readonly cloud: Pick<CloudProvider, "resolve" | "words">;
  /** Absent: no cluster is configured. */
  readonly cluster?: Cluster | undefined;
  readonly clock: Clock;
  /** Absent: no drain is known. */
  readonly ledger?: Pick<Ledger, "list" | "listOf" | "read">;
  readonly drainer: Pick<Drainer, "cancel">;
}

export interface NodeUndoRequest {
  readonly node: NodeReference;
  readonly asker?: Asker;
  /**
   * Make the node schedulable, no matter which program has cordoned it. Absent: only if this program has cordoned it.
   */
  readonly uncordons?: boolean;
}

/** The result of the undo of a node. */
export interface NodeUndo {
  readonly node: UndoneNode;
  /** The undone drains, newest first. Empty: there was nothing to undo. */
  readonly drains: readonly UndoOutcome[];
  /**
   * The name of the Node object that is schedulable now. Absent: that was not requested, or there is no Node object.
   */
  readonly uncordoned?: string;
  /** Why the cluster still has this program's mark or cordon. Absent: it has not, or no cluster is configured. */
  readonly error?: DrainError;
}

/**
 * Undoes the drains of a node: cancels the running one, and undoes those that have ended, from the newest to the last
 * one that was undone. It is safe to repeat. Throws `DrainError`, with `machine-leaves` if the running drain was
 * requested because the machine is about to be terminated.
 */
export async function undoNode(
  { node: reference, asker, uncordons = false }: NodeUndoRequest,
  options: NodeUndoOptions,
  signal: AbortSignal,
): Promise<NodeUndo> {
  const node = await findNode(reference, options, signal);
  const { ledger = NO_LEDGER, drainer } = options;
  const drains: UndoOutcome[] = [];
  for (const summary of ledger.listOf(node.id)) {
    const record = await recordOf(summary, ledger, signal);
    if (record === undefined) continue;
    if (isUndone(record)) break;
    if (record.end !== undefined && isGivenBack(undoablesOfRecord(record), drains)) continue;
    refuseLeaving(record);
    drains.push(await drainer.cancel(summary.drain, asker, signal));
  }
  return {
    node,
    drains,
    ...(await includedIn(node, { ...options, uncordons, isIncluded: drains.length > 0 }, signal)),
  };
}

/** The first failure in it. Undefined: everything is undone. */
export function nodeUndoFailure({ drains, error }: NodeUndo): DrainError | undefined {
  return drains.map(undoFailure).find((failure) => failure !== undefined) ?? error;
}

/**
 * Finds the node in the cloud, or in the drains of the ledger: its machine may be gone, or the cloud may not answer.
 */
async function findNode(
  reference: NodeReference,
  { cloud, clock, ledger = NO_LEDGER }: NodeUndoOptions,
  signal: AbortSignal,
): Promise<UndoneNode> {
  const limit = { reason: "timeout", at: clock.now() + FOUND_WITHIN_MS } as const;
  try {
    return await withLimit({ clock, limit, signal }, (within) =>
      repeatWhilePassing({ clock, until: () => limit.at, signal: within }, () =>
        cloud.resolve(reference, toFind({ deadline: limit.at }, within)),
      ),
    );
  } catch (thrown) {
    signal.throwIfAborted();
    const { by, value } = reference;
    const [known] =
      by === "id" ? ledger.listOf(value) : ledger.list(SEARCHED_MAX).filter((one) => one.node.name === value);
    if (known !== undefined && !(thrown instanceof DrainError && thrown.code === "other-cluster")) return known.node;
    throw thrown instanceof LimitPassed
      ? new DrainError(
          "unreachable",
          `${cloud.words.cloud} did not say within ${FOUND_WITHIN_MS / 1_000} s which instance is meant`,
        )
      : thrown;
  }
}

async function recordOf(
  { drain }: DrainSummary,
  ledger: Pick<Ledger, "read">,
  signal: AbortSignal,
): Promise<DrainRecord | undefined> {
  const entries = await ledger.read(drain, signal);
  return entries && drainRecord(entries);
}

/** Whether all of it is undone. A failed undo is tried again. */
function isUndone({ undo }: DrainRecord): boolean {
  return undo?.end?.registrations.every(({ state }) => state !== "failed") ?? false;
}

/** Whether a later drain has deregistered the same targets and was undone, so that nothing remains of these. */
export function isGivenBack(undoables: readonly Undoable[], undone: readonly UndoOutcome[]): boolean {
  if (undone.length === 0) return false;
  const back = new Set(
    undone.flatMap(({ registrations }) =>
      registrations.filter(({ state }) => state === "registered").map(({ registration }) => keyOf(registration)),
    ),
  );
  const isOpen = ({ deregisteredBy, isDone }: Undoable) =>
    isDone !== true && (deregisteredBy === "drain" || deregisteredBy === "perhaps");
  return undoables.filter(isOpen).every(({ registration }) => back.has(keyOf(registration)));
}

/** If the node were registered again, requests that arrive while its machine is terminated would be lost. */
function refuseLeaving({ id, node, end, requests }: DrainRecord): void {
  if (end !== undefined) return;
  const leaving = requests.find(
    ({ isVoluntary, asker }) => isVoluntary !== true && asker !== undefined && asker.via !== HTTP,
  );
  if (leaving === undefined) return;
  throw new DrainError(
    "machine-leaves",
    `the machine of ${node.id} is about to leave: the drain ${id} was requested by '${leaving.asker?.via}'. To undo that drain all the same, cancel it by its id: ${id}`,
  );
}

/**
 * An undo of a drain includes the node itself. Without one, this removes a mark or cordon of a drain that no ledger
 * knows.
 */
async function includedIn(
  node: Pick<Node, "id" | "name">,
  {
    cluster,
    clock,
    uncordons,
    isIncluded,
  }: NodeUndoOptions & { readonly uncordons: boolean; readonly isIncluded: boolean },
  signal: AbortSignal,
): Promise<Pick<NodeUndo, "uncordoned" | "error">> {
  if (cluster === undefined || (isIncluded && !uncordons)) return {};
  const limit = { reason: "timeout", at: clock.now() + 3 * CLUSTER_WITHIN_MS } as const;
  try {
    const name = await withLimit({ clock, limit, signal }, (within) =>
      repeatWhilePassing({ clock, until: () => limit.at, signal: within }, async () => {
        const included = isIncluded ? undefined : await cluster.include(node, within);
        return uncordons ? cluster.uncordon(node, within) : included;
      }),
    );
    return uncordons && name !== undefined ? { uncordoned: name } : {};
  } catch (thrown) {
    signal.throwIfAborted();
    if (!(thrown instanceof LimitPassed)) return { error: asDrainError(thrown) };
    return {
      error: new DrainError("unreachable", `the cluster did not answer within ${(3 * CLUSTER_WITHIN_MS) / 1_000} s`),
    };
  }
}
