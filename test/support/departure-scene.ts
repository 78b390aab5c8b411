import { onTestFinished, vi } from "vitest";
import { Traffic, type TrafficResult } from "../../src/demo/traffic.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Controller } from "../../src/simulator/controller.ts";
import type { DataPlane } from "../../src/simulator/data-plane/data-plane.ts";
import { EventDelivery } from "../../src/simulator/events/event-delivery.ts";
import { SqsSender } from "../../src/simulator/events/sqs-sender.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { AutoScalingGroup } from "../../src/simulator/world/auto-scaling-group.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { LifecycleAction, LifecycleHook } from "../../src/simulator/world/lifecycle-action.ts";
import { World } from "../../src/simulator/world/world.ts";
import { ALL_CASES } from "./cases.ts";
import { type Child, startService } from "./child-process.ts";
import { addPools, DELAYS_SECONDS, type DepartureTiming } from "./departure-pools.ts";
import { carryInside } from "./machine-inside.ts";
import { restrictChildren } from "./printed-policy.ts";
import type { Running } from "./program-run.ts";
import { realQueue } from "./real-queue.ts";
import { serveHere } from "./run-here.ts";
import { VPC } from "./simulated-region.ts";

/** How often each destination gets a request. What a hold would be short by is seconds: fewer requests show it too. */
const REQUEST_INTERVAL_MS = ALL_CASES ? 50 : 200;
export const REQUESTS_AFTERWARDS = ALL_CASES ? 200 : 60;
/** Fewer than these show nothing. A busy machine sends fewer than it means to. */
export const REQUESTS_MIN = ALL_CASES ? 300 : 120;
const CONTROLLER_INTERVAL_MS = 200;
/** Shorter than what any hold of an NLB has to spare: what clients keep for longer breaks with the machine. */
const CONNECTION_LIFETIME_MS = 500;

/** By its heartbeats alone does it outlast an NLB's hold. A machine that nobody completes it for goes all the same. */
export const HOOK: LifecycleHook = {
  name: "drain",
  transition: "autoscaling:EC2_INSTANCE_TERMINATING",
  heartbeatTimeoutSeconds: 10,
  defaultResult: "ABANDON",
};

export interface DepartureSceneInput {
  readonly nodes: number;
  readonly timing: DepartureTiming;
  /** A group that launches a machine so long after it has lost one. Absent: it launches none. */
  readonly launchMs?: number;
  /** How often each destination gets a request, where it matters how many are lost. */
  readonly requestIntervalMs?: number;
  /** Every so manieth message is sent twice. */
  readonly duplicateEvery?: number;
  /** Hooks of other programs, beside `HOOK`. */
  readonly otherHooks?: readonly LifecycleHook[];
  /** Nothing is announced until `announce`. */
  readonly isSilent?: true;
  /** Deregistration delays in place of the usual ones. */
  readonly delaysSeconds?: Partial<typeof DELAYS_SECONDS>;
}

/** A deregistration that has had an effect, in AWS's own books. */
export interface BookEntry {
  readonly pool: string;
  readonly target: string;
  readonly at: number;
}

/** An action of a hook, as Auto Scaling has it. */
export interface HookEntry {
  readonly instanceId: string;
  readonly action: LifecycleAction;
}

/**
 * The nodes of an Auto Scaling group behind an ALB, an NLB and a classic load balancer, real clients of these, and a
 * queue of somebody else's make that gets what AWS would announce. Who reads it is up to the test.
 */
export class DepartureScene {
  readonly world: World;
  readonly nodes: readonly Instance[];
  readonly workers: AutoScalingGroup;
  readonly simulator: Simulator;
  readonly plane: DataPlane;
  readonly queue: Awaited<ReturnType<typeof realQueue>>;
  readonly traffic: Traffic;
  readonly books: readonly BookEntry[];
  readonly hooks: readonly HookEntry[];
  readonly #timing: DepartureTiming;
  readonly #endpoint: string;

  private constructor(
    parts: Pick<
      DepartureScene,
      "world" | "nodes" | "workers" | "simulator" | "plane" | "queue" | "traffic" | "books" | "hooks"
    >,
    { timing, endpoint }: { readonly timing: DepartureTiming; readonly endpoint: string },
  ) {
    this.world = parts.world;
    this.nodes = parts.nodes;
    this.workers = parts.workers;
    this.simulator = parts.simulator;
    this.plane = parts.plane;
    this.queue = parts.queue;
    this.traffic = parts.traffic;
    this.books = parts.books;
    this.hooks = parts.hooks;
    this.#timing = timing;
    this.#endpoint = endpoint;
  }

  static async open(input: DepartureSceneInput): Promise<DepartureScene> {
    const { timing, launchMs } = input;
    const clock = new ScaledClock(1);
    const world = new World({ clock, timing: timing.aws });
    const nodes = Array.from({ length: input.nodes }, (_, index) => addNode(world, index + 1));
    const pools = addPools(world, nodes, {
      ...DELAYS_SECONDS,
      ...input.delaysSeconds,
    });
    const workers = world.addAutoScalingGroup({
      name: "workers",
      instanceIds: nodes.map(({ id }) => id),
      targetGroups: [pools.web],
      hooks: [HOOK, ...(input.otherHooks ?? [])],
      ...(launchMs === undefined ? {} : { launchMs, maxSize: 2 * nodes.length }),
    });
    const [books, hooks] = [keepBooks(world), keepHooks(world)];
    runController(world, workers, pools);
    const simulator = new Simulator(world);
    onTestFinished(() => simulator.close());
    const endpoint = await simulator.listen();
    const queue = await realQueue();
    restrictChildren(simulator, { QUEUE: queue.url }, { for: "serve" });
    if (input.isSilent !== true) announce(world, queue.url, input.duplicateEvery);
    const plane = await carryInside(world);
    const traffic = startTraffic(plane, clock, input.requestIntervalMs);
    return new DepartureScene(
      { world, nodes, workers, simulator, plane, queue, traffic, books, hooks },
      { timing, endpoint },
    );
  }

  /** Where AWS is. */
  get endpoint(): string {
    return this.#endpoint;
  }

  /** A rule of EventBridge, from now on. */
  announce(): void {
    announce(this.world, this.queue.url, undefined);
  }

  /** A service that reads the queue. `more`: its other options. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<Child> {
    return (await startService(this.#environment(more))).child;
  }

  /** The same in this process, where no test kills it. */
  async startInside(more: Readonly<Record<string, string>> = {}): Promise<Running> {
    return (await serveHere(this.#environment(more))).child;
  }

  #environment(more: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const SECRET = "a-secret-nobody-may-see";
    const { allowances } = this.#timing;
    return { SECRET, AWS_ENDPOINT_URL: this.#endpoint, QUEUE: this.queue.url, ...allowances, ...more };
  }

  /** How many nodes get traffic in every pool that is not on its way out of it. */
  get serving(): number {
    const { targetGroups, classics, clock } = this.world;
    const now = clock.now();
    const healthy = [...targetGroups.values()].map(
      (group) => group.listed(now).filter((target) => group.apiHealth(target, now).state === "healthy").length,
    );
    const inService = [...classics.values()].map(
      (classic) => classic.registered(now).filter((id) => classic.apiState(id, now)?.state === "InService").length,
    );
    return Math.min(...healthy, ...inService);
  }

  /** Whether AWS lists the machine among a target group's. */
  isListed(groupName: string, { id }: Instance): boolean {
    const { targetGroups, clock } = this.world;
    const group = [...targetGroups.values()].find(({ name }) => name === groupName);
    return group?.listed(clock.now()).some((target) => target.id === id) === true;
  }

  /** Auto Scaling begins to take these away, and the cluster marks them so that its controllers leave them alone. */
  scaleIn(leaving: readonly Instance[]): void {
    for (const instance of leaving) {
      this.world.excluded.add(instance.id);
      this.world.beginScaleIn(this.workers, instance);
    }
  }

  /** Resolves once it is as `isTime` says. */
  async until(isTime: () => boolean | Promise<boolean>): Promise<void> {
    await vi.waitUntil(isTime, { timeout: 300_000, interval: 50 });
  }

  /** Resolves once all of these machines are off. */
  untilOff(instances: readonly Instance[]): Promise<void> {
    return this.until(() => instances.every(({ terminatedAt }) => terminatedAt !== undefined));
  }

  /** Resolves once nobody has a message, nor waits for one. */
  untilQueueIsEmpty(): Promise<void> {
    return this.until(async () => {
      const { waiting, inFlight } = await this.queue.depth();
      return waiting + inFlight === 0;
    });
  }

  /** Clients go on for a while. What all of them have got since the scene began. */
  async endTraffic(): Promise<TrafficResult> {
    const enough = this.traffic.sent + REQUESTS_AFTERWARDS;
    await this.until(() => this.traffic.sent >= enough);
    return this.traffic.stop();
  }
}

/** The lines of a service's log that say this. */
export function linesOf(
  child: Child,
  message: string,
): readonly { readonly node?: string; readonly messageId?: string }[] {
  return child.output
    .split("\n")
    .slice(0, -1) // What has not been written to its end.
    .filter((line) => line.includes(message))
    .map((line) => JSON.parse(line));
}

export function addNode(world: World, number: number): Instance {
  const id = `i-${String(number).padStart(17, "0")}`;
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  return world.addInstance({ id, vpcId: VPC, privateIp: `10.0.0.${number}`, tags });
}

export function keepBooks(world: World): readonly BookEntry[] {
  const books: BookEntry[] = [];
  world.watch((change) => {
    const at = world.clock.now();
    if (change.type === "target-deregistered") books.push({ pool: change.group.name, target: change.target.id, at });
    if (change.type === "classic-deregistered")
      books.push({ pool: change.loadBalancer.name, target: change.instanceId, at });
  });
  return books;
}

function keepHooks(world: World): readonly HookEntry[] {
  const hooks: HookEntry[] = [];
  world.watch((change) => {
    if (change.type === "announced" && change.announcement.type === "lifecycle-action") hooks.push(change.announcement);
  });
  return hooks;
}

/** As a cluster's: it registers the group's machines wherever Auto Scaling does not. */
function runController(world: World, workers: AutoScalingGroup, pools: ReturnType<typeof addPools>): void {
  const stopped = new AbortController();
  onTestFinished(() => stopped.abort());
  const controller = new Controller(world, {
    intervalMs: CONTROLLER_INTERVAL_MS,
    targetGroups: [pools.reports, pools.tcp].map((group) => ({ group, targets: [] })),
    classics: [{ loadBalancer: pools.legacy, instanceIds: [] }],
    autoScalingGroups: [workers],
  });
  void controller.run(stopped.signal);
}

export function announce(world: World, url: string, duplicateEvery: number | undefined): void {
  const sender = new SqsSender({ url, region: world.region });
  const faults: Error[] = [];
  const destination = { send: sender.send, ...(duplicateEvery === undefined ? {} : { duplicateEvery }) };
  const delivery = new EventDelivery(world, [destination], { onGivenUp: (error) => faults.push(error) });
  onTestFinished(async () => {
    await delivery.close();
    sender.close();
    if (faults[0] !== undefined) throw faults[0];
  });
}

/** Requests of every kind to the load balancers of `addPools`, until the test's end. */
export function startTraffic(plane: DataPlane, clock: ScaledClock, intervalMs = REQUEST_INTERVAL_MS): Traffic {
  const traffic = new Traffic({
    destinations: [
      { name: "web", url: plane.url("shop") },
      { name: "reports", url: `${plane.url("shop")}/reports?delay=1000` },
      { name: "tcp", url: plane.url("tcp") },
      { name: "legacy", url: plane.url("legacy") },
    ],
    ...{ clock, intervalMs, timeoutMs: 5_000, waitingMax: 20 },
    connectionLifetimeMs: CONNECTION_LIFETIME_MS,
  });
  onTestFinished(() => void traffic.stop());
  return traffic;
}
