import type { Copied, LedgerFile } from "./ledger-file.ts";
import type { LedgerIndex, RetentionBounds } from "./ledger-index.ts";
import { copyRetained } from "./stored-drains.ts";

export interface CompactionBounds extends RetentionBounds {
  /**
   * A larger file is rewritten with the retained entries. If it is still larger, it is rewritten again when it is twice
   * as large.
   */
  readonly fileBytesMax: number;
  /** A shared log of more pieces is rewritten, too. */
  readonly piecesMax: number;
}

export interface CompactionOptions {
  readonly bounds: CompactionBounds;
  /** Called when `isCopied` becomes true. */
  readonly onCopied: () => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Rewrites the file when it has become too large. Most of the work runs beside reads and writes: an entry that had to
 * wait for it would be lost by a crash, although its drain continues.
 */
export class Compaction {
  readonly #file: LedgerFile;
  readonly #index: LedgerIndex;
  readonly #options: CompactionOptions;
  #above: number;
  #piecesAbove: number;
  #copying: Promise<void> | undefined;
  #copied: Copied | undefined;
  /** The copy is of no use any more. */
  #isVain = false;

  constructor(file: LedgerFile, index: LedgerIndex, options: CompactionOptions) {
    this.#file = file;
    this.#index = index;
    this.#options = options;
    this.#above = options.bounds.fileBytesMax;
    this.#piecesAbove = options.bounds.piecesMax;
  }

  /** Whether `finish` has something to do. */
  get isCopied(): boolean {
    return this.#copied !== undefined;
  }

  /** Must be called while everything in the file is sound. */
  beginIfLarge(): void {
    if (this.#copying !== undefined) return;
    const hasManyPieces = this.#file.pieceCount > this.#piecesAbove;
    const hasManyDrains = this.#index.ended > 1.5 * this.#options.bounds.endedMax;
    if (this.#file.size <= this.#above && !hasManyDrains && !hasManyPieces) return;
    // If it fails, it does not begin again at once.
    this.#above = 2 * this.#file.size;
    this.#piecesAbove = 2 * this.#file.pieceCount;
    this.#copying = this.#copy();
  }

  /** No other code may write meanwhile. */
  async finish(): Promise<void> {
    const copied = this.#copied;
    this.#copied = undefined;
    try {
      await copied?.finish();
      this.#above = Math.max(this.#options.bounds.fileBytesMax, 2 * this.#file.size);
      this.#piecesAbove = Math.max(this.#options.bounds.piecesMax, 2 * this.#file.pieceCount);
    } catch (error) {
      this.#options.onFailure(error);
    } finally {
      this.#copying = undefined;
    }
  }

  /** Resolves when nothing of the begun copy remains. The next one may begin. */
  async discard(): Promise<void> {
    this.#isVain = true;
    await this.#copying;
    await this.#copied?.discard();
    this.#copied = undefined;
    this.#copying = undefined;
    this.#isVain = false;
  }

  async #copy(): Promise<void> {
    try {
      this.#copied = await copyRetained(this.#file, this.#index, this.#options.bounds);
      if (!this.#isVain) this.#options.onCopied();
    } catch (error) {
      this.#copying = undefined;
      if (!this.#isVain) this.#options.onFailure(error);
    }
  }
}
