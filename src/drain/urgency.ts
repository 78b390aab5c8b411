/**
 * Why the cloud is called, most urgent first. Finding comes before polling, because a node that is not found yet still
 * gets traffic, while a poll only ends a wait. A call that may end a wait comes before one that only confirms.
 *
 * - `deregister`: ends a registration.
 * - `guard`: reads whether enough targets would remain without a node that leaves in any case. Until then the node gets
 *   traffic in a pool in which it was found.
 * - `find`: finds the node, or its registrations.
 * - `register`: registers a target again that a drain has deregistered. Waiting for it loses no traffic.
 * - `describe`: reads how the pool releases, and how long the node has to be held.
 * - `poll`: reads whether the pool has released.
 * - `confirm`: reads whether the change was made, and not undone by another program.
 * - `verify`: reads whether what was known about the node is everything.
 * - `refresh`: reads what has changed between drains.
 */
export const PURPOSES = [
  "deregister",
  "guard",
  "find",
  "register",
  "describe",
  "poll",
  "confirm",
  "verify",
  "refresh",
] as const;
export type Purpose = (typeof PURPOSES)[number];

const PLACES = Object.fromEntries(PURPOSES.map((purpose, place) => [purpose, place])) as Readonly<
  Record<Purpose, number>
>;

/** How urgently a caller needs a call to the cloud. */
export interface Urgency {
  readonly purpose: Purpose;
  /** Until when the call is useful, in milliseconds since the epoch. `Infinity`: unknown. */
  readonly deadline: number;
  /** Among equal deadlines, the lower rank comes first. Absent: 0. */
  readonly rank?: number;
  /**
   * Among equal ranks, the lower turn comes first, so that work that has begun is finished before the next work begins.
   * Absent: 0.
   */
  readonly turn?: number;
}

/** Called whenever the urgency matters, because requests that join a wait may increase it. */
export type UrgencyNow = () => Urgency;

/** A caller whose urgency may change while it waits. */
export interface Urgent {
  readonly urgency: UrgencyNow;
  /**
   * Calls `rises` each time when the urgency may have risen, until the returned function is called. A fall need not be
   * announced. Absent: it never rises.
   */
  readonly onRise?: (rises: () => void) => () => void;
}

/** Announces to those who wait that their urgency may have risen. */
export class Rises {
  readonly #listeners = new Set<() => void>();

  /** See `Urgent`. */
  readonly on = (rises: () => void): (() => void) => {
    this.#listeners.add(rises);
    return () => this.#listeners.delete(rises);
  };

  announce(): void {
    for (const rises of this.#listeners) rises();
  }
}

/** Below 0 if `a` is more urgent. */
export function compareUrgency(a: Urgency, b: Urgency): number {
  const byPurpose = PLACES[a.purpose] - PLACES[b.purpose];
  if (byPurpose !== 0) return byPurpose;
  if (a.deadline !== b.deadline) return a.deadline < b.deadline ? -1 : 1;
  return (a.rank ?? 0) - (b.rank ?? 0) || (a.turn ?? 0) - (b.turn ?? 0);
}
