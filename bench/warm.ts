import type { Scene } from "./client.ts";

/** Every pool has been read and described by then, at the default of INDEX_RATE. */
const WARM_AFTER_MS = 2_000_000;
/** Nobody was drained from a classic load balancer for as long as that may take. */
const WARM_AFTER_CLASSIC_MS = 4_000_000;

/** Resolves when a service that has been started knows every membership of the region. */
export function untilWarm({ scenario, clock, signal }: Pick<Scene, "scenario" | "clock" | "signal">): Promise<void> {
  return clock.sleep(scenario.region.classics > 0 ? WARM_AFTER_CLASSIC_MS : WARM_AFTER_MS, signal);
}
