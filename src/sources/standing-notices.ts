import type { Clock } from "../drain/clock.ts";
import type { DrainError } from "../drain/errors.ts";
import { backOffMs } from "../drain/limit.ts";
import { type MachineVerdict, type ReportedOutcome, verdictOf } from "../drain/outcome.ts";
import type { ServerTime } from "../drain/server-time.ts";
import type { Announcement } from "./announcement.ts";
import { actAt, boundedDeadline, isRebootOver } from "./notice.ts";

/**
 * - `out`: the machine can go.
 * - `again`: it can't, and its source should retry while the notice exists.
 * - `over`: nothing remains to be done, although it is not drained.
 */
export type NoticeEnd = "out" | "again" | "over";

/** One notice that the machine goes away. */
export interface Notice {
  readonly announcement: Announcement;
  /**
   * When the machine may be gone, by this machine's clock, in milliseconds since the epoch. Never so early that nothing
   * could begin.
   */
  readonly deadline?: number;
  /** Reports the result. Called once. */
  readonly done: (end: NoticeEnd) => void;
}

interface Standing {
  /** The path at which it is listed. */
  readonly place: string;
  readonly announcement: Announcement;
  /** When to act on it, in milliseconds since the epoch. Undefined: this was done. */
  dueAt: number | undefined;
  /** Number of failed attempts. */
  attempts: number;
  /** Its content at the last read, and the time of that read, in milliseconds since the epoch. */
  last: { readonly deadline: number | undefined; readonly at: number };
}

/** A clock that is read twice, and times without fractions of a second. */
const MOVED_WITH_TIME_MS = 2_000;

/** A failure that a drain can't solve by itself needs an operator. */
const RETRY = { firstMs: 5_000, maxMs: 300_000 };

export interface StandingNoticesOptions {
  readonly clock: Clock;
  /** The clock by which notices have their deadlines. Absent: the same as this machine's. */
  readonly time?: Pick<ServerTime, "here">;
  readonly onEvent: MetadataObserver;
  /** See `MetadataWatchOptions`. */
  readonly maintenanceLeadMs: number;
  readonly bootedAt: () => number;
}

/** The notices that are listed in instance metadata now, and the state of each. */
export class StandingNotices {
  readonly #options: StandingNoticesOptions;
  readonly #clock: Clock;
  readonly #onEvent: MetadataObserver;
  readonly #standing = new Map<string, Standing>();

  constructor(options: StandingNoticesOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#onEvent = options.onEvent;
  }

  /** All notices that are listed at one path now. New ones and withdrawn ones are reported. */
  see(place: string, announcements: readonly Announcement[]): void {
    const seen = new Map(announcements.map((each) => [`${place} ${each.eventId ?? ""}`, each]));
    for (const [key, { announcement, place: itsPlace }] of this.#standing) {
      if (itsPlace !== place || seen.has(key)) continue;
      this.#standing.delete(key);
      this.#onEvent({ type: "withdrawn", announcement });
    }
    for (const [key, announcement] of seen) {
      const known = this.#standing.get(key);
      const last = { deadline: announcement.deadline, at: this.#clock.now() };
      if (known !== undefined && isSame(known, announcement, last)) {
        known.last = last;
        continue;
      }
      if (this.#isOver(announcement)) {
        this.#standing.set(key, { place, announcement, dueAt: undefined, attempts: 0, last });
        this.#onEvent({ type: "over", announcement });
        continue;
      }
      const dueAt = this.#dueAt(announcement);
      this.#standing.set(key, { place, announcement, dueAt, attempts: 0, last });
      const drainAt = dueAt > this.#clock.now() ? { drainAt: dueAt } : {};
      this.#onEvent({ type: "noticed", announcement, ...drainAt });
    }
  }

  /** When the next one has to be acted upon, in milliseconds since the epoch. `Infinity`: there is none. */
  get nextDueAt(): number {
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...[...this.#standing.values()].map(({ dueAt = Number.POSITIVE_INFINITY }) => dueAt),
    );
  }

  /** There is no notice to act on. */
  get isEmpty(): boolean {
    return this.#standing.size === 0;
  }

  /** The notices to act on now. */
  *due(): Generator<Notice> {
    for (const standing of this.#standing.values()) {
      const { announcement, dueAt } = standing;
      const now = this.#clock.now();
      if (dueAt === undefined || dueAt > now) continue;
      standing.dueAt = undefined;
      const deadline = boundedDeadline([this.#here(announcement).deadline], now);
      yield {
        announcement,
        ...(deadline === undefined ? {} : { deadline }),
        done: (end) => this.#done(standing, end),
      };
    }
  }

  #dueAt(announcement: Announcement): number {
    return Math.max(this.#clock.now(), actAt(this.#here(announcement), this.#options.maintenanceLeadMs));
  }

  /** Instance metadata lists a reboot for a while after it. The machine was booted since then. */
  #isOver(announcement: Announcement): boolean {
    const { deadline, reboots } = this.#here(announcement);
    const now = this.#clock.now();
    if (reboots !== true || deadline === undefined || deadline > now) return false;
    return isRebootOver({ reboots, deadline }, now) || this.#options.bootedAt() >= deadline;
  }

  /**
   * By this machine's clock. Notices are distinguished by their own deadlines, which do not change as the other clock
   * becomes known.
   */
  #here<T extends Pick<Announcement, "deadline">>(announcement: T): T {
    const { deadline } = announcement;
    const { time } = this.#options;
    return deadline === undefined || time === undefined
      ? announcement
      : { ...announcement, deadline: time.here(deadline) };
  }

  /** If a notice has another deadline by now, or is not listed any more, `standing` is in no list. */
  #done(standing: Standing, end: NoticeEnd): void {
    if (end !== "again") return;
    standing.dueAt = this.#clock.now() + backOffMs(standing.attempts, RETRY);
    standing.attempts += 1;
  }
}

/**
 * A deadline that moves as time passes is the same as before: some test services of instance metadata compute it at
 * each read. The first one that was read counts, or none would ever be due.
 */
function isSame({ announcement, last }: Standing, other: Announcement, now: Standing["last"]): boolean {
  if (announcement.reason !== other.reason) return false;
  if (last.deadline === undefined || now.deadline === undefined) return last.deadline === now.deadline;
  const movedMs = now.deadline - last.deadline;
  return movedMs === 0 || (movedMs > 0 && Math.abs(movedMs - (now.at - last.at)) <= MOVED_WITH_TIME_MS);
}

const ENDS: Readonly<Record<MachineVerdict, NoticeEnd>> = {
  "can-go": "out",
  waits: "again",
  stays: "over",
  undecided: "over",
};

/** What an outcome means for the notice that asked for the drain, in this process or in a service. */
export function noticeEnd(outcome: ReportedOutcome): NoticeEnd {
  return ENDS[verdictOf(outcome) ?? "waits"];
}

/** The events of instance metadata. */
export type MetadataEvent =
  /** `drainAt`: it is acted upon from then on, in milliseconds since the epoch. Absent: at once. */
  | { readonly type: "noticed"; readonly announcement: Announcement; readonly drainAt?: number }
  /** It is still listed, and has happened: the machine was booted since. Nothing is drained. */
  | { readonly type: "over"; readonly announcement: Announcement }
  /** It is not listed any more. Drained targets stay deregistered. */
  | { readonly type: "withdrawn"; readonly announcement: Announcement }
  /** Reported once, until it changes. */
  | { readonly type: "malformed"; readonly path: string; readonly problem: string }
  /** Reported when the reason changes. It is retried at growing intervals. */
  | { readonly type: "unreadable"; readonly error: DrainError }
  | { readonly type: "readable" };

export type MetadataObserver = (event: MetadataEvent) => void;
