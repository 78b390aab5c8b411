import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import type { Loss, Traffic, TrafficResult } from "../../src/demo/traffic.ts";
import type { DoctorReport } from "../../src/doctor/report.ts";
import { EXCLUDE_LABEL } from "../../src/drain/cluster.ts";
import type { ApiServer } from "../../src/kubernetes/api-server.ts";
import { DELAY_ANNOTATION } from "../../src/kubernetes/deletion-delays.ts";
import type { KubernetesObject, Node } from "../../src/kubernetes/objects.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { LoadBalancerController } from "../../src/simulator/cluster/load-balancer-controller.ts";
import { watchNodes } from "../../src/simulator/cluster/node-watch.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Timing } from "../../src/simulator/timing.ts";
import type { AutoScalingGroup } from "../../src/simulator/world/auto-scaling-group.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { LifecycleHook } from "../../src/simulator/world/lifecycle-action.ts";
import type { TargetDescription, TargetGroup } from "../../src/simulator/world/target-group.ts";
import { World } from "../../src/simulator/world/world.ts";
import { clientOf, folder, kubeconfig } from "./api-client.ts";
import {
  type ActorParts,
  CLAIMS,
  ClassicController,
  type Evictable,
  flap,
  NODES,
  nodeObject,
} from "./cluster-actors.ts";
import { addPools, DELAYS_SECONDS, SHORT } from "./departure-pools.ts";
import { addNode, announce, type BookEntry, keepBooks, REQUESTS_AFTERWARDS, startTraffic } from "./departure-scene.ts";
import { FakeApiServer, TOKEN } from "./fake-api-server.ts";
import { GateClient, untilEvicted } from "./gate-client.ts";
import { carryInside, type MachineInside } from "./machine-inside.ts";
import { restrictChildren } from "./printed-policy.ts";
import { realQueue } from "./real-queue.ts";
import { runHere, serveHere, startHere } from "./run-here.ts";
import { never } from "./simulated-region.ts";

const SECRET = "a-secret-of-the-cluster";
const NODES_COUNT = 12;
const NAMESPACE = "shop";
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const EVENT_EVERY_MS = 1_000;

export interface ClusterSceneInput {
  /** Of the Auto Scaling group. With one, what AWS announces goes to a queue. */
  readonly hooks?: readonly LifecycleHook[];
  /** In place of those of `SHORT`. */
  readonly timing?: Partial<Timing>;
}

/** A world that keeps what was registered in its target groups and classic load balancers. */
export class ObservedWorld extends World {
  readonly registered: BookEntry[] = [];

  override registerTarget(...args: Parameters<World["registerTarget"]>): void {
    const [group, target]: readonly [TargetGroup, TargetDescription, ...unknown[]] = args;
    this.registered.push({ pool: group.name, target: target.id, at: this.clock.now() });
    super.registerTarget(...args);
  }

  override registerClassic(...args: Parameters<World["registerClassic"]>): void {
    const [{ name: pool }, target] = args;
    this.registered.push({ pool, target, at: this.clock.now() });
    super.registerClassic(...args);
  }
}

/**
 * The nodes of a cluster behind an ALB with two target groups, an NLB and a classic load balancer. The simulated
 * aws-load-balancer-controller manages the target groups, one like cloud-provider-aws's the classic load balancer: both
 * watch the Node objects of an API server, and register what they miss.
 */
export class ClusterScene {
  readonly world: ObservedWorld;
  readonly simulator: Simulator;
  readonly nodes: readonly Instance[];
  readonly books: readonly BookEntry[];
  readonly api: ApiServer;
  readonly workers: AutoScalingGroup;
  /** When a node was labelled by us, in milliseconds since the epoch, by its name. */
  readonly labelledAt = new Map<string, number>();
  /** When a departure was announced: the hook, or the taint. By the instance's id. */
  readonly announcedAt = new Map<string, number>();
  /** When the pod of a node has ended, in milliseconds since the epoch, and how often its eviction was refused before. */
  readonly podEndedAt = new Map<string, number>();
  readonly refusedEvictions = new Map<string, number>();
  readonly #fake: FakeApiServer;
  readonly #controller: LoadBalancerController;
  readonly #traffic: Traffic;
  readonly #spare: Instance;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #machines: ReadonlyMap<string, MachineInside>;
  #gate: GateClient | undefined;

  private constructor(
    parts: Pick<ClusterScene, "world" | "simulator" | "nodes" | "books" | "api" | "workers">,
    inner: {
      readonly fake: FakeApiServer;
      readonly controller: LoadBalancerController;
      readonly traffic: Traffic;
      readonly spare: Instance;
      readonly environment: Readonly<Record<string, string>>;
      readonly machines: ReadonlyMap<string, MachineInside>;
    },
  ) {
    this.world = parts.world;
    this.simulator = parts.simulator;
    this.nodes = parts.nodes;
    this.books = parts.books;
    this.api = parts.api;
    this.workers = parts.workers;
    this.#fake = inner.fake;
    this.#controller = inner.controller;
    this.#traffic = inner.traffic;
    this.#spare = inner.spare;
    this.#environment = inner.environment;
    this.#machines = inner.machines;
    this.#observe();
  }

  static async open({ hooks = [], timing }: ClusterSceneInput = {}): Promise<ClusterScene> {
    const clock = new ScaledClock(1);
    const world = new ObservedWorld({ clock, timing: { ...SHORT.aws, ...timing } });
    const all = Array.from({ length: NODES_COUNT + 1 }, (_, index) => addNode(world, index + 1));
    const [spare, ...nodes] = all;
    if (spare === undefined) throw new Error("a cluster has nodes");
    const pools = addPools(world, all, DELAYS_SECONDS);
    const workers = world.addAutoScalingGroup({ name: "workers", instanceIds: nodes.map(({ id }) => id), hooks });
    const books = keepBooks(world);
    const fake = await FakeApiServer.start(clock);
    for (const instance of all) {
      fake.put(NODES, nodeObject(instance));
      fake.put(CLAIMS, { metadata: { name: instance.id } });
    }
    const api = await clientOf(fake, clock);
    const simulator = new Simulator(world);
    onTestFinished(() => simulator.close());
    const AWS_ENDPOINT_URL = await simulator.listen();
    const queue = hooks.length === 0 ? undefined : (await realQueue()).url;
    if (queue !== undefined) announce(world, queue, undefined);
    const environment = {
      AWS_ENDPOINT_URL,
      SECRET,
      UNDO: "true",
      ...SHORT.allowances,
      ...(queue !== undefined && { QUEUE: queue }),
    };
    restrictChildren(simulator, { UNDO: "true", ...(queue !== undefined && { QUEUE: queue }) }, { for: "serve" });
    const machines = new Map<string, MachineInside>();
    const plane = await carryInside(world, machines);
    const controller = await runControllers(world, pools, fake);
    const traffic = startTraffic(plane, clock);
    const parts = { world, simulator, nodes, books, api, workers };
    return new ClusterScene(parts, { fake, controller, traffic, spare, environment, machines });
  }

  /** The third of the nodes that leaves. */
  get leaving(): readonly Instance[] {
    return this.nodes.slice(0, NODES_COUNT / 3);
  }

  /** The API server, with the objects that controllers of a test go by. */
  get kubernetes(): FakeApiServer {
    return this.#fake;
  }

  /** A service that knows the cluster, unless `knows` says otherwise. */
  async serve(more: Readonly<Record<string, string>> = {}, knows = true) {
    return serveHere({ ...this.#environment, ...(knows && { KUBERNETES: this.#kubeconfig() }), ...more });
  }

  /** What doctor says of the cluster, before a service runs. */
  async doctor(): Promise<DoctorReport> {
    restrictChildren(this.simulator, { UNDO: "true" }, { for: "serve", doctor: true });
    const { SECRET: _, UNDO: __, ...environment } = this.#environment;
    const { stdout } = await runHere(["doctor", "--json"], { ...environment, KUBERNETES: this.#kubeconfig() });
    return JSON.parse(stdout);
  }

  #kubeconfig(): string {
    const path = join(folder(), "config");
    writeFileSync(path, kubeconfig({ server: this.#fake.url, ca: this.#fake.ca }));
    return path;
  }

  /** The holder of a node, as a pod of the DaemonSet: it ends when the service has drained the node. */
  async hold({ name }: Instance, url: string): Promise<{ evict(): Promise<unknown> }> {
    const { AWS_ENDPOINT_URL } = this.#environment;
    const holder = startHere(["hold", name, "--server", url], { AWS_ENDPOINT_URL, SECRET }, { program: "service" });
    await holder.line(/"msg":"hold ready"/);
    return {
      evict: () => {
        holder.signal("SIGTERM");
        return holder.finished;
      },
    };
  }

  /** The options of a service that is the eviction gate. */
  gateOptions(): Readonly<Record<string, string>> {
    this.#gate = new GateClient();
    return this.#gate.options;
  }

  /** From now on evictions are reviewed by this service, as the API server has it do. */
  async reviewBy(child: { line(pattern: RegExp): Promise<string> }): Promise<void> {
    await this.#gate?.connect(child);
  }

  /** The pod that answers on a node. It is evicted as by Karpenter, and no other pod answers there then. */
  pod({ id, name }: Instance): Evictable {
    const pod = `web-${name}`;
    const metadata = { name: pod, uid: pod, ownerReferences: [{ kind: "ReplicaSet", controller: true }] };
    const spec = { nodeName: name, terminationGracePeriodSeconds: 1 };
    this.#fake.put(PODS, { metadata, spec } as unknown as KubernetesObject);
    const isAllowed = async () => {
      const answer = (await this.#gate?.review({ namespace: NAMESPACE, name: pod })) ?? { isAllowed: true };
      if (!answer.isAllowed) this.refusedEvictions.set(id, (this.refusedEvictions.get(id) ?? 0) + 1);
      return answer;
    };
    return {
      evict: async () => {
        await untilEvicted(isAllowed, this.world.clock);
        this.#fake.remove(PODS, pod);
        this.podEndedAt.set(id, this.world.clock.now());
        this.#machines.get(id)?.end();
      },
    };
  }

  /** For the actors that remove nodes. Their machines go by the Auto Scaling group, or at once where `directly`. */
  actor(directly = false): ActorParts {
    const { api, world, workers } = this;
    const terminate = (instance: Instance) =>
      directly ? world.terminateInstance(instance) : void world.beginScaleIn(workers, instance);
    return { api, clock: world.clock, terminate };
  }

  announce({ id }: Instance): void {
    this.announcedAt.set(id, this.world.clock.now());
  }

  /** Now the target cache of aws-load-balancer-controller has expired, and from now on another node changes each second. */
  async disturb(): Promise<void> {
    this.#controller.restart();
    flap(this.#spare, this.actor(), EVENT_EVERY_MS);
  }

  /** How often a node that leaves was registered again. */
  get registeredAgain(): number {
    const leaving = new Set(this.leaving.map(({ id }) => id));
    return this.world.registered.filter(
      ({ target, at }) => leaving.has(target) && at >= (this.announcedAt.get(target) ?? Infinity),
    ).length;
  }

  async until(isTime: () => boolean): Promise<void> {
    await vi.waitUntil(isTime, { timeout: 300_000, interval: 50 });
  }

  /** Resolves once every node has the annotation that delays its deletion. */
  async untilDelayed(): Promise<void> {
    const isDelayed = async ({ name }: Instance) => {
      const { metadata } = await this.api.get<Node>(`${NODES}/${name}`, never);
      return metadata?.annotations?.[DELAY_ANNOTATION] !== undefined;
    };
    await vi.waitUntil(async () => (await Promise.all(this.nodes.map(isDelayed))).every(Boolean), { timeout: 60_000 });
  }

  untilOff(): Promise<void> {
    return this.until(() => this.leaving.every(({ terminatedAt }) => terminatedAt !== undefined));
  }

  /** Clients go on for a while. What all of them have got since the scene began. */
  async endTraffic(): Promise<TrafficResult> {
    const enough = this.#traffic.sent + REQUESTS_AFTERWARDS;
    await this.until(() => this.#traffic.sent >= enough);
    return this.#traffic.stop();
  }

  #observe(): void {
    this.#fake.intercept = ({ method, path, query, body }) => {
      const labels = (body as { metadata?: { labels?: Record<string, string> } } | undefined)?.metadata?.labels;
      const name = path.split("/").at(-1) ?? "";
      const isOurs = query.get("fieldManager")?.startsWith("hasta-la-vista") === true;
      if (method === "PATCH" && isOurs && labels?.[EXCLUDE_LABEL] !== undefined && !this.labelledAt.has(name))
        this.labelledAt.set(name, this.world.clock.now());
      const isTaint = method === "PATCH" && JSON.stringify(body).includes('"taints":[{');
      const tainted = isTaint ? this.nodes.find((node) => node.name === name) : undefined;
      if (tainted !== undefined) this.announce(tainted);
      return undefined;
    };
    // The cloud's node lifecycle controller deletes the Node object of a machine that is gone.
    this.world.watch((change) => {
      if (change.type === "instance-terminated") this.#fake.remove(NODES, change.instance.name);
      if (change.type === "announced" && change.announcement.type === "lifecycle-action")
        this.announcedAt.set(change.announcement.instanceId, change.announcement.at);
    });
  }
}

export async function runControllers(
  world: World,
  { web, reports, tcp, legacy }: ReturnType<typeof addPools>,
  { url, ca }: FakeApiServer,
): Promise<LoadBalancerController> {
  const controller = new LoadBalancerController(
    world,
    [web, reports, tcp].map((group) => ({ group })),
  );
  const classic = new ClassicController(world, legacy);
  const ended = new AbortController();
  const lists = [controller, classic].map(async (one) => {
    for await (const nodes of watchNodes({ url, ca, token: TOKEN }, world.clock, ended.signal)) one.setNodes(nodes);
  });
  onTestFinished(async () => {
    ended.abort();
    controller.close();
    await Promise.all(lists);
  });
  return controller;
}

/** What became of a request that was lost. */
const LOST_BECAUSE = [
  "in flight when a machine was terminated",
  "sent to a machine that was off, before its load balancer had noticed",
  "sent to a node whose pod had ended, or was ending",
  "any other",
] as const;
export type LostBecause = (typeof LOST_BECAUSE)[number];

/** After which no load balancer of the scene sends to a machine that is off: lags, failed checks and AWS's own cleaning. */
const NOTICED_MS = 10_000;

/** How many requests were lost for which reason. */
export function reasonsOf(
  losses: readonly Loss[],
  machines: readonly Instance[],
  podsEndedAt: readonly number[] = [],
): Readonly<Record<LostBecause, number>> {
  const counts = Object.fromEntries(LOST_BECAUSE.map((reason) => [reason, 0])) as Record<LostBecause, number>;
  const deaths = machines.map(({ terminatedAt }) => terminatedAt).filter((at) => at !== undefined);
  for (const { at, lostAt } of losses) {
    const isInFlight = deaths.some((diedAt) => at <= diedAt && lostAt >= diedAt);
    const isUnnoticed = deaths.some((diedAt) => at >= diedAt && at <= diedAt + NOTICED_MS);
    const isPodless = podsEndedAt.some((endedAt) => lostAt >= endedAt && at <= endedAt + NOTICED_MS);
    const met = [isInFlight, isUnnoticed, isPodless, true];
    counts[LOST_BECAUSE[met.indexOf(true)] ?? "any other"] += 1;
  }
  return counts;
}
