import type { Clock } from "./clock.ts";
import { type ElapsedBasis, elapsedBetween, type StampClocks, type Stamped, stampAt } from "./clock-stamp.ts";
import type { DrainSummary, Ledger, LedgerEntry, RememberedDrain } from "./ledger.ts";
import type { AskedRequest } from "./request.ts";

/** Accuracy of the comparison by the cloud's clock, which has whole seconds and is not exact. */
const CLOUD_ACCURACY_MS = 2_000;
/** The same for the machine's own count. */
const BOOT_ACCURACY_MS = 50;
/** For entries without stamps: a slow disk writes at most this much later. */
const WRITTEN_ACCURACY_MS = 60_000;
const DAY_MS = 86_400_000;

/** How the times of an earlier process differ from this one's. */
export interface ClockDifference {
  /** What has to be added to the earlier process's times, in milliseconds. */
  readonly shiftMs: number;
  /**
   * `file`: by the time at which the file was written. `unknown`: there is no evidence, so that no time is assumed to
   * have passed.
   */
  readonly basis: Exclude<ElapsedBasis, "own"> | "file" | "unknown";
}

export interface StampedLedgerOptions {
  readonly clock: Clock;
  readonly clocks: StampClocks;
  /**
   * When the file was last written, by the time of day of that moment, and the time of its last entry. For entries of
   * versions without stamps. In milliseconds since the epoch. Absent: not known.
   */
  readonly lastWritten?: { readonly at: number; readonly entryAt: number };
  /** Called once if the clocks of this process and an earlier one differ. */
  readonly onDifference?: (difference: ClockDifference) => void;
}

/**
 * A ledger whose times are always those of this process's clock, although earlier processes have written entries by
 * their own clocks. No hold ends early, and no limit comes late, because a clock was set between two processes. Every
 * entry has a stamp, and the times that are read are moved by it.
 */
export class StampedLedger implements Ledger {
  readonly #ledger: Ledger;
  readonly #options: StampedLedgerOptions;
  #isReported = false;

  constructor(ledger: Ledger, options: StampedLedgerOptions) {
    this.#ledger = ledger;
    this.#options = options;
  }

  note(entry: LedgerEntry): void {
    this.#ledger.note(this.#stamped(entry));
  }

  noted(): Promise<void> {
    return this.#ledger.noted();
  }

  append(entry: LedgerEntry): Promise<void> {
    return this.#ledger.append(this.#stamped(entry));
  }

  list(max: number): readonly DrainSummary[] {
    const now = this.#now();
    return this.#ledger.list(max).map((summary) => this.#summary(summary, now));
  }

  listOf(nodeId: string): readonly DrainSummary[] {
    const now = this.#now();
    return this.#ledger.listOf(nodeId).map((summary) => this.#summary(summary, now));
  }

  remembered(nodeId: string): readonly RememberedDrain[] {
    const now = this.#now();
    return this.#ledger.remembered(nodeId).map((memory) => this.#memory(memory, now));
  }

  /** Gaps have no stamp: a gap that was written under a clock that was ahead may belong to now. */
  unknownSince(nodeId: string): number | undefined {
    const since = this.#ledger.unknownSince(nodeId);
    return since && Math.min(since, this.#options.clock.now());
  }

  async read(drain: string, signal: AbortSignal): Promise<readonly LedgerEntry[] | undefined> {
    const entries = await this.#ledger.read(drain, signal);
    return entries && this.#moved(entries);
  }

  /** Only entries of this process. */
  follow(drain: string, onEntry: (entry: LedgerEntry) => void): () => void {
    return this.#ledger.follow(drain, ({ clock: _, ...entry }) => onEntry(entry));
  }

  async unfinished(signal: AbortSignal): Promise<readonly (readonly LedgerEntry[])[]> {
    return (await this.#ledger.unfinished(signal)).map((entries) => this.#moved(entries));
  }

  /**
   * The id of a node with an unfinished drain whose age only the cloud's clock can show, while that clock is not known.
   * Any call about the node shows it. Undefined: there is none.
   */
  async needsCloudTime(signal: AbortSignal): Promise<string | undefined> {
    const now = this.#now();
    if (now.clock.cloud !== undefined) return undefined;
    const all = await this.#ledger.unfinished(signal);
    const unclear = all.find((entries) => entries.some((entry) => elapsedBetween(entry, now) === undefined));
    const accepted = unclear?.find((entry) => entry.type === "accepted");
    return accepted?.type === "accepted" ? accepted.node.id : undefined;
  }

  #stamped(entry: LedgerEntry): LedgerEntry {
    return { ...entry, clock: stampAt(entry.at, this.#options.clocks) };
  }

  #now(): Required<Stamped> {
    const at = this.#options.clock.now();
    return { at, clock: stampAt(at, this.#options.clocks) };
  }

  #moved(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
    const now = this.#now();
    /** By boot: the time of the last entry. */
    const lastAt = new Map<string | undefined, number>();
    for (const { at, clock } of entries) lastAt.set(clock?.boot, Math.max(at, lastAt.get(clock?.boot) ?? at));
    return entries.map((read) => {
      const { clock, ...entry } = read;
      const shiftMs = this.#shiftOf(read, now, lastAt.get(clock?.boot));
      return shiftMs === 0 ? entry : moved(entry, shiftMs);
    });
  }

  #summary({ first, end, ...summary }: DrainSummary, now: Required<Stamped>): DrainSummary {
    const { startedAt } = summary;
    return {
      ...summary,
      startedAt: startedAt + this.#shownShiftOf(first ?? { at: startedAt }, now),
      ...(end && { end: { at: end.at + this.#shownShiftOf(end, now), status: end.status } }),
    };
  }

  #memory(memory: RememberedDrain, now: Required<Stamped>): RememberedDrain {
    const { startedAt, first, end } = memory;
    const begun = this.#shiftOf(first ?? { at: startedAt }, now);
    return new MovedMemory(memory, begun, end === undefined ? 0 : this.#shiftOf(end, now));
  }

  /** Nothing depends on it. While there is no evidence, the times are shown as they were written. */
  #shownShiftOf(entry: Stamped, now: Required<Stamped>): number {
    return elapsedBetween(entry, now) === undefined ? 0 : this.#shiftOf(entry, now);
  }

  /**
   * What has to be added to an entry's times. `lastAt`: the time of the last entry by the same clock, as far as it is
   * known.
   */
  #shiftOf(entry: Stamped, now: Stamped, lastAt = entry.at): number {
    const { shiftMs, basis } = this.#differenceFrom(entry, now, lastAt);
    if (shiftMs === 0) return 0;
    if (!this.#isReported && Math.abs(shiftMs) >= CLOUD_ACCURACY_MS) {
      this.#isReported = true;
      this.#options.onDifference?.({ shiftMs, basis });
    }
    return shiftMs;
  }

  #differenceFrom(entry: Stamped, now: Stamped, lastAt: number): ClockDifference {
    const elapsed = elapsedBetween(entry, now);
    if (elapsed === undefined) return { shiftMs: withinADay(now.at - lastAt), basis: "unknown" };
    const { basis } = elapsed;
    if (basis === "own") return { shiftMs: this.#shiftOfUnstamped(now.at), basis: "file" };
    const shiftMs = Math.round(now.at - elapsed.ms - entry.at);
    if (basis === "boot") return { shiftMs: Math.abs(shiftMs) < BOOT_ACCURACY_MS ? 0 : shiftMs, basis };
    // Holds are rather a second too long than too short.
    return { shiftMs: Math.abs(shiftMs) < CLOUD_ACCURACY_MS ? 0 : shiftMs + CLOUD_ACCURACY_MS / 2, basis };
  }

  /** The last entry was written when the file was written. If its own time differs from that, its clock did. */
  #shiftOfUnstamped(now: number): number {
    const { lastWritten } = this.#options;
    if (lastWritten === undefined) return 0;
    const shiftMs = withinADay(Math.min(now, lastWritten.at) - lastWritten.entryAt);
    return Math.abs(shiftMs) < WRITTEN_ACCURACY_MS ? 0 : shiftMs;
  }
}

/** A memory with the times of this process's clock. It follows its drain, as the memory does. */
class MovedMemory implements RememberedDrain {
  readonly #memory: RememberedDrain;
  readonly #begunMs: number;
  readonly #endedMs: number;

  /** What has to be added to the times of its beginning, and of its end. */
  constructor(memory: RememberedDrain, begunMs: number, endedMs: number) {
    this.#memory = memory;
    this.#begunMs = begunMs;
    this.#endedMs = endedMs;
  }

  get drain(): string {
    return this.#memory.drain;
  }

  get startedAt(): number {
    return this.#memory.startedAt + this.#begunMs;
  }

  get hasSearched(): boolean {
    return this.#memory.hasSearched;
  }

  get firstTries(): RememberedDrain["firstTries"] {
    return this.#memory.firstTries;
  }

  get end(): RememberedDrain["end"] {
    const { end } = this.#memory;
    return end && { at: end.at + this.#endedMs, status: end.status };
  }

  get held(): RememberedDrain["held"] {
    return this.#memory.held.map((one) => ({ ...one, heldSince: one.heldSince + this.#endedMs }));
  }

  get lostHeldUntil(): RememberedDrain["lostHeldUntil"] {
    const until = this.#memory.lostHeldUntil;
    return until && until + this.#endedMs;
  }

  get registeredAgain(): RememberedDrain["registeredAgain"] {
    return this.#memory.registeredAgain;
  }
}

/** Anything older is old by every clock, and such a drain is not resumed. */
function withinADay(shiftMs: number): number {
  return Math.abs(shiftMs) < DAY_MS ? shiftMs : 0;
}

/** The entry with all its times moved. */
function moved(entry: LedgerEntry, ms: number): LedgerEntry {
  const at = entry.at + ms;
  switch (entry.type) {
    case "accepted":
      return { ...entry, at, startedAt: entry.startedAt + ms, request: movedRequest(entry.request, ms) };
    case "joined":
      return { ...entry, at, request: movedRequest(entry.request, ms) };
    case "planned":
      return { ...entry, at, limit: { ...entry.limit, at: entry.limit.at + ms } };
    case "deregistered":
      return { ...entry, at, ...(entry.since !== undefined && { since: entry.since + ms }) };
    case "ended": {
      const { limit, ...outcome } = entry.outcome;
      return { ...entry, at, outcome: { ...outcome, ...(limit && { limit: { ...limit, at: limit.at + ms } }) } };
    }
    default:
      return { ...entry, at };
  }
}

function movedRequest(request: AskedRequest, ms: number): AskedRequest {
  const { askedAt, deadline, firstTriedAt, holdsWhile } = request;
  return {
    ...request,
    askedAt: askedAt + ms,
    ...(deadline !== undefined && { deadline: deadline + ms }),
    ...(firstTriedAt !== undefined && { firstTriedAt: firstTriedAt + ms }),
    ...(holdsWhile?.saidAt !== undefined && { holdsWhile: { ...holdsWhile, saidAt: holdsWhile.saidAt + ms } }),
  };
}
