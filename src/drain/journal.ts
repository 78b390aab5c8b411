import type { Clock } from "./clock.ts";
import { keyOf, type Registration } from "./cloud-provider.ts";
import { writtenForm } from "./codec.ts";
import type { DrainRecord } from "./drain-record.ts";
import type { Ledger, LedgerEntry, LedgerStep } from "./ledger.ts";
import { JointRequest } from "./request.ts";
import type { OfType, RegistrationStep, Step } from "./steps.ts";

/**
 * After a restart, the timeouts of further requests are forgotten. Everything that decides about the drain is kept.
 */
const JOINED_MAX = 200;

export interface JournalOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly drainId: string;
  /** What an earlier process has written. */
  readonly record?: DrainRecord;
}

interface Group {
  readonly form: LedgerStep;
  readonly gist: string;
  readonly of: number[];
  readonly at: number;
}

/** Writes one drain to the ledger: steps become entries, and registrations become numbers. */
export class Journal {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #drainId: string;
  /** By number. */
  readonly #registrations: Registration[];
  /** The number of registrations that an earlier process found. */
  readonly #foundBefore: number;
  /** By number: the lasting trouble of a registration that was written last. */
  readonly #troubles = new Map<number, string>();
  #last: number;
  #joined = 0;
  /** All requests that were written, joined. */
  readonly #joint = new JointRequest({ isGuarded: true });
  #accepted: Promise<void> = Promise.resolve();
  #noted: Promise<void> = Promise.resolve();
  /** Steps of the same kind that happen in the same turn to several registrations. */
  #group: Group | undefined;

  constructor({ ledger, clock, drainId, record }: JournalOptions) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#drainId = drainId;
    this.#last = record?.last ?? 0;
    for (const request of record?.requests ?? []) this.#joint.add(request);
    this.#registrations = Array.from(record?.registrations ?? [], (known) => known?.registration ?? LOST);
    this.#foundBefore = this.#registrations.length;
  }

  /** Everything that the drain has found, including what earlier processes have found. */
  get registrations(): readonly Registration[] {
    return this.#registrations.filter((one) => one !== LOST);
  }

  write(step: Step): void {
    switch (step.type) {
      case "accepted":
      case "joined":
        this.#asked(step);
        return;
      case "found":
        this.#found(step);
        return;
      case "cancelled":
        this.#write(step);
        this.#beNoted();
        return;
      default:
        if (!("registration" in step)) this.#write(step);
        else if (!ALONE.has(step.type)) this.#writeGrouped(step);
        else if (this.#numberOf(step.registration) >= 0) this.#write(step);
    }
  }

  /**
   * Resolves when the drain, with its requests so far, would survive the end of the process. Rejects with
   * `ledger-unavailable`.
   */
  get accepted(): Promise<void> {
    return this.#accepted;
  }

  /** To be awaited before anything is done about what was found, or is undone. Resolves as `Ledger.noted` does. */
  noted(): Promise<void> {
    const noted = this.#noted;
    this.#noted = Promise.resolve();
    return noted;
  }

  /** No later process resumes the drain. */
  dropped(): void {
    this.#append({ type: "ended", outcome: { status: "abandoned", registrations: [] } });
  }

  #asked(step: OfType<Step, "accepted" | "joined">): void {
    const { request } = step;
    const isFirst = this.#last === 0;
    const isDecisive = this.#joint.decides(request);
    this.#joint.add(request);
    if (!isFirst && this.#joined >= JOINED_MAX && !isDecisive) return;
    if (!isFirst) this.#joined += 1;
    const form = writtenForm(step, this.#numberOf);
    if (form === undefined) return;
    this.#accepted = this.#ledger.append(this.#entry(form));
    // For callers that ask for it. A caller that waits for the drain itself does not.
    this.#accepted.catch(() => {});
  }

  #found({ type, registrations, elsewhere }: OfType<Step, "found">): void {
    const unknown = registrations.filter((registration) => !this.#isKnown(registration));
    if (unknown.length === 0 && elsewhere.length === 0) return;
    const first = this.#registrations.length;
    for (const registration of unknown) this.#registrations.push(registration);
    this.#append({ type, first, registrations: unknown, elsewhere });
    this.#beNoted();
  }

  #beNoted(): void {
    this.#noted = this.#ledger.noted();
    this.#noted.catch(() => {});
  }

  #writeGrouped(step: RegistrationStep): void {
    const number = this.#numberOf(step.registration);
    const form = writtenForm(step, NO_NUMBER);
    if (number < 0 || form === undefined) return;
    const gist = JSON.stringify(form);
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
    this.#group = { form, gist, of: [number], at };
    queueMicrotask(() => this.#writeGroup());
  }

  #isKnown(registration: Registration): boolean {
    const number = this.#numberBefore(registration);
    if (number >= 0) this.#registrations[number] = registration;
    return number >= 0;
  }

  readonly #numberOf = (registration: Registration): number => {
    const number = this.#registrations.indexOf(registration);
    return number >= 0 ? number : this.#numberBefore(registration);
  };

  /** After a restart, a registration that is found again is another object. */
  #numberBefore(registration: Registration): number {
    if (this.#foundBefore === 0) return -1;
    const key = keyOf(registration);
    return this.#registrations.slice(0, this.#foundBefore).findIndex((known) => known !== LOST && keyOf(known) === key);
  }

  #writeGroup(): void {
    if (this.#group === undefined) return;
    const { form, of, at } = this.#group;
    this.#group = undefined;
    this.#ledger.note(this.#numbered({ ...form, of } as LedgerStep, at));
  }

  #write(step: Step): void {
    const form = writtenForm(step, this.#numberOf);
    if (form !== undefined) this.#append(form);
  }

  #append(form: LedgerStep): void {
    this.#ledger.note(this.#entry(form));
  }

  #entry(form: LedgerStep): LedgerEntry {
    this.#writeGroup();
    return this.#numbered(form, Math.round(this.#clock.now()));
  }

  #numbered(form: LedgerStep, at: number): LedgerEntry {
    this.#last += 1;
    return { drain: this.#drainId, n: this.#last, at, ...form };
  }
}

/** Stands for a registration whose entry is missing. */
const LOST = {} as Registration;
/** Each entry of these steps is about one registration. */
const ALONE: ReadonlySet<Step["type"]> = new Set(["registered", "register-failed"]);
const NO_NUMBER = () => -1;
