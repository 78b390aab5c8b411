import type { Clock } from "./clock.ts";
import { keyOf, type Node, type Registration } from "./cloud-provider.ts";
import { type DrainRecord, recordedError, recordedOutcome } from "./drain-record.ts";
import type { RegistrationEvent } from "./draining-registration.ts";
import type { EvictionEvent } from "./eviction.ts";
import type { ExclusionEvent } from "./exclusion.ts";
import type { Ledger, LedgerEntry, LedgerStep } from "./ledger.ts";
import type { DrainOutcome } from "./outcome.ts";
import type { DrainPlan } from "./plan.ts";
import { type AskedRequest, type Asker, JointRequest } from "./request.ts";
import type { UndoOutcome } from "./undo.ts";
import type { UndoneResult } from "./undoable.ts";

/** Of requests beyond these a restart forgets the patience, and nothing by which the drain itself goes. */
const JOINED_MAX = 200;

export interface JournalOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly drainId: string;
  /** What an earlier process has written. */
  readonly record?: DrainRecord;
}

type Grouped = Extract<LedgerStep, { of: readonly number[] }>;

/** Writes one drain into the ledger. */
export class Journal {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #drainId: string;
  /** By number. */
  readonly #registrations: Registration[];
  /** So many of them were found by an earlier process. */
  readonly #foundBefore: number;
  /** By number: what was written of the trouble with a registration that lasts. */
  readonly #troubles = new Map<number, string>();
  #last: number;
  #joined = 0;
  /** What was written comes to together. */
  readonly #joint = new JointRequest({ isGuarded: true });
  #accepted: Promise<void> = Promise.resolve();
  /** What has happened in this moment to several registrations alike. */
  #group: { readonly step: Grouped; readonly gist: string; readonly of: number[]; readonly at: number } | undefined;

  constructor({ ledger, clock, drainId, record }: JournalOptions) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#drainId = drainId;
    this.#last = record?.last ?? 0;
    for (const request of record?.requests ?? []) this.#joint.add(request);
    this.#registrations = Array.from(record?.registrations ?? [], (known) => known?.registration ?? LOST);
    this.#foundBefore = this.#registrations.length;
  }

  /** Resolves once the drain would outlive the process. Rejects with `ledger-unavailable`. */
  accepted(node: Node, { askedAt, ...asked }: AskedRequest): Promise<void> {
    const { asker, reason, deadline, timeoutMs, isVoluntary, force } = asked;
    const at = Math.round(askedAt);
    const firstTriedAt = asked.firstTriedAt === undefined ? undefined : Math.round(asked.firstTriedAt);
    const { holdsWhile, isExcludedBefore, evict, isEvictedByOwner } = asked;
    const when = { firstTriedAt, holdsWhile, isExcludedBefore, evict, isEvictedByOwner };
    const kept = { asker, reason, deadline, timeoutMs, isVoluntary, force, ...when };
    const request = given({ askedAt: at, ...kept });
    const isFirst = this.#last === 0;
    const isDecisive = this.#joint.decides(asked);
    this.#joint.add(asked);
    if (!isFirst && this.#joined >= JOINED_MAX && !isDecisive) return this.#accepted;
    if (!isFirst) this.#joined += 1;
    const step = isFirst
      ? ({ type: "accepted", node, startedAt: request.askedAt, request } as const)
      : { type: "joined" as const, request };
    this.#accepted = this.#ledger.append(this.#entry(step));
    // For callers that ask for it; a caller that waits for the drain itself does not.
    this.#accepted.catch(() => {});
    return this.#accepted;
  }

  /** All that the drain has found, also what earlier processes have. */
  get registrations(): readonly Registration[] {
    return this.#registrations.filter((one) => one !== LOST);
  }

  resumed(): void {
    this.#write({ type: "resumed" });
  }

  /** Before anything is done about them. Resolves as `Ledger.noted` does. */
  async found(registrations: readonly Registration[], elsewhere: readonly Registration[]): Promise<void> {
    const unknown = registrations.filter((registration) => !this.#isKnown(registration));
    if (unknown.length === 0 && elsewhere.length === 0) return;
    const first = this.#registrations.length;
    for (const registration of unknown) this.#registrations.push(registration);
    this.#write({ type: "found", first, registrations: unknown, elsewhere });
    await this.#ledger.noted();
  }

  planned({ longestHoldMs, limit, warnings }: DrainPlan): void {
    const until = { reason: limit.reason, at: Math.round(limit.at) };
    this.#write({ type: "planned", longestHoldMs, limit: until, warnings });
  }

  /** What the cluster has done about the node. */
  exclusion(event: ExclusionEvent): void {
    this.#write("error" in event ? { type: event.type, error: recordedError(event.error) } : event);
  }

  eviction(event: EvictionEvent): void {
    this.#write("error" in event ? { ...event, error: recordedError(event.error) } : event);
  }

  onEvent(registration: Registration, event: RegistrationEvent): void {
    const number = this.#numberOf(registration);
    if (number < 0) return;
    const step = stepOf(event);
    const gist = JSON.stringify(step);
    // A failure that is retried every few seconds is not recorded each time.
    if (step.type === "deregister-failed" || step.type === "poll-failed") {
      if (this.#troubles.get(number) === gist) return;
      this.#troubles.set(number, gist);
    } else this.#troubles.delete(number);
    const at = Math.round(this.#clock.now());
    if (this.#group?.gist === gist && this.#group.at === at) {
      this.#group.of.push(number);
      return;
    }
    this.#writeGroup();
    this.#group = { step, gist, of: [number], at };
    queueMicrotask(() => this.#writeGroup());
  }

  /** An outcome that the end of the process has brought about is not the drain's. */
  ended(outcome: DrainOutcome): void {
    if (outcome.status === "planned") return;
    if (outcome.status === "abandoned") this.#write({ type: "interrupted" });
    else
      this.#write({ type: "ended", outcome: recordedOutcome(outcome, (registration) => this.#numberOf(registration)) });
  }

  /** Before anything is undone. Resolves as `Ledger.noted` does. */
  async cancelled(asker: Asker | undefined): Promise<void> {
    this.#write({ type: "cancelled", ...(asker && { asker }) });
    await this.#ledger.noted();
  }

  /** Untouched and left registrations are reported only at the end. */
  registrationEnded({ registration, state, error }: UndoneResult): void {
    const of = [this.#numberOf(registration)].filter((number) => number >= 0);
    if (state === "registered") this.#write({ type: "registered", of });
    if (error !== undefined) this.#write({ type: "register-failed", of, error: recordedError(error) });
  }

  undone({ registrations }: UndoOutcome): void {
    const ended = registrations.map(({ registration, state, error }) => ({
      of: this.#numberOf(registration),
      state,
      ...(error && { error: recordedError(error) }),
    }));
    this.#write({ type: "undone", registrations: ended.filter(({ of }) => of >= 0) });
  }

  #isKnown(registration: Registration): boolean {
    const number = this.#numberBefore(registration);
    if (number >= 0) this.#registrations[number] = registration;
    return number >= 0;
  }

  #numberOf(registration: Registration): number {
    const number = this.#registrations.indexOf(registration);
    return number >= 0 ? number : this.#numberBefore(registration);
  }

  /** No later process resumes it. */
  dropped(): void {
    this.#write({ type: "ended", outcome: { status: "abandoned", registrations: [] } });
  }

  /** A registration that is found again after a restart is another object. */
  #numberBefore(registration: Registration): number {
    if (this.#foundBefore === 0) return -1;
    const key = keyOf(registration);
    return this.#registrations.slice(0, this.#foundBefore).findIndex((known) => known !== LOST && keyOf(known) === key);
  }

  #writeGroup(): void {
    if (this.#group === undefined) return;
    const { step, of, at } = this.#group;
    this.#group = undefined;
    this.#ledger.note(this.#numbered({ ...step, of }, at));
  }

  #write(step: LedgerStep): void {
    this.#ledger.note(this.#entry(step));
  }

  #entry(step: LedgerStep): LedgerEntry {
    this.#writeGroup();
    return this.#numbered(step, Math.round(this.#clock.now()));
  }

  #numbered(step: LedgerStep, at: number): LedgerEntry {
    this.#last += 1;
    return { drain: this.#drainId, n: this.#last, at, ...step };
  }
}

/** In place of a registration whose entry is missing. */
const LOST = {} as Registration;

function stepOf(event: RegistrationEvent): Grouped {
  const of: readonly number[] = [];
  switch (event.type) {
    case "deregistered": {
      const { foundDraining, heldSince, isEarlier } = event;
      return {
        type: event.type,
        of,
        ...(foundDraining ? { foundDraining } : {}),
        ...(heldSince === undefined ? {} : { since: Math.round(heldSince) }),
        ...(isEarlier && { isEarlier }),
      };
    }
    case "deregistering-again":
      return { type: event.type, of, because: event.because };
    case "deregister-failed":
    case "poll-failed":
    case "failed":
      return { type: event.type, of, error: recordedError(event.error) };
    case "released":
      return { type: event.type, of };
    case "guarded": {
      const { verdict, standing } = event;
      return { type: event.type, of, verdict, ...(standing && { standing }) };
    }
    default:
      return event satisfies never;
  }
}

function given(request: { readonly [Name in keyof AskedRequest]: AskedRequest[Name] | undefined }): AskedRequest {
  return Object.fromEntries(
    Object.entries(request).filter(([, value]) => value !== undefined),
  ) as unknown as AskedRequest;
}
