import { type DeliveryOptions, type Destination, EventDelivery } from "../events/event-delivery.ts";
import { SqsSender } from "../events/sqs-sender.ts";
import type { World } from "../world/world.ts";
import type { Problem } from "./problem.ts";
import type { Scenario } from "./schema.ts";

type ScenarioQueue = NonNullable<Scenario["events"]>[number];

/** Names and addresses of this machine, on which a region may listen. */
const HERE = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

interface OpenQueues {
  /** Stops sending. Resolves when no request is in progress. */
  close(): Promise<void>;
}

/**
 * Finds queues whose URL has the port of the region itself. The region has no SQS, so it would refuse every message.
 */
export function queuesOnPort({ events = [] }: Scenario, port: number): readonly Problem[] {
  return events.flatMap(({ queue, endpoint }, index) => {
    const given = endpoint ?? queue;
    const url = new URL(given);
    if (!HERE.test(url.hostname) || Number(url.port) !== port) return [];
    const path = ["events", index, endpoint === undefined ? "queue" : "endpoint"];
    return [
      { path, message: `'${given}' is the region's own port ${port}, which has no SQS: run SQS on another port` },
    ];
  });
}

/** From now on, sends the events of the world to the scenario's queues. */
export function openQueues({ events = [] }: Scenario, world: World, options: DeliveryOptions): OpenQueues {
  const queues = events.map((queue) => ({ queue, sender: senderOf(queue, world) }));
  const destinations = queues.map(({ queue, sender }) => destinationOf(queue, sender));
  const delivery = new EventDelivery(world, destinations, options);
  return {
    async close() {
      await delivery.close();
      for (const { sender } of queues) sender.close();
    },
  };
}

function senderOf({ queue: url, endpoint }: ScenarioQueue, { region }: World): SqsSender {
  return new SqsSender({ url, region, ...(endpoint === undefined ? {} : { endpoint }) });
}

function destinationOf(
  { from, topic, kinds, lagSeconds, duplicateEvery }: ScenarioQueue,
  sender: SqsSender,
): Destination {
  return {
    send: sender.send,
    ...(from === undefined ? {} : { from }),
    ...(topic === undefined ? {} : { topic }),
    ...(kinds === undefined ? {} : { kinds }),
    ...(lagSeconds === undefined ? {} : { lagMs: lagSeconds * 1_000 }),
    ...(duplicateEvery === undefined ? {} : { duplicateEvery }),
  };
}
