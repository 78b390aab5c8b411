import type { AskedRequest } from "./request.ts";

/** Different reasons that a drain remembers. */
const REASONS_MAX = 20;

/** What all requests for one node come to together: whoever can't be told no, or wants no guard, decides for all. */
export class JointRequest {
  readonly #isGuarded: boolean;
  readonly #reasons = new Set<string>();
  #deadline: number | undefined;
  #isVoluntary = true;
  #isForced = false;
  #firstTriedAt: number | undefined;
  #insist: () => void = () => {};
  /** Resolves once somebody has asked who is not to be refused. */
  readonly insisted = new Promise<void>((resolve) => {
    this.#insist = resolve;
  });

  /** `isGuarded`: there is a guard that may refuse. */
  constructor({ isGuarded }: { readonly isGuarded: boolean }) {
    this.#isGuarded = isGuarded;
  }

  add({ deadline, reason, isVoluntary = false, force = false, firstTriedAt }: Omit<AskedRequest, "askedAt">): void {
    if (firstTriedAt !== undefined) this.#firstTriedAt = Math.min(firstTriedAt, this.#firstTriedAt ?? firstTriedAt);
    if (deadline !== undefined && deadline < (this.#deadline ?? Number.POSITIVE_INFINITY)) this.#deadline = deadline;
    if (reason !== undefined && this.#reasons.size < REASONS_MAX) this.#reasons.add(reason);
    this.#isVoluntary &&= isVoluntary;
    this.#isForced ||= force;
    if (!this.#isVoluntary || this.#isForced) this.#insist();
  }

  /** The earliest. Absent: nobody gave one. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** See `DrainRequest`: of the one that was tried first. */
  get firstTriedAt(): number | undefined {
    return this.#firstTriedAt;
  }

  get reasons(): readonly string[] {
    return [...this.#reasons];
  }

  get isForced(): boolean {
    return this.#isForced;
  }

  /** The drain may be told no: nothing of it is deregistered before the guard has allowed it. */
  get isRefusable(): boolean {
    return this.#isGuarded && this.#isVoluntary && !this.#isForced;
  }
}
