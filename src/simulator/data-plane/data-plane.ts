import { setMaxListeners } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo, Server as TcpServer } from "node:net";
import type { ClassicLoadBalancer } from "../world/classic-load-balancer.ts";
import type { Instance } from "../world/instance.ts";
import { actionFor, chooseGroup, type Listener, type LoadBalancer } from "../world/load-balancer.ts";
import type { Target, TargetGroup } from "../world/target-group.ts";
import type { World, WorldChange } from "../world/world.ts";
import { HttpBalancer, type Route } from "./http-balancer.ts";
import { TargetProcess } from "./target-process.ts";
import { type FlowRoute, TcpBalancer } from "./tcp-balancer.ts";

/** Each load balancer has this many machines, which learn of a change one after the other. */
const MACHINES = 2;

/** A request or flow on its way through a target. */
interface Passage {
  readonly machine: number;
  readonly controller: AbortController;
}

/**
 * Real traffic through the simulated load balancers: a process for each instance, a listener on 127.0.0.1 for each
 * listener. Who gets what follows from the world's registrations and their lags, never from what its API says.
 */
export class DataPlane {
  readonly #world: World;
  readonly #processes = new Map<string, TargetProcess>();
  readonly #balancers: { close(): void }[] = [];
  readonly #urls = new Map<string, string>();
  /** What is under way, by target: cut when its load balancer stops waiting. */
  readonly #passages = new Map<Target | string, Set<Passage>>();
  readonly #closed = new AbortController();
  /** How often each group, listener or load balancer had a choice to make: it takes turns. */
  readonly #turns = new Map<object, number>();

  private constructor(world: World) {
    this.#world = world;
    // Every cut to come waits for it.
    setMaxListeners(0, this.#closed.signal);
  }

  /** Starts everything that the world has now. Load balancers that are added later get no listener. */
  static async open(world: World): Promise<DataPlane> {
    const plane = new DataPlane(world);
    await Promise.all([...world.instances.values()].map((instance) => plane.#startProcess(instance)));
    for (const loadBalancer of world.loadBalancers.values()) {
      for (const listener of loadBalancer.listeners) await plane.#openListener(loadBalancer, listener);
    }
    for (const classic of world.classics.values()) await plane.#openClassic(classic);
    world.watch((change) => plane.#onChange(change));
    return plane;
  }

  /** `http://127.0.0.1:PORT` for a load balancer's listener; both named as in the world. */
  url(loadBalancerName: string, port = 80): string {
    const url = this.#urls.get(`${loadBalancerName}:${port}`);
    if (url === undefined) throw new Error(`no listener on port ${port} of '${loadBalancerName}'`);
    return url;
  }

  close(): void {
    this.#closed.abort();
    for (const balancer of this.#balancers) balancer.close();
    for (const process of this.#processes.values()) process.kill();
  }

  async #startProcess(instance: Instance): Promise<void> {
    this.#processes.set(instance.id, await TargetProcess.start(instance.id));
  }

  async #openListener(loadBalancer: LoadBalancer, listener: Listener): Promise<void> {
    if (loadBalancer.type === "gateway") return; // Carries packets between appliances, not requests.
    const balancer =
      loadBalancer.type === "network"
        ? new TcpBalancer((client) => this.#routeFlow(listener, client))
        : new HttpBalancer({
            route: (request) => this.#routeRequest(listener, request),
            connectTimeout: (signal) => this.#world.clock.sleep(this.#world.timing.connectTimeoutMs, signal),
            statuses: { connectTimeout: 504, broken: 502 },
          });
    await this.#listen(balancer, `${loadBalancer.name}:${listener.port}`);
  }

  async #openClassic(classic: ClassicLoadBalancer): Promise<void> {
    for (const { port } of classic.listeners) {
      const balancer = new HttpBalancer({
        route: ({ client }) => this.#routeClassic(classic, client),
        connectTimeout: (signal) => this.#world.clock.sleep(this.#world.timing.connectTimeoutMs, signal),
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ts-elb-error-message.html
        statuses: { connectTimeout: 504, broken: 504 },
      });
      await this.#listen(balancer, `${classic.name}:${port}`);
    }
  }

  async #listen(balancer: { readonly server: Server | TcpServer; close(): void }, name: string): Promise<void> {
    const { server } = balancer;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve());
    });
    this.#balancers.push(balancer);
    this.#urls.set(name, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  #routeRequest(
    listener: Listener,
    request: { readonly host: string; readonly path: string; readonly client: number },
  ): Route {
    const action = actionFor(listener, request);
    if (action === undefined) return { to: "nobody", status: 503, body: "no action\n" };
    if (action.type !== "forward")
      return { to: "nobody", status: Number(action.statusCode.replace("HTTP_", "")), body: "" };
    const group = this.#world.targetGroups.get(chooseGroup(action.groups, this.#turn(action)) ?? "");
    const machine = flowHash(request.client) % MACHINES;
    const targets = group?.routable(this.#world.clock.now(), machine, MACHINES) ?? [];
    const target = targets[this.#turn(group ?? action) % Math.max(1, targets.length)];
    if (target === undefined) return { to: "nobody", status: 503, body: "no target\n" };
    return { to: "target", port: this.#portOf(target.id), ...this.#pass(target, machine) };
  }

  /** The same client port always reaches the same target, as long as the targets stay the same. */
  #routeFlow(listener: Listener, client: number): FlowRoute {
    const action = actionFor(listener, { host: "", path: "/" });
    const hash = flowHash(client);
    const groupArn = action?.type === "forward" ? chooseGroup(action.groups, hash >>> 1) : undefined;
    const machine = hash % MACHINES;
    const targets =
      this.#world.targetGroups.get(groupArn ?? "")?.routable(this.#world.clock.now(), machine, MACHINES) ?? [];
    const target = targets[(hash >>> 1) % Math.max(1, targets.length)];
    if (target === undefined) return { to: "nobody" };
    return { to: "target", port: this.#portOf(target.id), ...this.#pass(target, machine) };
  }

  #routeClassic(classic: ClassicLoadBalancer, client: number): Route {
    const machine = flowHash(client) % MACHINES;
    const ids = classic.routable(this.#world.clock.now(), machine, MACHINES);
    const id = ids[this.#turn(classic) % Math.max(1, ids.length)];
    if (id === undefined) return { to: "nobody", status: 503, body: "no instance\n" };
    classic.requestStarted(id);
    const { cut, onEnd } = this.#pass(classicKey(classic, id), machine);
    const ended = () => {
      classic.requestEnded(id);
      onEnd();
    };
    return { to: "target", port: this.#portOf(id), cut, onEnd: ended };
  }

  #pass(through: Target | string, machine: number): { readonly cut: AbortSignal; readonly onEnd: () => void } {
    const passage: Passage = { machine, controller: new AbortController() };
    const passages = this.#passages.get(through) ?? new Set();
    passages.add(passage);
    this.#passages.set(through, passages);
    return { cut: passage.controller.signal, onEnd: () => passages.delete(passage) };
  }

  #portOf(targetId: string): number | undefined {
    const machine = this.#world.machineOf(targetId);
    return machine === undefined || machine.terminatedAt !== undefined
      ? undefined
      : this.#processes.get(machine.id)?.port;
  }

  #onChange(change: WorldChange): void {
    switch (change.type) {
      case "instance-terminated":
        this.#processes.get(change.instance.id)?.kill();
        break;
      case "target-deregistered":
        this.#cutWhenDue(change.group, change.target);
        break;
      case "classic-deregistered":
        this.#cutClassicWhenDue(change.loadBalancer, change.instanceId);
        break;
      case "instance-added":
        break;
      default:
        change satisfies never;
    }
  }

  /**
   * An ALB gives requests in flight the deregistration delay. An NLB leaves flows alone, unless connection termination
   * is on: then it closes them when the delay has passed.
   */
  #cutWhenDue(group: TargetGroup, target: Target): void {
    const type = this.#world.usedBy(group.arn);
    if (type === "gateway" || type === undefined || (type === "network" && !group.terminatesConnections)) return;
    const since = target.deregisteredAt ?? 0;
    for (let machine = 0; machine < MACHINES; machine++) {
      const learns = group.trafficUntil(target, machine, MACHINES);
      const at = Math.max(learns, since + group.deregistrationDelayMs);
      this.#cutAt(at, target, machine, () => target.deregisteredAt === since);
    }
  }

  #cutClassicWhenDue(classic: ClassicLoadBalancer, id: string): void {
    const [first, last] = this.#world.timing.classicDeregistration;
    for (let machine = 0; machine < MACHINES; machine++) {
      const lag = machine === MACHINES - 1 ? last : first;
      const at = this.#world.clock.now() + Math.max(lag, classic.drainingMs);
      this.#cutAt(
        at,
        classicKey(classic, id),
        machine,
        () => !classic.registered(this.#world.clock.now()).includes(id),
      );
    }
  }

  #cutAt(at: number, through: Target | string, machine: number, stillLeaving: () => boolean): void {
    const { clock } = this.#world;
    clock.sleep(at - clock.now(), this.#closed.signal).then(
      () => {
        if (!stillLeaving()) return;
        for (const passage of this.#passages.get(through) ?? [])
          if (passage.machine === machine) passage.controller.abort();
      },
      () => {}, // Closed.
    );
  }

  #turn(of: object): number {
    const turn = this.#turns.get(of) ?? 0;
    this.#turns.set(of, turn + 1);
    return turn;
  }
}

function classicKey(classic: ClassicLoadBalancer, instanceId: string): string {
  return `${classic.name} ${instanceId}`;
}

/** Spreads neighbouring client ports over the targets. */
function flowHash(client: number): number {
  return (Math.imul(client, 2_654_435_761) >>> 8) & 0xffff;
}
