import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { drainRecord } from "../drain/drain-record.ts";
import type { Drainer } from "../drain/drainer.ts";
import { asDrainError, DrainError } from "../drain/errors.ts";
import type { Ledger } from "../drain/ledger.ts";
import { type DrainOutcome, OUTCOMES } from "../drain/outcome.ts";
import { undoFailure } from "../drain/undo.ts";
import { type AnnouncementKind, CLUSTER_KINDS } from "./announcement.ts";

/** The results for nodes that were drained on a recommendation. */
export type RecommendationEvent = {
  readonly instanceId: string;
} /** Out of its load balancers, and not known to go. */ & (
  | { readonly type: "awaiting-departure"; readonly until: number }
  | { readonly type: "departure-followed" }
  /** From now on the newer recommendation is waited for, and this one is settled. */
  | { readonly type: "recommended-again" }
  /**
   * The machine stayed, and its targets are registered again. `undone`: the number of drains, 0 if other requests asked
   * for the drain too.
   */
  | { readonly type: "recommendation-withdrawn"; readonly undone: number }
  | { readonly type: "recommendation-not-withdrawn"; readonly error: DrainError }
);

/** A node that was drained on a recommendation, and its drain. */
export interface DrainedNode {
  readonly instanceId: string;
  readonly drainId: string;
}

/** As far as the ledger knows it. */
export type MaybeDrained = Pick<DrainedNode, "instanceId"> & Partial<DrainedNode>;

/**
 * The node of a drain that may have to be undone, with this outcome, whether or not it has deregistered everything.
 */
export function drainedNode(instanceId: string, outcome: DrainOutcome): DrainedNode | undefined {
  if (!("drainId" in outcome) || outcome.drainId === undefined) return undefined;
  const { verdict, mayTakeOut } = OUTCOMES[outcome.status];
  // A node that stays was undone already, and an undecided drain continues.
  if (!mayTakeOut || verdict === "stays" || verdict === "undecided") return undefined;
  return { instanceId, drainId: outcome.drainId };
}

export interface RecommendationsOptions {
  readonly clock: Clock;
  /** How long a departure may take to follow, in milliseconds. */
  readonly undoAfterMs: number;
  /** See `undoRecommended`. */
  readonly undo: (drained: DrainedNode) => Promise<number>;
  readonly onEvent: (event: RecommendationEvent) => void;
}

/**
 * Nodes that EC2 recommends to replace are drained early, because most are interrupted soon. Those that are not are
 * registered again. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
 */
export class Recommendations {
  readonly #options: RecommendationsOptions;
  /** The drained nodes that wait for a departure, by instance. */
  readonly #waiting = new Map<string, AbortController>();
  /** Instances whose departure was announced, and when, in milliseconds since the epoch. */
  readonly #announced = new Map<string, number>();

  constructor(options: RecommendationsOptions) {
    this.#options = options;
  }

  /** The number of drained nodes whose departure is not known. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Another event says that the instance goes. */
  followed(instanceId: string): void {
    const { clock, undoAfterMs } = this.#options;
    const now = clock.now();
    for (const [other, at] of this.#announced) if (at <= now - undoAfterMs) this.#announced.delete(other);
    this.#announced.set(instanceId, now);
    this.#waiting.get(instanceId)?.abort(WOKEN);
  }

  /**
   * The drain of the instance has ended. Resolves when its departure has followed, or when the drain is undone. Throws
   * `DrainError` if it can't be undone, or `stop`'s reason, after which the recommendation must be redelivered.
   */
  async drainEnded({ instanceId, drainId }: DrainedNode, stop: AbortSignal): Promise<void> {
    const { clock, undoAfterMs, onEvent } = this.#options;
    const announcedAt = this.#announced.get(instanceId) ?? Number.NEGATIVE_INFINITY;
    // The departure was announced during the drain.
    if (announcedAt > clock.now() - undoAfterMs) return onEvent({ type: "departure-followed", instanceId });
    // A second recommendation restarts the wait.
    this.#waiting.get(instanceId)?.abort(RECOMMENDED_AGAIN);
    const follows = newAbort();
    this.#waiting.set(instanceId, follows);
    onEvent({ type: "awaiting-departure", instanceId, until: clock.now() + undoAfterMs });
    try {
      await withAnyOf([follows.signal, stop], (signal) => clock.sleep(undoAfterMs, signal));
    } catch {
      stop.throwIfAborted();
      const type = follows.signal.reason === RECOMMENDED_AGAIN ? "recommended-again" : "departure-followed";
      return onEvent({ type, instanceId });
    } finally {
      if (this.#waiting.get(instanceId) === follows) this.#waiting.delete(instanceId);
    }
    await this.#undo({ instanceId, drainId });
  }

  async #undo(drained: DrainedNode): Promise<void> {
    const { undo, onEvent } = this.#options;
    const { instanceId } = drained;
    try {
      onEvent({ type: "recommendation-withdrawn", instanceId, undone: await undo(drained) });
    } catch (error) {
      // The machine has terminated without an announcement.
      if (asDrainError(error).code === "instance-gone") return onEvent({ type: "departure-followed", instanceId });
      onEvent({ type: "recommendation-not-withdrawn", instanceId, error: asDrainError(error) });
      throw error;
    }
  }
}

const RECOMMENDED_AGAIN = Symbol("recommended again");
const RECOMMENDED: AnnouncementKind = "rebalance-recommendation";
/** A machine whose root volume is replaced stops and starts meanwhile. */
const RETURNING: readonly AnnouncementKind[] = ["autoscaling-terminate", "state-change"];

interface UndoParts {
  readonly ledger: Ledger;
  readonly drainer: Pick<Drainer, "cancel">;
}

/** Undoes the last drains of a node that only recommendations have asked for. See `undoAsked`. */
export function undoRecommended(drained: DrainedNode, parts: UndoParts, signal: AbortSignal): Promise<number> {
  return undoAsked(drained, [RECOMMENDED], parts, signal);
}

/** The same for a machine that returns after Auto Scaling has taken it out of service. */
export function undoReturned(drained: MaybeDrained, parts: UndoParts, signal: AbortSignal): Promise<number> {
  return undoAsked(drained, RETURNING, parts, signal);
}

/** The same for a node that announces no departure any more. */
export function undoWithdrawn(instanceId: string, parts: UndoParts, signal: AbortSignal): Promise<number> {
  return undoAsked({ instanceId }, CLUSTER_KINDS, parts, signal);
}

/**
 * Undoes the last drains of a node that only such announcements have asked for, newest first: a drain that was begun
 * before a restart did what the next one found done. Resolves with their number. Throws `DrainError`.
 */
async function undoAsked(
  { instanceId, drainId }: MaybeDrained,
  by: readonly string[],
  { ledger, drainer }: UndoParts,
  signal: AbortSignal,
): Promise<number> {
  if (drainId !== undefined && (await ledger.read(drainId, signal)) === undefined)
    throw new DrainError("drain-not-found", `the ledger no longer has the drain ${drainId}, so it can't be undone`);
  let undone = 0;
  for (const { drain, undo } of ledger.listOf(instanceId)) {
    const record = drainRecord((await ledger.read(drain, signal)) ?? []);
    const isMeant = record?.requests.every(({ asker }) => by.includes(asker?.via ?? "")) ?? false;
    if (!isMeant || undo !== undefined) break;
    const outcome = await drainer.cancel(drain, { via: by[0] ?? "" }, signal);
    const failure = undoFailure(outcome);
    if (failure !== undefined) throw failure;
    if (outcome.registrations.length > 0) undone += 1;
  }
  return undone;
}
