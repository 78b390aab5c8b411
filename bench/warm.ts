import type { Engine } from "../src/app/engine.ts";
import type { Scene } from "./client.ts";

/** How fast a warm engine reads in the background: the product's default. */
export const INDEX_READS_PER_SECOND = 1;

/** Every pool has been read and described by then. */
const WARM_AFTER_MS = 2_000_000;
/** Nobody was drained from a classic load balancer for as long as that may take. */
const WARM_AFTER_CLASSIC_MS = 4_000_000;

/** Resolves when `engine` knows every membership of the region; keeps that known until the scene's signal aborts. */
export async function warmEngine(engine: Engine, { scenario, clock, signal }: Scene): Promise<void> {
  void engine.maintainIndex(signal);
  await clock.sleep(scenario.region.classics > 0 ? WARM_AFTER_CLASSIC_MS : WARM_AFTER_MS, signal);
}
