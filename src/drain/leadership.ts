/** One term of this process as the leader. */
export interface Leadership {
  /** Of the term. A later one of any process has a higher number, unless the Lease was deleted between them. */
  readonly number: number;

  /**
   * Throws `DrainError` `not-leader` once the term is over, or can't be known not to be. To be called before each call that
   * changes something: a process that stood still for a minute learns here that another one leads. Costs nothing.
   */
  check(): void;

  /** Aborts when the term is over. Its reason is the `DrainError` `not-leader` that says why. */
  readonly over: AbortSignal;
}

/**
 * To be called where a call is about to be sent. Throws the reason of `signal`, which ends with the term, or else
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

/** A process that leads, as it is written down for the others. */
export interface LeaderRecord {
  /** No two processes have the same one. */
  readonly identity: string;
  /** Where the others reach it, as `https://10.0.0.1:8080`. Absent: it has not said. */
  readonly address?: string;
  /** SHA-256 of the certificate that it shows there, as hexadecimal digits. Absent: it has none. */
  readonly fingerprint?: string;
}

/** Troubles with the election. None of them ends it. */
export type ElectionState =
  | { readonly kind: "failing"; readonly error: Error }
  | { readonly kind: "recovered"; readonly failedForMs: number };

/** Sees to it that one process at a time leads. Implementation: a Lease in Kubernetes. */
export interface Elector {
  /** This process, as the others see it when it leads. */
  readonly identity: string;

  /** The leader as last seen, this process or another. Undefined: none is known, or its lease has expired. */
  readonly leader: LeaderRecord | undefined;

  /** Calls `listener` whenever `leader` has become another one, until the returned function is called. */
  onChange(listener: () => void): () => void;

  /**
   * Campaigns until `stop`. Each term is led by `lead`, which has to resolve soon after `over` aborts: until then this
   * process does not campaign again. When `lead` resolves, the term is over and others may lead at once. Resolves after
   * `stop` when the last term has ended so. Rejects only where `lead` does, once others may lead.
   *
   * `stop` alone does not abort `over`: a leader that stops ends its work first, and `lead` resolves then.
   */
  run(lead: (term: Leadership) => Promise<void>, stop: AbortSignal): Promise<void>;

  /** Keeps `leader` up to date without a campaign, until `end`: a process that stops still passes requests on. */
  observe(end: AbortSignal): Promise<void>;

  /**
   * Ends the term of this process, if it leads: `over` aborts, with this reason. Others are given the time to lead first,
   * and it campaigns again if none of them does.
   */
  stepDown(reason: string): void;
}
