/** A repeated failure is written this often, in milliseconds. */
const WRITTEN_EVERY_MS = 60_000;
/** A failure after this time without one is new, in milliseconds. */
const NEWS_AFTER_MS = 120_000;
/** Subjects that are distinguished for one kind of failure. */
const SUBJECTS_MAX = 1_000;
/** With more kinds of failure than this, all of them are new again. */
const KINDS_MAX = 1_000;

interface Kind {
  writtenAt: number;
  /** The number of failures since the last written one. */
  leftOut: number;
  /** When each subject last had this failure. */
  readonly subjects: Map<string, number>;
}

/**
 * Decides which failures are written, because many are retried every few seconds: the first of each kind and subject,
 * and then one a minute of each kind. All times are milliseconds since the epoch.
 */
export class Repeats {
  readonly #now: () => number;
  readonly #kinds = new Map<string, Kind>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * `kind`: the failure and its cause. `subject`: what it is about. Returns how many of the kind were omitted since the
   * last written one. Undefined: this one is omitted too.
   */
  leftOutBefore(kind: string, subject: string): number | undefined {
    const now = this.#now();
    const known = this.#kindOf(kind, now);
    const isNews = this.#isNews(known, subject, now);
    if (!isNews && !hasPassed(WRITTEN_EVERY_MS, known.writtenAt, now)) {
      known.leftOut += 1;
      return undefined;
    }
    // A new failure is written in addition: it does not change when the next of the others is written.
    if (isNews && known.subjects.size > 1) return 0;
    const { leftOut } = known;
    known.leftOut = 0;
    known.writtenAt = now;
    return leftOut;
  }

  /**
   * The failures whose kind has this beginning have ended, so that the next one is new. Returns how many were omitted
   * since the last written one.
   */
  ended(beginning: string): number {
    let leftOut = 0;
    for (const [kind, known] of this.#kinds) {
      if (!kind.startsWith(beginning)) continue;
      leftOut += known.leftOut;
      this.#kinds.delete(kind);
    }
    return leftOut;
  }

  #kindOf(kind: string, now: number): Kind {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    if (this.#kinds.size >= KINDS_MAX) this.#kinds.clear();
    const made = { writtenAt: now, leftOut: 0, subjects: new Map<string, number>() };
    this.#kinds.set(kind, made);
    return made;
  }

  #isNews({ subjects, writtenAt }: Kind, subject: string, now: number): boolean {
    const last = subjects.get(subject) ?? Number.NEGATIVE_INFINITY;
    if (subjects.size >= SUBJECTS_MAX && hasPassed(WRITTEN_EVERY_MS, writtenAt, now))
      for (const [one, at] of subjects) if (hasPassed(NEWS_AFTER_MS, at, now)) subjects.delete(one);
    const hasRoom = subjects.has(subject) || subjects.size < SUBJECTS_MAX;
    if (hasRoom) subjects.set(subject, now);
    return hasRoom && hasPassed(NEWS_AFTER_MS, last, now);
  }
}

/** A clock that was set back must not delay anything. */
function hasPassed(ms: number, since: number, now: number): boolean {
  return now < since || now - since >= ms;
}
