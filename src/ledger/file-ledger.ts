import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import {
  APPENDED_WITHIN_MS,
  type DrainSummary,
  type Ledger,
  type LedgerEntry,
  NOTED_WITHIN_MS,
  type RememberedDrain,
} from "../drain/ledger.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";
import { Compaction, type CompactionBounds } from "./compaction.ts";
import { Displaced, type LedgerFile } from "./ledger-file.ts";
import { Followers, type LedgerIndex } from "./ledger-index.ts";
import { lineOf } from "./lines.ts";
import { Reads } from "./reads.ts";
import { storedEntries, unavailable, writeAnew } from "./stored-drains.ts";

export interface FileBounds extends CompactionBounds {
  /**
   * The number of entries that wait while the disk fails. Beyond it, only the beginnings and ends of drains are kept.
   */
  readonly waitingMax: number;
}

const BOUNDS: FileBounds = {
  endedMax: 10_000,
  endedBytesMax: 32 * 1_024 * 1_024,
  fileBytesMax: 64 * 1_024 * 1_024,
  piecesMax: 200,
  waitingMax: 20_000,
};
/** Many lines are one write. */
const BATCH_BYTES = 256 * 1_024;
/** After a failure, the disk is tried again at this interval, and for each drain that has to be kept. */
const RETRY_MS = 5_000;
const READ_WITHIN_MS = 5_000;
/** A disk that hangs delays the end of the process by at most this time. */
const CLOSED_WITHIN_MS = 5_000;

export interface FileLedgerOptions {
  readonly clock: Clock;
  readonly bounds?: Partial<FileBounds>;
  /** Called for each failed write. */
  readonly onFailure?: (error: DrainError) => void;
  /** Called for the first failure after a success, and for the first success after that. */
  readonly onTrouble?: (error: DrainError) => void;
  readonly onRecovered?: (lost: number) => void;
  /**
   * How long entries that no caller waits for are gathered before they are written. Absent: they are written at once.
   */
  readonly gatheredForMs?: number;
  /** Rejects if another process has taken the folder over. Nothing is written then. */
  readonly checkLock?: () => Promise<void>;
}

interface Waiting {
  readonly entry: LedgerEntry;
  /** Absent: no caller waits for it. */
  readonly appended?: { readonly resolve: () => void; readonly reject: (error: DrainError) => void };
}

/**
 * Keeps drains in a file of JSON lines. Only callers that ask for it wait for the disk: entries wait in a queue that
 * one loop writes, with one `fdatasync` for all that gather while the last one runs.
 */
export class FileLedger implements Ledger {
  readonly #file: LedgerFile;
  readonly #index: LedgerIndex;
  readonly #options: FileLedgerOptions;
  readonly #bounds: FileBounds;
  readonly #compaction: Compaction;
  readonly #followers = new Followers();
  readonly #reads = new Reads();
  readonly #closed = newAbort();
  #queue: Waiting[] = [];
  /** Taken from the queue, and not safely in the file yet. */
  #writing: readonly Waiting[] = [];
  #isBusy = false;
  #failure: DrainError | undefined;
  #lost = 0;
  /** The number of entries given, and the number of those that the end of the process can't lose. */
  #given = 0;
  #noted = 0;
  #whoAwaitsNoting: { readonly upTo: number; readonly resolve: () => void }[] = [];
  #awaitsRetry = false;
  /** Whether entries are being gathered, or were gathered and have to be written. */
  #gathering: "no" | "yes" | "done" = "no";
  /**
   * The file is not the one that this process has written, or another process has the folder. With the time since when.
   */
  #displaced: { readonly error: DrainError; readonly at: number } | undefined;

  constructor(file: LedgerFile, index: LedgerIndex, options: FileLedgerOptions) {
    this.#file = file;
    this.#index = index;
    this.#options = options;
    this.#bounds = { ...BOUNDS, ...options.bounds };
    this.#compaction = new Compaction(file, index, {
      bounds: this.#bounds,
      onCopied: () => void this.#write(),
      onFailure: (error) => this.#closed.signal.aborted || this.#trouble(unavailable("written", error)),
    });
  }

  /**
   * Another program has removed or changed the file, and it was not written anew yet. `at`: in milliseconds since the
   * epoch.
   */
  get displaced(): { readonly error: DrainError; readonly at: number } | undefined {
    return this.#displaced;
  }

  note(entry: LedgerEntry): void {
    this.#take({ entry });
  }

  async noted(): Promise<void> {
    if (this.#isNoted) return;
    const done = newAbort();
    const late = this.#options.clock.sleep(NOTED_WITHIN_MS, done.signal);
    await Promise.race([this.#allNoted(), late]).finally(() => done.abort());
  }

  /** Also while the disk fails, although entries may be lost then. */
  get #isNoted(): boolean {
    return this.#failure !== undefined || this.#noted >= this.#given;
  }

  async #allNoted(): Promise<void> {
    if (this.#isNoted) return;
    const noted = new Promise<void>((resolve) => this.#whoAwaitsNoting.push({ upTo: this.#given, resolve }));
    void this.#write();
    await noted;
  }

  async append(entry: LedgerEntry): Promise<void> {
    const done = newAbort();
    const appended = new Promise<void>((resolve, reject) => this.#take({ entry, appended: { resolve, reject } }));
    const tooLate = this.#options.clock.sleep(APPENDED_WITHIN_MS, done.signal).then(
      () => {
        const error = new DrainError(
          "ledger-unavailable",
          `the ledger was not written within ${APPENDED_WITHIN_MS / 1_000} s`,
        );
        this.#trouble(error);
        throw error;
      },
      () => {}, // Kept, or not, before that.
    );
    await Promise.race([appended, tooLate]).finally(() => done.abort());
  }

  list(max: number): readonly DrainSummary[] {
    return this.#index.newest(max);
  }

  listOf(nodeId: string): readonly DrainSummary[] {
    return this.#index.of(nodeId);
  }

  remembered(nodeId: string): readonly RememberedDrain[] {
    return this.#index.remembered(nodeId);
  }

  unknownSince(nodeId: string): number | undefined {
    return this.#index.unknownSince(nodeId);
  }

  async read(drain: string, signal: AbortSignal): Promise<readonly LedgerEntry[] | undefined> {
    const known = this.#index.get(drain);
    if (known === undefined) return undefined;
    if (known.entries !== undefined) return [...known.entries];
    const { clock } = this.#options;
    const limit = { reason: "timeout", at: clock.now() + READ_WITHIN_MS } as const;
    // A caller that joins a read gets everything that was given before it came.
    const key = `${drain} ${this.#given}`;
    try {
      return await withLimit({ clock, limit, signal }, (within) =>
        this.#reads.read(key, (meanwhile) => this.#stored(drain, meanwhile), within),
      );
    } catch (error) {
      if (signal.aborted) throw error;
      throw unavailable(
        "read",
        error instanceof LimitPassed ? `it took longer than ${READ_WITHIN_MS / 1_000} s` : error,
      );
    }
  }

  follow(drain: string, onEntry: (entry: LedgerEntry) => void): () => void {
    return this.#followers.follow(drain, onEntry);
  }

  async unfinished(signal: AbortSignal): Promise<readonly (readonly LedgerEntry[])[]> {
    const each = [...this.#index.unfinished()].map((drain) => this.read(drain, signal));
    return (await Promise.all(each)).filter((entries) => entries !== undefined);
  }

  /** Waits for the entries that are not written yet, but no longer than that if the disk hangs. */
  async close(): Promise<void> {
    const done = newAbort();
    const late = this.#options.clock.sleep(CLOSED_WITHIN_MS, done.signal).catch(() => {}); // Closed before.
    await Promise.race([this.#allNoted(), late]);
    this.#closed.abort();
    await Promise.race([this.#end(), late]).finally(() => done.abort());
  }

  async #end(): Promise<void> {
    await this.#compaction.discard();
    if (!this.#isBusy) await this.#file.close().catch(() => {});
  }

  async #stored(drain: string, signal: AbortSignal): Promise<readonly LedgerEntry[]> {
    // This includes later entries.
    const unwritten = this.#unwritten().filter((entry) => entry.drain === drain);
    const places = this.#index.get(drain)?.places ?? [];
    const view = this.#file.view();
    try {
      return [...(await storedEntries(view, { drain, places }, signal)), ...unwritten];
    } finally {
      view.release();
    }
  }

  #unwritten(): readonly LedgerEntry[] {
    return [...this.#writing, ...this.#queue].map(({ entry }) => entry);
  }

  #take(waiting: Waiting): void {
    const { entry, appended } = waiting;
    this.#index.given(entry);
    const isStep = !["accepted", "ended", "cancelled", "undone"].includes(entry.type);
    const { waitingMax } = this.#bounds;
    if (this.#queue.length >= (isStep ? waitingMax : 2 * waitingMax)) {
      this.#lost += 1;
      appended?.reject(
        this.#failure ?? new DrainError("ledger-unavailable", "the ledger can't be written fast enough"),
      );
    } else {
      this.#queue.push(waiting);
      this.#given += 1;
      // While the disk fails, it is tried for entries that callers wait for. The others are written when it works
      // again.
      if (appended !== undefined || !this.#awaitsRetry) void this.#write();
    }
    this.#followers.notify(entry);
  }

  async #write(): Promise<void> {
    if (this.#isBusy || this.#closed.signal.aborted) return;
    this.#isBusy = true;
    try {
      while (!this.#closed.signal.aborted) {
        if (this.#displaced !== undefined) await this.#writeAnew();
        else if (this.#compaction.isCopied) await this.#compaction.finish();
        else if (this.#isDue()) await this.#writeBatch();
        else break;
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isBusy = false;
      if (this.#closed.signal.aborted) await this.#file.close().catch(() => {});
    }
  }

  /** Starts to gather if there are entries that no caller waits for. */
  #isDue(): boolean {
    const { clock, gatheredForMs = 0 } = this.#options;
    if (this.#queue.length === 0) return false;
    const isAwaited = this.#whoAwaitsNoting.length > 0 || this.#queue.some(({ appended }) => appended !== undefined);
    if (gatheredForMs === 0 || this.#gathering === "done" || isAwaited) return true;
    if (this.#gathering === "yes") return false;
    this.#gathering = "yes";
    clock.sleep(gatheredForMs, this.#closed.signal).then(
      () => {
        this.#gathering = "done";
        return this.#write();
      },
      () => {}, // Closed.
    );
    return false;
  }

  async #writeBatch(): Promise<void> {
    if (this.#gathering === "done") this.#gathering = "no";
    const lines: Buffer[] = [];
    let bytes = 0;
    while (bytes < BATCH_BYTES && lines.length < this.#queue.length) {
      const line = Buffer.from(lineOf((this.#queue[lines.length] as Waiting).entry));
      lines.push(line);
      bytes += line.length;
    }
    const batch = this.#queue.splice(0, lines.length);
    this.#writing = batch;
    await this.#checkPlace();
    const begin = this.#file.size;
    await this.#file.append(Buffer.concat(lines));
    this.#noted += batch.length;
    this.#resolveNoted();
    try {
      if (batch.some(({ appended }) => appended !== undefined)) await this.#file.sync();
    } catch (error) {
      // The disk may have lost them, so they are written again.
      this.#file.takeBack(begin);
      this.#noted -= batch.length;
      throw error;
    }
    let from = begin;
    for (const [index, { entry, appended }] of batch.entries()) {
      const to = from + (lines[index]?.length ?? 0);
      this.#index.written(entry.drain, from, to);
      appended?.resolve();
      from = to;
    }
    this.#writing = [];
    this.#recovered();
    this.#compaction.beginIfLarge();
  }

  /** Checks what another program has done to the folder or the file. */
  async #checkPlace(): Promise<void> {
    try {
      await this.#options.checkLock?.();
      await this.#file.check();
    } catch (error) {
      const isDisplaced = error instanceof Displaced || this.#displaced !== undefined;
      if (isDisplaced) this.#displaced = { error: unavailable("written", error), at: this.#options.clock.now() };
      throw error;
    }
  }

  async #writeAnew(): Promise<void> {
    await this.#options.checkLock?.();
    await this.#compaction.discard();
    this.#lost += await writeAnew(this.#file, this.#index, () => this.#unwritten());
    this.#displaced = undefined;
    if (this.#queue.length === 0) this.#recovered();
  }

  #failed(cause: unknown): void {
    const error = unavailable("written", cause);
    const again = this.#writing.map(({ entry }) => ({ entry }));
    for (const { appended } of [...this.#writing, ...this.#queue]) appended?.reject(error);
    this.#queue = [...again, ...this.#queue.map(({ entry }) => ({ entry }))];
    this.#writing = [];
    this.#trouble(error);
    this.#resolveNoted();
  }

  #trouble(error: DrainError): void {
    const isFirst = this.#failure === undefined;
    this.#failure = error;
    this.#options.onFailure?.(error);
    if (isFirst) this.#options.onTrouble?.(error);
    if (this.#awaitsRetry) return;
    this.#awaitsRetry = true;
    this.#options.clock.sleep(RETRY_MS, this.#closed.signal).then(
      () => {
        this.#awaitsRetry = false;
        return this.#write();
      },
      () => {}, // Closed.
    );
  }

  #recovered(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#options.onRecovered?.(this.#lost);
    this.#lost = 0;
  }

  #resolveNoted(): void {
    const isNoted = ({ upTo }: { readonly upTo: number }) => this.#failure !== undefined || upTo <= this.#noted;
    const noted = this.#whoAwaitsNoting.filter(isNoted);
    this.#whoAwaitsNoting = this.#whoAwaitsNoting.filter((one) => !isNoted(one));
    for (const { resolve } of noted) resolve();
  }
}
