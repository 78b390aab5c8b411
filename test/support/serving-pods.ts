import { createServer, type Server, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import type { Node, Pod } from "../../src/kubernetes/objects.ts";
import type { Clock } from "../../src/simulator/clock.ts";
import type { Machine } from "../../src/simulator/data-plane/instance-processes.ts";
import { listen } from "../../src/simulator/listen.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { World } from "../../src/simulator/world/world.ts";
import { NODES } from "./cluster-actors.ts";
import type { FakeApiServer } from "./fake-api-server.ts";
import { FakePods, pod } from "./fake-pods.ts";

/** https://kubernetes.io/docs/reference/networking/virtual-ips/#external-traffic-policy */
export type TrafficPolicy = "Local" | "Cluster";

/** Its preStop lets an evicted pod serve for so long: longer than any request, far shorter than any hold. */
const GRACE_SECONDS = 2;
/** From the eviction of a pod to the one that replaces it. */
const STARTS_AFTER_MS = 300;
const RECONCILE_MS = 20;

interface InFlight {
  readonly pod: string;
  readonly response: ServerResponse;
}

/**
 * The pods of one Deployment behind a Service of node ports, one pod a node, and what Kubernetes does for it: kube-proxy
 * on each node, the endpoints, the controller that replaces evicted pods, and the kubelets that end them.
 *
 * With `Local` a node answers by a pod of its own, if need be one that is terminating, and its load balancers' health
 * checks fail while it has none. With `Cluster` a node relays to the ready pods of all nodes.
 */
export class ServingPods {
  readonly #policy: TrafficPolicy;
  readonly #clock: Clock;
  readonly #fake: FakeApiServer;
  readonly #world: World;
  readonly #pods: FakePods;
  readonly #readyAt = new Map<string, number>();
  readonly #inFlight = new Set<InFlight>();
  readonly #off = new Set<string>();
  #made = 0;
  #turns = 0;

  constructor(policy: TrafficPolicy, { fake, world }: { readonly fake: FakeApiServer; readonly world: World }) {
    this.#policy = policy;
    this.#fake = fake;
    this.#world = world;
    this.#clock = world.clock;
    this.#pods = new FakePods(fake, world.clock, []);
  }

  /** Puts a pod on each of these, and goes on with what Kubernetes does until the test's end. */
  run(nodes: readonly Instance[]): void {
    for (const { name } of nodes) this.#add(name, 0);
    const ended = new AbortController();
    const running = (async () => {
      for (;;) {
        this.#reconcile(nodes.length);
        await this.#clock.sleep(RECONCILE_MS, ended.signal);
      }
    })().catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
    onTestFinished(() => {
      ended.abort();
      return running;
    });
  }

  /** How many pods serve, and are not being replaced. */
  get ready(): number {
    return this.#endpoints().length;
  }

  /** What listens on the node port of a machine. `id`: of the instance. */
  readonly start = async (id: string): Promise<Machine> => {
    const server = createServer((request, response) => {
      request.resume();
      const delay = Number(new URL(request.url ?? "/", "http://x").searchParams.get("delay") ?? 0);
      const by = this.#podFor(id);
      // As where no process listens.
      if (by === undefined) return void request.socket.destroy();
      const passage = { pod: by, response };
      this.#inFlight.add(passage);
      const timer = setTimeout(() => response.writeHead(200, { "x-served-by": by }).end(`${by}\n`), delay);
      response.once("close", () => {
        clearTimeout(timer);
        this.#inFlight.delete(passage);
      });
    });
    server.keepAliveTimeout = 0;
    const { port } = new URL(await listen(server));
    return { port: Number(port), ended: endOf(server), kill: () => this.#kill(id, server) };
  };

  /** With the machine go its pods, and what other nodes have relayed to them. */
  #kill(id: string, server: Server): void {
    const name = this.#world.instances.get(id)?.name ?? "";
    this.#off.add(name);
    for (const [by, { spec }] of this.#pods.there) if (spec?.nodeName === name) this.#end(by);
    server.closeAllConnections();
    server.close();
  }

  #podFor(id: string): string | undefined {
    const node = this.#world.instances.get(id)?.name;
    if (this.#policy === "Cluster") {
      const endpoints = this.#endpoints();
      return endpoints[this.#turns++ % Math.max(1, endpoints.length)];
    }
    const own = [...this.#pods.there].filter(([by, { spec }]) => spec?.nodeName === node && this.#isReady(by));
    const [first] = own.sort(([a], [b]) => Number(this.#pods.endsAt.has(a)) - Number(this.#pods.endsAt.has(b)));
    return first?.[0];
  }

  #endpoints(): readonly string[] {
    return [...this.#pods.there.keys()].filter((by) => this.#isReady(by) && !this.#pods.endsAt.has(by));
  }

  #isReady(by: string): boolean {
    return (this.#readyAt.get(by) ?? Number.POSITIVE_INFINITY) <= this.#clock.now();
  }

  #reconcile(replicas: number): void {
    const now = this.#clock.now();
    for (const [by, at] of this.#pods.endsAt) if (at <= now && this.#pods.there.has(by)) this.#end(by);
    const wanted = [...this.#pods.there.keys()].filter((by) => !this.#pods.endsAt.has(by)).length;
    for (let missing = replicas - wanted; missing > 0; missing -= 1) {
      const node = this.#emptiest();
      if (node !== undefined) this.#add(node, now + STARTS_AFTER_MS);
    }
    if (this.#policy === "Local") this.#showHealth(now);
  }

  /** Nodes without a pod of the Service fail the health checks of its load balancers. */
  #showHealth(now: number): void {
    const serving = new Set(
      [...this.#pods.there].filter(([by]) => this.#isReady(by)).map(([, { spec }]) => spec?.nodeName),
    );
    this.#world.catchUp();
    for (const instance of this.#world.instances.values())
      if (instance.terminatedAt === undefined) instance.setAnswering(serving.has(instance.name), now);
  }

  /** The scheduler's choice. */
  #emptiest(): string | undefined {
    const counts = new Map<string, number>();
    for (const { name } of this.#world.instances.values()) {
      const node = this.#fake.stored(NODES, name) as Node | undefined;
      if (node !== undefined && node.spec?.unschedulable !== true && !this.#off.has(name)) counts.set(name, 0);
    }
    for (const [by, { spec }] of this.#pods.there) {
      const node = spec?.nodeName ?? "";
      if (!this.#pods.endsAt.has(by) && counts.has(node)) counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    return [...counts].sort(([, a], [, b]) => a - b)[0]?.[0];
  }

  #add(node: string, readyAt: number): void {
    const name = `web-${++this.#made}`;
    this.#pods.there.set(name, pod(name, { node, grace: GRACE_SECONDS }) as Pod);
    this.#readyAt.set(name, readyAt);
  }

  #end(by: string): void {
    this.#pods.there.delete(by);
    for (const { pod: of, response } of this.#inFlight) if (of === by) response.destroy();
  }
}

function endOf(server: Server): Promise<void> {
  return new Promise((resolve) => server.once("close", () => resolve()));
}
