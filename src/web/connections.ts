import type { Socket } from "node:net";
import { clientAt } from "./asker.ts";

export interface ConnectionBounds {
  /** Connections that may be open at once. */
  readonly connectionsMax: number;
  /** The number of connections that are reserved for probes. */
  readonly probesMin: number;
  /** The number of requests in progress from one address. */
  readonly requestsPerAddressMax: number;
  /** Bytes of complete answers that their readers have not received. */
  readonly unreadBytesMax: number;
}

export interface ConnectionsOptions {
  readonly bounds: ConnectionBounds;
  /** Called with a client whose connection was refused because there is no room, and none can be made. */
  readonly onTurnedAway: (client: string) => void;
  /** Called with a client whose connection was closed for another one. */
  readonly onEvicted: (client: string) => void;
}

/** One client: an address, or an IPv6 network. */
class Client {
  readonly address: string;
  /** Connections without a request, the longest idle first. */
  readonly idle = new Set<Connection>();
  open = 0;
  /** Requests whose answers are not complete, without probes. */
  underWay = 0;

  constructor(address: string) {
    this.address = address;
  }
}

/** A connection, by its TCP socket. */
export class Connection {
  readonly socket: Socket;
  readonly client: Client;
  underWay = 0;

  constructor(socket: Socket, client: Client) {
    this.socket = socket;
    this.client = client;
  }
}

/**
 * All open connections. If there are too many, the client with the most idle ones loses the one that was idle for
 * longest. A connection with a request in progress is never closed for another one.
 */
export class Connections {
  readonly #bounds: ConnectionBounds;
  readonly #options: ConnectionsOptions;
  readonly #all = new Set<Connection>();
  readonly #clients = new Map<string, Client>();
  readonly #idleClients = new BySize<Client>();
  /** Bytes that each reader has not received, the longest waiting first. */
  readonly #unread = new Map<Connection, number>();
  #unreadBytes = 0;
  /** Requests in progress that are not probes. */
  #underWay = 0;

  constructor(options: ConnectionsOptions) {
    this.#bounds = options.bounds;
    this.#options = options;
  }

  /** Undefined: the connection was refused and closed. */
  open(socket: Socket): Connection | undefined {
    const address = clientAt(socket.remoteAddress);
    if (this.#all.size >= this.#bounds.connectionsMax && !this.#evict()) {
      socket.destroy();
      this.#options.onTurnedAway(address);
      return undefined;
    }
    const client = this.#clients.get(address) ?? new Client(address);
    this.#clients.set(address, client);
    const connection = new Connection(socket, client);
    this.#all.add(connection);
    client.open += 1;
    this.#setIdle(connection, true);
    socket.once("close", () => this.#closed(connection));
    return connection;
  }

  /** Whether a request may begin. `end` must be called for each that begins. */
  begin(connection: Connection, { isProbe }: { readonly isProbe: boolean }): boolean {
    const { connectionsMax, probesMin, requestsPerAddressMax } = this.#bounds;
    const { client } = connection;
    const isTooMany = this.#underWay >= connectionsMax - probesMin || client.underWay >= requestsPerAddressMax;
    if (!isProbe && isTooMany) return false;
    if (!isProbe) {
      this.#underWay += 1;
      client.underWay += 1;
    }
    connection.underWay += 1;
    this.#setIdle(connection, false);
    return true;
  }

  /** The answer to a begun request is complete, or its client has disconnected. */
  end(connection: Connection, { isProbe }: { readonly isProbe: boolean }): void {
    if (!isProbe) {
      this.#underWay -= 1;
      connection.client.underWay -= 1;
    }
    connection.underWay -= 1;
    if (this.#all.has(connection) && connection.underWay === 0) this.#setIdle(connection, true);
    this.#forgetIfGone(connection.client);
  }

  /**
   * This number of bytes waits for the reader. If there are too many, the connections that have waited longest are
   * closed.
   */
  unread(connection: Connection, bytes: number): void {
    if (!this.#all.has(connection)) return;
    this.#unreadBytes += bytes - (this.#unread.get(connection) ?? 0);
    if (bytes === 0) this.#unread.delete(connection);
    else this.#unread.set(connection, bytes);
    for (const [slowest] of this.#unread) {
      if (this.#unreadBytes <= this.#bounds.unreadBytesMax) return;
      this.#cut(slowest);
    }
  }

  /** Whether there is room for one more now. */
  #evict(): boolean {
    const client = this.#idleClients.largest();
    const [longestIdle] = client?.idle ?? [];
    if (longestIdle === undefined) return false;
    this.#cut(longestIdle);
    return true;
  }

  #cut(connection: Connection): void {
    this.#closed(connection);
    connection.socket.destroy();
    this.#options.onEvicted(connection.client.address);
  }

  #closed(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    this.#setIdle(connection, false);
    this.#unreadBytes -= this.#unread.get(connection) ?? 0;
    this.#unread.delete(connection);
    connection.client.open -= 1;
    this.#forgetIfGone(connection.client);
  }

  #setIdle(connection: Connection, isIdle: boolean): void {
    const { client } = connection;
    const before = client.idle.size;
    if (isIdle) client.idle.add(connection);
    else client.idle.delete(connection);
    this.#idleClients.move(client, before, client.idle.size);
  }

  #forgetIfGone({ address, open, underWay }: Client): void {
    if (open === 0 && underWay === 0) this.#clients.delete(address);
  }
}

/** Finds the key with the most entries, where each change adds or removes one. */
class BySize<T> {
  readonly #bySize: Set<T>[] = [];

  move(thing: T, from: number, to: number): void {
    if (from === to) return;
    if (from > 0) this.#bySize[from]?.delete(thing);
    if (to > 0) this.#bySize[to] = (this.#bySize[to] ?? new Set()).add(thing);
    while (this.#bySize.length > 0 && (this.#bySize.at(-1)?.size ?? 0) === 0) this.#bySize.pop();
  }

  /** Among equals, the one that reached its size first. */
  largest(): T | undefined {
    const [first] = this.#bySize.at(-1) ?? [];
    return first;
  }
}
