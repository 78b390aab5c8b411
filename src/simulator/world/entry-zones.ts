import type { ZonalShifts } from "./zonal-shifts.ts";

/** One target of the group, with the properties that decide on the zones. Times are milliseconds since the epoch. */
export interface ZonalTarget {
  /** Undefined: it counts in every zone. */
  readonly zone: string | undefined;
  /** Whether its first health checks have passed or failed. */
  readonly hasServed: boolean;
  /** When it stops being healthy, or stops getting traffic. */
  readonly servesUntil: number;
}

interface Zones {
  readonly zones: readonly string[];
  /** Absent: the load balancer has no zonal shift. */
  readonly zonalShifts?: ZonalShifts;
}

/**
 * The zones whose addresses clients use: those that DNS returned at `resolvedAt`, the time of their last query. DNS
 * returns the enabled zones that have a healthy target, without those that traffic was shifted away from. If no zone
 * has a healthy target, DNS returns all zones that have any target.
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
