import type { Clock } from "./clock.ts";
import type { CloudProvider, Registration } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import type { DrainRun } from "./drain-run.ts";
import { asDrainError } from "./errors.ts";
import type { Journal } from "./journal.ts";
import type { Left } from "./past.ts";
import { type RepeatOptions, repeatWhilePassing } from "./repeat.ts";

/** After a restart everybody else waits for AWS, too. Where nobody set a limit, a search is tried again for so long. */
const TAKEN_UP_WITHIN_MS = 600_000;
const NONE: ReadonlySet<string> = new Set();

export interface FinderOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
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
    await repeatWhilePassing(repeat, async () => {
      const foundBefore = run.known();
      for await (const found of cloud.findRegistrations(run.node, run.callFor(signal))) {
        const registrations =
          left === undefined ? found.registrations : found.registrations.filter(left.isToLeave).map(left.asFoundThen);
        const past = (one: Registration) =>
          left?.open.includes(one) ? { heldSince: clock.now(), cameBack: 0, isDraining: true as const } : undefined;
        const elsewhereBefore = run.elsewhere.length;
        const departures = run.found({ ...found, registrations }, foundBefore, past);
        if (journal !== undefined) {
          const leaving = departures.map(({ registration }) => registration);
          await journal.found(leaving, run.elsewhere.slice(elsewhereBefore));
        }
        // The drain may have ended meanwhile.
        signal.throwIfAborted();
        letGo(departures);
      }
    });
    if (left === undefined) return;
    // Not there any more: deregistered before the restart, nobody knows when. Held as if it were at the restart.
    const past = () => ({ heldSince: begunAt, cameBack: 0 });
    letGo(run.found({ registrations: left.open, elsewhere: [] }, run.known(), past));
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
