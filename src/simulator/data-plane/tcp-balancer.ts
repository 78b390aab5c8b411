import { connect, createServer, type Server, type Socket } from "node:net";
import { type Ending, TrafficCount } from "./traffic.ts";

/** Where a new flow goes. */
export type FlowRoute =
  | {
      readonly to: "target";
      /** The target's real port on 127.0.0.1; undefined when its machine is gone. */
      readonly port: number | undefined;
      /** Called once, when the flow is over. */
      readonly onEnd: (ending: Ending) => void;
      /** Aborts when the load balancer closes this flow. */
      readonly cut: AbortSignal;
    }
  | { readonly to: "none" };

/** A network load balancer's listener on 127.0.0.1: each connection is one flow, which stays with its target. */
export class TcpBalancer {
  readonly #route: (client: number) => FlowRoute;
  readonly #clients = new Set<Socket>();
  readonly count = new TrafficCount();
  readonly server: Server;

  constructor(route: (client: number) => FlowRoute) {
    this.#route = route;
    this.server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  close(): void {
    for (const client of this.#clients) client.destroy();
    this.server.close();
  }

  #accept(client: Socket): void {
    this.#clients.add(client);
    client.once("close", () => this.#clients.delete(client));
    client.on("error", () => {}); // 'close' follows.
    const route = this.#route(client.remotePort ?? 0);
    let isBroken = false;
    const cut = () => {
      isBroken = true;
      client.resetAndDestroy();
    };
    this.count.began();
    client.once("close", () => {
      const isVain = route.to === "target" && route.port === undefined;
      const ending = isBroken || isVain ? "failed" : endingOf(client);
      this.count.ended(ending);
      if (route.to !== "target") return;
      route.cut.removeEventListener("abort", cut);
      route.onEnd(ending);
    });
    if (route.to === "none") {
      cut();
      return;
    }
    route.cut.addEventListener("abort", cut, { once: true });
    // The machine is gone: the client's packets vanish, without an answer. The client has to give up.
    if (route.port === undefined) client.resume().once("end", () => client.destroy());
    else this.#join(client, route.port, cut);
  }

  #join(client: Socket, port: number, reset: () => void): void {
    const target = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    target.on("error", reset);
    client.once("close", () => {
      // Where both have said all they had to say, the last of it may still be on its way.
      const isComplete = client.readableEnded && client.writableFinished;
      if (!isComplete) target.resetAndDestroy();
    });
    client.pipe(target).pipe(client);
  }
}

/** Of a client's connection that has closed: whether both sides had said all they had to say. */
function endingOf(client: Socket): Ending {
  return client.readableEnded && client.writableFinished ? "answered" : "abandoned";
}
