import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { LeaderRecord } from "../drain/leadership.ts";
import type { Leader } from "../web/forward.ts";
import type { AnsweringTerm, Route } from "../web/relay.ts";

type OtherLeader = NonNullable<Route["leader"]>;

/**
 * The process that answers callers now: this one, or another one as it was read last. A leader whose lease has expired
 * stays known until another one leads, because the API server may be unreachable while it still leads.
 */
export class LeaderRoute<T extends AnsweringTerm> implements Route {
  readonly #clock: Clock;
  readonly #own: string;
  #term: T | undefined;
  #leader: OtherLeader | undefined;
  #gone = newAbort();
  #changed = newAbort();

  /** `own`: the identity of this process in the election. */
  constructor(clock: Clock, own: string) {
    this.#clock = clock;
    this.#own = own;
  }

  get term(): T | undefined {
    return this.#term;
  }

  get leader(): OtherLeader | undefined {
    return this.#leader;
  }

  /** This process answers from now on, or does not any more. */
  lead(term: T | undefined): void {
    this.#term = term;
    if (term !== undefined) this.#forget();
    this.#tell();
  }

  /** The election has found this leader. */
  heard(record: LeaderRecord | undefined): void {
    if (record?.address === undefined) return;
    if (record.identity === this.#own) {
      this.#forget();
    } else {
      const { identity, address, fingerprint } = record;
      if (this.#leader?.identity !== identity) this.#forget();
      const leader: Leader = { identity, address, ...(fingerprint !== undefined && { fingerprint }) };
      this.#leader = { ...leader, gone: this.#gone.signal };
    }
    this.#tell();
  }

  async changed(withinMs: number, signal: AbortSignal): Promise<void> {
    const change = this.#changed.signal;
    await withAnyOf([change, signal], (either) => this.#clock.sleep(withinMs, either)).catch(() => {});
    signal.throwIfAborted();
  }

  #forget(): void {
    this.#leader = undefined;
    this.#gone.abort(WOKEN);
    this.#gone = newAbort();
  }

  #tell(): void {
    this.#changed.abort(WOKEN);
    this.#changed = newAbort();
  }
}
