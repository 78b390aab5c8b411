import type { ZonalShifts } from "./zonal-shifts.ts";

/** What the zones of a load balancer are chosen by: one target of the group. Times are milliseconds since the epoch. */
export interface ZonalTarget {
  /** Undefined: it counts in every zone. */
  readonly zone: string | undefined;
  /** Whether it has passed or failed its first checks. */
  readonly hasServed: boolean;
  /** Until when it is healthy and gets traffic. */
  readonly servesUntil: number;
}

interface Zones {
  readonly zones: readonly string[];
  /** Absent: it has no zonal shift. */
  readonly zonalShifts?: ZonalShifts;
}

/**
 * The zones whose addresses clients use: those that DNS named at `resolvedAt`, when they asked last. It names the enabled
 * zones that have a healthy target and no traffic shifted away from them. Where no zone has one, it names all that have any
 * target.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
 */
export function entryZones(
  { zones, zonalShifts }: Zones,
  targets: readonly ZonalTarget[],
  resolvedAt: number,
): readonly string[] {
  const shifted = zonalShifts?.zonesAt(resolvedAt);
  const enabled = zones.filter((zone) => shifted?.has(zone) !== true);
  const served = targets.filter(({ hasServed }) => hasServed);
  const having = (some: readonly ZonalTarget[]) =>
    enabled.filter((zone) => some.some((target) => (target.zone ?? zone) === zone));
  const healthy = having(served.filter(({ servesUntil }) => resolvedAt < servesUntil));
  return healthy.length > 0 ? healthy : having(served);
}
