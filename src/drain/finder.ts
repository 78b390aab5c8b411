import type { Clock } from "./clock.ts";
import { type CloudProvider, keyOf, type Registration } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import type { DrainRun } from "./drain-run.ts";
import { asDrainError } from "./errors.ts";
import type { DrainEvent } from "./events.ts";
import { leftWhenUnlistedMs } from "./hold.ts";
import type { Journal } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import { type RepeatOptions, repeatWhilePassing } from "./limit.ts";
import { type Left, type Past, type Unreleased, unreleasedOf } from "./past.ts";

/** After a restart everybody else waits for AWS, too. Where nobody set a limit, a search is tried again for so long. */
const TAKEN_UP_WITHIN_MS = 600_000;
const NONE: ReadonlySet<string> = new Set();
const NOTHING: Unreleased = new Map();

export interface FinderOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  /** Absent: nobody remembers earlier drains. */
  readonly ledger?: Ledger;
}

export interface FindOptions {
  /** Absent: nothing is written down. */
  readonly journal?: Journal | undefined;
  /** By an earlier process. */
  readonly left?: Left | undefined;
  /** Takes them out, or goes on holding them. */
  readonly letGo: (departures: readonly Departure[]) => void;
  readonly signal: AbortSignal;
}

type TakeUp = Left & Pick<FindOptions, "letGo">;

/** Finds everything of a node that is to be taken out. */
export class Finder {
  readonly #options: FinderOptions;

  constructor(options: FinderOptions) {
    this.#options = options;
  }

  /** Hands over what is found as soon as it is written down, and searches again where AWS has failed in passing. */
  async find(run: DrainRun, { journal, left, letGo, signal }: FindOptions): Promise<void> {
    const { cloud, clock } = this.#options;
    const begunAt = clock.now();
    const until = () => (left === undefined ? run.searchUntil : Math.min(run.mustEndBy, begunAt + TAKEN_UP_WITHIN_MS));
    const repeat = { clock, until, signal };
    if (left !== undefined && !(await this.#takeUp(run, { ...left, letGo }, repeat))) return;
    const unreleased = left === undefined ? await this.#unreleased(run, signal) : NOTHING;
    const pastOf = (one: Registration): Past | undefined => {
      const now = clock.now();
      if (left?.open.includes(one)) return { heldSince: now, cameBack: 0, isDraining: true };
      const past = one.state === "draining" ? (unreleased.get(keyOf(one))?.past ?? earlierTryOf(run, now)) : undefined;
      return past && { ...past, isDraining: true };
    };
    await repeatWhilePassing(repeat, async () => {
      const foundBefore = run.known();
      for await (const found of cloud.findRegistrations(run.node, run.callFor(signal))) {
        const registrations =
          left === undefined ? found.registrations : found.registrations.filter(left.isToLeave).map(left.asFoundThen);
        const elsewhereBefore = run.elsewhere.length;
        const departures = run.found({ ...found, registrations }, foundBefore, pastOf);
        if (journal !== undefined) {
          const leaving = departures.map(({ registration }) => registration);
          await journal.found(leaving, run.elsewhere.slice(elsewhereBefore));
        }
        // The drain may have ended meanwhile.
        signal.throwIfAborted();
        letGo(departures);
      }
    });
    if (unreleased.size > 0) await this.#hold(run, unreleased, { journal, letGo, signal });
    if (left === undefined) return;
    // Not there any more: deregistered before the restart, nobody knows when. Held as if it were at the restart.
    const past = () => ({ heldSince: begunAt, cameBack: 0 });
    letGo(run.found({ registrations: left.open, elsewhere: [] }, run.known(), past));
  }

  /** What the cloud lists no more, and may send traffic to all the same. */
  async #hold(run: DrainRun, unreleased: Unreleased, { journal, letGo, signal }: FindOptions) {
    const registrations = [...unreleased.values()].map(({ registration }) => registration);
    const departures = run.found(
      { registrations, elsewhere: [] },
      run.known(),
      (one) => unreleased.get(keyOf(one))?.past,
    );
    await journal?.found(
      departures.map(({ registration }) => registration),
      [],
    );
    signal.throwIfAborted();
    letGo(departures);
  }

  async #unreleased({ node }: DrainRun, signal: AbortSignal): Promise<Unreleased> {
    const { ledger, clock } = this.#options;
    return ledger === undefined ? NOTHING : unreleasedOf(node.id, ledger, clock.now(), signal);
  }

  /** Goes on holding what is out. Returns whether the machine is still there; its addresses may have changed. */
  async #takeUp(run: DrainRun, { past, pastOf, open, letGo }: TakeUp, repeat: RepeatOptions): Promise<boolean> {
    const { cloud, clock } = this.#options;
    letGo(run.found({ registrations: past, elsewhere: [] }, NONE, pastOf).filter(({ isOver }) => !isOver));
    const resolve = () => cloud.resolve({ by: "id", value: run.node.id }, run.callFor(repeat.signal));
    try {
      run.node = await repeatWhilePassing(repeat, resolve);
      return true;
    } catch (error) {
      const { code } = asDrainError(error);
      if (code !== "instance-gone" && code !== "node-not-found") throw error;
      run.found({ registrations: open, elsewhere: [] }, run.known());
      for (const departure of run.departures) departure.released(clock.now());
      return false;
    }
  }
}

/** Whatever is draining an earlier try may have deregistered: when is for the cloud's list to say. */
function earlierTryOf({ asked }: DrainRun, now: number): Past | undefined {
  return asked.firstTriedAt === undefined ? undefined : { heldSince: now, cameBack: 0, isEarlier: true };
}

interface EarlierTryOptions {
  readonly cloud: Pick<CloudProvider, "kindsAround">;
  readonly clock: Clock;
  readonly ledger?: Ledger;
  /** When the search began that has found all that is listed, in milliseconds since the epoch. */
  readonly searchedAt: number;
  readonly notify: (event: DrainEvent) => void;
}

/**
 * An earlier try, another process's, may have deregistered what the cloud lists no more. Resolves once that gets no
 * traffic for certain. What was tried by this process, or by whoever had its ledger, is known and held without that.
 */
export async function untilEarlierTryIsOver(
  run: DrainRun,
  { cloud, clock, ledger, searchedAt, notify }: EarlierTryOptions,
  signal: AbortSignal,
): Promise<void> {
  const { firstTriedAt } = run.asked;
  if (firstTriedAt === undefined) return;
  const others = ledger?.listOf(run.node.id).filter(({ drain }) => drain !== run.id) ?? [];
  if (others.some(({ startedAt }) => startedAt >= firstTriedAt)) return;
  const kinds = [...cloud.kindsAround(run.node)];
  const until = searchedAt + Math.max(0, ...kinds.map((kind) => leftWhenUnlistedMs(kind, run.allowances)));
  const leftMs = until - clock.now();
  if (leftMs <= 0) return;
  run.planned({ longestHoldMs: leftMs });
  notify({ type: "awaiting-earlier-try", drainId: run.id, node: run.node, until });
  await clock.sleep(leftMs, signal);
}
