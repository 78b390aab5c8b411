import { setMaxListeners } from "node:events";
import type { Server } from "node:http";
import type { Server as TcpServer } from "node:net";
import { LOOPBACK, listen } from "../listen.ts";
import { lagOf } from "../timing.ts";
import type { WorldChange } from "../world/announcement.ts";
import type { ClassicLoadBalancer } from "../world/classic-load-balancer.ts";
import type { Instance } from "../world/instance.ts";
import { actionFor, chooseGroup, type Listener, type LoadBalancer } from "../world/load-balancer.ts";
import { locationOf } from "../world/redirect.ts";
import type { Target, TargetGroup } from "../world/target-group.ts";
import { catchUpOnTime, type World } from "../world/world.ts";
import { Clients } from "./clients.ts";
import {
  HttpBalancer,
  type HttpBalancerOptions,
  type HttpSettings,
  type Route,
  type RoutedRequest,
} from "./http-balancer.ts";
import { InstanceProcesses, type StartMachine } from "./instance-processes.ts";
import type { ForwardedForMode, Front } from "./request-headers.ts";
import { type FlowRoute, TcpBalancer } from "./tcp-balancer.ts";
import { type Ending, keyOf, Passages, type Registration, type Traffic, type TrafficCount } from "./traffic.ts";

/** Each load balancer has this many machines, which learn of a change one after the other. */
export const MACHINES = 2;

interface Balancer {
  readonly server: Server | TcpServer;
  readonly count: TrafficCount;
  close(): void;
}

interface Entrance {
  readonly url: string;
  readonly count: TrafficCount;
}

/**
 * Real traffic through the simulated load balancers: a process for each instance, a listener on one address for each
 * listener. Who gets what follows from the world's registrations and their lags, never from what its API says.
 */
export class DataPlane {
  readonly #world: World;
  readonly #host: string;
  readonly processes: InstanceProcesses;
  readonly #balancers: Balancer[] = [];
  readonly #firstPort: number;
  readonly #entrances = new Map<string, Entrance>();
  /** By registration: cut when its load balancer stops waiting. */
  readonly passages = new Passages();
  readonly #clients: Clients;
  /** The last deregistration of each registration: one that was undone and repeated begins again. */
  readonly #withdrawals = new Map<string, symbol>();
  readonly #closed = new AbortController();
  /** How often each group, zone of a group, listener or load balancer had a choice to make: it takes turns. */
  readonly #turns = new Map<object | string, number>();

  private constructor(world: World, host: string, start: StartMachine | undefined, firstPort: number) {
    this.#world = world;
    this.#host = host;
    this.#firstPort = firstPort;
    this.processes = new InstanceProcesses(world, start);
    this.#clients = new Clients(world.random.seed);
    // Every cut to come waits for it.
    setMaxListeners(0, this.#closed.signal);
  }

  /**
   * Starts everything that the world has now. Of later additions, machines that are launched get a process when they
   * run, and nothing else gets a listener or a process. The load balancers listen on `host`, the instances' processes on 127.0.0.1 always.
   * `start` makes something else than a process of each instance. The listeners' ports count on from `firstPort`, in the order
   * of the world; 0: any free ones.
   */
  static async open(world: World, host = LOOPBACK, start?: StartMachine, firstPort = 0): Promise<DataPlane> {
    const plane = new DataPlane(world, host, start, firstPort);
    try {
      await plane.#openAll();
      return plane;
    } catch (error) {
      plane.close();
      throw error;
    }
  }

  async #openAll(): Promise<void> {
    const { instances, loadBalancers, classics } = this.#world;
    this.#world.watch((change) => this.#onChange(change));
    catchUpOnTime(this.#world, this.#closed.signal);
    await Promise.all([...instances.values()].map((instance) => this.processes.start(instance)));
    for (const loadBalancer of loadBalancers.values()) {
      for (const listener of loadBalancer.listeners) await this.#openListener(loadBalancer, listener);
    }
    for (const classic of classics.values()) await this.#openClassic(classic);
  }

  /** `http://ADDRESS:PORT` for a load balancer's listener; both named as in the world. */
  url(loadBalancerName: string, port = 80): string {
    const entrance = this.#entrances.get(`${loadBalancerName}:${port}`);
    if (entrance === undefined) throw new Error(`no listener on port ${port} of '${loadBalancerName}'`);
    return entrance.url;
  }

  /** What has come to a load balancer's listener. Undefined where it does not carry traffic. */
  trafficAt(loadBalancerName: string, port: number): Traffic | undefined {
    return this.#entrances.get(`${loadBalancerName}:${port}`)?.count.report();
  }

  /** Stops carrying traffic at once. */
  close(): void {
    this.#closed.abort();
    for (const balancer of this.#balancers) balancer.close();
    this.processes.close();
  }

  /** Resolves when every process has ended, after `close`. */
  ended(): Promise<void> {
    return this.processes.ended();
  }

  async #openListener(loadBalancer: LoadBalancer, listener: Listener): Promise<void> {
    if (loadBalancer.type === "gateway") return; // Carries packets between appliances, not requests.
    const balancer =
      loadBalancer.type === "network"
        ? new TcpBalancer((client) => this.#routeFlow(listener, client))
        : new HttpBalancer({
            ...this.#httpOptions(),
            route: (request) => this.#routeRequest(listener, request),
            statuses: { connectTimeout: 504, broken: 502 },
            front: frontOf(listener),
            settings: () => settingsOf(loadBalancer, listener),
            isApplication: true,
          });
    await this.#listen(balancer, `${loadBalancer.name}:${listener.port}`);
  }

  async #openClassic(classic: ClassicLoadBalancer): Promise<void> {
    for (const listener of classic.listeners) {
      const { port, protocol } = listener;
      if (protocol === "TCP" || protocol === "SSL") {
        await this.#listen(new TcpBalancer((client) => this.#routeClassic(classic, client)), `${classic.name}:${port}`);
        continue;
      }
      const balancer = new HttpBalancer({
        ...this.#httpOptions(),
        route: ({ client }) => this.#routeClassic(classic, client),
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ts-elb-error-message.html
        statuses: { connectTimeout: 504, broken: 504 },
        front: frontOf(listener),
        settings: () => ({
          idleMs: classic.idleTimeoutSeconds * 1_000,
          keepAliveMs: undefined,
          forwardedFor: "append",
          namesServer: false,
        }),
        isApplication: false,
      });
      await this.#listen(balancer, `${classic.name}:${port}`);
    }
  }

  #httpOptions(): Pick<HttpBalancerOptions, "clock" | "connectTimeout" | "random"> {
    const { clock, timing, random } = this.#world;
    return { clock, random, connectTimeout: (signal) => clock.sleep(timing.connectTimeoutMs, signal) };
  }

  async #listen(balancer: Balancer, name: string): Promise<void> {
    const port = this.#firstPort === 0 ? 0 : this.#firstPort + this.#entrances.size;
    const url = await listen(balancer.server, { host: this.#host, port });
    this.#balancers.push(balancer);
    this.#entrances.set(name, { url, count: balancer.count });
  }

  #routeRequest(listener: Listener, { path, query, client, ...request }: RoutedRequest): Route {
    // Clients name the port in `Host` only because it is the simulator's own.
    const host = request.host.replace(/:\d+$/, "");
    const action = actionFor(listener, { host, path });
    if (action === undefined) return { to: "none", status: 503 };
    if (action.type === "fixed-response") return { to: "none", status: Number(action.statusCode), body: action.body };
    if (action.type === "redirect") {
      const { protocol, port } = listener;
      const location = locationOf(action, { protocol, host, port: String(port), path, query });
      return { to: "none", status: Number(action.statusCode.replace("HTTP_", "")), location };
    }
    this.#world.catchUp();
    const group = this.#world.targetGroups.get(chooseGroup(action.groups, this.#turn(action)) ?? "");
    const machine = this.#machineFor(client);
    const { zone, targets } = this.#receivers(group, client);
    const turn = this.#turn(group === undefined || zone === undefined ? (group ?? action) : `${group.arn} ${zone}`);
    const target = targets[turn % Math.max(1, targets.length)];
    if (group === undefined || target === undefined) return { to: "none", status: 503 };
    const port = this.processes.portOf(target.id, group.vpcId);
    return { to: "target", port, ...this.passages.begin(registrationOf(group, target), machine) };
  }

  /** The same client port always reaches the same target, as long as the targets stay the same. */
  #routeFlow(listener: Listener, client: number): FlowRoute {
    this.#world.catchUp();
    const action = actionFor(listener, { host: "", path: "/" });
    const ticket = this.#clients.ticketOf(client, "group");
    const groupArn = action?.type === "forward" ? chooseGroup(action.groups, ticket) : undefined;
    const group = this.#world.targetGroups.get(groupArn ?? "");
    const machine = this.#machineFor(client);
    const { targets } = this.#receivers(group, client);
    const target = targets[this.#clients.choose(client, "target", targets.length)];
    if (group === undefined || target === undefined) return { to: "none" };
    const port = this.processes.portOf(target.id, group.vpcId);
    return { to: "target", port, ...this.passages.begin(registrationOf(group, target), machine) };
  }

  /**
   * Who may get what the client sends. Without cross-zone load balancing the client has resolved the address of one zone,
   * whose node knows that zone's targets alone.
   */
  #receivers(
    group: TargetGroup | undefined,
    client: number,
  ): { readonly zone?: string | undefined; readonly targets: readonly Target[] } {
    const now = this.#world.clock.now();
    const zones = group?.entryZones(now);
    const zone = zones?.[this.#clients.choose(client, "zone", zones.length)];
    return { zone, targets: group?.routable(now, this.#machineFor(client), MACHINES, zone) ?? [] };
  }

  #routeClassic(classic: ClassicLoadBalancer, client: number): Route {
    this.#world.catchUp();
    const machine = this.#machineFor(client);
    const now = this.#world.clock.now();
    const zones = classic.entryZones(now);
    const zone = zones?.[this.#clients.choose(client, "zone", zones.length)];
    const ids = classic.routable(now, machine, MACHINES, zone);
    const id = ids[this.#turn(zone === undefined ? classic : `${classic.name} ${zone}`) % Math.max(1, ids.length)];
    if (id === undefined) return { to: "none", status: 503 };
    classic.requestStarted(id);
    const { cut, onEnd } = this.passages.begin({ pool: classic.name, id }, machine);
    const ended = (ending: Ending) => {
      classic.requestEnded(id);
      onEnd(ending);
    };
    return { to: "target", port: this.processes.portOf(id), cut, onEnd: ended };
  }

  /** A client's connection comes in through one of a load balancer's machines, and stays there. */
  #machineFor(client: number): number {
    return this.#clients.choose(client, "machine", MACHINES);
  }

  #onChange(change: WorldChange): void {
    switch (change.type) {
      case "instance-terminated":
      case "instance-stopped":
        this.processes.kill(change.instance);
        break;
      case "target-deregistered":
        this.#cutWhenDue(change.group, change.target);
        break;
      case "classic-deregistered":
        this.#cutClassicWhenDue(change.loadBalancer, change.instanceId);
        break;
      case "instance-started":
        this.processes.startAfter(change.instance, this.#world.timing.pendingMs);
        break;
      case "instance-rebooted":
        this.processes.kill(change.instance);
        this.processes.startAfter(change.instance, this.#world.timing.rebootMs);
        break;
      case "answering-changed":
        this.#closeUnhealthyWhenDue(change.instance);
        break;
      case "instance-added":
      case "due":
      case "announced":
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
    const since = target.deregisteredAt ?? this.#world.clock.now();
    const isBack = () => group.isSuperseded(target);
    const dueAt = (machine: number) =>
      Math.max(group.trafficUntil(target, machine, MACHINES), since + group.deregistrationDelayMs);
    this.#cutLater(registrationOf(group, target), { dueAt, isBack });
  }

  /** An NLB closes the connections of a target that becomes unhealthy, at once or after an interval, unless that is off. */
  #closeUnhealthyWhenDue({ id }: Instance): void {
    const { clock, targetGroups } = this.#world;
    for (const group of targetGroups.values()) {
      if (this.#world.usedBy(group.arn) !== "network") continue;
      for (const target of group.listed(clock.now())) {
        const isMeant = this.#world.machineOf(target.id, group.vpcId)?.id === id;
        const dueAt = group.closesUnhealthyAt(target, clock.now());
        if (!isMeant || dueAt === Number.POSITIVE_INFINITY) continue;
        clock.sleep(dueAt - clock.now(), this.#closed.signal).then(
          () => {
            const isDue = group.closesUnhealthyAt(target, clock.now()) === dueAt && !group.failsOpen(clock.now());
            if (isDue) this.passages.cut(registrationOf(group, target));
          },
          () => {}, // Closed.
        );
      }
    }
  }

  #cutClassicWhenDue(classic: ClassicLoadBalancer, id: string): void {
    const { clock, timing } = this.#world;
    const since = clock.now();
    const { drainingMs } = classic;
    const isBack = () => classic.isRegistered(id);
    const dueAt = (machine: number) =>
      since + Math.max(lagOf(timing.classicDeregistration, machine, MACHINES), drainingMs);
    this.#cutLater({ pool: classic.name, id }, { dueAt, isBack });
  }

  /** Cuts what each machine still has under way when it is due, unless the registration has come back by then. */
  #cutLater(
    through: Registration,
    { dueAt, isBack }: { readonly dueAt: (machine: number) => number; readonly isBack: () => boolean },
  ): void {
    const { clock } = this.#world;
    const key = keyOf(through);
    const withdrawal = Symbol(key);
    this.#withdrawals.set(key, withdrawal);
    const cut = (machine: number) => {
      if (isBack() || this.#withdrawals.get(key) !== withdrawal) return;
      this.passages.cut(through, machine);
    };
    for (let machine = 0; machine < MACHINES; machine++) {
      clock.sleep(dueAt(machine) - clock.now(), this.#closed.signal).then(
        () => cut(machine),
        () => {}, // Closed.
      );
    }
  }

  #turn(of: object | string): number {
    const turn = this.#turns.get(of) ?? 0;
    this.#turns.set(of, turn + 1);
    return turn;
  }
}

function frontOf({ protocol, port }: { readonly protocol: string; readonly port: number }): Front {
  return { protocol: protocol === "HTTPS" ? "https" : "http", port };
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html */
function settingsOf(loadBalancer: LoadBalancer, listener: Listener): HttpSettings {
  const of = (key: string) => loadBalancer.attributes.get(key);
  return {
    idleMs: Number(of("idle_timeout.timeout_seconds")) * 1_000,
    keepAliveMs: Number(of("client_keep_alive.seconds")) * 1_000,
    forwardedFor: (of("routing.http.xff_header_processing.mode") ?? "append") as ForwardedForMode,
    namesServer: listener.attributes.get("routing.http.response.server.enabled") !== "false",
  };
}

function registrationOf({ arn: pool }: TargetGroup, { id, port, zone }: Target): Registration {
  return { pool, id, port, zone };
}
