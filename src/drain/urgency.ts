/**
 * Why the cloud is called, most urgent first. Finding comes before polling, because a node that is not found yet still
 * gets traffic, while a poll only ends a wait. What may end a wait comes before what only confirms.
 *
 * - `deregister`: ends a registration.
 * - `guard`: would enough targets remain without a node that leaves regardless? Until that is answered the node gets
 *   traffic in a pool that it was found in.
 * - `find`: where is the node, or its registrations?
 * - `register`: makes a registration again that a drain has ended. Waiting for it loses no traffic.
 * - `describe`: how does this pool release, and for how long is the node to be held?
 * - `poll`: has the pool released?
 * - `confirm`: was the change made, and not undone by another program?
 * - `verify`: is what was known of the node all there is?
 * - `refresh`: what has changed between drains?
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
  /** Until when it is of use, in milliseconds since the epoch. `Infinity`: unknown. */
  readonly deadline: number;
  /** Between equal deadlines the lower one first. Absent: 0. */
  readonly rank?: number;
  /** Between equal ranks the lower one first: who has begun is finished before the next one begins. Absent: 0. */
  readonly turn?: number;
}

/** Asked again whenever it matters: requests that join a wait may make it more urgent. */
export type UrgencyNow = () => Urgency;

/** A caller whose urgency may change while it waits. */
export interface Urgent {
  readonly urgency: UrgencyNow;
  /**
   * Calls `rises` each time when the urgency may have risen, until the returned function is called. That it has fallen need not
   * be announced. Absent: it never rises.
   */
  readonly onRise?: (rises: () => void) => () => void;
}

/** Tells those who wait by an urgency that it may have risen. */
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

/** Below 0 where `a` is the more urgent one. */
export function compareUrgency(a: Urgency, b: Urgency): number {
  const byPurpose = PLACES[a.purpose] - PLACES[b.purpose];
  if (byPurpose !== 0) return byPurpose;
  if (a.deadline !== b.deadline) return a.deadline < b.deadline ? -1 : 1;
  return (a.rank ?? 0) - (b.rank ?? 0) || (a.turn ?? 0) - (b.turn ?? 0);
}
