import { Agent, request as startRequest } from "node:http";
import { connect } from "node:net";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface CallersOptions {
  readonly url: string;
  readonly secret: string;
  /** Connections at the same time. */
  readonly socketsMax?: number;
}

/** Clients of the service: those who ask well, and those who do not. */
export class Callers {
  readonly #url: string;
  readonly #secret: string;
  readonly #socketsMax: number;
  #agent: Agent;

  constructor({ url, secret, socketsMax = 50 }: CallersOptions) {
    this.#url = url;
    this.#secret = secret;
    this.#socketsMax = socketsMax;
    this.#agent = new Agent({ keepAlive: true, maxSockets: socketsMax });
  }

  /** Rejects where no whole answer comes. */
  ask(method: "GET" | "POST", path: string, body?: string): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#secret}` };
    return new Promise((resolve, reject) => {
      const request = startRequest(`${this.#url}${path}`, { method, headers, agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      request.once("error", reject);
      request.end(body);
    });
  }

  /** Asks, and goes away as soon as an answer begins: as browsers leave streams of events. */
  askAndLeave(path: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.#secret}` };
    return new Promise((resolve) => {
      const request = startRequest(`${this.#url}${path}`, { headers, agent: false }, (response) => {
        response.once("error", () => {}); // It is left.
        response.once("close", () => resolve());
        response.destroy();
      });
      request.once("error", () => resolve());
      request.end();
    });
  }

  /** Begins a request, and goes away in the middle of it. */
  leaveInTheMiddle(): Promise<void> {
    const { hostname, port } = new URL(this.#url);
    return new Promise((resolve) => {
      const socket = connect({ host: hostname, port: Number(port) }, () => {
        socket.write("POST /drain HTTP/1.1\r\nHost: soak\r\nContent-Length: 100\r\n\r\n{", () => socket.destroy());
      });
      socket.once("error", () => {}); // The service may be faster.
      socket.once("close", () => resolve());
    });
  }

  /** Lets go of every connection. The next request opens others. */
  hangUp(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: this.#socketsMax });
  }
}
