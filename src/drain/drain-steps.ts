import { keyOf, type Registration } from "./cloud-provider.ts";
import { type DrainEvent, type DrainObserver, type Notice, notify } from "./events.ts";
import type { Journal } from "./journal.ts";
import type { Step } from "./steps.ts";
import type { UndoneNode } from "./undo.ts";

export interface DrainStepsOptions {
  readonly drainId: string;
  readonly node: UndoneNode;
  /** Absent: there is no ledger. */
  readonly journal?: Journal | undefined;
  /**
   * The journals of other drains of the node that an earlier process has not ended. They continue and end with this
   * drain.
   */
  readonly joined?: readonly (Journal | undefined)[];
  readonly observers?: readonly DrainObserver[] | undefined;
}

const DONE = Promise.resolve();
/**
 * Steps that are written for all drains that continue as one, besides the steps of the registrations that each has
 * found.
 */
const SHARED: ReadonlySet<Step["type"]> = new Set(["resumed", "cancelled", "ended", "undone"]);

/** The only way of a drain's steps: each is written to the ledger first, and passed to the observers then. */
export class DrainSteps {
  readonly #options: DrainStepsOptions;

  constructor(options: DrainStepsOptions) {
    this.#options = options;
  }

  happened(step: Step): void {
    const { journal, joined = [] } = this.#options;
    // Before the drain's own entry, so that a caller that waits for that one has waited for these too.
    if ("registration" in step || SHARED.has(step.type)) for (const one of joined) one?.write(step);
    journal?.write(step);
    this.#tell(step);
  }

  noticed(notice: Notice): void {
    this.#tell(notice);
  }

  /**
   * Writes a step of a drain that an earlier process has left unfinished and that is not resumed here. Observers do not
   * get it.
   */
  completes(step: Step): void {
    this.#options.journal?.write(step);
  }

  /** See `Journal`. */
  get accepted(): Promise<void> {
    return this.#options.journal?.accepted ?? DONE;
  }

  /** See `Journal`. */
  noted(): Promise<void> {
    return this.#options.journal?.noted() ?? DONE;
  }

  /** Everything that the drain has found, also in earlier processes. Empty without a ledger. */
  get found(): readonly Registration[] {
    const { journal, joined = [] } = this.#options;
    const all = [...joined, journal].flatMap((one) => one?.registrations ?? []);
    // The first drain has recorded each registration as it was before any of them.
    return [...new Map(all.map((one) => [keyOf(one), one])).values()];
  }

  /** No later process resumes the drain. */
  dropped(): void {
    this.#options.journal?.dropped();
  }

  #tell(what: Step | Notice): void {
    const { observers, drainId, node } = this.#options;
    notify<DrainEvent>(observers, { drainId, node, ...what });
  }
}
