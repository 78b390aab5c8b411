import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { FlowRoute, FlowSource } from "./flow-router.ts";
import { IdleWatch } from "./idle-watch.ts";
import type { Cut } from "./passages.ts";

export interface TcpBalancerOptions {
  readonly route: (source: FlowSource) => FlowRoute;
  readonly clock: Clock;
  /** What becomes of a flow that neither side has sent anything on for so many milliseconds. Asked again for each look. */
  readonly idle: () => { readonly ms: number; readonly cut: Cut };
}

/** A TCP listener of a load balancer on 127.0.0.1: each connection is one flow, which stays with its target. */
export class TcpBalancer {
  readonly #options: TcpBalancerOptions;
  readonly #clients = new Set<Socket>();
  readonly #closed = new AbortController();
  readonly #idle: IdleWatch;
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
    if (route.to === "none") {
      client.resetAndDestroy();
      return;
    }
    const flow = new TcpFlow(client);
    const watched = this.#idle.add(() => flow.cut(this.#options.idle().cut));
    const leave = route.enter((how) => flow.cut(how));
    client.once("close", () => {
      watched.end();
      leave();
    });
    client.on("data", watched.touch);
    if (route.port === undefined) flow.cut("silent");
    else flow.join(route.port, watched.touch);
  }
}

class TcpFlow {
  readonly #client: Socket;
  #target: Socket | undefined;

  constructor(client: Socket) {
    this.#client = client;
  }

  join(port: number, touch: () => void): void {
    const client = this.#client;
    const target = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.#target = target;
    target.on("error", () => this.#target === target && client.resetAndDestroy());
    client.once("close", () => {
      // Where both have said all they had to say, the last of it may still be on its way.
      const isComplete = client.readableEnded && client.writableFinished;
      if (!isComplete) target.resetAndDestroy();
    });
    target.on("data", touch);
    client.pipe(target).pipe(client);
  }

  cut(how: Cut): void {
    const client = this.#client;
    switch (how) {
      case "closed":
        client.resetAndDestroy();
        break;
      case "moved":
        // The next packet comes to a target that has not seen the connection begin, and refuses it.
        this.#part()?.destroy();
        client.once("data", () => client.resetAndDestroy());
        break;
      case "reset-when-used":
        for (const side of [client, this.#part()]) side?.once("data", () => client.resetAndDestroy());
        break;
      case "silent":
        this.#part()?.destroy();
        break;
      default:
        how satisfies never;
    }
  }

  /** Nothing that either side sends reaches the other one any more. Returns the target's side. */
  #part(): Socket | undefined {
    const client = this.#client;
    const target = this.#target;
    this.#target = undefined;
    client.unpipe();
    client.resume();
    if (client.readableEnded) client.destroy();
    else client.once("end", () => client.destroy());
    target?.unpipe();
    return target?.resume();
  }
}
