import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { FlowRoute, FlowSource } from "./flow-router.ts";
import { IdleWatch } from "./idle-watch.ts";
import type { Cut } from "./passages.ts";
import { type Ending, TrafficCount } from "./traffic.ts";

export interface TcpBalancerOptions {
  readonly route: (source: FlowSource) => FlowRoute;
  readonly clock: Clock;
  /** What happens to a flow on which neither side has sent anything for this many milliseconds. Called each time. */
  readonly idle: () => { readonly ms: number; readonly cut: Cut };
}

/** A TCP listener of a load balancer on 127.0.0.1: each connection is one flow, which stays with its target. */
export class TcpBalancer {
  readonly #options: TcpBalancerOptions;
  readonly #clients = new Set<Socket>();
  readonly #closed = new AbortController();
  readonly #idle: IdleWatch;
  readonly count = new TrafficCount();
  readonly server: Server;

  constructor(options: TcpBalancerOptions) {
    this.#options = options;
    this.#idle = new IdleWatch(options.clock, () => options.idle().ms, this.#closed.signal);
    this.server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  close(): void {
    this.#closed.abort();
    for (const client of this.#clients) client.destroy();
    this.server.close();
  }

  #accept(client: Socket): void {
    this.#clients.add(client);
    client.once("close", () => this.#clients.delete(client));
    client.on("error", () => {}); // 'close' follows.
    const { remoteAddress: address = "", remotePort: port = 0 } = client;
    const route = this.#options.route({ protocol: "tcp", address, port });
    this.count.began();
    if (route.to === "none") {
      client.once("close", () => this.count.ended("failed"));
      client.resetAndDestroy();
      return;
    }
    const watched = this.#idle.add(() => flow.cut(this.#options.idle().cut));
    const flow = new TcpFlow(client, route.port, watched.touch);
    const leave = route.enter((how) => {
      if (how === "silent") flow.isBroken = true;
      flow.cut(how);
    });
    client.once("close", () => {
      watched.end();
      this.count.ended(flow.ending);
      leave(flow.ending);
    });
  }
}

/** Not piped, because each packet is noted, and may be one too many. */
class TcpFlow {
  readonly #client: Socket;
  readonly #target: Socket | undefined;
  readonly #touch: () => void;
  #state: "carried" | Cut = "carried";
  /** The load balancer or the target has broken it off, and not its client. */
  isBroken = false;

  /** `port`: of the target. Undefined: its machine is gone, and nothing comes back. */
  constructor(client: Socket, port: number | undefined, touch: () => void) {
    this.#client = client;
    this.#touch = touch;
    this.#target = port === undefined ? undefined : connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    client.on("data", (packet: Buffer) => this.#fromClient(packet));
    client.once("end", () => (this.#state === "carried" ? this.#target?.end() : client.destroy()));
    if (this.#target === undefined) {
      this.#state = "silent";
      this.isBroken = true;
    } else this.#join(client, this.#target);
  }

  /** The ending of a client's connection that has closed. */
  get ending(): Ending {
    if (this.isBroken) return "failed";
    return this.#client.readableEnded && this.#client.writableFinished ? "answered" : "abandoned";
  }

  cut(how: Cut): void {
    const client = this.#client;
    this.#state = how;
    if (how === "closed") {
      this.#reset();
      return;
    }
    // The client must not notice that nothing is forwarded.
    client.resume();
    if (client.readableEnded) client.destroy();
    if (how === "reset-when-used") this.#target?.resume();
    else this.#target?.destroy();
  }

  #join(client: Socket, target: Socket): void {
    target.on("data", (packet: Buffer) => this.#fromTarget(packet));
    target.once("end", () => this.#state === "carried" && client.end());
    target.on("error", () => this.#state === "carried" && this.#reset());
    target.on("drain", () => client.resume());
    client.on("drain", () => target.resume());
    client.once("close", () => {
      // If both sides have sent everything, the last of it may still be in transit.
      const isComplete = client.readableEnded && client.writableFinished;
      if (!isComplete) target.resetAndDestroy();
    });
  }

  #reset(): void {
    this.isBroken = true;
    this.#client.resetAndDestroy();
  }

  #fromClient(packet: Buffer): void {
    this.#touch();
    switch (this.#state) {
      case "carried":
        if (this.#target?.write(packet) === false) this.#client.pause();
        break;
      // A target that has not seen the beginning of the connection refuses it, and so does a load balancer that has
      // forgotten it.
      case "moved":
      case "reset-when-used":
        this.#reset();
        break;
      case "closed":
      case "silent":
        break;
      default:
        this.#state satisfies never;
    }
  }

  #fromTarget(packet: Buffer): void {
    this.#touch();
    if (this.#state === "reset-when-used") this.#reset();
    else if (this.#state === "carried" && !this.#client.destroyed && !this.#client.write(packet)) this.#target?.pause();
  }
}
