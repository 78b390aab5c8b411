import { newAbort } from "../../src/drain/abort.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { CallLog, type Change, type MadeChanges } from "./call-log.ts";
import { Cancels } from "./cancels.ts";
import { type Asked, Deliveries } from "./deliveries.ts";
import { Drains } from "./drains.ts";
import { Faults } from "./faults.ts";
import { Life } from "./life.ts";
import { ModelCloud } from "./model-cloud.ts";
import { ShownHealths } from "./shown-health.ts";
import { Told } from "./told.ts";
import { Wire } from "./wire.ts";
import { World, type WorldSpec } from "./world.ts";

export const TIMES = { deadlineMarginMs: 10_000 };

/** What an event said, when, and which process said it. */
export interface HeardEvent {
  readonly event: DrainEvent;
  readonly at: number;
  readonly life: number;
}

/** Told of what happens, at the moment when it happens. Throws what is wrong with it. */
export interface Watcher {
  readonly onEvent?: (model: ModelCase, heard: HeardEvent) => void;
  /** A process calls. */
  readonly onChanges?: (model: ModelCase, call: MadeChanges) => void;
  /** The cloud ends a registration on a process's word. */
  readonly onDeregister?: (model: ModelCase, change: Change, at: number) => void;
}

/** A world, the processes that live in it one after the other, and everything that was seen of them. */
export class ModelCase {
  readonly clock = new VirtualClock(undefined, 1);
  readonly world: World;
  readonly spec: WorldSpec;
  readonly faults: Faults;
  readonly told: Told;
  readonly healths = new ShownHealths();
  readonly drains = new Drains();
  readonly cancels = new Cancels();
  readonly ledger = new MemoryLedger({ endedMax: 1_000, weightMax: 1_000_000 });
  readonly entries: LedgerEntry[] = [];
  readonly events: HeardEvent[] = [];
  readonly calls: CallLog;
  readonly deliveries: Deliveries;
  readonly leaving = new Map<Asked, AbortController>();
  /** What was wrong at the moment when it happened. */
  readonly wrong: unknown[] = [];
  life: Life;
  readonly #watchers: readonly Watcher[];
  #latency = 0;

  constructor(spec: WorldSpec, watchers: readonly Watcher[]) {
    this.spec = spec;
    this.world = new World(spec);
    this.faults = new Faults(this.world);
    this.told = new Told(this.world);
    this.deliveries = new Deliveries(() => this.clock.now());
    this.calls = new CallLog({
      onChanges: (call) => {
        for (const { onChanges } of watchers) this.#noting(() => onChanges?.(this, call));
        const { method, changes, life, at } = call;
        if (method === "deregister") for (const change of changes) this.drains.asks(change, life, at);
      },
      onDeregistered: (change, at) => {
        for (const { onDeregister } of watchers) this.#noting(() => onDeregister?.(this, change, at));
      },
    });
    this.#watchers = watchers;
    this.life = this.#newLife(1);
  }

  async begin(): Promise<void> {
    await this.life.begin();
    await this.clock.advance(0);
  }

  /** Asks the process that lives. `isOwn`: not by its pump, but with a signal of its own, as the command line does. */
  ask(request: DrainRequest, node: string, isOwn: boolean): void {
    const { asked, delivery } = this.deliveries.add(request, { node, life: this.life.number });
    if (!isOwn) {
      this.life.ask(delivery);
      return;
    }
    const own = newAbort();
    this.leaving.set(asked, own);
    const { dead } = this.life;
    this.life.drainer.drain(request, own.signal).then(
      (outcome) => dead.aborted || void delivery.settle(outcome),
      (error: unknown) => void this.wrong.push(error),
    );
  }

  /** Asks the process that lives. The drain may be unknown. */
  cancel(drain: string): void {
    const { life, clock } = this;
    const { answers } = this.cancels.add(drain, { askedAt: clock.now(), life: life.number });
    life.drainer.cancel(drain, undefined, life.abandoned).then(
      (outcome) => life.dead.aborted || void answers.push({ at: clock.now(), outcome }),
      (error: unknown) => life.dead.aborted || void answers.push({ at: clock.now(), error }),
    );
  }

  /** The process dies, and the next one comes after a while. */
  async crash(gapMs: number): Promise<void> {
    this.life.die();
    this.deliveries.died(this.life.number);
    this.cancels.died(this.life.number);
    this.leaving.clear();
    await this.#next(gapMs);
  }

  /** The process is told to stop, and the next one comes after a while. */
  async stop(gapMs: number): Promise<void> {
    for (const own of this.leaving.values()) own.abort();
    const stoppingAt = this.clock.now();
    await this.clock.run(this.life.stop());
    await this.clock.advance(0);
    if (this.clock.now() !== stoppingAt) this.wrong.push(new Error("a stop has waited for time"));
    await this.#next(gapMs);
  }

  async #next(gapMs: number): Promise<void> {
    this.drains.died();
    await this.clock.advance(gapMs);
    this.life = this.#newLife(this.life.number + 1);
    await this.begin();
  }

  #newLife(number: number): Life {
    const watchers = this.#watchers;
    return new Life({
      number,
      worldClock: this.clock,
      ledger: this.ledger,
      times: TIMES,
      guard: this.spec.guard,
      cloud: ({ clock, dead }) => {
        const wire = new Wire({
          ...this,
          clock,
          worldClock: this.clock,
          dead,
          nextLatencyMs: () => this.#nextLatency(),
        });
        return new ModelCloud({ ...this, clock, wire, life: number });
      },
      observer: (event) => {
        const heard = { event, at: this.clock.now(), life: number };
        this.events.push(heard);
        this.drains.heard(event, heard.at, number);
        for (const { onEvent } of watchers) this.#noting(() => onEvent?.(this, heard));
      },
      onEntry: (entry) => {
        this.entries.push(entry);
        this.drains.entered(entry);
      },
      onUnsettled: (error) => this.wrong.push(error),
    });
  }

  /** An observer's exceptions are swallowed by the product. */
  #noting(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.wrong.push(error);
    }
  }

  #nextLatency(): number {
    const { latenciesMs } = this.spec;
    this.#latency += 1;
    return latenciesMs[this.#latency % Math.max(1, latenciesMs.length)] ?? 0;
  }
}
