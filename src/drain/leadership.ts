/** One term of this process as the leader. */
export interface Leadership {
  /** The number of the term. A later term of any process has a higher one, unless the Lease was deleted in between. */
  readonly number: number;

  /**
   * Throws `DrainError` `not-leader` if the term is over, or may be over. It must be called before each call that
   * changes something: here a process that stood still for a minute learns that another one leads. It costs nothing.
   */
  check(): void;

  /** Aborts when the term is over. Its reason is the `DrainError` `not-leader` that says why. */
  readonly over: AbortSignal;
}

/**
 * Must be called when a call is about to be sent. Throws the reason of `signal`, which ends with the term, or else
 * `not-leader`. Without a term nothing is checked.
 */
export function checkTerm(term: Pick<Leadership, "check"> | undefined, signal: AbortSignal): void {
  try {
    term?.check();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The leading process, as it is written down for the others. */
export interface LeaderRecord {
  /** No two processes have the same one. */
  readonly identity: string;
  /**
   * The address at which other replicas reach it, such as `https://10.0.0.1:8080`. Absent: it has not published one.
   */
  readonly address?: string;
  /** SHA-256 of the certificate that it presents there, as hexadecimal digits. Absent: it has none. */
  readonly fingerprint?: string;
}

/** Problems with the election. None of them ends it. */
export type ElectionState =
  | { readonly kind: "failing"; readonly error: Error }
  | { readonly kind: "recovered"; readonly failedForMs: number };

/** Ensures that one process at a time leads. Implementation: a Lease in Kubernetes. */
export interface Elector {
  /** This process, as the others see it when it leads. */
  readonly identity: string;

  /** The leader as it was last read, this process or another. Undefined: none is known, or its lease has expired. */
  readonly leader: LeaderRecord | undefined;

  /** Calls `listener` whenever `leader` has changed, until the returned function is called. */
  onChange(listener: () => void): () => void;

  /**
   * Campaigns until `stop`. `lead` is called for each term, and must resolve soon after `over` aborts. Until then this
   * process does not campaign again. When `lead` resolves, the term is over, and others may lead at once. `run`
   * resolves after `stop` when the last term has ended. It rejects only if `lead` does, after others may lead.
   *
   * `stop` alone does not abort `over`: a leader that stops ends its work first, and then `lead` resolves.
   */
  run(lead: (term: Leadership) => Promise<void>, stop: AbortSignal): Promise<void>;

  /** Keeps `leader` up to date without a campaign, until `end`. A process that stops still passes requests on. */
  observe(end: AbortSignal): Promise<void>;

  /**
   * Ends the term of this process if it leads: `over` aborts with this reason. Others get time to lead first, and this
   * process campaigns again if none of them does.
   */
  stepDown(reason: string): void;
}
