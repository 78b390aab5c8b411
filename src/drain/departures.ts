import { inOrder, type Pool } from "./cloud-provider.ts";
import type { Departure } from "./departure.ts";
import type { RegistrationFate } from "./outcome.ts";

/** One list a pool. */
export function byPool(departures: readonly Departure[]): readonly (readonly [Pool, readonly Departure[]])[] {
  const pools = new Map<string, readonly [Pool, Departure[]]>();
  for (const departure of departures) {
    const { pool } = departure.registration;
    const known = pools.get(pool.id);
    if (known === undefined) pools.set(pool.id, [pool, [departure]]);
    else known[1].push(departure);
  }
  return [...pools.values()];
}

/**
 * When the last of their holds began or, as far as anybody knows, will begin. While one waits for its deregistration
 * that is still to come: until the limit where somebody has set one, or else as long as nothing but the cloud's request
 * quota is in the way. That may keep anybody from seeing a hold's end, too. Times are milliseconds since the epoch.
 */
export function lastHoldBegins(
  departures: readonly Departure[],
  { longestMs, now, isBounded }: { readonly longestMs: number; readonly now: number; readonly isBounded: boolean },
): number {
  const begins = (one: Departure) => {
    if (one.awaitsLook(now) && !one.hasFailed) return now - longestMs;
    return one.progress?.since ?? (one.isWaiting && (!one.hasFailed || isBounded) ? now : 0);
  };
  return departures.reduce((latest, one) => Math.max(latest, begins(one)), 0);
}

/** How they fare, in the order in which people read them. */
export function fatesOf(departures: readonly Departure[], now: number): readonly RegistrationFate[] {
  return inOrder(departures.map((departure) => departure.fate(now)));
}
