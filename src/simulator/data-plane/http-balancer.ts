import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";

/** The target of a request, or the answer without any target. */
export type Route =
  | {
      readonly to: "target";
      /** The target's real port on 127.0.0.1; undefined when its machine is gone. */
      readonly port: number | undefined;
      /** Called once, when the request is over. */
      readonly onEnd: () => void;
      /** Aborts when the load balancer stops waiting for this target. */
      readonly cut: AbortSignal;
    }
  | { readonly to: "none"; readonly status: number; readonly body: string };

export interface HttpBalancerOptions {
  readonly route: (request: { readonly host: string; readonly path: string; readonly client: number }) => Route;
  /** Resolves when a connection attempt to a machine that is gone is given up. */
  readonly connectTimeout: (signal: AbortSignal) => Promise<void>;
  /** What clients get when a target doesn't connect, and when it ends in the middle. */
  readonly statuses: { readonly connectTimeout: number; readonly broken: number };
}

/** Longer than any client of ours keeps a connection: the idle timeout of load balancers is not simulated. */
const IDLE_TIMEOUT_MS = 3_600_000;

/** An HTTP load balancer's listener on 127.0.0.1: forwards each request to the target that `route` names. */
export class HttpBalancer {
  readonly #options: HttpBalancerOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly server: Server;

  constructor(options: HttpBalancerOptions) {
    this.#options = options;
    this.server = createServer((request, response) => void this.#serve(request, response));
    this.server.keepAliveTimeout = IDLE_TIMEOUT_MS;
  }

  close(): void {
    this.#agent.destroy();
    this.server.closeAllConnections();
    this.server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "/";
    const route = this.#options.route({
      host: request.headers.host ?? "",
      path: url.split("?", 1)[0] ?? "/",
      client: request.socket.remotePort ?? 0,
    });
    if (route.to === "none") return answer(response, route.status, route.body);
    response.once("close", route.onEnd);
    if (route.port === undefined) await this.#waitInVain(request, response);
    else this.#forward(request, response, route.port, route.cut);
  }

  /** Nothing answers at the target's address, not even with a refusal. */
  async #waitInVain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const closed = new AbortController();
    response.once("close", () => closed.abort());
    request.resume();
    try {
      await this.#options.connectTimeout(closed.signal);
      answer(response, this.#options.statuses.connectTimeout, "the target did not answer\n");
    } catch {
      // The client went first.
    }
  }

  #forward(request: IncomingMessage, response: ServerResponse, port: number, cut: AbortSignal): void {
    const { method = "GET", url = "/" } = request;
    const headers = endToEnd(request.headers);
    const outgoing = httpRequest({ host: "127.0.0.1", port, method, path: url, headers, agent: this.#agent });
    const broken = () => {
      leave();
      if (!response.headersSent)
        answer(response, this.#options.statuses.broken, "the target ended before its answer\n");
      // Half an answer must not look like a whole one.
      else if (!response.writableEnded) response.destroy();
    };
    const leave = () => {
      cut.removeEventListener("abort", broken);
      outgoing.destroy();
      // What the client still sends is read and dropped: before that is done it reads no answer.
      request.unpipe(outgoing).resume();
    };
    cut.addEventListener("abort", broken, { once: true });
    response.once("close", () => {
      cut.removeEventListener("abort", broken);
      if (!response.writableFinished || !request.complete) leave();
    });
    outgoing.on("error", broken);
    outgoing.once("response", (incoming) => {
      const { "transfer-encoding": _, ...headers } = endToEnd(incoming.headers);
      response.writeHead(incoming.statusCode ?? 502, headers);
      incoming.on("error", broken).pipe(response);
    });
    request.pipe(outgoing);
  }
}

/** Without those that are about one connection alone. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection, "keep-alive": keepAlive, "proxy-connection": proxyConnection, upgrade, ...rest } = headers;
  return rest;
}

function answer(response: ServerResponse, status: number, body: string): void {
  if (!response.headersSent && !response.destroyed)
    response.writeHead(status, { "x-answered-by": "load-balancer" }).end(body);
}
