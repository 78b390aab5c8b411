import { Traffic, type TrafficResult } from "../../src/demo/traffic.ts";
import type { ScaledClock } from "../../src/simulator/clock.ts";
import { DataPlane } from "../../src/simulator/data-plane/data-plane.ts";
import { EventDelivery } from "../../src/simulator/events/event-delivery.ts";
import { SqsSender } from "../../src/simulator/events/sqs-sender.ts";
import type { LifecycleAction } from "../../src/simulator/world/lifecycle-action.ts";
import type { Spare } from "../../test/support/loss-causes.ts";
import { MachineInside } from "../../test/support/machine-inside.ts";
import { type AtEnd, realQueue } from "../../test/support/real-queue.ts";
import { RecordedSimulator } from "./recorded-simulator.ts";
import { buildRegion, type Kind, type Region } from "./region.ts";

/** Between two requests to each load balancer. Each takes its machine so long. */
const REQUEST_INTERVAL_MS = 500;
const REQUEST_TAKES_MS = 200;
const CONNECTION_LIFETIME_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const WAITING_MAX = 20;

/** By the holds that the product has by default, and by the simulator's lags. */
const SPARES: Readonly<Record<Kind, Spare>> = {
  alb: { through: "alb", spareMs: 12_000 },
  classic: { through: "classic", spareMs: 8_000 },
  nlb: { through: "nlb", spareMs: 30_000 },
};

export interface SideInput {
  readonly kind: Kind;
  readonly clock: ScaledClock;
  readonly hookName: string;
  readonly queueName: string;
  readonly number: number;
  readonly atEnd: AtEnd;
}

/** A region, its queue and its clients for one program alone, so that all that happens there is that program's doing. */
export class Side {
  readonly region: Region;
  readonly simulator: RecordedSimulator;
  readonly endpoint: string;
  readonly queue: Awaited<ReturnType<typeof realQueue>>;
  /** When the node has left each of its pools, by AWS's own books. In milliseconds since the epoch, as all times here. */
  readonly deregisteredAt: number[] = [];
  readonly #traffic: Traffic;
  #action: LifecycleAction | undefined;

  private constructor(
    parts: Pick<Side, "region" | "simulator" | "endpoint" | "queue">,
    traffic: Traffic,
    clock: ScaledClock,
  ) {
    this.region = parts.region;
    this.simulator = parts.simulator;
    this.endpoint = parts.endpoint;
    this.queue = parts.queue;
    this.#traffic = traffic;
    this.region.world.watch((change) => {
      const isNode = (id: string) => id === this.node.id;
      if (change.type === "target-deregistered" && isNode(change.target.id)) this.deregisteredAt.push(clock.now());
      if (change.type === "classic-deregistered" && isNode(change.instanceId)) this.deregisteredAt.push(clock.now());
      if (change.type === "announced" && change.announcement.type === "lifecycle-action")
        this.#action = change.announcement.action;
    });
  }

  static async open({ clock, queueName, atEnd, ...input }: SideInput): Promise<Side> {
    const region = buildRegion({ clock, ...input });
    const simulator = new RecordedSimulator(region.world);
    atEnd(() => simulator.close());
    const endpoint = await simulator.listen();
    const queue = await realQueue(queueName, atEnd);
    sendHooks(region, queue.url, atEnd);
    const plane = await DataPlane.open(region.world, undefined, MachineInside.start);
    atEnd(() => plane.close());
    const destinations = region.busy.map((name) => ({ name, url: `${plane.url(name)}/?delay=${REQUEST_TAKES_MS}` }));
    const traffic = new Traffic({
      ...{ destinations, clock, intervalMs: REQUEST_INTERVAL_MS, timeoutMs: REQUEST_TIMEOUT_MS },
      ...{ waitingMax: WAITING_MAX, connectionLifetimeMs: CONNECTION_LIFETIME_MS },
    });
    atEnd(async () => void (await traffic.stop()));
    return new Side({ region, simulator, endpoint, queue }, traffic, clock);
  }

  /** The one that leaves. */
  get node() {
    const [node] = this.region.nodes;
    if (node === undefined) throw new Error("there is no node to leave");
    return node;
  }

  /** Auto Scaling begins to take the node away. */
  scaleIn(): void {
    this.region.world.beginScaleIn(this.region.workers, this.node);
  }

  /** Of the hook, once the node is off. */
  get ended(): { readonly startedAt: number; readonly endedAt: number; readonly result: string } | undefined {
    const action = this.#action;
    if (action === undefined || this.node.terminatedAt === undefined) return undefined;
    return { startedAt: action.startedAt, endedAt: action.endsAt, result: action.result };
  }

  /** From when on no load balancer of its kind sends anything to the node any more. */
  get quietAt(): number {
    const { kind, world } = this.region;
    return Math.max(...this.deregisteredAt) + world.timing[`${kind}Deregistration`][1];
  }

  /** Of each load balancer with clients: how long before the end of a hold of ours it may send the last new request. */
  get spares(): Readonly<Record<string, Spare>> {
    return Object.fromEntries(this.region.busy.map((name) => [name, SPARES[this.region.kind]]));
  }

  /** What all clients have got since the side was opened. */
  endTraffic(): Promise<TrafficResult> {
    return this.#traffic.stop();
  }
}

/** Straight from Auto Scaling to the queue. */
function sendHooks({ world }: Region, url: string, atEnd: AtEnd): void {
  const sender = new SqsSender({ url, region: world.region });
  const givenUp: Error[] = [];
  const destination = { from: "auto-scaling", send: sender.send } as const;
  const delivery = new EventDelivery(world, [destination], { onGivenUp: (error) => givenUp.push(error) });
  atEnd(async () => {
    await delivery.close();
    sender.close();
    if (givenUp[0] !== undefined) throw givenUp[0];
  });
}
