import { Agent, get } from "node:http";
import type { Clock } from "../drain/clock.ts";

/** How a client loses a request. */
export const LOSS_CAUSES = ["refused", "reset", "timeout", "502", "503", "504"] as const;
export type LossCause = (typeof LOSS_CAUSES)[number];

export interface Loss {
  /** When the request was sent, in milliseconds since the epoch, by the traffic's clock. */
  readonly at: number;
  /** When its connection was opened. */
  readonly openedAt: number;
  /** When it was given up, or failed. */
  readonly lostAt: number;
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
  /** After this time a client continues with its next request, in milliseconds of the clock. */
  readonly timeoutMs: number;
  /** Requests to a destination that clients wait for. While there are so many, they send no more to it. */
  readonly waitingMax: number;
  /** How long a reused connection is kept, in milliseconds of the clock. */
  readonly connectionLifetimeMs: number;
}

export interface TrafficResult {
  readonly sent: number;
  readonly losses: readonly Loss[];
}

/** Connections that are kept, for each destination. */
const KEPT_CONNECTIONS = 4;

interface ReusedConnection {
  agent: Agent;
  openedAt: number;
  busy: boolean;
}

/**
 * Clients that send a request to every destination again and again, by turns over a new connection and over one that
 * is kept, and count what they lose. A request is answered well when its answer is a 200, however late that comes, so
 * that a busy machine does not look like a node that is gone.
 */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #reused = new Map<Destination, ReusedConnection[]>();
  readonly #waiting = new Map<Destination, number>();
  readonly #stop = new AbortController();
  /** Each request, and what gives it up. */
  readonly #underWay = new Map<Promise<void>, AbortController>();
  readonly #losses: Loss[] = [];
  readonly #sending: Promise<void>;
  #sent = 0;

  /** Begins at once. */
  constructor(options: TrafficOptions) {
    this.#options = options;
    for (const destination of options.destinations) this.#reused.set(destination, []);
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
    await this.#lastAnswers();
    for (const { agent } of [...this.#reused.values()].flat()) agent.destroy();
    return { sent: this.#sent, losses: this.#losses };
  }

  /** As long as any answer comes there may be more. When none has come for the timeout, the rest is lost. */
  async #lastAnswers(): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    const allAnswered = new AbortController();
    const ended = Promise.all(this.#underWay.keys()).then(() => allAnswered.abort());
    for (let before = Number.POSITIVE_INFINITY; this.#underWay.size < before; ) {
      before = this.#underWay.size;
      if (before > 0) await clock.sleep(timeoutMs, allAnswered.signal).catch(() => {});
    }
    for (const givenUp of this.#underWay.values()) givenUp.abort();
    await ended;
  }

  async #sendSteadily(): Promise<void> {
    const { clock, intervalMs, destinations, waitingMax } = this.#options;
    let due = clock.now();
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      for (const destination of destinations) {
        const isFree = this.#waitingFor(destination) < waitingMax;
        if (isFree) this.#send(destination, turn % 2 === 0 ? "new" : "reused");
      }
      // What came too late is not made up for: that would be a burst.
      due = Math.max(due + intervalMs, clock.now());
      await clock.sleep(due - clock.now(), this.#stop.signal).catch(() => {});
    }
  }

  #send(destination: Destination, over: "new" | "reused"): void {
    const at = this.#options.clock.now();
    const reused = over === "reused" ? this.#reusedConnection(destination, at) : undefined;
    this.#sent += 1;
    const [waited, givenUp] = [this.#wait(destination), new AbortController()];
    const ended = request(destination.url, reused?.agent ?? new Agent(), givenUp.signal).then(({ cause, isReused }) => {
      const openedAt = isReused ? (reused?.openedAt ?? at) : at;
      const lostAt = this.#options.clock.now();
      if (cause !== undefined) this.#losses.push({ at, openedAt, lostAt, to: destination.name, cause });
      if (reused !== undefined) reused.busy = false;
      waited.abort();
      this.#underWay.delete(ended);
    });
    this.#underWay.set(ended, givenUp);
  }

  /** Counts a client as waiting, until its time is over or what it returns is aborted. */
  #wait(destination: Destination): AbortController {
    const { clock, timeoutMs } = this.#options;
    const answered = new AbortController();
    this.#waiting.set(destination, this.#waitingFor(destination) + 1);
    clock
      .sleep(timeoutMs, answered.signal)
      .catch(() => {})
      .finally(() => this.#waiting.set(destination, this.#waitingFor(destination) - 1));
    return answered;
  }

  #waitingFor(destination: Destination): number {
    return this.#waiting.get(destination) ?? 0;
  }

  #reusedConnection(destination: Destination, now: number): ReusedConnection {
    const connections = this.#reused.get(destination) ?? [];
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
}

interface Ended {
  /** How the request was lost; undefined when it was answered. */
  readonly cause: LossCause | undefined;
  /** It was not its connection's first. */
  readonly isReused: boolean;
}

/** Never rejects. Lost by a timeout when `givenUp` aborts. */
function request(url: string, agent: Agent, givenUp: AbortSignal): Promise<Ended> {
  return new Promise((resolve) => {
    const end = (cause: LossCause | undefined) => resolve({ cause, isReused: sent.reusedSocket });
    const onError = (error: Error) => end(givenUp.aborted ? "timeout" : causeOfError(error));
    const sent = get(url, { agent, signal: givenUp }, (response) => {
      response.resume();
      response.once("end", () => end(response.statusCode === 200 ? undefined : causeOfStatus(response.statusCode)));
      response.once("error", onError);
    });
    sent.once("error", onError);
  });
}

/** Statuses that a load balancer makes up itself. Ours answers nothing else but 200. */
function causeOfStatus(status: number | undefined): LossCause {
  return status === 502 || status === 503 ? `${status}` : "504";
}

function causeOfError(error: Error): LossCause {
  return "code" in error && error.code === "ECONNREFUSED" ? "refused" : "reset";
}
