import type { Clock } from "./clock.ts";
import type { CloudProvider, Registration } from "./cloud-provider.ts";
import type { DrainRun } from "./drain-run.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import { KnownBefore, lostHeldUntil, unknownUntil } from "./known-before.ts";
import type { Ledger } from "./ledger.ts";
import { type RepeatOptions, repeatWhilePassing } from "./limit.ts";
import type { ResumedState } from "./past.ts";

/** After a restart all drains search at the same time. A search without a limit is retried for this long. */
const RESUMED_WITHIN_MS = 600_000;
const NONE: ReadonlySet<string> = new Set();

export interface FinderOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  /** Absent: earlier drains are not remembered. */
  readonly ledger?: Ledger;
}

export interface FindOptions {
  /** What remained of the drain when an earlier process ended. */
  readonly resumed?: ResumedState | undefined;
  /** Deregisters the registrations, or continues to hold them. */
  readonly proceed: (registrations: readonly DrainingRegistration[]) => void;
  readonly signal: AbortSignal;
  /** Called for each read that failed temporarily. */
  readonly onFailure: (error: DrainError) => void;
}

type Resume = ResumedState & Pick<FindOptions, "proceed">;

/** Finds all registrations of a node that have to be deregistered. */
export class Finder {
  readonly #options: FinderOptions;

  constructor(options: FinderOptions) {
    this.#options = options;
  }

  /**
   * Passes registrations on as soon as they are recorded, and searches again after temporary failures of the cloud.
   * Resolves with whether the machine still exists.
   */
  async find(run: DrainRun, { resumed, proceed, signal, onFailure }: FindOptions): Promise<boolean> {
    const { cloud, clock, ledger } = this.#options;
    const begunAt = clock.now();
    const until = () =>
      resumed === undefined ? run.searchUntil : Math.min(run.mustEndBy, begunAt + RESUMED_WITHIN_MS);
    const repeat = { clock, until, signal, onFailure };
    if (resumed !== undefined && !(await this.#resume(run, { ...resumed, proceed }, repeat))) return false;
    const before = new KnownBefore(run, { ledger, resumed, now: begunAt });
    await repeatWhilePassing(repeat, async () => {
      const foundBefore = run.known();
      for await (const found of cloud.findRegistrations(run.node, run.callFor(signal))) {
        const listed = { ...found, registrations: before.listed(found.registrations) };
        const elsewhereBefore = run.elsewhere.length;
        const registrations = run.found(listed, foundBefore, (one) => before.of(one, clock.now()));
        await recordFound(run, registrations, run.elsewhere.slice(elsewhereBefore));
        // The drain may have ended meanwhile.
        signal.throwIfAborted();
        proceed(registrations);
      }
    });
    // Registrations that the cloud does not list any more, but may still send traffic to.
    const unlisted = before.unlisted(cloud.vanished(run.node));
    const found = { registrations: [...unlisted.keys()], elsewhere: [] };
    const registrations = run.found(found, run.known(), (one) => unlisted.get(one));
    if (registrations.length === 0) return true;
    await recordFound(run, registrations, []);
    signal.throwIfAborted();
    proceed(registrations);
    return true;
  }

  /** Continues the holds. Returns whether the machine still exists. Its addresses may have changed. */
  async #resume(run: DrainRun, { past, pastOf, open, proceed }: Resume, repeat: RepeatOptions): Promise<boolean> {
    const { cloud, clock } = this.#options;
    proceed(run.found({ registrations: past, elsewhere: [] }, NONE, pastOf).filter(({ isOver }) => !isOver));
    const resolve = () => cloud.resolve({ by: "id", value: run.node.id }, run.callFor(repeat.signal));
    try {
      const { podAddresses } = run.node;
      run.node = { ...(await repeatWhilePassing(repeat, resolve)), ...(podAddresses && { podAddresses }) };
      return true;
    } catch (error) {
      const { code } = asDrainError(error);
      if (code !== "instance-gone" && code !== "node-not-found") throw error;
      run.found({ registrations: open, elsewhere: [] }, run.known());
      for (const draining of run.registrations) draining.released(clock.now());
      return false;
    }
  }
}

/** Records registrations before anything is done about them. */
async function recordFound(
  run: DrainRun,
  found: readonly DrainingRegistration[],
  elsewhere: readonly Registration[],
): Promise<void> {
  if (found.length === 0 && elsewhere.length === 0) return;
  run.happened({ type: "found", registrations: found.map(({ registration }) => registration), elsewhere });
  await run.steps.noted();
}

export interface EarlierTryOptions {
  readonly cloud: Pick<CloudProvider, "holdOfUnlistedMs">;
  readonly clock: Clock;
  readonly ledger?: Ledger;
  /** When the search that found everything listed began, in milliseconds since the epoch. */
  readonly searchedAt: number;
  /** By an earlier process. */
  readonly resumed: ResumedState | undefined;
  /**
   * Until when the cluster's controllers may have deregistered a target that no search has seen registered, in
   * milliseconds since the epoch. Absent: they have not.
   */
  readonly unseenUntil?: number | undefined;
}

/**
 * An earlier try, by another process or by a controller of the cluster, may have deregistered targets that the cloud
 * does not list any more. Resolves when such targets receive no traffic for certain. Attempts of this process, and of
 * an earlier one with its ledger, are known, and are held without this.
 */
export async function untilEarlierTryIsOver(
  run: DrainRun,
  { cloud, clock, unseenUntil = Number.NEGATIVE_INFINITY, ...known }: EarlierTryOptions,
  signal: AbortSignal,
): Promise<void> {
  const since = Math.max(unseenUntil, unknownUntil(run, known) ?? Number.NEGATIVE_INFINITY);
  const holdMs = Number.isFinite(since) ? cloud.holdOfUnlistedMs(run.node) : 0;
  const until = Math.max((known.ledger && lostHeldUntil(run.node.id, known.ledger, clock.now())) ?? 0, since + holdMs);
  const remainingMs = until - clock.now();
  if (remainingMs <= 0) return;
  run.planned({ longestHoldMs: remainingMs });
  run.steps.noticed({ type: "awaiting-earlier-try", until });
  await clock.sleep(remainingMs, signal);
}
