import type { Clock } from "./clock.ts";
import { type CloudProvider, keyOf, type Registration } from "./cloud-provider.ts";
import type { DrainRun } from "./drain-run.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import { asDrainError, type DrainError } from "./errors.ts";
import type { Ledger } from "./ledger.ts";
import { type RepeatOptions, repeatWhilePassing } from "./limit.ts";
import { lostHeldUntil, type Past, type ResumedState, type Unreleased, unreleasedOf } from "./past.ts";

/** After a restart all drains search at once. Without a limit, a search is retried for this long. */
const RESUMED_WITHIN_MS = 600_000;
const NONE: ReadonlySet<string> = new Set();
const HOLDING = { state: "holding", cameBack: 0 } as const;
const NOTHING: Unreleased = new Map();

export interface FinderOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  /** Absent: earlier drains are not remembered. */
  readonly ledger?: Ledger;
}

export interface FindOptions {
  /** By an earlier process. */
  readonly resumed?: ResumedState | undefined;
  /** Takes them out, or goes on holding them. */
  readonly proceed: (registrations: readonly DrainingRegistration[]) => void;
  readonly signal: AbortSignal;
  /** Hears of each read that failed in passing. */
  readonly onFailure: (error: DrainError) => void;
}

type Resume = ResumedState & Pick<FindOptions, "proceed">;

/** Finds everything of a node that is to be taken out. */
export class Finder {
  readonly #options: FinderOptions;

  constructor(options: FinderOptions) {
    this.#options = options;
  }

  /**
   * Passes registrations on as soon as they are recorded, and searches again where the cloud has failed in passing. Resolves with
   * whether the machine is still there.
   */
  async find(run: DrainRun, { resumed, proceed, signal, onFailure }: FindOptions): Promise<boolean> {
    const { cloud, clock } = this.#options;
    const begunAt = clock.now();
    const until = () =>
      resumed === undefined ? run.searchUntil : Math.min(run.mustEndBy, begunAt + RESUMED_WITHIN_MS);
    const repeat = { clock, until, signal, onFailure };
    if (resumed !== undefined && !(await this.#resume(run, { ...resumed, proceed }, repeat))) return false;
    const unreleased = resumed === undefined ? this.#unreleased(run) : NOTHING;
    const pastOf = (one: Registration): Past | undefined => {
      const now = clock.now();
      if (resumed?.open.includes(one)) return { ...HOLDING, since: now, isDraining: true };
      const past = one.state === "draining" ? (unreleased.get(keyOf(one))?.past ?? earlierTryOf(run, now)) : undefined;
      return past && { ...past, isDraining: true };
    };
    await repeatWhilePassing(repeat, async () => {
      const foundBefore = run.known();
      for await (const found of cloud.findRegistrations(run.node, run.callFor(signal))) {
        const listed =
          resumed === undefined
            ? found.registrations
            : found.registrations.filter(resumed.mustGo).map(resumed.asFoundThen);
        const elsewhereBefore = run.elsewhere.length;
        const registrations = run.found({ ...found, registrations: listed }, foundBefore, pastOf);
        await recordFound(run, registrations, run.elsewhere.slice(elsewhereBefore));
        // The drain may have ended meanwhile.
        signal.throwIfAborted();
        proceed(registrations);
      }
    });
    if (unreleased.size > 0) await this.#hold(run, unreleased, { proceed, signal });
    if (resumed === undefined) return true;
    // Not there any more: deregistered before the restart, at an unknown time. Held as if it were at the restart.
    const past = () => ({ ...HOLDING, since: begunAt });
    proceed(run.found({ registrations: resumed.open, elsewhere: [] }, run.known(), past));
    return true;
  }

  /** What the cloud lists no more, and may send traffic to all the same. */
  async #hold(run: DrainRun, unreleased: Unreleased, { proceed, signal }: Pick<FindOptions, "proceed" | "signal">) {
    const unlisted = [...unreleased.values()].map(({ registration }) => registration);
    const registrations = run.found(
      { registrations: unlisted, elsewhere: [] },
      run.known(),
      (one) => unreleased.get(keyOf(one))?.past,
    );
    await recordFound(run, registrations, []);
    signal.throwIfAborted();
    proceed(registrations);
  }

  #unreleased({ node }: DrainRun): Unreleased {
    const { ledger, clock } = this.#options;
    return ledger === undefined ? NOTHING : unreleasedOf(node.id, ledger, clock.now());
  }

  /** Continues the holds. Returns whether the machine is still there; its addresses may have changed. */
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

/** Before anything is done about them. */
async function recordFound(
  run: DrainRun,
  found: readonly DrainingRegistration[],
  elsewhere: readonly Registration[],
): Promise<void> {
  if (found.length === 0 && elsewhere.length === 0) return;
  run.happened({ type: "found", registrations: found.map(({ registration }) => registration), elsewhere });
  await run.steps.noted();
}

/** Whatever is draining an earlier try may have deregistered: when is for the cloud's list to say. */
function earlierTryOf({ asked }: DrainRun, now: number): Past | undefined {
  return asked.earlierTries.length === 0 ? undefined : { ...HOLDING, since: now, isEarlier: true };
}

export interface EarlierTryOptions {
  readonly cloud: Pick<CloudProvider, "holdOfUnlistedMs">;
  readonly clock: Clock;
  readonly ledger?: Ledger;
  /** When the search began that has found all that is listed, in milliseconds since the epoch. */
  readonly searchedAt: number;
  /** By an earlier process. */
  readonly resumed: ResumedState | undefined;
  /**
   * Until when the cluster's controllers may have deregistered something that no search has seen registered, in
   * milliseconds since the epoch. Absent: nothing.
   */
  readonly unseenUntil?: number | undefined;
}

/**
 * An earlier try, another process's, or a controller of the cluster, may have deregistered what the cloud lists no more. Resolves once that gets no
 * traffic for certain. What was tried by this process, or by an earlier one with its ledger, is known and held without that.
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

/**
 * When those began to search who know what earlier tries of the requests had left: what they deregistered since is known.
 * In milliseconds since the epoch. Undefined: no other process has tried, and nothing that this one has tried is unknown.
 *
 * A drain knows once it has asked every pool: what was registered then it has deregistered and written down itself, and
 * what was not had been deregistered before it began. One that failed before that knows nothing.
 */
function unknownUntil(
  run: DrainRun,
  { ledger, searchedAt, resumed }: Pick<EarlierTryOptions, "ledger" | "searchedAt" | "resumed">,
): number | undefined {
  const memories = ledger?.remembered(run.node.id) ?? [];
  const knowing = memories.filter(({ drain, hasSearched }) =>
    drain === run.id ? resumed?.hadSearched === true : hasSearched,
  );
  const unknown: number[] = [];
  // Entries are missing, or may be: of this drain, or of others of its node.
  if (resumed?.hadSearched === false) unknown.push(searchedAt);
  const lost = ledger?.unknownSince(run.node.id);
  if (lost !== undefined) unknown.push(Math.min(searchedAt, lost));
  for (const { firstTriedAt, event } of run.asked.earlierTries) {
    if (event !== undefined && knowing.some(({ firstTries }) => firstTries.includes(event))) continue;
    const later = knowing.filter(({ drain, startedAt }) => drain === run.id || startedAt >= firstTriedAt);
    unknown.push(Math.min(searchedAt, ...later.map(({ startedAt }) => startedAt)));
  }
  return unknown.length === 0 ? undefined : Math.max(...unknown);
}
