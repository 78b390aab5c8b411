/** One piece of a log: what was written, or the sentence that says what is missing here, or was changed. */
export type LogPiece = { readonly bytes: Buffer } | { readonly damage: string };

export interface TakenLog {
  /** Nothing was ever written, as far as can be known. */
  readonly isNew: boolean;
  /** In order. Read once. */
  readonly pieces: AsyncIterable<LogPiece>;
}

/**
 * Bytes that outlive this machine, which one process at a time appends to. Implementation: ConfigMaps in Kubernetes.
 *
 * Every append is a compare-and-swap: a process whose log was taken over by another one can't append any more, whatever it
 * believes. Calls of one process follow each other: none begins before the last one has settled.
 */
export interface SharedLog {
  /**
   * Takes the log over and reads it: nothing that an earlier process has appended until then is missing, and it can
   * append nothing afterwards. The first call. Throws `DrainError`.
   */
  takeOver(signal: AbortSignal): Promise<TakenLog>;

  /**
   * Resolves once the bytes outlive this machine, all of them. Throws `DrainError`: then they may be stored all the same.
   * The next call repeats them, and goes on with others if it likes: what was stored already is not stored twice.
   */
  append(bytes: Buffer, signal: AbortSignal): Promise<void>;

  /**
   * Puts other bytes in the place of all that was written, in one step: a process that dies meanwhile leaves the old
   * ones or the new ones. Throws as `append`, and leaves the old ones then.
   */
  replace(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void>;

  /** Of how many pieces it consists: many are slow to read. `replace` makes them fewer. */
  readonly pieceCount: number;
}
