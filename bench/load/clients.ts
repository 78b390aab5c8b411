import { Agent, get, request } from "node:http";
import { connect, type Socket } from "node:net";
import type { Clock } from "../../src/drain/clock.ts";
import { WallTime } from "../clock.ts";

export const SECRET = "the-secret-of-the-load";
const LONGEST_SECONDS = 3_600;
const never = new AbortController().signal;

/** Asks for `/health`, each time on a new connection, as a kubelet does, and takes the time. */
export class Probe {
  readonly #port: number;
  readonly #clock: Clock;
  readonly #ms: number[] = [];
  readonly #wall = new WallTime(LONGEST_SECONDS);
  #unanswered = 0;

  constructor(port: number, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Resolves once `over` aborts. */
  async run(everyMs: number, over: AbortSignal): Promise<void> {
    this.#wall.begin();
    const underWay: Promise<void>[] = [];
    while (!over.aborted) {
      underWay.push(this.#ask());
      await this.#clock.sleep(everyMs, over).catch(() => {});
    }
    await Promise.all(underWay);
    this.#wall.stop();
  }

  /** Milliseconds of each answer, the shortest first; of those that did not come, infinite. */
  get sortedMs(): readonly number[] {
    return [...this.#ms, ...Array<number>(this.#unanswered).fill(Number.POSITIVE_INFINITY)].sort((a, b) => a - b);
  }

  #ask(): Promise<void> {
    const began = this.#wall.seconds;
    return new Promise((resolve) => {
      const failed = () => {
        this.#unanswered += 1;
        resolve();
      };
      const asked = get({ port: this.#port, host: "127.0.0.1", path: "/health", agent: false }, (answer) => {
        answer.resume().once("end", () => {
          if (answer.statusCode !== 200) return failed();
          this.#ms.push((this.#wall.seconds - began) * 1_000);
          resolve();
        });
      });
      asked.once("error", failed);
    });
  }
}

/** Sends the same request many times without waiting, and reads the answers or not. Returns what ends it. */
export function pipelining(
  port: number,
  options: { readonly path: string; readonly times: number; readonly reads: boolean },
): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  if (options.reads) socket.resume();
  else socket.pause();
  socket.write(`GET ${options.path} HTTP/1.1\r\nHost: load\r\n\r\n`.repeat(options.times));
  return socket;
}

/** Resolves once it is connected. It never says anything. */
export function silent(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", () => resolve(socket)).resume();
  });
}

/** A caller with the secret, over connections that it keeps. */
export class Caller {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Rejects where there is no answer. */
  ask(method: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
    const headers = { authorization: `Bearer ${SECRET}` };
    const options = { port: this.#port, host: "127.0.0.1", method, path, headers, agent: this.#agent };
    return new Promise((resolve, reject) => {
      const asked = request(options, async (answer) => {
        let body = "";
        for await (const chunk of answer) body += chunk;
        resolve({ status: answer.statusCode ?? 0, body });
      });
      asked.once("error", reject).end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** So many calls a second of `ask`, which gets their numbers, until `over` aborts. Resolves when all have ended. */
export async function steadily(
  perSecond: number,
  ask: (number: number) => Promise<unknown>,
  clock: Clock,
  over: AbortSignal,
) {
  const began = clock.now();
  const underWay: Promise<unknown>[] = [];
  for (let number = 0; !over.aborted; number += 1) {
    underWay.push(ask(number));
    const due = began + ((number + 1) * 1_000) / perSecond;
    await clock.sleep(Math.max(0, due - clock.now()), over).catch(() => {});
  }
  await Promise.all(underWay);
}

/** Waits in real time. */
export function wait(clock: Clock, ms: number): Promise<void> {
  return clock.sleep(ms, never);
}
