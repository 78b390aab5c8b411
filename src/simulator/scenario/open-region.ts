import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { DataPlane } from "../data-plane/data-plane.ts";
import type { Fault } from "../faults/fault.ts";
import { LOOPBACK } from "../listen.ts";
import { AWS_QUOTAS } from "../quotas/quotas.ts";
import { Simulator } from "../simulator.ts";
import type { World } from "../world/world.ts";
import { buildWorld } from "./build-world.ts";
import type { Scenario } from "./schema.ts";

type ScenarioRhythm = NonNullable<Scenario["faults"]>[number]["when"];

/** One port of a load balancer, where it carries traffic. */
interface Entrance {
  readonly loadBalancer: string;
  readonly type: "application" | "network" | "classic";
  readonly port: number;
  readonly url: string;
}

/** A region that runs: AWS for any client, and load balancers that carry traffic. */
export interface OpenRegion {
  readonly world: World;
  readonly simulator: Simulator;
  /** AWS's endpoint. */
  readonly url: string;
  /** Empty without a data plane. */
  readonly entrances: readonly Entrance[];
  /** By what the scenario calls them. */
  readonly instanceIds: ReadonlyMap<string, string>;
  /** Resolves when its controllers, its listeners and its processes have ended. */
  close(): Promise<void>;
}

interface RegionOptions {
  readonly clock: Clock;
  /** The endpoint's. 0: any free one. */
  readonly port?: number;
  /** Where the endpoint and the load balancers listen. */
  readonly host?: string;
}

/** Opens a region as the scenario describes it. Rejects, with nothing left open, where it can't. */
export async function openRegion(
  scenario: Scenario,
  { clock, port = 0, host = LOOPBACK }: RegionOptions,
): Promise<OpenRegion> {
  const { world, instanceIds, controllers } = buildWorld(scenario, clock);
  const simulator = new Simulator(world, { policies: scenario.policies ?? [] });
  if (scenario.quotas !== undefined) simulator.limit({ ...AWS_QUOTAS, ...scenario.quotas });
  for (const { when, ...fault } of scenario.faults ?? []) simulator.faults.add({ ...fault, ...rhythm(when) });
  const url = await simulator.listen(port, host);

  const closed = new AbortController();
  setMaxListeners(0, closed.signal);
  const plane = scenario.dataPlane === false ? undefined : await openPlane(world, simulator, host);
  const running = controllers.map((controller) => controller.run(closed.signal));
  return {
    world,
    simulator,
    url,
    entrances: plane === undefined ? [] : entrancesOf(world, plane),
    instanceIds,
    async close() {
      closed.abort();
      plane?.close();
      await Promise.all([simulator.close(), plane?.ended(), ...running]);
    },
  };
}

async function openPlane(world: World, simulator: Simulator, host: string): Promise<DataPlane> {
  try {
    return await DataPlane.open(world, host);
  } catch (error) {
    await simulator.close();
    throw error;
  }
}

function rhythm(when: ScenarioRhythm): Pick<Fault, "when"> {
  if (when?.first !== undefined) return { when: { first: when.first } };
  if (when?.every !== undefined) return { when: { every: when.every } };
  if (when?.probability !== undefined) return { when: { probability: when.probability, seed: when.seed ?? 1 } };
  return {};
}

function entrancesOf(world: World, plane: DataPlane): readonly Entrance[] {
  const balancers = [...world.loadBalancers.values(), ...world.classics.values()];
  return balancers.flatMap((balancer) => {
    const type = "type" in balancer ? balancer.type : "classic";
    if (type === "gateway") return [];
    return balancer.listeners.map(({ port }) => ({
      loadBalancer: balancer.name,
      type,
      port,
      url: plane.url(balancer.name, port),
    }));
  });
}
