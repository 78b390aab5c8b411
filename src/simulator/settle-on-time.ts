import type { World } from "./world/world.ts";

/** Lets everything in the world happen at its moment, also when nobody looks, until `signal` aborts. */
export function settleOnTime(world: World, signal: AbortSignal): void {
  const settleAt = (at: number) => {
    world.clock.sleep(at - world.clock.now(), signal).then(
      () => world.settle(),
      () => {}, // Aborted.
    );
  };
  for (const at of world.dueTimes) settleAt(at);
  world.watch((change) => {
    if (change.type === "due") settleAt(change.at);
  });
}
