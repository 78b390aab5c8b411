import type { Facts } from "./facts.ts";
import { type Finding, inSeverityOrder } from "./finding.ts";
import { nothingFound, permissionMissing } from "./rules/account.ts";
import { clusterFindings } from "./rules/cluster.ts";
import {
  classicDrainingOff,
  delayLongerThanHook,
  delayLongerThanNotice,
  deregistrationDelayZero,
} from "./rules/delays.ts";
import { queueFindings, scalingFindings } from "./rules/departures.ts";
import { nlbSlowerThanNotice, unhealthyCutsFlows } from "./rules/health-checks.ts";
import type { PoolRule } from "./rules/pool-findings.ts";
import { failsOpen, oneNodeInZone, severalClusters } from "./rules/targets.ts";

const POOL_RULES: readonly PoolRule[] = [
  classicDrainingOff,
  deregistrationDelayZero,
  delayLongerThanNotice,
  delayLongerThanHook,
  nlbSlowerThanNotice,
  unhealthyCutsFlows,
  oneNodeInZone,
  failsOpen,
  severalClusters,
];

/** All findings about what was read, the worst first. */
export function findingsOf(facts: Facts, region?: string): readonly Finding[] {
  return inSeverityOrder([
    ...nothingFound(facts, region),
    ...permissionMissing(facts),
    ...facts.pools.flatMap((pool) => POOL_RULES.flatMap((rule) => rule(pool, facts))),
    ...scalingFindings(facts),
    ...queueFindings(facts),
    ...clusterFindings(facts),
  ]);
}
