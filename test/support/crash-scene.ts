import { existsSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { type Destination, Traffic, type TrafficResult } from "../../src/demo/traffic.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Timing } from "../../src/simulator/timing.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { World } from "../../src/simulator/world/world.ts";
import { ALL_CASES } from "./cases.ts";
import { Child, startService } from "./child-process.ts";
import { stateDir } from "./ledger-entries.ts";
import type { Spare } from "./loss-causes.ts";
import { carryInside } from "./machine-inside.ts";
import { restrictChildren } from "./printed-policy.ts";
import type { Environment, Running } from "./program-run.ts";
import { serveHere } from "./run-here.ts";
import { VPC } from "./simulated-region.ts";

const SECRET = "a-secret-nobody-may-see";
const AUTHORIZED = { authorization: `Bearer ${SECRET}` };

/** How long each pool goes on sending traffic, in milliseconds: longer than AWS lists the node as draining. */
const TIMING: Partial<Timing> = {
  albDeregistration: [300, 1_500],
  nlbDeregistration: [1_500, 3_500],
  classicDeregistration: [100, 500],
  connectTimeoutMs: 300,
};
/** How long each pool must be held at least, in milliseconds. */
export const HOLDS_MS: Readonly<Record<string, number>> = { web: 3_000, tcp: 5_000, legacy: 2_000 };
/** What is left of each hold when the last request may come. */
export const SPARES: Readonly<Record<string, Spare>> = {
  web: { through: "alb", spareMs: 1_500 },
  tcp: { through: "nlb", spareMs: 1_500 },
  legacy: { through: "classic", spareMs: 1_500 },
};
const HOLDS = { ALB_PROPAGATION: "2", NLB_PROPAGATION: "5", CLASSIC_MINIMUM: "2" };
const SERVE = { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", SECRET };
/** AWS is never nearer: and so no two steps of a drain are one moment. */
const LATENCY_MS = 30;
/** What a hold would be short by is seconds. So it matters less how many requests there are than that there are some. */
const [REQUEST_INTERVAL_MS, REQUESTS_AFTERWARDS] = ALL_CASES ? [50, 90] : [200, 30];
/** Fewer than these show nothing. */
export const REQUESTS_MIN = 60;

/** What AWS's own books say: who was deregistered from where, and when. */
export interface Deregistration {
  readonly pool: string;
  readonly target: string;
  readonly at: number;
}

/** How a caller fared. `broken`: the service died before it had answered. */
export interface Told {
  readonly status: number | "broken";
  readonly drainId?: string;
  readonly outcome?: { readonly status: string };
}

/**
 * Two nodes under real traffic through an ALB, an NLB and a classic load balancer, and a ledger's folder for the
 * processes of a service that come and go.
 */
export class CrashScene {
  readonly world: World;
  readonly folder: string;
  readonly leaving: Instance;
  readonly staying: Instance;
  readonly books: readonly Deregistration[];
  readonly #environment: Environment;
  readonly #traffic: Traffic;
  readonly #watchers: Set<() => void>;

  private constructor(parts: {
    readonly world: World;
    readonly folder: string;
    readonly books: readonly Deregistration[];
    readonly environment: Environment;
    readonly traffic: Traffic;
    readonly watchers: Set<() => void>;
  }) {
    const [leaving, staying] = [...parts.world.instances.values()];
    if (leaving === undefined || staying === undefined) throw new Error("there are two nodes");
    this.leaving = leaving;
    this.staying = staying;
    this.world = parts.world;
    this.folder = parts.folder;
    this.books = parts.books;
    this.#environment = parts.environment;
    this.#traffic = parts.traffic;
    this.#watchers = parts.watchers;
  }

  static async open(build: (world: World) => void = () => {}): Promise<CrashScene> {
    const clock = new ScaledClock(1);
    const world = buildWorld(clock);
    build(world);
    const books: Deregistration[] = [];
    const watchers = new Set<() => void>();
    const booked = (pool: string, target: string) => {
      books.push({ pool, target, at: clock.now() });
      for (const look of watchers) look();
    };
    world.watch((change) => {
      if (change.type === "target-deregistered") booked(change.group.name, change.target.id);
      if (change.type === "classic-deregistered") booked(change.loadBalancer.name, change.instanceId);
    });
    const simulator = new Simulator(world);
    simulator.faults.add({ effect: { type: "latency", ms: LATENCY_MS } });
    restrictChildren(simulator);
    const AWS_ENDPOINT_URL = await simulator.listen();
    onTestFinished(() => simulator.close());
    const plane = await carryInside(world);
    const folder = await stateDir();
    const destinations: Destination[] = ["web", "tcp", "legacy"].map((name) => ({ name, url: plane.url(name) }));
    const traffic = new Traffic({
      ...{ destinations, clock, intervalMs: REQUEST_INTERVAL_MS, timeoutMs: 10_000, waitingMax: 20 },
      // Shorter than the NLB's hold: what is kept longer breaks with the node, and the plan says so.
      connectionLifetimeMs: 500,
    });
    onTestFinished(() => void traffic.stop());
    const environment = { ...SERVE, ...HOLDS, AWS_ENDPOINT_URL, STATE_DIR: folder };
    return new CrashScene({ world, folder, books, environment, traffic, watchers });
  }

  /** Another process of the service, on the same folder. */
  async start(more: Environment = {}): Promise<Service> {
    const { child, url } = await startService({ ...this.#environment, ...more });
    return new Service(child, url, this.leaving.id);
  }

  /** The same in this process, for tests in which it ends by SIGTERM or with the test. */
  async startInside(more: Environment = {}): Promise<Service<Running>> {
    const { child, url } = await serveHere({ ...this.#environment, ...more });
    return new Service(child, url, this.leaving.id);
  }

  /** Another process, which dies as `killWhen` says, listening or not. */
  async startDoomed(isTime: () => boolean): Promise<void> {
    await this.killWhen(new Child("service", [], this.#environment), isTime);
  }

  /** What stands in the ledger's file now, whole lines alone. */
  entries(): readonly LedgerEntry[] {
    const text = fileOf(this.folder);
    const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
    return lines.slice(0, -1).map((line) => JSON.parse(line));
  }

  /** Ends the process once the ledger's folder or AWS's books are as `isTime` says. Resolves when it is dead. */
  async killWhen(child: Child, isTime: () => boolean): Promise<void> {
    let isKilled = false;
    const look = () => {
      if (isKilled || !isTime()) return;
      isKilled = true;
      child.signal("SIGKILL");
    };
    const watcher = watch(this.folder, look);
    this.#watchers.add(look);
    look();
    let hasEnded = false;
    void child.finished.then(() => {
      hasEnded = true;
    });
    try {
      await this.until(() => isKilled || hasEnded);
    } catch {
      throw new Error("the moment for which the test waits does not come");
    } finally {
      watcher.close();
      this.#watchers.delete(look);
      child.signal("SIGKILL");
      await child.finished;
    }
    if (!isKilled) throw new Error(`the service has ended by itself:\n${child.output}`);
  }

  /** The ledger is being written anew. */
  get isCompacting(): boolean {
    return existsSync(join(this.folder, "drains.jsonl.new"));
  }

  /** Resolves when the NLB lists the node no more, if it was deregistered there: though connections still come. */
  async forgotten(): Promise<void> {
    const { world, leaving, books } = this;
    if (!books.some(({ pool }) => pool === "tcp")) return;
    const group = [...world.targetGroups.values()].find(({ name }) => name === "tcp");
    await this.until(() => group?.listed(world.clock.now()).some(({ id }) => id === leaving.id) !== true);
  }

  /** Resolves once it is as `isTime` says. */
  async until(isTime: () => boolean): Promise<void> {
    await vi.waitUntil(isTime, { timeout: 60_000, interval: 20 });
  }

  /** The machine goes, and clients go on for a while. What all of them have got since the scene began. */
  async letGo(): Promise<TrafficResult> {
    this.world.terminateInstance(this.leaving);
    const enough = this.#traffic.sent + REQUESTS_AFTERWARDS;
    await this.until(() => this.#traffic.sent >= enough);
    return this.#traffic.stop();
  }
}

/** One process of the service, or one in this process. */
export class Service<Program extends Running = Child> {
  readonly child: Program;
  readonly #url: string;
  readonly #nodeId: string;

  constructor(child: Program, url: string, nodeId: string) {
    this.child = child;
    this.#url = url;
    this.#nodeId = nodeId;
  }

  /** Asks for the drain. Never rejects. */
  async drain(query = ""): Promise<Told> {
    try {
      const response = await fetch(`${this.#url}/drain?id=${this.#nodeId}${query}`, {
        method: "POST",
        headers: AUTHORIZED,
      });
      return { ...((await response.json()) as object), status: response.status };
    } catch {
      return { status: "broken" };
    }
  }

  /** What it answers to those who may ask. */
  async read(path: string): Promise<unknown> {
    return (await fetch(`${this.#url}${path}`, { headers: AUTHORIZED })).json();
  }

  /** The texts of an event stream, each as it comes, until it ends. */
  async *follow(path: string): AsyncGenerator<string> {
    const { body } = await fetch(`${this.#url}${path}`, { headers: AUTHORIZED });
    if (body !== null) for await (const chunk of body) yield Buffer.from(chunk).toString();
  }
}

function fileOf(folder: string): string {
  try {
    return readFileSync(join(folder, "drains.jsonl"), "utf8");
  } catch {
    return ""; // Not made yet.
  }
}

function buildWorld(clock: ScaledClock): World {
  const world = new World({ clock, timing: TIMING });
  const node = (number: number) =>
    world.addInstance({ id: `i-0000000000000000${number}`, vpcId: VPC, privateIp: `10.0.0.${number}` });
  const nodes = [node(1), node(2)];
  for (const [name, type, protocol, delaySeconds] of [
    // Long enough for requests in flight, however busy the machine is.
    ["web", "application", "HTTP", 3],
    // So short that the node is gone from the list while connections still come.
    ["tcp", "network", "TCP", 1],
  ] as const) {
    const group = world.addTargetGroup({ name, vpcId: VPC, protocol, port: 30080, targetType: "instance" });
    group.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
    for (const { id } of nodes) world.registerTarget(group, { id }, { settled: true });
    const balancer = world.addLoadBalancer({ name, type, vpcId: VPC });
    const defaultActions = [{ type: "forward" as const, groups: [{ arn: group.arn, weight: 1 }] }];
    world.addListener(balancer, { protocol, port: 80, defaultActions });
  }
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30080 }];
  const classic = world.addClassic({ name: "legacy", vpcId: VPC, listeners });
  classic.draining = { enabled: true, timeoutSeconds: 5 };
  for (const { id } of nodes) classic.register(id, clock.now(), { settled: true });
  return world;
}
