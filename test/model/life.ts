import { pump } from "../../src/app/pump.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";
import type { CloudProvider } from "../../src/drain/cloud-provider.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import type { Delivery, EventSource } from "../../src/drain/event-source.ts";
import type { DrainObserver } from "../../src/drain/events.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import type { Ledger, LedgerEntry } from "../../src/drain/ledger.ts";
import type { DrainTimes } from "../../src/drain/plan.ts";
import type { VirtualClock } from "../../src/simulator/clock.ts";
import { cutOff } from "../support/cut-off-ledger.ts";

export interface LifeOptions {
  readonly number: number;
  readonly worldClock: VirtualClock;
  readonly ledger: Ledger;
  readonly times: DrainTimes;
  readonly guard: GuardOptions | undefined;
  readonly cloud: (life: Life) => CloudProvider;
  readonly observer: DrainObserver;
  /** Hears of each entry that has reached the ledger. */
  readonly onEntry: (entry: LedgerEntry) => void;
  readonly onUnsettled: (error: unknown) => void;
}

/** One process: a drainer, the pump that feeds it, and what it shares with the next one. */
export class Life {
  readonly number: number;
  readonly drainer: Drainer;
  readonly #options: LifeOptions;
  readonly #source = new Requests();
  readonly #stop = newAbort();
  readonly #abandon = newAbort();
  readonly #dead = newAbort();
  #running: Promise<unknown> = Promise.resolve();
  #isOver = false;
  #sleeping = 0;

  constructor(options: LifeOptions) {
    this.number = options.number;
    this.#options = options;
    const { times, guard, ledger, onEntry, observer } = options;
    this.drainer = new Drainer({
      clock: this.clock,
      times,
      ...(guard && { guard }),
      cloud: options.cloud(this),
      ledger: cutOff(ledger, this.dead, onEntry),
      observers: [(event) => this.dead.aborted || observer(event)],
    });
  }

  get dead(): AbortSignal {
    return this.#dead.signal;
  }

  get abandoned(): AbortSignal {
    return this.#abandon.signal;
  }

  /** It has ended by itself after a stop. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** How many waits for time this process has under way. */
  get sleeping(): number {
    return this.#sleeping;
  }

  /** The world's time, until the process dies. */
  get clock(): Clock {
    const { worldClock } = this.#options;
    const sleep = (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        this.#sleeping += 1;
        const ended = (settle: () => void) => {
          this.#sleeping -= 1;
          if (!this.dead.aborted) settle();
        };
        worldClock.sleep(ms, signal).then(
          () => ended(resolve),
          (error: unknown) => ended(() => reject(error)),
        );
      });
    return { now: () => worldClock.now(), sleep, turn: () => worldClock.turn() };
  }

  /** Takes up what is left, and takes requests. */
  async begin(): Promise<void> {
    const { ledger, onUnsettled } = this.#options;
    const left = (await ledger.unfinished(this.dead)).map(drainRecord).filter((record) => record !== undefined);
    const resumed = left.map((record) => this.drainer.resume(record, this.abandoned));
    const pumping = pump(this.#source, this.drainer, {
      stop: this.#stop.signal,
      abandon: this.abandoned,
      onSettled: () => {},
      onUnsettled: (_, error) => onUnsettled(error),
    });
    // As the service does it: an undo that is interrupted rejects.
    this.#running = pumping
      .then(() => Promise.allSettled(resumed))
      .then(() => {
        this.#isOver = true;
      }, onUnsettled);
  }

  ask(delivery: Delivery): void {
    this.#source.add(delivery);
  }

  /** As SIGTERM does it: ends when every delivery is settled. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#abandon.abort();
    this.#source.end();
    await this.#running;
  }

  /** From now on nothing that it does reaches the cloud or the ledger, and nothing reaches it. */
  die(): void {
    this.#dead.abort();
  }
}

/** Requests as they come. */
class Requests implements EventSource {
  readonly #queue: Delivery[] = [];
  #isEnded = false;
  #wake: () => void = () => {};

  add(delivery: Delivery): void {
    this.#queue.push(delivery);
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *deliveries(): AsyncGenerator<Delivery> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else if (this.#isEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
