import type { Clock } from "../simulator/clock.ts";
import { openRegion } from "../simulator/scenario/open-region.ts";
import type { World } from "../simulator/world/world.ts";
import { DEMO_SCENARIO } from "./scenario.ts";
import type { Destination } from "./traffic.ts";

export const CREDENTIALS = { accessKeyId: "simulated", secretAccessKey: "simulated" };

/** The demo's scenario, opened, with the values that its clients need. */
export interface DemoCluster {
  readonly world: World;
  /** AWS's endpoint. */
  readonly url: string;
  readonly destinations: readonly Destination[];
  /** The node that goes. */
  readonly nodeId: string;
  close(): Promise<void>;
}

export async function openDemoCluster(clock: Clock): Promise<DemoCluster> {
  const region = await openRegion(DEMO_SCENARIO, { clock });
  const { world, url, instanceIds } = region;
  const entrance = (name: string) => region.entrances.find(({ loadBalancer }) => loadBalancer === name)?.url ?? "";
  return {
    world,
    url,
    nodeId: instanceIds.get("node-3") ?? "",
    destinations: [
      { name: "alb", url: `${entrance("shop")}/` },
      { name: "alb, by rule", url: `${entrance("shop")}/reports/today` },
      { name: "alb, by weight", url: `${entrance("shop")}/api/orders` },
      { name: "nlb", url: entrance("ingest") },
      { name: "classic", url: entrance("legacy") },
    ],
    close: () => region.close(),
  };
}
