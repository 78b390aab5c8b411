import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Clock } from "../clock.ts";
import { urlOf } from "../listen.ts";
import type { FlowRoute, FlowSource } from "./flow-router.ts";
import { IdleWatch, type Watched } from "./idle-watch.ts";
import type { Cut } from "./passages.ts";
import { type Ending, TrafficCount } from "./traffic.ts";

/**
 * For flows that are not TCP, through an NLB or a GWLB. It can't be changed.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#connection-idle-timeout
 */
const DATAGRAMS_IDLE_MS = 120_000;

/** Datagrams of a flow that wait until its socket is ready. Further ones are dropped. */
const UNSENT_MAX = 1_000;

export interface UdpBalancerOptions {
  readonly route: (source: FlowSource) => FlowRoute;
  readonly clock: Clock;
}

/** The socket on which answers to a flow's datagrams come back. */
interface Upstream {
  readonly socket: Socket;
  /** Datagrams that wait until the socket is connected. Undefined: it is. */
  unsent: Buffer[] | undefined;
}

interface Flow {
  /** Undefined: what is sent vanishes. */
  upstream: Upstream | undefined;
  readonly watched: Watched;
  readonly leave: (ending: Ending) => void;
  isBroken: boolean;
}

/**
 * A UDP listener of a load balancer on 127.0.0.1: all datagrams from one address and port are a flow, which stays with
 * its target until none has come for a while.
 */
export class UdpBalancer {
  readonly #options: UdpBalancerOptions;
  readonly #flows = new Map<string, Flow>();
  readonly #closed = new AbortController();
  readonly #idle: IdleWatch;
  #socket: Socket | undefined;
  readonly count = new TrafficCount();

  constructor(options: UdpBalancerOptions) {
    this.#options = options;
    this.#idle = new IdleWatch(options.clock, () => DATAGRAMS_IDLE_MS, this.#closed.signal);
  }

  /** Resolves with its URL when it listens. Port 0: any free one. Rejects as Node does. */
  async listen(port: number, host: string): Promise<string> {
    const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.bind(port, host, () => {
          socket.off("error", reject);
          resolve();
        });
      });
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on("error", () => {}); // Of an answer that a client does not wait for any more.
    socket.on("message", (message, { address, port: clientPort }) =>
      this.#receive(socket, message, address, clientPort),
    );
    this.#socket = socket;
    return urlOf(socket.address(), "udp");
  }

  close(): void {
    this.#closed.abort();
    for (const key of [...this.#flows.keys()]) this.#forget(key);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #receive(socket: Socket, message: Buffer, address: string, port: number): void {
    const key = `${address} ${port}`;
    const flow = this.#flows.get(key) ?? this.#open(socket, key, { protocol: "udp", address, port });
    if (flow === undefined) return;
    flow.watched.touch();
    const { upstream } = flow;
    if (upstream?.unsent === undefined) upstream?.socket.send(message);
    else if (upstream.unsent.length < UNSENT_MAX) upstream.unsent.push(message);
  }

  /** Undefined if there is no target: the datagram is dropped. */
  #open(client: Socket, key: string, source: FlowSource): Flow | undefined {
    const route = this.#options.route(source);
    this.count.began();
    if (route.to === "none") {
      this.count.ended("failed");
      return undefined;
    }
    const flow: Flow = {
      upstream: undefined,
      isBroken: route.port === undefined,
      watched: this.#idle.add(() => this.#forget(key)),
      leave: route.enter((how) => this.#cut(key, how)),
    };
    this.#flows.set(key, flow);
    if (route.port === undefined) return flow;
    const socket = createSocket("udp4");
    const upstream: Upstream = { socket, unsent: [] };
    flow.upstream = upstream;
    socket.on("error", () => {}); // Nothing listens there: datagrams are lost, as they are on a network.
    socket.on("message", (answer) => {
      flow.watched.touch();
      client.send(answer, source.port, source.address);
    });
    socket.connect(route.port, "127.0.0.1", () => {
      if (flow.upstream !== upstream) return;
      for (const message of upstream.unsent ?? []) socket.send(message);
      upstream.unsent = undefined;
    });
    return flow;
  }

  #cut(key: string, how: Cut): void {
    switch (how) {
      case "closed":
        this.#break(this.#flows.get(key));
        this.#forget(key);
        break;
      case "moved":
        this.#forget(key);
        break;
      case "reset-when-used":
        break;
      case "silent":
        this.#break(this.#flows.get(key));
        this.#silence(this.#flows.get(key));
        break;
      default:
        how satisfies never;
    }
  }

  /** The next datagram begins another flow. */
  #forget(key: string): void {
    const flow = this.#flows.get(key);
    if (flow === undefined) return;
    this.#flows.delete(key);
    flow.watched.end();
    const ending = flow.isBroken ? "failed" : "answered";
    this.count.ended(ending);
    flow.leave(ending);
    this.#silence(flow);
  }

  #break(flow: Flow | undefined): void {
    if (flow !== undefined) flow.isBroken = true;
  }

  #silence(flow: Flow | undefined): void {
    flow?.upstream?.socket.close();
    if (flow !== undefined) flow.upstream = undefined;
  }
}
