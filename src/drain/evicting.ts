import { newAbort, WOKEN, withAnyOf } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { Cluster } from "./cluster.ts";
import type { DrainRun } from "./drain-run.ts";
import { asDrainError, DrainError } from "./errors.ts";
import { type JointEviction, notEvicted } from "./eviction.ts";
import { CLUSTER_WITHIN_MS } from "./exclusion.ts";
import { LimitPassed, withLimit } from "./limit.ts";
import { doubtful } from "./plan.ts";

/** A pod that refuses its eviction for this long, in addition to its grace period, is taken to refuse it for good. */
const REFUSED_WITHIN_MS = 900_000;
/** Kubernetes' default, if the pods could not be read. */
const GRACE_MS = 30_000;
/** Between the end of the last pod and the end of the drain, the kubelet reports that end, and it is read. */
const SLACK_MS = 5_000;
/** A request that joins may bring an earlier limit, so it is read again after this time. */
const LOOK_AGAIN_MS = 10_000;

export interface EvictingOptions {
  /** Absent: nothing can be evicted. */
  readonly cluster: Cluster | undefined;
  readonly clock: Clock;
}

/** Evicts the pods of a node that leaves, if a request asks for that. */
export class Evicting {
  readonly #run: DrainRun;
  readonly #options: EvictingOptions;
  readonly #signal: AbortSignal;
  #graceMs: number | undefined;
  #planned: ReadonlySet<string> | undefined;

  constructor(run: DrainRun, options: EvictingOptions, signal: AbortSignal) {
    this.#run = run;
    this.#options = options;
    this.#signal = signal;
  }

  /**
   * Before anything is deregistered: throws `not-evicted` if the drain would be useless because the pods can't be
   * evicted.
   */
  async prepare(): Promise<void> {
    // The first request joins in the turn in which the drain begins.
    await Promise.resolve();
    const { eviction, isVoluntary } = this.#run.asked;
    if (eviction === undefined) return;
    try {
      await this.#plan(eviction);
    } catch (thrown) {
      this.#signal.throwIfAborted();
      const error = asDrainError(thrown);
      if (isVoluntary && !error.isPassing) throw error;
      // The machine goes in any case, or the cluster may answer later.
      this.#run.happened({ type: "evict-failed", error });
    }
  }

  /** Whether the eviction applies to this pod. True if that is not known. */
  takes(pod: string): boolean {
    return this.#planned?.has(pod) ?? true;
  }

  /**
   * Evicts when all holds are over, or early enough for the pods to end before the drain's limit. Resolves when the
   * pods are gone, or if no request asks for an eviction. Throws `not-evicted`.
   */
  async evictAfter(held: Promise<void>): Promise<void> {
    const { cluster, clock } = this.#options;
    const run = this.#run;
    if (!(await this.#isDue(held))) return;
    const { eviction } = run.asked;
    if (eviction === undefined) return;
    if (cluster === undefined) throw noCluster();
    const limit = { reason: "timeout", at: clock.now() + (this.#graceMs ?? GRACE_MS) + REFUSED_WITHIN_MS } as const;
    run.evicting(true);
    try {
      await withLimit({ clock, limit, signal: this.#signal }, (within) =>
        cluster.evict(run.node, eviction, (step) => run.happened(step), within),
      );
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error instanceof LimitPassed ? notEvicted(run.eviction?.remaining ?? []) : error;
    } finally {
      run.evicting(false);
    }
  }

  async #plan(eviction: JointEviction): Promise<void> {
    const { cluster, clock } = this.#options;
    if (cluster === undefined) throw noCluster();
    const limit = { reason: "timeout", at: clock.now() + CLUSTER_WITHIN_MS } as const;
    try {
      const planned = await withLimit({ clock, limit, signal: this.#signal }, (within) =>
        cluster.planEviction(this.#run.node, eviction, within),
      );
      this.#graceMs = planned.graceMs;
      this.#planned = new Set(planned.pods);
    } catch (error) {
      if (!(error instanceof LimitPassed)) throw error;
      const within = `${CLUSTER_WITHIN_MS / 1_000} s`;
      throw new DrainError("unreachable", `the cluster did not answer within ${within} which pods the node has`);
    }
  }

  /** Resolves with true when pods have to be evicted, and with false if they have not. */
  async #isDue(held: Promise<void>): Promise<boolean> {
    const run = this.#run;
    let hasEnded = false;
    const ended = held.then(() => {
      hasEnded = true;
    });
    if (run.asked.eviction === undefined) await Promise.race([ended, run.asked.evictionAsked]);
    if (run.asked.eviction === undefined) return false;
    if (this.#graceMs === undefined) await this.#plan(run.asked.eviction).catch(() => {});
    this.#signal.throwIfAborted();
    for (;;) {
      await Promise.resolve();
      if (hasEnded && this.#isClean) return true;
      const remainingMs = run.mustEndBy - this.#options.clock.now() - (this.#graceMs ?? GRACE_MS) - SLACK_MS;
      if (remainingMs <= 0) return true;
      // Nothing removes the machine, so pods that may still get traffic stay.
      if (hasEnded && run.deadline === undefined) return false;
      await this.#sleep(Math.min(remainingMs, LOOK_AGAIN_MS), hasEnded ? undefined : ended);
    }
  }

  /** No load balancer sends traffic to the node any more. */
  get #isClean(): boolean {
    const { registrations, elsewhere } = this.#run;
    return (
      registrations.every(({ isReleased, isWithPod }) => isReleased || isWithPod) && doubtful(elsewhere).length === 0
    );
  }

  async #sleep(ms: number, orUntil: Promise<void> | undefined): Promise<void> {
    const done = newAbort();
    const slept = withAnyOf([done.signal, this.#signal], (either) => this.#options.clock.sleep(ms, either));
    await Promise.race([slept.catch(() => {}), ...(orUntil === undefined ? [] : [orUntil])]);
    done.abort(WOKEN);
    this.#signal.throwIfAborted();
  }
}

function noCluster(): DrainError {
  return new DrainError(
    "not-evicted",
    "pods can't be evicted, because the cluster is not known: set KUBERNETES, or ask without eviction",
  );
}
