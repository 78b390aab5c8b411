import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";

/** What became of nodes that were taken out because somebody recommended it. */
export type RecommendationEvent = {
  readonly instanceId: string;
} /** Out of its load balancers, and not known to go. */ & (
  | { readonly type: "awaiting-departure"; readonly until: number }
  | { readonly type: "departure-followed" }
  /** It stayed: what was deregistered for it is registered again. `undone`: so many drains, 0 where others wanted it out too. */
  | { readonly type: "recommendation-withdrawn"; readonly undone: number }
  | { readonly type: "recommendation-not-withdrawn"; readonly error: DrainError }
);

export interface RecommendationsOptions {
  readonly clock: Clock;
  /** How long a departure may take to follow, in milliseconds. */
  readonly undoAfterMs: number;
  /** Registers again what was taken out because of recommendations alone. Resolves with how many drains that undid. */
  readonly undo: (instanceId: string) => Promise<number>;
  readonly heard: (event: RecommendationEvent) => void;
}

/**
 * Nodes that EC2 recommends to replace are drained early: most are interrupted soon. Those that are not get their place
 * back. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
 */
export class Recommendations {
  readonly #options: RecommendationsOptions;
  /** Those that are out, by instance. */
  readonly #waiting = new Map<string, AbortController>();

  constructor(options: RecommendationsOptions) {
    this.#options = options;
  }

  /** Another event says that the instance goes. */
  followed(instanceId: string): void {
    this.#waiting.get(instanceId)?.abort(WOKEN);
  }

  /**
   * The instance is out. Resolves once its departure has followed, or what was done is undone. Throws `DrainError` where
   * that can't be, or `stop`'s reason: then somebody has to be told of the recommendation again.
   */
  async settled(instanceId: string, stop: AbortSignal): Promise<void> {
    const { clock, undoAfterMs, heard } = this.#options;
    // A second recommendation begins the wait anew.
    this.followed(instanceId);
    const follows = newAbort();
    this.#waiting.set(instanceId, follows);
    heard({ type: "awaiting-departure", instanceId, until: clock.now() + undoAfterMs });
    try {
      await withAnyOf([follows.signal, stop], (signal) => clock.sleep(undoAfterMs, signal));
    } catch {
      stop.throwIfAborted();
      return heard({ type: "departure-followed", instanceId });
    } finally {
      if (this.#waiting.get(instanceId) === follows) this.#waiting.delete(instanceId);
    }
    await this.#undo(instanceId);
  }

  async #undo(instanceId: string): Promise<void> {
    const { undo, heard } = this.#options;
    try {
      heard({ type: "recommendation-withdrawn", instanceId, undone: await undo(instanceId) });
    } catch (error) {
      heard({ type: "recommendation-not-withdrawn", instanceId, error: asDrainError(error) });
      throw error;
    }
  }
}
