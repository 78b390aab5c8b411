import { anyOf, newAbort, WOKEN, withAnyOf } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CloudProvider } from "./cloud-provider.ts";
import type { Cluster, ClusterMember } from "./cluster.ts";
import type { DrainRun } from "./drain-run.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { backOffMs } from "./limit.ts";
import type { DrainPlan } from "./plan.ts";
import type { ExclusionStep } from "./steps.ts";

/** A cluster that does not answer delays a drain, or the undo of one, by at most this time. */
export const CLUSTER_WITHIN_MS = 3_000;
const RETRY = { firstMs: 1_000, maxMs: 30_000 };

const STEPS = {
  exclude: { done: "excluded", failed: "exclude-failed" },
  include: { done: "included", failed: "include-failed" },
  taint: { done: "tainted", failed: "taint-failed" },
  untaint: { done: "untainted", failed: "untaint-failed" },
} as const;
type MarkingVerb = keyof typeof STEPS;

export interface MarkingOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** How long callers wait for it. Absent: `CLUSTER_WITHIN_MS`. */
  readonly withinMs?: number;
  /** Called with what the cluster has done, or has failed to do. */
  readonly happened: (step: ExclusionStep) => void;
}

export interface ExclusionOptions extends MarkingOptions {
  readonly cloud: Pick<CloudProvider, "remembered" | "holdOfUnlistedMs">;
  /** The plan for what was found until now. Absent: there is no fast path. */
  readonly plan?: () => Pick<DrainPlan, "fastPath">;
}

export type TakeOut = (registrations: readonly DrainingRegistration[]) => void;

/**
 * Keeps the cluster's controllers from registering a node again. A target that is only deregistered from a load
 * balancer is registered again by them at the next event of any node.
 */
export class Exclusion {
  readonly #run: DrainRun;
  readonly #options: ExclusionOptions;
  readonly #signal: AbortSignal;
  /** Since when each pool of the node has been remembered, in milliseconds since the epoch. `Infinity`: one is not. */
  #knownSince = Number.NEGATIVE_INFINITY;
  #marking: Marking | undefined;
  #isTaintPlanned = false;
  #isPlanned = false;
  #tainting: Marking | undefined;
  #isIncluded = false;

  constructor(run: DrainRun, options: ExclusionOptions, signal: AbortSignal) {
    this.#run = run;
    this.#options = options;
    this.#signal = signal;
  }

  /** Before the search: reads whether it is known where the node is registered. */
  async prepare(): Promise<void> {
    const { cloud } = this.#options;
    const remembered = await cloud.remembered(this.#run.node, this.#run.callFor(this.#signal)).catch(() => undefined);
    this.#signal.throwIfAborted();
    this.#knownSince = remembered?.knownSince ?? Number.POSITIVE_INFINITY;
  }

  /**
   * After the search: until when controllers may have deregistered a target that no search has seen registered, in
   * milliseconds since the epoch. Undefined: everything was known before, or was found before the node was marked. It is
   * unknown when another program marked the node: what the index has read since may lack what the node was in.
   */
  get unseenUntil(): number | undefined {
    const { clock, cloud } = this.#options;
    const { node, asked } = this.#run;
    const now = clock.now();
    const wasMissed = asked.isExcludedBefore && this.#knownSince > now - cloud.holdOfUnlistedMs(node);
    return wasMissed || (this.#isBlind && this.#marking !== undefined) ? now : undefined;
  }

  get #isBlind(): boolean {
    return this.#knownSince === Number.POSITIVE_INFINITY;
  }

  /**
   * Wraps `takeOut`, so that it runs after the node was marked. A cluster that does not answer delays it by at most
   * `CLUSTER_WITHIN_MS`.
   */
  before(takeOut: TakeOut): TakeOut {
    const inTurn = async (registrations: readonly DrainingRegistration[]) => {
      // What is decided in the same turn is marked as leaving first.
      await Promise.resolve();
      await this.begin();
      if (!this.#signal.aborted) takeOut(registrations);
    };
    return (registrations) => {
      if (registrations.length === 0) return;
      for (const draining of registrations) draining.leaves();
      void inTurn(registrations);
    };
  }

  /** Resolves as `Marking.awaited` does, or at once if the node must not be marked yet. */
  async begin(): Promise<void> {
    // With the mark, controllers would also deregister what the guard holds back.
    const mayBegin = () => this.#run.registrations.every(({ isOver, isLeaving }) => isOver || isLeaving);
    if (this.#marking === undefined && !this.#isIncluded && mayBegin()) {
      this.#marking = this.#mark("exclude");
      this.#taint();
      this.#planEarly().catch(() => {}); // The plan of the whole search decides.
    }
    await this.#marking?.awaited;
  }

  /** The node has to stay in one of its load balancers, so the mark is removed. */
  takeBack(): void {
    if (this.#isIncluded) return;
    this.#isIncluded = true;
    this.#marking?.end();
    this.#tainting?.end();
    if (this.#marking !== undefined) this.#marking = this.#mark("include");
  }

  /** Sets the taint of the plan's fast path as soon as the node is being excluded. Nothing waits for it. */
  taintAsPlanned({ fastPath }: Pick<DrainPlan, "fastPath">): void {
    this.#isPlanned = true;
    this.#isTaintPlanned = fastPath !== undefined;
    this.#taint();
    this.#planAgain().catch(() => {}); // The drain ends as it would without it.
    // The search has found a pool in which failing health checks would cut connections.
    if (this.#tainting === undefined || this.#isTaintPlanned || this.#isIncluded) return;
    this.#tainting.end();
    this.#tainting = this.#mark("untaint");
  }

  /**
   * A request that joins later may leave less time, as when a spot interruption follows a rebalance recommendation.
   */
  async #planAgain(): Promise<void> {
    const { plan } = this.#options;
    if (plan === undefined) return;
    const { deadline } = this.#run;
    await this.#run.untilAll(({ isOver }) => isOver || this.#run.deadline !== deadline);
    if (this.#signal.aborted || this.#run.deadline === deadline) return;
    this.#isTaintPlanned = plan().fastPath !== undefined;
    this.#taint();
    await this.#planAgain();
  }

  /** If every pool was known before, this does not wait for the search, which may take most of a short notice. */
  async #planEarly(): Promise<void> {
    const { plan } = this.#options;
    if (this.#isBlind || plan === undefined) return;
    await this.#run.untilAll(({ terms, isOver }) => terms !== undefined || isOver);
    if (this.#signal.aborted || this.#isPlanned) return;
    this.#isTaintPlanned = plan().fastPath !== undefined;
    this.#taint();
  }

  #taint(): void {
    const isBegun = this.#marking !== undefined && !this.#isIncluded;
    if (this.#isTaintPlanned && isBegun) this.#tainting ??= this.#mark("taint");
  }

  #mark(verb: MarkingVerb): Marking {
    // A cluster that has just not answered is not waited for again.
    const withinMs = this.#run.isClusterSilent ? 0 : CLUSTER_WITHIN_MS;
    return new Marking(verb, { ...this.#options, withinMs, node: () => this.#run.node }, this.#signal);
  }
}

/** Repeats one call to the cluster until it succeeds. Callers wait for it for a moment only. */
export class Marking {
  readonly #over = newAbort();
  /** Resolves when the API server has acknowledged or refused the call, after `withinMs`, or when the marking ends. */
  readonly awaited: Promise<void>;
  /** Resolves with the failure that remains at the end. Undefined: it has succeeded. */
  readonly ended: Promise<DrainError | undefined>;

  constructor(
    verb: MarkingVerb,
    {
      cluster,
      clock,
      node,
      happened,
      withinMs = CLUSTER_WITHIN_MS,
    }: MarkingOptions & { readonly node: () => ClusterMember },
    signal: AbortSignal,
  ) {
    let failure: DrainError | undefined;
    const refused = newAbort();
    const failed = (error: DrainError) => {
      if (failure?.message !== error.message) happened({ type: STEPS[verb].failed, error });
      failure = error;
      // A later attempt would have the same result.
      if (!error.isPassing) refused.abort();
    };
    this.ended = withAnyOf([signal, this.#over.signal], async (within) => {
      for (let attempt = 0; ; attempt += 1) {
        try {
          const name = await cluster[verb](node(), within);
          happened({ type: STEPS[verb].done, ...(name !== undefined && { name }) });
          return undefined;
        } catch (error) {
          within.throwIfAborted();
          failed(asDrainError(error));
          await clock.sleep(backOffMs(attempt, RETRY), within);
        }
      }
    }).catch((error: unknown) => failure ?? asDrainError(error));
    const done = newAbort();
    const patience = clock.sleep(withinMs, anyOf(done.signal, refused.signal)).catch(() => {});
    this.awaited = Promise.race([this.ended, patience]).then(() => done.abort(WOKEN));
  }

  end(): void {
    this.#over.abort(WOKEN);
  }
}
