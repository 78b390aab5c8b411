/** One piece of a log: what was written, or a sentence that says what is missing or was changed. */
export type LogPiece = { readonly bytes: Buffer } | { readonly damage: string };

export interface TakenLog {
  /** Nothing was ever written, as far as this can be known. */
  readonly isNew: boolean;
  /** In order. They can be read once. */
  readonly pieces: AsyncIterable<LogPiece>;
}

/**
 * Bytes that outlive this machine, and to which one process at a time appends. Implementation: ConfigMaps in
 * Kubernetes.
 *
 * Every append is a compare-and-swap: a process whose log was taken over by another one can't append any more, whatever
 * it believes. The calls of one process follow each other: none begins before the last one has settled.
 */
export interface SharedLog {
  /**
   * Takes the log over and reads it. Everything that an earlier process has appended until then is included, and that
   * process can append nothing afterwards. This is the first call. Throws `DrainError`.
   */
  takeOver(signal: AbortSignal): Promise<TakenLog>;

  /**
   * Resolves when all of the bytes would outlive this machine. Throws `DrainError`, after which they may be stored all
   * the same. The next call repeats them, and may add others. Bytes that were stored already are not stored twice.
   */
  append(bytes: Buffer, signal: AbortSignal): Promise<void>;

  /**
   * Replaces everything that was written, in one step: if the process dies meanwhile, the log has the old bytes or the
   * new ones. Throws as `append`, and leaves the old ones then.
   */
  replace(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void>;

  /** The number of its pieces. Many are slow to read, and `replace` reduces them. */
  readonly pieceCount: number;
}
