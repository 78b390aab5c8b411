import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { Traffic } from "../../src/demo/traffic.ts";
import { AUTOSCALER_TAINT, OWN_TAINT_VALUE } from "../../src/drain/cluster.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { KubeProxies } from "../../src/simulator/cluster/kube-proxies.ts";
import { LoadBalancerController } from "../../src/simulator/cluster/load-balancer-controller.ts";
import { watchNodes } from "../../src/simulator/cluster/node-watch.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { World } from "../../src/simulator/world/world.ts";
import { Connection } from "../simulator/data-plane/clients.ts";
import { folder, kubeconfig } from "./api-client.ts";
import { ALL_CASES } from "./cases.ts";
import { type Child, startService } from "./child-process.ts";
import { NODES, nodeObject } from "./cluster-actors.ts";
import { QUARTER } from "./departure-pools.ts";
import { addNode, announce, type BookEntry, keepBooks } from "./departure-scene.ts";
import { FakeApiServer, TOKEN } from "./fake-api-server.ts";
import { type ClientLoss, causeOf, countCauses, type Departed, type LossCause } from "./loss-causes.ts";
import { carryInside } from "./machine-inside.ts";
import { restrictChildren } from "./printed-policy.ts";
import { realQueue } from "./real-queue.ts";
import { VPC } from "./simulated-region.ts";

const NODES_COUNT = 8;
/** Clients that keep one connection each to the end. */
const KEPT_FLOWS = 24;
/** Half of EC2's notice; its event comes late by the rest. */
export const NOTICE_MS = 60_000;
const LATE_MS = 120_000 - NOTICE_MS;
/** Half of 10 s. */
const CHECK = { intervalMs: 5_000, healthyThreshold: 2, unhealthyThreshold: 2 };
export const FAILS_MS = CHECK.intervalMs * CHECK.unhealthyThreshold;
/** Half of AWS's own lags of an NLB. */
const TIMING = { ...QUARTER.aws, nlbDeregistration: [60_000, 90_000], nlbUnhealthy: [15_000, 20_000] } as const;
const [REQUEST_INTERVAL_MS, REQUESTS_AFTERWARDS] = ALL_CASES ? [100, 100] : [200, 60];
const CONNECTION_LIFETIME_MS = 500;

export interface Reclaimed {
  readonly requests: number;
  /** Of requests over connections that live for half a second at most, by load balancer. */
  readonly requestsLost: Readonly<Record<"tcp" | "web", number>>;
  /** Of those that clients keep. */
  readonly connectionsLost: number;
  readonly causes: Readonly<Record<LossCause, number>>;
  /** Of the nodes that are taken back, from the event on. The slowest node. Undefined: never. */
  readonly secondsToTaint: number | undefined;
  readonly secondsToDeregistration: number | undefined;
  /** The number of nodes that were tainted, and that were deregistered. */
  readonly tainted: number;
  readonly deregistered: number;
  /** How long the last connection to a node that goes was opened after the event, in seconds. */
  readonly secondsToLastConnection: number;
  readonly log: string;
}

/**
 * Nodes of a cluster behind an NLB and an ALB whose health checks ask kube-proxy. The NLB keeps the connections of unhealthy
 * targets. aws-load-balancer-controller manages both. EC2 takes half of the nodes back. The NLB's times are half of AWS's.
 */
export class FastPathScene {
  readonly #world: World;
  readonly #nodes: readonly Instance[];
  readonly #books: readonly BookEntry[];
  readonly #traffic: Traffic;
  readonly #flows: readonly Connection[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #taintedAt: ReadonlyMap<string, number>;
  #service: Child | undefined;

  private constructor(
    world: World,
    parts: {
      readonly nodes: readonly Instance[];
      readonly books: readonly BookEntry[];
      readonly traffic: Traffic;
      readonly flows: readonly Connection[];
      readonly environment: Readonly<Record<string, string>>;
      readonly taintedAt: ReadonlyMap<string, number>;
    },
  ) {
    this.#world = world;
    this.#nodes = parts.nodes;
    this.#books = parts.books;
    this.#traffic = parts.traffic;
    this.#flows = parts.flows;
    this.#environment = parts.environment;
    this.#taintedAt = parts.taintedAt;
  }

  static async open(): Promise<FastPathScene> {
    const clock = new ScaledClock(1);
    const world = new World({ clock, timing: TIMING });
    const nodes = Array.from({ length: NODES_COUNT }, (_, index) => addNode(world, index + 1));
    const groups = [addNlb(world, nodes), addAlb(world, nodes)];
    const books = keepBooks(world);
    const fake = await FakeApiServer.start(clock);
    for (const instance of nodes) fake.put(NODES, nodeObject(instance));
    const simulator = new Simulator(world);
    onTestFinished(() => simulator.close());
    const AWS_ENDPOINT_URL = await simulator.listen();
    const QUEUE = (await realQueue()).url;
    announce(world, QUEUE, undefined);
    restrictChildren(simulator, { UNDO: "true", QUEUE }, { for: "serve" });
    const plane = await carryInside(world);
    follow(world, fake, [new KubeProxies(world), controllerOf(world, groups)]);
    const traffic = new Traffic({
      destinations: ["tcp", "web"].map((name) => ({ name, url: plane.url(name) })),
      ...{ clock, intervalMs: REQUEST_INTERVAL_MS, timeoutMs: 5_000, waitingMax: 100 },
      connectionLifetimeMs: CONNECTION_LIFETIME_MS,
    });
    onTestFinished(() => void traffic.stop());
    const flows = await Connection.openMany(plane.url("tcp"), KEPT_FLOWS);
    const KUBERNETES = join(folder(), "config");
    writeFileSync(KUBERNETES, kubeconfig({ server: fake.url, ca: fake.ca }));
    const environment = {
      AWS_ENDPOINT_URL,
      QUEUE,
      KUBERNETES,
      SECRET: "a-secret-of-the-fast-path",
      UNDO: "true",
      ...{ ...QUARTER.allowances, NLB_PROPAGATION: "105" },
    };
    const taintedAt = taints(world, fake);
    return new FastPathScene(world, { nodes, books, traffic, flows, environment, taintedAt });
  }

  async serve(more: Readonly<Record<string, string>>): Promise<void> {
    this.#service = (await startService({ ...this.#environment, ...more })).child;
  }

  /** EC2 takes half of the nodes back. Resolves when they are off, and clients have gone on for a while. */
  async reclaim(): Promise<Reclaimed> {
    const { clock, interruptions, timing } = this.#world;
    const leaving = this.#nodes.slice(0, NODES_COUNT / 2);
    const startedAt = clock.now();
    const lost: ClientLoss[] = [];
    const kept = this.#flows.map(async (flow) => {
      await flow.untilClosed();
      const since = { openedAt: startedAt, at: startedAt, lostAt: clock.now() };
      if (flow.isBroken) lost.push({ through: "nlb", ...since, target: flow.servedBy ?? "" });
    });
    const last = watchNewFlows(this.#world, leaving);
    for (const instance of leaving) interruptions.interrupt(instance, { lateMs: LATE_MS });
    await until(() => leaving.every(({ terminatedAt }) => terminatedAt !== undefined));
    const enough = this.#traffic.sent + REQUESTS_AFTERWARDS;
    await until(() => this.#traffic.sent >= enough && clock.now() > startedAt + NOTICE_MS + FAILS_MS);
    const { sent, losses } = await this.#traffic.stop();
    for (const flow of this.#flows) flow.leave();
    await Promise.all(kept);
    const requestsLost = { tcp: 0, web: 0 };
    for (const { to, ...loss } of losses) {
      requestsLost[to as keyof typeof requestsLost] += 1;
      lost.push({ through: to === "tcp" ? "nlb" : "alb", ...loss });
    }
    const deregisteredAt = ({ id }: Instance) =>
      this.#books.find(({ pool, target }) => pool === "tcp" && target === id)?.at;
    const departed = leaving.map((machine): Departed => {
      return { id: machine.id, diedAt: machine.terminatedAt ?? 0, deregisteredAt: deregisteredAt(machine) };
    });
    const slowest = (moments: readonly (number | undefined)[]) => {
      const longest = Math.max(...moments.map((at) => ((at ?? Number.NaN) - startedAt) / 1_000));
      return Number.isNaN(longest) ? undefined : Math.round(longest * 100) / 100;
    };
    return {
      requests: sent,
      requestsLost,
      connectionsLost: lost.length - losses.length,
      causes: countCauses(lost.map((loss) => causeOf(loss, departed, timing))),
      secondsToTaint: slowest(leaving.map(({ name }) => this.#taintedAt.get(name))),
      secondsToDeregistration: slowest(leaving.map(deregisteredAt)),
      tainted: this.#taintedAt.size,
      deregistered: this.#books.length,
      secondsToLastConnection: Math.round((last() - startedAt) / 100) / 10,
      log: this.#service?.output ?? "",
    };
  }
}

/** An NLB for these nodes, whose health check asks kube-proxy, and which keeps the connections of unhealthy targets. */
export function addNlb(world: World, nodes: readonly Instance[]): TargetGroup {
  const group = addBehind(world, nodes, { name: "tcp", type: "network", protocol: "TCP" });
  group.attributes.set("deregistration_delay.timeout_seconds", "1");
  group.attributes.set("target_health_state.unhealthy.connection_termination.enabled", "false");
  return group;
}

function addAlb(world: World, nodes: readonly Instance[]): TargetGroup {
  const group = addBehind(world, nodes, { name: "web", type: "application", protocol: "HTTP" });
  group.attributes.set("deregistration_delay.timeout_seconds", "8");
  return group;
}

interface Behind {
  readonly name: string;
  readonly type: "application" | "network";
  readonly protocol: "HTTP" | "TCP";
}

function addBehind(world: World, nodes: readonly Instance[], { name, type, protocol }: Behind): TargetGroup {
  const probe = { protocol: "HTTP", port: "10256", path: "/healthz", timeoutSeconds: 6, matcher: "200-399" };
  const more = { targetType: "instance", healthCheck: CHECK, probe } as const;
  const group = world.addTargetGroup({ name, vpcId: VPC, protocol, port: 30080, ...more });
  for (const { id } of nodes) world.registerTarget(group, { id }, { settled: true });
  const loadBalancer = world.addLoadBalancer({ name, type, vpcId: VPC });
  const defaultActions = [{ type: "forward" as const, groups: [{ arn: group.arn, weight: 1 }] }];
  world.addListener(loadBalancer, { protocol, port: 80, defaultActions });
  return group;
}

function controllerOf(world: World, groups: readonly TargetGroup[]): LoadBalancerController {
  const controller = new LoadBalancerController(
    world,
    groups.map((group) => ({ group })),
  );
  onTestFinished(() => controller.close());
  return controller;
}

/** Both watch the Node objects until the test ends. */
function follow(
  { clock }: World,
  { url, ca }: FakeApiServer,
  actors: readonly Pick<KubeProxies | LoadBalancerController, "follow">[],
): void {
  const ended = new AbortController();
  const { signal } = ended;
  const following = actors.map((actor) => actor.follow(watchNodes({ url, ca, token: TOKEN }, clock, signal), signal));
  onTestFinished(async () => {
    ended.abort();
    await Promise.all(following);
  });
}

/** When our taint was set, by the name of the node. */
function taints({ clock }: World, fake: FakeApiServer): ReadonlyMap<string, number> {
  const taintedAt = new Map<string, number>();
  const ours = `"key":"${AUTOSCALER_TAINT}","value":"${OWN_TAINT_VALUE}"`;
  fake.intercept = ({ method, path, body }) => {
    const isTaint = method === "PATCH" && JSON.stringify(body).includes(ours);
    if (isTaint) taintedAt.set(path.split("/").at(-1) ?? "", clock.now());
    return undefined;
  };
  return taintedAt;
}

/** When a node that goes was last among those that get new connections. */
function watchNewFlows(world: World, leaving: readonly Instance[]): () => number {
  const ids = new Set(leaving.map(({ id }) => id));
  const group = [...world.targetGroups.values()].find(({ name }) => name === "tcp");
  let last = world.clock.now();
  const looking = setInterval(() => {
    const now = world.clock.now();
    const machines = [0, 1].flatMap((machine) => group?.routable(now, machine, 2) ?? []);
    if (machines.some(({ id }) => ids.has(id))) last = now;
  }, 100);
  onTestFinished(() => clearInterval(looking));
  return () => {
    clearInterval(looking);
    return last;
  };
}

async function until(isTime: () => boolean): Promise<void> {
  await vi.waitUntil(isTime, { timeout: 300_000, interval: 50 });
}
