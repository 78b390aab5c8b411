import type { Announcement } from "../../src/simulator/world/announcement.ts";
import type { World } from "../../src/simulator/world/world.ts";

/** What AWS announces from now on: seconds since now, and what. It grows. */
export function announced(world: World): (readonly [seconds: number, what: string])[] {
  const heard: (readonly [number, string])[] = [];
  const startedAt = world.clock.now();
  world.watch((change) => {
    if (change.type !== "announced") return;
    heard.push([(change.announcement.at - startedAt) / 1_000, textOf(change.announcement)]);
  });
  return heard;
}

function textOf(announcement: Announcement): string {
  switch (announcement.type) {
    case "instance-state":
      return announcement.state;
    case "interruption":
      return `interruption ${announcement.interruption.action}`;
    default:
      return announcement.type;
  }
}
