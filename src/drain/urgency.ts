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

/** Below 0 where `a` is the more urgent one. */
export function compareUrgency(a: Urgency, b: Urgency): number {
  const byPurpose = PURPOSES.indexOf(a.purpose) - PURPOSES.indexOf(b.purpose);
  if (byPurpose !== 0) return byPurpose;
  if (a.deadline !== b.deadline) return a.deadline < b.deadline ? -1 : 1;
  return (a.rank ?? 0) - (b.rank ?? 0) || (a.turn ?? 0) - (b.turn ?? 0);
}

/** The most urgent of them. Throws on an empty list. */
export function mostUrgent(urgencies: Iterable<Urgency>): Urgency {
  let most: Urgency | undefined;
  for (const urgency of urgencies) if (most === undefined || compareUrgency(urgency, most) < 0) most = urgency;
  if (most === undefined) throw new RangeError("no caller asks");
  return most;
}
