import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { DataPlane } from "../data-plane/data-plane.ts";
import type { DeliveryOptions } from "../events/event-delivery.ts";
import type { Fault } from "../faults/fault.ts";
import { LOOPBACK } from "../listen.ts";
import { MetadataListeners } from "../metadata/metadata-listeners.ts";
import { AWS_QUOTAS } from "../quotas/quotas.ts";
import { Simulator } from "../simulator.ts";
import type { World } from "../world/world.ts";
import { type BuiltWorld, buildWorld } from "./build-world.ts";
import { beginDepartures } from "./departures.ts";
import { openQueues } from "./open-queues.ts";
import type { Scenario } from "./schema.ts";

type ScenarioRhythm = NonNullable<Scenario["faults"]>[number]["when"];

/** One port of a load balancer, where it carries traffic. */
interface Entrance {
  readonly loadBalancer: string;
  readonly type: "application" | "network" | "gateway" | "classic";
  readonly port: number;
  /** `http://ADDRESS:PORT` for connections, whatever they carry, and `udp://ADDRESS:PORT` for datagrams. */
  readonly url: string;
}

/** One machine's metadata service. */
interface Metadata {
  readonly instanceId: string;
  /** Stands for http://169.254.169.254 to the machine. */
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
  readonly metadata: readonly Metadata[];
  /** The queues that hear of it, by their URLs. */
  readonly queues: readonly string[];
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
  /** Called where queues don't take what they are sent. */
  readonly onUndelivered?: DeliveryOptions;
}

/** Opens a region as the scenario describes it. Rejects, with nothing left open, where it can't. */
export async function openRegion(
  scenario: Scenario,
  { clock, port = 0, host = LOOPBACK, onUndelivered = { onGivenUp: () => {} } }: RegionOptions,
): Promise<OpenRegion> {
  const built = buildWorld(scenario, clock);
  const { world, instanceIds, controllers } = built;
  const simulator = new Simulator(world, { policies: scenario.policies ?? [] });
  if (scenario.quotas !== undefined) simulator.limit({ ...AWS_QUOTAS, ...scenario.quotas });
  for (const { when, ...fault } of scenario.faults ?? []) simulator.faults.add({ ...fault, ...rhythm(when) });
  const listeners = new MetadataListeners(world, host);
  const url = await simulator.listen(port, host);
  const { plane, metadata } = await openListeners().catch(async (error: unknown) => {
    await Promise.all([simulator.close(), listeners.close()]);
    throw error;
  });

  const closed = new AbortController();
  setMaxListeners(0, closed.signal);
  const running = controllers.map((controller) => controller.run(closed.signal));
  const queues = openQueues(scenario, world, onUndelivered);
  beginDepartures(scenario, built);
  return {
    world,
    simulator,
    url,
    entrances: plane === undefined ? [] : entrancesOf(world, plane),
    metadata,
    queues: (scenario.events ?? []).map(({ queue }) => queue),
    instanceIds,
    async close() {
      closed.abort();
      plane?.close();
      await Promise.all([simulator.close(), listeners.close(), queues.close(), plane?.ended(), ...running]);
    },
  };

  async function openListeners() {
    const services = await openMetadata(scenario, built, listeners);
    return {
      metadata: services,
      plane: scenario.dataPlane === false ? undefined : await DataPlane.open(world, host),
    };
  }
}

async function openMetadata(
  { instanceMetadata }: Scenario,
  { world, idsOf }: BuiltWorld,
  listeners: MetadataListeners,
): Promise<readonly Metadata[]> {
  if (instanceMetadata === undefined) return [];
  const { instances, httpTokens, limit, limitStatus } = instanceMetadata;
  const options = {
    ...(httpTokens === undefined ? {} : { httpTokens }),
    ...(limit === undefined ? {} : { limit }),
    ...(limitStatus === undefined ? {} : { limitStatus }),
  };
  const opened: Metadata[] = [];
  for (const instanceId of idsOf(instances)) {
    const instance = world.instance(instanceId);
    if (instance !== undefined) opened.push({ instanceId, url: await listeners.open(instance, options) });
  }
  return opened;
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
    return balancer.listeners.flatMap(({ port }) =>
      plane.urls(balancer.name, port).map((url) => ({ loadBalancer: balancer.name, type, port, url })),
    );
  });
}
