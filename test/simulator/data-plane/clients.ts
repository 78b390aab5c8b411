import { Agent, type IncomingHttpHeaders, type RequestOptions, request as startRequest } from "node:http";
import type { Socket } from "node:net";

/** What a client got. `broken`: its connection ended before a whole answer had come. */
export interface Answer {
  readonly status: number | "broken";
  /** The instance that answered; absent when the load balancer did so itself. */
  readonly servedBy?: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  /** Node's code of what broke it. */
  readonly error?: string;
}

export interface SendOptions
  extends Pick<RequestOptions, "method" | "headers" | "agent" | "localAddress" | "localPort"> {
  readonly body?: string | Buffer;
  /** Called when the target, or the load balancer before it, has the request. */
  readonly onArrival?: () => void;
  readonly onSocket?: (socket: Socket) => void;
  readonly signal?: AbortSignal;
}

/** One request, over a new connection unless an agent is given. Never rejects. */
export function send(url: string, options: SendOptions = {}): Promise<Answer> {
  const { body, onArrival, onSocket, ...rest } = options;
  return new Promise((resolve) => {
    const broke = (error: Error) =>
      resolve({ status: "broken", body: "", headers: {}, error: "code" in error ? String(error.code) : error.name });
    const request = startRequest(url, { agent: false, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", broke);
      response.once("end", () => {
        const servedBy = response.headers["x-served-by"];
        resolve({
          status: response.statusCode ?? 0,
          ...(typeof servedBy === "string" ? { servedBy } : {}),
          body: Buffer.concat(chunks).toString(),
          headers: response.headers,
        });
      });
    });
    request.on("error", broke);
    if (onArrival !== undefined) request.once("continue", onArrival);
    if (onSocket !== undefined) request.once("socket", onSocket);
    request.end(body);
  });
}

/** `count` requests at once, each over a new connection. How many each instance answered, or came back as what. */
export async function tally(url: string, count: number): Promise<Record<string, number>> {
  const answers = await Promise.all(Array.from({ length: count }, () => send(url)));
  const counts: Record<string, number> = {};
  for (const { status, servedBy = String(status) } of answers) counts[servedBy] = (counts[servedBy] ?? 0) + 1;
  return counts;
}

/** A request that is on its way. */
export interface HeldRequest {
  readonly answer: Promise<Answer>;
  /** The answer, once there is one. */
  readonly answered: Answer | undefined;
  /** The client goes away. */
  leave(): void;
}

/** Resolves once the load balancer has the request: it is asked to say `100 Continue`. */
export async function hold(url: string): Promise<HeldRequest> {
  const left = new AbortController();
  let answered: Answer | undefined;
  let answer: Promise<Answer> | undefined;
  await new Promise<void>((resolve) => {
    const headers = { expect: "100-continue" };
    answer = send(url, { headers, onArrival: resolve, signal: left.signal }).then((got) => {
      answered = got;
      resolve();
      return got;
    });
  });
  return {
    answer: answer as Promise<Answer>,
    get answered() {
      return answered;
    },
    leave: () => left.abort(),
  };
}

export function holdMany(url: string, count: number): Promise<readonly HeldRequest[]> {
  return Promise.all(Array.from({ length: count }, () => hold(url)));
}

/** Each request's status, as far as there is one: `undefined` for those still on their way. */
export function statusesOf(held: readonly HeldRequest[]): readonly (Answer["status"] | undefined)[] {
  return held.map(({ answered }) => answered?.status);
}

/** One client's connection, kept open: on a network load balancer, one flow. */
export class Connection {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #socket: Socket | undefined;
  #isLeft = false;
  #servedBy: string | undefined;

  private constructor(url: string) {
    this.#url = url;
  }

  /** Opens it with a first request. */
  static async open(url: string): Promise<Connection> {
    const connection = new Connection(url);
    connection.#servedBy = (await connection.send()).servedBy;
    return connection;
  }

  static openMany(url: string, count: number): Promise<readonly Connection[]> {
    return Promise.all(Array.from({ length: count }, () => Connection.open(url)));
  }

  /** Who answered its first request. */
  get servedBy(): string | undefined {
    return this.#servedBy;
  }

  get localPort(): number {
    return this.#socket?.localPort ?? 0;
  }

  /** Resolves when it has ended, whoever ended it. */
  async untilClosed(): Promise<void> {
    const socket = this.#socket;
    if (socket !== undefined && !socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  }

  /** Whether somebody else than this client has ended it. */
  get isBroken(): boolean {
    return this.#socket?.destroyed === true && !this.#isLeft;
  }

  async send(): Promise<Answer> {
    if (this.#socket?.destroyed === true) return { status: "broken", body: "", headers: {}, error: "closed before" };
    return send(this.#url, {
      agent: this.#agent,
      onSocket: (socket) => {
        this.#socket ??= socket;
        if (this.#socket !== socket) throw new Error("the agent has opened another connection");
      },
    });
  }

  leave(): void {
    this.#isLeft = !this.isBroken;
    this.#agent.destroy();
  }

  /** Leaves in a way that frees the local port at once. */
  reset(): void {
    this.#isLeft = !this.isBroken;
    this.#socket?.resetAndDestroy();
  }
}
