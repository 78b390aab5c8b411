import { anyOf, newAbort, WOKEN } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CloudProvider } from "./cloud-provider.ts";
import type { Cluster } from "./cluster.ts";
import { type DrainRecord, drainRecord } from "./drain-record.ts";
import type { DrainRun } from "./drain-run.ts";
import { DrainSteps } from "./drain-steps.ts";
import { DrainError, printable } from "./errors.ts";
import type { DrainObserver } from "./events.ts";
import { Marking } from "./exclusion.ts";
import type { Ledger } from "./ledger.ts";
import { CANCELLED, type Superseded, type UndoneResult } from "./outcome.ts";
import { isStale } from "./past.ts";
import type { Asker } from "./request.ts";
import type { ExclusionStep, Step } from "./steps.ts";
import { isEndOfUndo, UNDONE_WITHIN_MS, type UndoneNode, type UndoOutcome, undo } from "./undo.ts";
import { type Undoable, undoablesOf, undoablesOfRecord } from "./undoable.ts";

export interface CancellerOptions {
  readonly cloud: CloudProvider;
  /** Absent: no cluster is configured. */
  readonly cluster?: Cluster;
  readonly clock: Clock;
  /** Absent: only running drains can be cancelled. */
  readonly ledger?: Ledger;
  /** The running drains, by their nodes' ids. */
  readonly runs: ReadonlyMap<string, DrainRun>;
  /** Stops all work for the drain: what waits to be deregistered stays registered. */
  readonly release: (run: DrainRun) => void;
  readonly observers?: readonly DrainObserver[];
  /** The steps of a drain that does not run. */
  readonly stepsOf: (record: DrainRecord) => DrainSteps;
}

/** What to undo, from the running drain or from its record. */
export interface ToUndo {
  readonly drainId: string;
  readonly node: UndoneNode;
  readonly undoables: readonly Undoable[];
  /** From when on the drain deregisters nothing more, in milliseconds since the epoch. Absent: from now on. */
  readonly stoppedAt?: number;
}

interface Undoing {
  readonly nodeId: string;
  readonly stop: AbortController;
  readonly outcome: Promise<UndoOutcome>;
}

/** Cancels drains: stops the running ones, and undoes what they have done. */
export class Canceller {
  readonly #options: CancellerOptions;
  /** The undos in progress, by the drains' ids. */
  readonly #undoing = new Map<string, Undoing>();

  constructor(options: CancellerOptions) {
    this.#options = options;
  }

  /** See `Drainer.cancel`. */
  async cancel(drainId: string, asker: Asker | undefined, signal: AbortSignal): Promise<UndoOutcome> {
    const known = this.#known(drainId, asker, signal);
    if (known !== undefined) return known;
    const record = await this.#recordOf(drainId, signal);
    // Another caller may have cancelled the drain during the read.
    const now = this.#known(drainId, asker, signal);
    if (now !== undefined) return now;
    const { node } = record;
    const other = this.#options.runs.get(node.id);
    if (other !== undefined) {
      throw new DrainError(
        "another-drain",
        `${node.id} is being drained by ${other.id}, which would deregister it again: cancel that drain, or wait for its end`,
      );
    }
    return this.#begin(drainId, node.id, signal, async (within) => {
      const steps = this.#options.stepsOf(record);
      steps.happened({ type: "cancelled", ...(asker && { asker }) });
      await steps.noted();
      if (record.end === undefined) steps.completes(endOfUnfinished(record));
      return this.#undo(this.#toUndo(record), steps, within);
    });
  }

  /** Continues an undo that an earlier process has begun. */
  async resume(record: DrainRecord, signal: AbortSignal): Promise<void> {
    const { id: drainId, node, end } = record;
    await this.#begin(drainId, node.id, signal, async (within) => {
      const steps = this.#options.stepsOf(record);
      steps.completes({ type: "resumed" });
      if (end === undefined) steps.completes(endOfUnfinished(record));
      const other = this.#options.runs.get(node.id);
      if (other !== undefined) this.drainBegins(node.id, other.id);
      if (isStale(record, this.#options.clock.now())) this.#supersede(drainId, TOO_OLD);
      return this.#undo(this.#toUndo(record), steps, within);
    });
  }

  /** Ends a running drain whose machine is not to leave, and undoes it. See `undoing`. */
  supersede(run: DrainRun, why: Superseded, signal: AbortSignal): void {
    const undone = this.#begin(run.id, run.node.id, signal, (within) => this.#endRunning(run, why, undefined, within));
    // The callers of the drain get this failure.
    undone.catch(() => {});
  }

  /** The undo of a drain that is in progress. */
  undoing(drainId: string): Promise<UndoOutcome> | undefined {
    return this.#undoing.get(drainId)?.outcome;
  }

  /** See `Drainer.undo`. */
  undo(toUndo: ToUndo, signal: AbortSignal): Promise<UndoOutcome> {
    const { drainId, node } = toUndo;
    return this.#undo(toUndo, new DrainSteps({ drainId, node, observers: this.#options.observers }), signal);
  }

  /** A drain of the node begins, so that targets that are not registered again yet stay deregistered. */
  drainBegins(nodeId: string, drainId: string): void {
    for (const [undone, undoing] of this.#undoing) {
      if (undoing.nodeId !== nodeId) continue;
      this.#supersede(undone, new DrainError("another-drain", `the drain ${drainId} of the node began meanwhile`));
    }
  }

  /** The undo in progress, or that of a running drain, which begins with this call. */
  #known(drainId: string, asker: Asker | undefined, signal: AbortSignal): Promise<UndoOutcome> | undefined {
    const undoing = this.#undoing.get(drainId);
    if (undoing !== undefined) return undoing.outcome;
    const run = [...this.#options.runs.values()].find(({ id }) => id === drainId);
    return (
      run && this.#begin(drainId, run.node.id, signal, (within) => this.#endRunning(run, CANCELLED, asker, within))
    );
  }

  async #endRunning(
    run: DrainRun,
    why: typeof CANCELLED | Superseded,
    asker: Asker | undefined,
    signal: AbortSignal,
  ): Promise<UndoOutcome> {
    const { clock, release } = this.#options;
    const { steps } = run;
    // Written before the drain's end, so that a process that reads only this one continues the undo.
    steps.happened({ type: "cancelled", ...(asker && { asker }) });
    const noted = steps.noted();
    const ended = run.end(why);
    release(run);
    const stoppedAt = clock.now();
    const { id: drainId, node } = run;
    const undoables = undoablesOf(run.report.registrations, steps.found, stoppedAt);
    await Promise.all([noted, ended]);
    return this.#undo({ drainId, node, undoables, stoppedAt }, steps, signal);
  }

  async #undo(toUndo: ToUndo, steps: DrainSteps, signal: AbortSignal): Promise<UndoOutcome> {
    const { cloud, clock } = this.#options;
    const { drainId, node, undoables, stoppedAt = clock.now() } = toUndo;
    steps.noticed({ type: "undoing" });
    // Registrations in the states `untouched` and `left` are reported at the end only.
    const onEnded = ({ registration, state, error }: UndoneResult) => {
      if (state === "registered") steps.happened({ type: "registered", registration });
      if (error !== undefined) steps.happened({ type: "register-failed", registration, error });
    };
    // First of all, because a controller would deregister again what is registered while the node is excluded.
    const including = this.#include(node, steps, signal);
    await including?.awaited;
    const registered = await undo({ cloud, clock, drainId, node, undoables, stoppedAt, onEnded }, signal);
    const stillExcluded = including && (await this.#untilIncluded(including, signal));
    const outcome = { ...registered, ...(stillExcluded && { stillExcluded }) };
    steps.happened({ type: "undone", outcome });
    return outcome;
  }

  #include(node: UndoneNode, steps: DrainSteps, signal: AbortSignal): Marking | undefined {
    const { cluster, clock } = this.#options;
    const happened = (step: ExclusionStep) => steps.happened(step);
    return cluster && new Marking("include", { cluster, clock, node: () => node, happened }, signal);
  }

  /** Why the node is still excluded, if that could not be changed in time. */
  async #untilIncluded(including: Marking, signal: AbortSignal): Promise<DrainError | undefined> {
    const { clock } = this.#options;
    const done = newAbort();
    const late = clock.sleep(UNDONE_WITHIN_MS, done.signal).then(
      () => including.end(),
      () => {},
    );
    const failure = await including.ended;
    done.abort(WOKEN);
    await late;
    if (signal.aborted && !isEndOfUndo(signal.reason)) throw signal.reason;
    return failure;
  }

  #begin(
    drainId: string,
    nodeId: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<UndoOutcome>,
  ): Promise<UndoOutcome> {
    const stop = newAbort();
    // Not at once, so that a caller at the same moment finds it here.
    const outcome = Promise.resolve()
      .then(() => work(anyOf(signal, stop.signal)))
      .finally(() => this.#undoing.delete(drainId));
    this.#undoing.set(drainId, { nodeId, stop, outcome });
    return outcome;
  }

  #supersede(drainId: string, why: DrainError): void {
    this.#undoing.get(drainId)?.stop.abort(why);
  }

  async #recordOf(drainId: string, signal: AbortSignal): Promise<DrainRecord> {
    const entries = await this.#options.ledger?.read(drainId, signal);
    const record = entries && drainRecord(entries);
    if (record !== undefined) return record;
    throw new DrainError(
      "drain-not-found",
      `there is no drain '${printable(drainId)}', or it was removed because of its age: GET /drains lists the known drains`,
    );
  }

  #toUndo(record: DrainRecord): ToUndo {
    const { id: drainId, node, entries } = record;
    return { drainId, node, undoables: undoablesOfRecord(record), stoppedAt: entries.at(-1)?.at ?? 0 };
  }
}

/** The end of a drain that is cancelled before any process has ended it. */
function endOfUnfinished({ id: drainId, node }: DrainRecord): Step {
  const outcome = { status: "cancelled", drainId, node, registrations: [] } as const;
  return { type: "ended", outcome, tookMs: 0 };
}

const TOO_OLD = new DrainError(
  "not-registered",
  "the undo was interrupted more than a day ago: cancel the drain again",
);
