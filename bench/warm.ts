import type { Engine } from "../src/engine.ts";
import type { Scene } from "./client.ts";

/** How fast a warm engine reads in the background: the product's default. */
export const INDEX_READS_PER_SECOND = 1;

/** Every pool has been read by then, and none was drained from for as long as a classic load balancer may take. */
const WARM_AFTER_MS = 4_000_000;

/** Resolves when `engine` knows every membership of the region; keeps that known until the scene's signal aborts. */
export async function warmEngine(engine: Engine, { clock, signal }: Scene): Promise<void> {
  void engine.keepIndex(signal);
  await clock.sleep(WARM_AFTER_MS, signal);
}
