import type { Drainer } from "../src/drain/drainer.ts";
import type { Scene } from "./client.ts";

/** Whether the engine can be warmed. Warm rows are measured when it can, and are not in the list when it can't. */
export const HAS_WARM_ROWS: boolean = false;

/** How fast a warm engine reads in the background. */
export const INDEX_READS_PER_SECOND = 2;

/** Resolves when `engine` knows every membership of the region; keeps that known until the scene's signal aborts. */
export async function warmEngine(_engine: Drainer, _scene: Scene): Promise<void> {
  throw new Error("the engine keeps no index of memberships: HAS_WARM_ROWS must be false");
}
