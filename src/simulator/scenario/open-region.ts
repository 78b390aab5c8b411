import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { Control } from "../control/control.ts";
import { DataPlane } from "../data-plane/data-plane.ts";
import type { DeliveryOptions } from "../events/event-delivery.ts";
import { LOOPBACK } from "../listen.ts";
import { MetadataListeners } from "../metadata/metadata-listeners.ts";
import { AWS_QUOTAS } from "../quotas/quotas.ts";
import { Simulator } from "../simulator.ts";
import type { Instance } from "../world/instance.ts";
import type { World } from "../world/world.ts";
import { type BuiltWorld, buildWorld } from "./build-world.ts";
import { beginDepartures } from "./departures.ts";
import { faultOf } from "./fault-schema.ts";
import { openQueues, queuesOnPort } from "./open-queues.ts";
import { problemText, ScenarioError } from "./problem.ts";
import type { Scenario } from "./schema.ts";

/** One listener of a load balancer that carries traffic. */
interface Entrance {
  readonly loadBalancer: string;
  readonly type: "application" | "network" | "gateway" | "classic";
  readonly port: number;
  /** `http://ADDRESS:PORT` for connections of any protocol, and `udp://ADDRESS:PORT` for datagrams. */
  readonly url: string;
}

/** The metadata service of one machine. */
interface Metadata {
  readonly instanceId: string;
  /** The URL that the machine uses in place of http://169.254.169.254. */
  readonly url: string;
}

/** A running region: AWS's API for any client, and load balancers that carry traffic. */
export interface OpenRegion {
  readonly world: World;
  readonly simulator: Simulator;
  /** AWS's endpoint. */
  readonly url: string;
  /** Empty without a data plane. */
  readonly entrances: readonly Entrance[];
  readonly metadata: readonly Metadata[];
  /** The URLs of the queues that receive its events. */
  readonly queues: readonly string[];
  /** Instance ids, by the name in the scenario. */
  readonly instanceIds: ReadonlyMap<string, string>;
  /** Resolves when its controllers, listeners and processes have ended. */
  close(): Promise<void>;
}

interface RegionOptions {
  readonly clock: Clock;
  /** The port of AWS's endpoint. 0: any free port. */
  readonly port?: number;
  /** The address on which the endpoint, the load balancers and the metadata services listen. */
  readonly host?: string;
  /**
   * The port of the first listener. The other listeners have the next ports, in the order of the scenario, and the
   * metadata services have the ports after them. 0: any free ports.
   */
  readonly firstPort?: number;
  /** Aborts the opening of the region. */
  readonly signal?: AbortSignal;
  /** Called if a queue does not accept a message. */
  readonly onUndelivered?: DeliveryOptions;
  /** Called if the process of a machine has ended by itself, and not because of an event in the region. */
  readonly onProgramEnded?: (instance: Instance) => void;
}

/** Opens the region that the scenario describes. If this fails or `signal` aborts, closes everything and rejects. */
export async function openRegion(
  scenario: Scenario,
  {
    clock,
    port = 0,
    host = LOOPBACK,
    firstPort = 0,
    signal,
    onUndelivered = { onGivenUp: () => {} },
    onProgramEnded = () => {},
  }: RegionOptions,
): Promise<OpenRegion> {
  const built = buildWorld(scenario, clock);
  const { world, instanceIds, controllers } = built;
  world.watch((change) => {
    if (change.type === "program-ended") onProgramEnded(change.instance);
  });
  const control = new Control();
  const simulator = new Simulator(world, { policies: scenario.policies ?? [], beside: control });
  if (scenario.quotas !== undefined) simulator.limit({ ...AWS_QUOTAS, ...scenario.quotas });
  for (const fault of scenario.faults ?? []) simulator.faults.add(faultOf(fault, world.random.seed));
  const listeners = new MetadataListeners(world, host);
  const url = await simulator.listen(port, host);
  const misled = queuesOnPort(scenario, Number(new URL(url).port));
  if (misled.length > 0) {
    await simulator.close();
    throw new ScenarioError(misled.map(problemText));
  }
  let plane: DataPlane | undefined;
  const { entrances, metadata } = await openListeners().catch(async (error: unknown) => {
    plane?.close();
    await Promise.all([simulator.close(), listeners.close(), plane?.ended()]);
    throw error;
  });

  const closed = new AbortController();
  setMaxListeners(0, closed.signal);
  const running = controllers.map((controller) => controller.run(closed.signal));
  const queues = openQueues(scenario, world, onUndelivered);
  control.open({ ...built, simulator, plane, metadata });
  beginDepartures(scenario, built);
  return {
    world,
    simulator,
    url,
    entrances,
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
    if (scenario.dataPlane !== false) plane = await DataPlane.open(world, host, undefined, firstPort, signal);
    const entrances = plane === undefined ? [] : entrancesOf(world, plane);
    const nextPort = firstPort === 0 ? 0 : firstPort + entrances.length;
    return { entrances, metadata: await openMetadata(scenario, built, { listeners, firstPort: nextPort }) };
  }
}

async function openMetadata(
  { instanceMetadata }: Scenario,
  { world, idsOf }: BuiltWorld,
  { listeners, firstPort }: { readonly listeners: MetadataListeners; readonly firstPort: number },
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
    const port = firstPort === 0 ? 0 : firstPort + opened.length;
    if (instance !== undefined) opened.push({ instanceId, url: await listeners.open(instance, options, port) });
  }
  return opened;
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
