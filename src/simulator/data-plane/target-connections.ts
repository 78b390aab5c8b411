import { Agent, type ClientRequest } from "node:http";
import type { Duplex } from "node:stream";
import type { IdleWatch, Watched } from "./idle-watch.ts";

/**
 * A load balancer's connections to its targets. Each is kept for the next request, and closed once it was idle for the idle
 * timeout, which an Application Load Balancer has for both sides:
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
 */
export class TargetConnections extends Agent {
  readonly #idle: IdleWatch;
  readonly #unused = new WeakMap<Duplex, Watched>();

  constructor(idle: IdleWatch) {
    super({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
    this.#idle = idle;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    if (!this.#unused.has(socket)) socket.once("close", () => this.#unused.get(socket)?.end());
    this.#unused.set(
      socket,
      this.#idle.add(() => socket.destroy()),
    );
    // What it returns decides, whatever its type says: https://nodejs.org/api/http.html#agentkeepsocketalivesocket
    return super.keepSocketAlive(socket) as unknown as boolean;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#unused.get(socket)?.end();
    super.reuseSocket(socket, request);
  }
}
