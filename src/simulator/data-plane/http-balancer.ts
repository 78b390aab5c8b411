import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  IncomingMessage,
  type Server,
  ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import { IdleWatch } from "./idle-watch.ts";
import { contentOf, type OwnAnswer, SERVER, sendOwn } from "./own-answer.ts";
import type { Cut, Enter } from "./passages.ts";
import {
  endToEnd,
  type ForwardedForMode,
  type Front,
  forwardedHeaders,
  HEAD_BYTES_MAX,
  refusalOf,
  traceOf,
} from "./request-headers.ts";
import { TargetConnections } from "./target-connections.ts";
import { type Ending, TrafficCount } from "./traffic.ts";

/** The target of a request, or the answer without any target. */
export type Route =
  | {
      readonly to: "target";
      /** The target's real port on 127.0.0.1. Undefined if its machine is gone. */
      readonly port: number | undefined;
      readonly enter: Enter;
    }
  | ({ readonly to: "none" } & OwnAnswer);

export interface RoutedRequest {
  readonly host: string;
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly method: string;
  /** The values of each header, by its name in small letters. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  /** The client's port, and its address. */
  readonly client: number;
  readonly address: string | undefined;
}

/** The current values of the listener's and the load balancer's attributes. */
export interface HttpSettings {
  /** A request is given up after this time without a byte from the target or the client. */
  readonly idleMs: number;
  /** An older connection is closed with its next answer. Undefined: none is. */
  readonly keepAliveMs: number | undefined;
  readonly forwardedFor: ForwardedForMode;
  /** Whether its own answers have a `Server` header, and the targets' keep theirs. */
  readonly namesServer: boolean;
}

export interface HttpBalancerOptions {
  readonly route: (request: RoutedRequest) => Route;
  /** Resolves when a connection attempt to a machine that is gone is given up. */
  readonly connectTimeout: (signal: AbortSignal) => Promise<void>;
  /** The statuses for a target that does not accept the connection, and for one that ends in the middle. */
  readonly statuses: { readonly connectTimeout: number; readonly broken: number };
  readonly clock: Clock;
  readonly random: Random;
  readonly front: Front;
  readonly settings: () => HttpSettings;
  /** Application Load Balancers refuse some requests, trace all, and pass WebSockets on. */
  readonly isApplication: boolean;
}

/** Connections without a request stay open, because a client that is about to use one would lose its request. */
const UNUSED_TIMEOUT_MS = 3_600_000;

/** An HTTP load balancer's listener on 127.0.0.1: forwards each request to the target that `route` names. */
export class HttpBalancer {
  readonly #options: HttpBalancerOptions;
  readonly #connections: TargetConnections;
  readonly #closed = new AbortController();
  readonly #idle: IdleWatch;
  readonly #openedAt = new WeakMap<object, number>();
  readonly #upgraded = new Set<Socket>();
  /** The statuses of its own answers, and of answers that it broke off. */
  readonly #ownStatus = new WeakMap<ServerResponse, number>();
  readonly count = new TrafficCount();
  readonly server: Server;

  constructor(options: HttpBalancerOptions) {
    this.#options = options;
    const { clock, isApplication, settings } = options;
    this.#idle = new IdleWatch(clock, () => settings().idleMs, this.#closed.signal);
    this.#connections = new TargetConnections(this.#idle);
    // A request for another protocol than WebSocket is handled like any other.
    const more = isApplication ? { IncomingMessage: WebSocketOrRequest } : {};
    this.server = createServer({ maxHeaderSize: HEAD_BYTES_MAX, ...more }, (request, response) =>
      this.#serve(request, response),
    );
    this.server.keepAliveTimeout = UNUSED_TIMEOUT_MS;
    this.server.on("connection", (socket: Socket) => this.#openedAt.set(socket, clock.now()));
    this.server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket as Socket));
    if (isApplication)
      this.server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) =>
        this.#upgrade(request, socket, head),
      );
  }

  close(): void {
    this.#closed.abort();
    this.#connections.destroy();
    this.server.closeAllConnections();
    for (const socket of this.#upgraded) socket.destroy();
    this.server.close();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const route = this.#routeFor(request);
    this.count.began();
    response.once("close", () => this.count.ended(this.#endingOf(response)));
    this.#closeIfOld(request, response);
    if (route.to === "none") {
      request.resume();
      this.#send(response, route);
      return;
    }
    if (route.port !== undefined) {
      this.#forward(request, response, route.port, route.enter);
      return;
    }
    const leave = route.enter(() => {}); // Nothing more can happen to it.
    response.once("close", () => leave(this.#endingOf(response)));
    void this.#waitInVain(request, response);
  }

  #routeFor(request: IncomingMessage): Route {
    const refusal = this.#options.isApplication ? refusalOf(request) : undefined;
    if (refusal !== undefined) return { to: "none", status: refusal };
    const [path = "/", query = ""] = split(request.url ?? "/");
    const { host = "" } = request.headers;
    const { method = "GET", socket } = request;
    // A server for both families sees clients of IPv4 by their addresses in IPv6.
    const address = socket.remoteAddress?.replace(/^::ffff:/, "");
    return this.#options.route({
      // Clients name the port only because it is the simulator's own.
      ...{ host: host.replace(/:\d+$/, ""), path, query, method, client: socket.remotePort ?? 0, address },
      // Most rules do not look at them, and Node makes this form of them when it is first read.
      get headers() {
        return request.headersDistinct;
      },
    });
  }

  #closeIfOld({ socket }: IncomingMessage, response: ServerResponse): void {
    const { keepAliveMs } = this.#options.settings();
    const ageMs = this.#options.clock.now() - (this.#openedAt.get(socket) ?? Number.POSITIVE_INFINITY);
    if (keepAliveMs !== undefined && ageMs >= keepAliveMs) response.shouldKeepAlive = false;
  }

  /** Nothing answers at the target's address, not even with a refusal. */
  async #waitInVain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const closed = new AbortController();
    response.once("close", () => closed.abort());
    request.resume();
    try {
      await this.#options.connectTimeout(closed.signal);
      this.#send(response, { status: this.#options.statuses.connectTimeout });
    } catch {
      // The client has disconnected first.
    }
  }

  #endingOf(response: ServerResponse): Ending {
    if (this.#hasFailed(response)) return "failed";
    return response.writableFinished ? "answered" : "abandoned";
  }

  #hasFailed(response: ServerResponse): boolean {
    return (this.#ownStatus.get(response) ?? 0) >= 500;
  }

  #send(response: ServerResponse, answer: OwnAnswer): void {
    this.#ownStatus.set(response, answer.status);
    sendOwn(response, answer, this.#options.settings().namesServer);
  }

  #forward(request: IncomingMessage, response: ServerResponse, port: number, enter: Enter): void {
    const { method = "GET", url = "/" } = request;
    const headers = this.#headersFor(request);
    const outgoing = httpRequest({ host: "127.0.0.1", port, method, path: url, headers, agent: this.#connections });
    let isSilent = false;
    const ended = (status: number) => {
      abandon();
      if (!response.headersSent) this.#send(response, { status });
      // An incomplete answer must not look complete.
      else if (!response.writableEnded) {
        this.#ownStatus.set(response, status);
        response.destroy();
      }
    };
    const broken = () => !isSilent && ended(this.#options.statuses.broken);
    const abandon = () => {
      isSilent = true;
      outgoing.destroy();
      // What the client still sends is read and dropped, because until then it reads no answer.
      request.unpipe(outgoing).resume();
    };
    const watched = this.#idle.add(() => ended(504));
    const leave = enter((how) => (how === "silent" ? abandon() : ended(this.#options.statuses.broken)));
    response.once("close", () => {
      watched.end();
      leave(this.#endingOf(response));
      if (!response.writableFinished || !request.complete) abandon();
    });
    outgoing.on("error", broken);
    outgoing.once("response", (incoming) => {
      watched.touch();
      response.writeHead(incoming.statusCode ?? 502, this.#headersOf(incoming));
      incoming.on("data", watched.touch).on("error", broken).pipe(response);
    });
    request.on("data", watched.touch).pipe(outgoing);
  }

  #headersFor(request: IncomingMessage): IncomingHttpHeaders {
    const { front, settings, isApplication, clock, random } = this.#options;
    const given = request.headers["x-amzn-trace-id"];
    const trace = isApplication ? { trace: traceOf(given?.toString(), clock.now(), random) } : {};
    return forwardedHeaders(request, { front, mode: settings().forwardedFor, ...trace });
  }

  #headersOf(incoming: IncomingMessage): IncomingHttpHeaders {
    const { "transfer-encoding": _, server, ...headers } = endToEnd(incoming.headers);
    return server === undefined || !this.#options.settings().namesServer ? headers : { ...headers, server };
  }

  /** The connection of a WebSocket belongs to its target until one of them ends it, or it is cut. */
  #upgrade(request: IncomingMessage, client: Socket, head: Buffer): void {
    this.#upgraded.add(client);
    client.once("close", () => this.#upgraded.delete(client));
    client.on("error", () => {}); // 'close' follows.
    const response = lastResponse(request, client);
    const route = this.#routeFor(request);
    let isCut = false;
    const ending = () => (isCut || this.#hasFailed(response) ? "failed" : "answered");
    this.count.began();
    client.once("close", () => this.count.ended(ending()));
    if (route.to === "none") {
      this.#send(response, route);
      return;
    }
    if (route.port === undefined) {
      const leave = route.enter(() => {}); // Nothing more can happen to it.
      client.once("close", () => leave(ending()));
      void this.#waitInVain(request, response);
      return;
    }
    const { method = "GET", url: path = "/" } = request;
    const headers = { ...this.#headersFor(request), connection: "Upgrade", upgrade: request.headers.upgrade };
    const outgoing = httpRequest({ host: "127.0.0.1", port: route.port, method, path, headers, agent: false });
    let isSilent = false;
    const broken = () => void (isSilent || client.destroy());
    const close = () => {
      isCut = true;
      client.destroy();
    };
    const watched = this.#idle.add(close);
    const leave = route.enter((how: Cut) => {
      if (how !== "silent") return close();
      isCut = true;
      isSilent = true;
      outgoing.destroy();
    });
    client.once("close", () => {
      watched.end();
      leave(ending());
      outgoing.destroy();
    });
    outgoing.on("error", () => !isSilent && this.#send(response, { status: this.#options.statuses.broken }));
    outgoing.once("response", (incoming) => {
      response.writeHead(incoming.statusCode ?? 502, this.#headersOf(incoming));
      incoming.once("error", broken).pipe(response);
    });
    outgoing.once("upgrade", (incoming: IncomingMessage, target: Socket, first: Buffer) => {
      response.writeHead(101, { ...this.#headersOf(incoming), connection: "Upgrade", upgrade: "websocket" });
      response.flushHeaders();
      response.detachSocket(client);
      client.once("close", () => target.destroy());
      target.once("close", broken).on("error", broken);
      client.write(first);
      target.write(head);
      client.on("data", watched.touch).pipe(target);
      target.on("data", watched.touch).pipe(client);
    });
    outgoing.end();
  }

  /** The request is not HTTP. */
  #refuse({ code }: NodeJS.ErrnoException, socket: Socket): void {
    const isUnknownCoding = this.#options.isApplication && code === "HPE_INVALID_TRANSFER_ENCODING";
    const { namesServer } = this.#options.settings();
    if (socket.writable) socket.end(rawAnswer(isUnknownCoding ? 501 : 400, namesServer));
    else socket.destroy();
  }
}

/** Node asks a request whether it upgrades, and removes it from the server if it does. */
class WebSocketOrRequest extends IncomingMessage {
  #wants: boolean | null = null;

  // Node's constructor sets it before private fields exist.
  set upgrade(wants: boolean | null) {
    if (#wants in this) this.#wants = wants;
  }

  get upgrade(): boolean | null {
    const isWebSocket = this.headers.upgrade?.toLowerCase() === "websocket";
    return this.#wants && (isWebSocket || this.method === "CONNECT");
  }
}

function split(url: string): readonly [string, string] {
  const at = url.indexOf("?");
  return at === -1 ? [url, ""] : [url.slice(0, at), url.slice(at + 1)];
}

/** The only answer on a connection that Node's server has released. */
function lastResponse(request: IncomingMessage, client: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.assignSocket(client);
  response.shouldKeepAlive = false;
  response.once("finish", () => client.end());
  return response;
}

/** For bytes that are not a request. */
function rawAnswer(status: number, namesServer: boolean): string {
  const { type, text } = contentOf({ status });
  const headers = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...(namesServer ? [`server: ${SERVER}`] : []),
    `content-type: ${type}`,
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  return [...headers, "", text].join("\r\n");
}
