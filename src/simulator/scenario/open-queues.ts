import { type DeliveryOptions, type Destination, EventDelivery } from "../events/event-delivery.ts";
import { SqsSender } from "../events/sqs-sender.ts";
import type { World } from "../world/world.ts";
import type { Scenario } from "./schema.ts";

type ScenarioQueue = NonNullable<Scenario["events"]>[number];

interface OpenQueues {
  /** Resolves when nothing is sent any more. */
  close(): Promise<void>;
}

/** Lets the scenario's queues hear of the world from now on. */
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
