import { Agent, get } from "node:http";
import type { Clock } from "../drain/clock.ts";

/** How a client loses a request. */
export const LOSS_CAUSES = ["refused", "reset", "timeout", "502", "503", "504"] as const;
export type LossCause = (typeof LOSS_CAUSES)[number];

export interface Loss {
  /** When the request was sent, in milliseconds since the epoch, by the traffic's clock. */
  readonly at: number;
  /** The destination's name. */
  readonly to: string;
  readonly cause: LossCause;
}

export interface Destination {
  readonly name: string;
  readonly url: string;
}

export interface TrafficOptions {
  readonly destinations: readonly Destination[];
  readonly clock: Clock;
  /** Between two requests to each destination, in milliseconds of the clock. */
  readonly intervalMs: number;
  /** After which a client gives up, in milliseconds of the clock. */
  readonly timeoutMs: number;
  /** How long a reused connection is kept, in milliseconds of the clock. */
  readonly connectionLifetimeMs: number;
}

export interface TrafficResult {
  readonly sent: number;
  readonly losses: readonly Loss[];
}

/** Connections that are kept, for each destination. */
const KEPT_CONNECTIONS = 4;

interface KeptConnection {
  agent: Agent;
  openedAt: number;
  busy: boolean;
}

/**
 * Clients that send a request to every destination again and again, by turns over a new connection and over one that
 * is kept, and count what they lose. A request is answered well when its answer is a 200.
 */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #kept = new Map<Destination, KeptConnection[]>();
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #losses: Loss[] = [];
  readonly #sending: Promise<void>;
  #sent = 0;

  /** Begins at once. */
  constructor(options: TrafficOptions) {
    this.#options = options;
    for (const destination of options.destinations) this.#kept.set(destination, []);
    this.#sending = this.#sendSteadily();
  }

  get sent(): number {
    return this.#sent;
  }

  get lost(): number {
    return this.#losses.length;
  }

  /** Sends no more, and resolves when every request sent has been answered or lost. */
  async stop(): Promise<TrafficResult> {
    this.#stop.abort();
    await this.#sending;
    await Promise.all(this.#underWay);
    for (const { agent } of [...this.#kept.values()].flat()) agent.destroy();
    return { sent: this.#sent, losses: this.#losses };
  }

  async #sendSteadily(): Promise<void> {
    const { clock, intervalMs, destinations } = this.#options;
    let due = clock.now();
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      for (const destination of destinations) this.#send(destination, turn % 2 === 0 ? "new" : "kept");
      due += intervalMs;
      await clock.sleep(due - clock.now(), this.#stop.signal).catch(() => {});
    }
  }

  #send(destination: Destination, over: "new" | "kept"): void {
    const at = this.#options.clock.now();
    const kept = over === "kept" ? this.#keptConnection(destination, at) : undefined;
    this.#sent += 1;
    const request = this.#request(destination.url, kept?.agent)
      .then((cause) => {
        if (cause !== undefined) this.#losses.push({ at, to: destination.name, cause });
        if (kept !== undefined) kept.busy = false;
      })
      .finally(() => this.#underWay.delete(request));
    this.#underWay.add(request);
  }

  #keptConnection(destination: Destination, now: number): KeptConnection {
    const connections = this.#kept.get(destination) ?? [];
    const newAgent = () => new Agent({ keepAlive: true, maxSockets: 1 });
    const free = connections.find(({ busy }) => !busy);
    if (free === undefined || connections.length < KEPT_CONNECTIONS) {
      const opened = { agent: newAgent(), openedAt: now, busy: true };
      connections.push(opened);
      return opened;
    }
    // Each in its turn.
    connections.push(...connections.splice(connections.indexOf(free), 1));
    if (now - free.openedAt > this.#options.connectionLifetimeMs) {
      free.agent.destroy();
      free.agent = newAgent();
      free.openedAt = now;
    }
    free.busy = true;
    return free;
  }

  /** Resolves with how the request was lost; undefined when it was answered. */
  #request(url: string, agent: Agent | undefined): Promise<LossCause | undefined> {
    const { clock, timeoutMs } = this.#options;
    return new Promise((resolve) => {
      const done = new AbortController();
      const end = (cause: LossCause | undefined) => {
        done.abort();
        resolve(cause);
      };
      const request = get(url, { agent: agent ?? new Agent() }, (response) => {
        response.resume();
        response.once("end", () => end(response.statusCode === 200 ? undefined : causeOfStatus(response.statusCode)));
        response.once("error", (error) => end(causeOfError(error)));
      });
      request.once("error", (error) => end(causeOfError(error)));
      clock.sleep(timeoutMs, done.signal).then(
        () => {
          end("timeout");
          request.destroy();
        },
        () => {}, // Answered or lost in time.
      );
    });
  }
}

/** Statuses that a load balancer makes up itself. Ours answers nothing else but 200. */
function causeOfStatus(status: number | undefined): LossCause {
  return status === 502 || status === 503 ? `${status}` : "504";
}

function causeOfError(error: Error): LossCause {
  return "code" in error && error.code === "ECONNREFUSED" ? "refused" : "reset";
}
