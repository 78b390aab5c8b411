import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Connection, Connections, type ConnectionsOptions } from "./connections.ts";
import { Inbox } from "./inbox.ts";
import { Turns } from "./turns.ts";

/** Most take a tenth of a millisecond, a drain that begins a few milliseconds. */
const PER_TURN_MAX = 4;
const PROBES: ReadonlySet<string> = new Set(["/health", "/ready"]);

/** What clients may use of a server: connections, turns of the event loop, and memory for unread answers. */
export class Traffic {
  readonly #connections: Connections;
  readonly #turns = { probes: new Turns(PER_TURN_MAX), others: new Turns(PER_TURN_MAX) };
  readonly #open = new WeakMap<Socket, Connection>();
  readonly #inboxes = new WeakMap<Socket, Inbox>();

  constructor(server: Server, options: ConnectionsOptions) {
    this.#connections = new Connections(options);
    this.#accept(server);
    server.on("clientError", (_, stream) => this.#inboxes.get(stream as Socket)?.discard());
  }

  /** Whether the last request of a connection has the method HEAD, as far as it has arrived. */
  isHead(socket: Socket): boolean {
    return this.#inboxes.get(socket)?.isHead ?? false;
  }

  /**
   * Calls `begin` when a request may begin, at once or soon: probes do not wait for others. The request counts until
   * its answer is complete. `isTooMany`: too many are in progress, and this one must be refused.
   */
  begin(request: IncomingMessage, answer: ServerResponse, begin: (isTooMany: boolean) => void): void {
    const { socket } = request;
    this.#inboxes.get(socket)?.began(request, answer);
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    const isProbe = PROBES.has(request.url?.split("?", 1)[0] ?? "");
    const isTaken = this.#connections.begin(connection, { isProbe });
    if (isTaken) this.#count(connection, answer, { isProbe });
    const turns = this.#turns[isProbe ? "probes" : "others"];
    const forget = turns.run(connection.client.address, () => begin(!isTaken));
    answer.once("close", forget);
  }

  #count(connection: Connection, answer: ServerResponse, { isProbe }: { readonly isProbe: boolean }): void {
    const { socket } = answer.req;
    let hasEnded = false;
    const end = () => {
      if (!hasEnded) this.#connections.end(connection, { isProbe });
      hasEnded = true;
    };
    answer.once("prefinish", () => {
      end();
      this.#connections.unread(connection, socket.writableLength);
    });
    answer.once("finish", () => this.#connections.unread(connection, 0));
    answer.once("close", end);
  }

  /** With TLS, a connection counts from its beginning, and is read when its handshake has ended. */
  #accept(server: Server): void {
    const isTls = "setSecureContext" in server;
    const agreeing = new Map<string, Connection>();
    server.on("connection", (socket: Socket) => {
      const connection = this.#connections.open(socket);
      if (connection === undefined) return;
      if (!isTls) return this.#read(socket, connection);
      const ends = endsOf(socket);
      agreeing.set(ends, connection);
      socket.once("close", () => agreeing.get(ends) === connection && agreeing.delete(ends));
    });
    server.on("secureConnection", (socket: Socket) => {
      const connection = agreeing.get(endsOf(socket));
      if (connection === undefined) socket.destroy();
      else this.#read(socket, connection);
    });
  }

  #read(socket: Socket, connection: Connection): void {
    this.#open.set(socket, connection);
    this.#inboxes.set(socket, new Inbox(socket));
  }
}

/** The same for a TCP connection and the TLS on top of it. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(" ");
}
