import type { Clock } from "./clock.ts";
import type { CloudProvider, Pool, PoolHealth, PoolTerms, Registration } from "./cloud-provider.ts";
import type { DrainRun } from "./drain-run.ts";
import { byPool, type DrainingRegistration } from "./draining-registration.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import {
  type GuardedPool,
  type GuardOptions,
  HEALTH_CACHED_MS,
  isShort,
  Refused,
  type Standing,
  tooFewHealthy,
  worstOf,
} from "./guard.ts";
import { repeatWhilePassing } from "./limit.ts";
import { type ReplacementWait, untilEnoughStay } from "./replacement-wait.ts";
import type { Ceiling, Reservations } from "./reservations.ts";

export interface DrainGuardOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly guard: GuardOptions;
  /** Shared by all drains. */
  readonly reservations: Reservations;
  readonly ceiling: Ceiling;
  /** Deregisters and holds them. */
  readonly proceed: (registrations: readonly DrainingRegistration[]) => void;
  /** Called for each read that failed temporarily. */
  readonly onFailure: (error: DrainError) => void;
  /** Called when a target stays registered until the machine goes. */
  readonly keeps: () => void;
  /** What an earlier process has begun to deregister. It counts for all other drains. */
  readonly begun: readonly Registration[];
  /** An earlier process has let a voluntary drain proceed. That decision is about all pools, and it stands. */
  readonly isDecided: boolean;
}

/**
 * Lets the registrations of one drain proceed as far as enough healthy targets remain in every pool. A voluntary drain
 * proceeds in all pools or in none, when everything about it is known. An involuntary one proceeds pool by pool, after
 * a wait if that is needed.
 */
export class DrainGuard {
  readonly #run: DrainRun;
  readonly #options: DrainGuardOptions;
  readonly #signal: AbortSignal;
  /** Found, and not decided yet. */
  #pending: DrainingRegistration[] = [];

  /** Nothing waits any more when `signal` has aborted. */
  constructor(run: DrainRun, options: DrainGuardOptions, signal: AbortSignal) {
    this.#run = run;
    this.#options = options;
    this.#signal = signal;
    const { begun, isDecided, reservations, ceiling } = options;
    reservations.reserve(begun, "leaving");
    if (isDecided) ceiling.enter(run.asked);
    void run.asked.insisted.then(() => {
      if (!signal.aborted) this.found(this.#pending.splice(0));
    });
  }

  found(registrations: readonly DrainingRegistration[]): void {
    const { asked } = this.#run;
    if (this.#options.isDecided) this.#take(registrations);
    else if (asked.isRefusable) this.#pending.push(...registrations);
    else if (asked.isForced) this.#force(registrations);
    else this.#goWhereEnoughStay(registrations);
  }

  /**
   * Everything was found: a voluntary drain proceeds now, or this throws `Refused`. Throws `DrainError` if target
   * health can't be read.
   */
  async decide(): Promise<void> {
    const { asked } = this.#run;
    if (!asked.isRefusable || this.#options.isDecided) return;
    const known = await Promise.race([this.#allHealths(), asked.insisted]);
    this.#signal.throwIfAborted();
    // A request with force may have deregistered meanwhile what was pending.
    if (!asked.isRefusable || known === undefined) return;
    this.#refuseOrEnter(known);
    this.#take(this.#pending.splice(0));
  }

  /** The drain has ended. */
  end(): void {
    const { reservations, ceiling, begun } = this.#options;
    reservations.release(begun);
    reservations.release(this.#run.registrations.map(({ registration }) => registration));
    ceiling.leave(this.#run.asked);
  }

  /** Judges and reserves synchronously, so that of two drains the second one sees the first. */
  #refuseOrEnter(known: readonly (readonly [Pool, readonly DrainingRegistration[], PoolHealth])[]): void {
    const { guard, ceiling } = this.#options;
    const short = known
      .map(([pool, leaving, health]) => ({ pool, standing: this.#standing(pool, leaving, health, "voluntary") }))
      .filter(({ standing }) => standing !== undefined && isShort(standing))
      .map(({ pool, standing }) => ({ pool, ...standing }) as GuardedPool);
    if (short.length > 0) throw new Refused(tooFewHealthy(this.#run.node.id, short, guard));
    if (known.length === 0) return;
    const refusal = ceiling.refusal(Math.max(...known.map(([, , health]) => health.countNodes())));
    if (refusal !== undefined) throw new Refused(refusal);
    ceiling.enter(this.#run.asked);
  }

  /** The current health of each pool that would lose a healthy target. */
  #allHealths(): Promise<readonly (readonly [Pool, readonly DrainingRegistration[], PoolHealth])[]> {
    const { cloud, clock, onFailure } = this.#options;
    const by = this.#run.callFor(this.#signal);
    const notBefore = clock.now() - HEALTH_CACHED_MS;
    return repeatWhilePassing({ clock, until: () => this.#run.searchUntil, signal: this.#signal, onFailure }, () =>
      Promise.all(
        byPool(this.#pending.filter((one) => this.#isInUse(one))).map(
          async ([pool, leaving]) => [pool, leaving, await cloud.healthOf(pool, notBefore, by)] as const,
        ),
      ),
    );
  }

  #force(registrations: readonly DrainingRegistration[]): void {
    for (const draining of registrations) if (this.#mayServe(draining)) draining.forced();
    this.#take(registrations);
  }

  #goWhereEnoughStay(registrations: readonly DrainingRegistration[]): void {
    this.#take(registrations.filter((one) => !this.#mayServe(one)));
    for (const [pool, leaving] of byPool(registrations.filter((one) => this.#mayServe(one)))) {
      const health = this.#knownHealth(pool);
      if (health !== undefined && this.#goIfEnoughStay(pool, leaving, health, false) === undefined) continue;
      this.#goWhenEnoughStay(pool, leaving).catch((error: unknown) => this.#fail(leaving, error));
    }
  }

  /** Without a call. Most pools keep enough by any count: then how they work need not be known first. */
  #knownHealth(pool: Pool): PoolHealth | undefined {
    const { cloud, clock } = this.#options;
    const known = cloud.knownHealth(pool);
    if (known !== undefined) return known;
    const strict = cloud.knownStrictHealth(pool);
    return strict !== undefined && strict.at >= clock.now() - HEALTH_CACHED_MS ? strict : undefined;
  }

  async #goWhenEnoughStay(pool: Pool, leaving: readonly DrainingRegistration[]): Promise<void> {
    const { cloud, clock, guard } = this.#options;
    const run = this.#run;
    const wait: ReplacementWait = {
      pool,
      cloud,
      clock,
      waitMs: guard.waitMs,
      mustEndBy: () => run.mustEndBy,
      isForced: () => run.asked.isForced,
      goes: (health, hasWaited) => this.#goIfEnoughStay(pool, leaving, health, hasWaited),
      waits: (standing, terms) => this.#wait(leaving, standing, terms),
      urgency: (purpose) => ({ purpose, deadline: run.mustEndBy }),
      onRise: run.rises.on,
      drains: () => [run.id],
    };
    const { verdict, health } = await untilEnoughStay(wait, this.#signal);
    this.#signal.throwIfAborted();
    if (verdict === "forced") this.#force(leaving);
    if (verdict === "late") this.#goThoughTooFewStay(pool, leaving, health);
  }

  /** Judges and reserves synchronously. Returns what the pool would have, if it does not proceed. */
  #goIfEnoughStay(
    pool: Pool,
    leaving: readonly DrainingRegistration[],
    health: PoolHealth,
    hasWaited: boolean,
  ): Standing | undefined {
    const standing = this.#standing(pool, leaving, health, "involuntary");
    if (this.#signal.aborted || (standing !== undefined && isShort(standing))) return standing;
    if (hasWaited) this.#report("waited", standing, leaving);
    this.#take(leaving);
    return undefined;
  }

  #wait(leaving: readonly DrainingRegistration[], standing: Standing, terms: PoolTerms): void {
    const registrations = leaving.map(({ registration }) => registration);
    this.#options.reservations.reserve(registrations, "doomed");
    for (const draining of leaving) draining.described(terms);
    this.#report("waiting", standing, leaving);
  }

  /** Others may have proceeded since the pool was read: of targets whose time is up at once, the last one stays. */
  #goThoughTooFewStay(pool: Pool, leaving: readonly DrainingRegistration[], health: PoolHealth | undefined): void {
    const standing = health && this.#standing(pool, leaving, health, "involuntary");
    const isKept = standing?.wouldStay === 0;
    this.#report(isKept ? "kept" : "overridden", standing, leaving);
    if (isKept) this.#options.keeps();
    else this.#take(leaving);
  }

  #report(
    verdict: "waiting" | "waited" | "overridden" | "kept",
    standing: Standing | undefined,
    registrations: readonly DrainingRegistration[],
  ): void {
    for (const draining of registrations) draining.guarded(verdict, standing, this.#options.clock.now());
  }

  #standing(
    pool: Pool,
    leaving: readonly DrainingRegistration[],
    health: PoolHealth,
    forWhom: "voluntary" | "involuntary",
  ): Standing | undefined {
    const targets = leaving.map(({ registration }) => registration.target);
    return worstOf(this.#options.reservations.standings(pool, targets, health, forWhom));
  }

  #take(registrations: readonly DrainingRegistration[]): void {
    const { reservations, proceed } = this.#options;
    const leaving = registrations.filter(({ isOver }) => !isOver);
    reservations.reserve(
      leaving.map(({ registration }) => registration),
      "leaving",
    );
    proceed(leaving);
  }

  /** Whether a load balancer sends it traffic, as far as the search has seen. */
  #mayServe(draining: DrainingRegistration): boolean {
    const { isHealthy, mayBeHealthy } = draining.registration;
    return this.#isInUse(draining) && (isHealthy || mayBeHealthy === true);
  }

  #isInUse({ foundDraining, registration }: DrainingRegistration): boolean {
    return !foundDraining && this.#options.cloud.termsAfterDelay(registration.pool).isUnused !== true;
  }

  #fail(registrations: readonly DrainingRegistration[], error: unknown): void {
    if (this.#signal.aborted) return;
    for (const draining of registrations) draining.failed(asDrainError(error), this.#options.clock.now());
  }
}
