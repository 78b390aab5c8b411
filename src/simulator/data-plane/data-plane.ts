import { setMaxListeners } from "node:events";
import { LOOPBACK, listen } from "../listen.ts";
import type { WorldChange } from "../world/announcement.ts";
import type { ClassicLoadBalancer } from "../world/classic-load-balancer.ts";
import type { Instance } from "../world/instance.ts";
import { actionFor, chooseGroup, type Listener, type LoadBalancer } from "../world/load-balancer.ts";
import { locationOf } from "../world/redirect.ts";
import { catchUpOnTime, type World } from "../world/world.ts";
import { Clients } from "./clients.ts";
import { Cuts } from "./cuts.ts";
import { FlowRouter, type FlowSource } from "./flow-router.ts";
import {
  HttpBalancer,
  type HttpBalancerOptions,
  type HttpSettings,
  type Route,
  type RoutedRequest,
} from "./http-balancer.ts";
import { InstanceProcesses, type StartMachine } from "./instance-processes.ts";
import { type Cut, MACHINES, Passages, registrationOf } from "./passages.ts";
import type { ForwardedForMode, Front } from "./request-headers.ts";
import { TcpBalancer } from "./tcp-balancer.ts";
import { type Ending, sumOf, type Traffic, type TrafficCount } from "./traffic.ts";
import { listenForFlows, transportsOf } from "./transports.ts";
import { UdpBalancer } from "./udp-balancer.ts";

/** A listener of a load balancer, on this machine. */
interface Entrance {
  readonly urls: readonly string[];
  /** For connections and for datagrams, if it accepts both. */
  readonly counts: readonly TrafficCount[];
}

/**
 * Real traffic through the simulated load balancers: a process for each instance, and a listener on one address for
 * each listener. The targets of traffic follow from the world's registrations and their lags, never from what its API
 * says.
 */
export class DataPlane {
  readonly #world: World;
  readonly #host: string;
  readonly processes: InstanceProcesses;
  readonly #balancers: { close(): void }[] = [];
  readonly #firstPort: number;
  readonly #entrances = new Map<string, Entrance>();
  readonly #closed = new AbortController();
  /** Requests in flight, and flows. */
  readonly passages: Passages;
  readonly #clients: Clients;
  readonly #cuts: Cuts;
  readonly #flows: FlowRouter;
  /** How often each group, zone of a group, listener or load balancer has chosen a target: they take turns. */
  readonly #turns = new Map<object | string, number>();

  private constructor(world: World, host: string, start: StartMachine | undefined, firstPort: number) {
    this.#world = world;
    this.#host = host;
    this.#firstPort = firstPort;
    this.processes = new InstanceProcesses(world, start);
    this.#clients = new Clients(world.random.seed);
    const { signal } = this.#closed;
    // Every later cut waits for it.
    setMaxListeners(0, signal);
    this.passages = new Passages(world.clock, signal);
    this.#cuts = new Cuts(world, this.passages);
    this.#flows = new FlowRouter(world, { processes: this.processes, passages: this.passages, clients: this.#clients });
  }

  /**
   * Starts everything that the world has now. Of later additions, machines that are launched get a process when they
   * run, and nothing else gets a listener or a process. The load balancers listen on `host`, the instances' processes on 127.0.0.1 always.
   * `start` makes something else than a process of each instance. The listeners' ports count on from `firstPort`, in the order
   * of the world; 0: any free ones. Rejects, after every process has ended, where it can't or `signal` aborts before.
   */
  static async open(
    world: World,
    host = LOOPBACK,
    start?: StartMachine,
    firstPort = 0,
    signal?: AbortSignal,
  ): Promise<DataPlane> {
    const plane = new DataPlane(world, host, start, firstPort);
    const giveUp = () => plane.close();
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      signal?.throwIfAborted();
      await plane.#openAll();
      signal?.throwIfAborted();
      return plane;
    } catch (error) {
      plane.close();
      await plane.ended();
      throw error;
    } finally {
      signal?.removeEventListener("abort", giveUp);
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

  /**
   * `http://ADDRESS:PORT` for a load balancer's listener, both by their names in the world. `udp://` if it only accepts
   * datagrams.
   */
  url(loadBalancerName: string, port = 80): string {
    const [url] = this.urls(loadBalancerName, port);
    if (url === undefined) throw new Error(`no listener on port ${port} of '${loadBalancerName}'`);
    return url;
  }

  /** All URLs of a listener: it may accept both connections and datagrams, on one port. */
  urls(loadBalancerName: string, port: number): readonly string[] {
    return this.#entrances.get(`${loadBalancerName}:${port}`)?.urls ?? [];
  }

  /** The traffic of a load balancer's listener. Undefined if it does not carry traffic. */
  trafficAt(loadBalancerName: string, port: number): Traffic | undefined {
    const entrance = this.#entrances.get(`${loadBalancerName}:${port}`);
    return entrance && sumOf(entrance.counts);
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
    const name = `${loadBalancer.name}:${listener.port}`;
    if (loadBalancer.type !== "application") {
      await this.#openForFlows(name, loadBalancer.type, listener);
      return;
    }
    const balancer = new HttpBalancer({
      ...this.#httpOptions(),
      route: (request) => this.#routeRequest(listener, request),
      statuses: { connectTimeout: 504, broken: 502 },
      front: frontOf(listener),
      settings: () => settingsOf(loadBalancer, listener),
      isApplication: true,
    });
    await this.#listen(balancer, name);
  }

  /** What is behind the appliances of a GWLB does not exist here: they answer instead. */
  async #openForFlows(name: string, type: "network" | "gateway", listener: Listener): Promise<void> {
    const { clock } = this.#world;
    const transports = transportsOf(listener.protocol);
    const route = (source: FlowSource) => this.#flows.route(listener, source);
    const idle = () => this.#flows.idleOf(type, listener);
    const tcp = transports.includes("tcp") ? new TcpBalancer({ route, clock, idle }) : undefined;
    const udp = transports.includes("udp") ? new UdpBalancer({ route, clock }) : undefined;
    const balancers = [tcp, udp].filter((balancer) => balancer !== undefined);
    this.#balancers.push(...balancers);
    const urls = await listenForFlows({ tcp, udp }, this.#place);
    this.#entrances.set(name, { urls, counts: balancers.map(({ count }) => count) });
  }

  async #openClassic(classic: ClassicLoadBalancer): Promise<void> {
    for (const listener of classic.listeners) {
      const { port, protocol } = listener;
      if (protocol === "TCP" || protocol === "SSL") {
        const { clock } = this.#world;
        const route = (source: FlowSource) => this.#routeClassic(classic, source.port);
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html
        const idle = () => ({ ms: classic.idleTimeoutSeconds * 1_000, cut: "closed" as const });
        await this.#listen(new TcpBalancer({ route, clock, idle }), `${classic.name}:${port}`);
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

  async #listen(balancer: HttpBalancer | TcpBalancer, name: string): Promise<void> {
    const url = await listen(balancer.server, this.#place);
    this.#balancers.push(balancer);
    this.#entrances.set(name, { urls: [url], counts: [balancer.count] });
  }

  /** The address of the next listener. */
  get #place(): { readonly host: string; readonly port: number } {
    return { host: this.#host, port: this.#firstPort === 0 ? 0 : this.#firstPort + this.#entrances.size };
  }

  #routeRequest(listener: Listener, request: RoutedRequest): Route {
    const { host, path, query, client } = request;
    const action = actionFor(listener, request);
    if (action === undefined) return { to: "none", status: 503 };
    if (action.type === "fixed-response") {
      const { statusCode, body = "", contentType } = action;
      return { to: "none", status: Number(statusCode), body, contentType };
    }
    if (action.type === "redirect") {
      const { protocol, port } = listener;
      const location = locationOf(action, { protocol, host, port: String(port), path, query });
      return { to: "none", status: Number(action.statusCode.replace("HTTP_", "")), location };
    }
    this.#world.catchUp();
    const group = this.#world.targetGroups.get(chooseGroup(action.groups, this.#turn(action)) ?? "");
    const machine = this.#clients.machineFor(client);
    const { zone, targets } = this.#clients.receiversOf(group, client, this.#world.clock.now());
    const turn = this.#turn(group === undefined || zone === undefined ? (group ?? action) : `${group.arn} ${zone}`);
    const target = targets[turn % Math.max(1, targets.length)];
    if (group === undefined || target === undefined) return { to: "none", status: 503 };
    const port = this.processes.portOf(target.id, group.vpcId);
    const through = registrationOf(group, target);
    return { to: "target", port, enter: (onCut) => this.passages.enter(through, { machine, port, onCut }) };
  }

  #routeClassic(classic: ClassicLoadBalancer, client: number): Route {
    this.#world.catchUp();
    const machine = this.#clients.machineFor(client);
    const now = this.#world.clock.now();
    const zone = this.#clients.zoneFor(client, classic.entryZones(now));
    const ids = classic.routable(now, machine, MACHINES, zone);
    const id = ids[this.#turn(zone === undefined ? classic : `${classic.name} ${zone}`) % Math.max(1, ids.length)];
    if (id === undefined) return { to: "none", status: 503 };
    const port = this.processes.portOf(id);
    const enter = (onCut: (cut: Cut) => void) => {
      classic.requestStarted(id);
      const leave = this.passages.enter({ pool: classic.name, id }, { machine, port, onCut });
      return (ending: Ending) => {
        classic.requestEnded(id);
        leave(ending);
      };
    };
    return { to: "target", port, enter };
  }

  #onChange(change: WorldChange): void {
    switch (change.type) {
      case "instance-terminated":
      case "instance-stopped":
        this.#switchOff(change.instance);
        break;
      case "target-deregistered":
        this.#cuts.onDeregistered(change.group, change.target);
        break;
      case "classic-deregistered":
        this.#cuts.onClassicDeregistered(change.loadBalancer, change.instanceId);
        break;
      case "instance-started":
        this.processes.startAfter(change.instance, this.#world.timing.pendingMs);
        break;
      case "instance-rebooted":
        this.processes.kill(change.instance);
        this.processes.startAfter(change.instance, this.#world.timing.rebootMs);
        break;
      case "answering-changed":
        this.#cuts.onAnsweringChanged(change.instance);
        break;
      case "instance-added":
      case "program-ended":
      case "due":
      case "announced":
        break;
      default:
        change satisfies never;
    }
  }

  /**
   * A shutdown ends the program, which closes its connections. Without time for a shutdown nothing closes them, and
   * clients continue to wait.
   */
  #switchOff(instance: Instance): void {
    if (instance.hasVanished) this.vanish(instance);
    else this.processes.kill(instance);
    this.#cuts.onAnsweringChanged(instance);
  }

  /** Nothing comes back from the machine any more, not even a refusal. */
  vanish(instance: Instance): void {
    for (const port of this.processes.portsOf(instance)) this.passages.silence(port);
    this.processes.kill(instance);
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
