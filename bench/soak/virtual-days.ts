import { getEventListeners } from "node:events";
import { createEngine, type Engine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { Ledger } from "../../src/drain/ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import type { VirtualClock } from "../../src/simulator/clock.ts";
import type { Fault } from "../../src/simulator/faults/fault.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { WallTime } from "../clock.ts";
import { requestHandler, Service } from "../service.ts";
import { Wire } from "../wire.ts";
import { Fleet, REGION } from "./fleet.ts";
import { processValues } from "./process-values.mjs";
import { Random } from "./random.ts";
import type { Part } from "./report.ts";
import type { Sample } from "./sample.ts";
import { virtualDisk } from "./virtual-disk.ts";

export interface DaysOptions {
  readonly clock: VirtualClock;
  readonly rounds: number;
  /** How long a round is. */
  readonly roundMs?: number;
  readonly seed: number;
  /** A directory for the ledger. Absent: it is kept in memory. */
  readonly folder?: string;
  readonly onSample?: (sample: Sample) => void;
}

const HOUR_MS = 3_600_000;
const ROUND_MS = 2 * HOUR_MS;
/** At the end of each round no drain begins, so that the last ones can end. */
const QUIET_MS = 900_000;
const NODES = 24;
const RECONCILE_MS = 30_000;
const POOL_LIFE_MS = 1_500_000;
/** As the service's own way to AWS gives up. */
const ANSWER_WITHIN_MS = 10_000;
const ATTEMPTS = 3;
/** So few that two days are enough to reach the bound: from then on as many are forgotten as come. */
const ENDED_MAX = 500;

/** Each strikes one call in so many, at random. */
const FAULTS: readonly (readonly [probability: number, effect: Fault["effect"]])[] = [
  [0.01, { type: "error", code: "InternalFailure", status: 500 }],
  [0.005, { type: "error", code: "Throttling", status: 400 }],
  [0.005, { type: "reset" }],
  [0.005, { type: "refused" }],
  [0.003, { type: "empty" }],
  [0.003, { type: "malformed" }],
  [0.002, { type: "hang" }],
  [0.01, { type: "latency", ms: 3_000 }],
];

/** The whole engine through days of virtual time: nodes and pools come and go, AWS fails, and what is left is counted. */
export async function virtualDays(options: DaysOptions): Promise<Part> {
  const { clock, rounds, roundMs = ROUND_MS, folder } = options;
  // At its first call the SDK reads files, for which virtual time does not wait.
  await Service.rehearsed();
  const wall = new WallTime(24 * 3_600);
  wall.begin();
  const kept = await openKept(options);
  const days = new Days(options, kept.ledger);
  const samples: Sample[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      await clock.run(days.round(roundMs));
      const sample = { atSeconds: clock.elapsedMs / 1_000, values: { ...processValues(), ...days.values() } };
      samples.push(sample);
      options.onSample?.(sample);
    }
    await clock.run(days.end());
  } finally {
    await kept.close();
  }
  const realSeconds = wall.seconds;
  wall.stop();
  const left = clock.sleeping;
  return {
    name: `virtual days, ledger ${folder === undefined ? "in memory" : "in a file"}`,
    lasted: `${(clock.elapsedMs / HOUR_MS).toFixed(1)} h of virtual time`,
    realSeconds,
    done: days.done,
    faults: [...days.faults, ...(left > 0 ? [`${left} wait for time though everything has ended`] : [])],
    samples,
  };
}

async function openKept({ clock, folder }: DaysOptions): Promise<{ ledger: Ledger; close(): Promise<void> }> {
  if (folder === undefined) return { ledger: new MemoryLedger({ endedMax: ENDED_MAX }), close: async () => {} };
  const bounds = { endedMax: ENDED_MAX };
  return openLedger(folder, { clock, files: virtualDisk(clock), bounds });
}

class Days {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #fleet: Fleet;
  readonly #simulator: Simulator;
  readonly #engine: Engine;
  /** One signal for all drains, as the service has it: what they leave on it stays. */
  readonly #stop = newAbort();
  readonly #background: readonly Promise<void>[];
  readonly #counts = new Map<string, number>();
  readonly #faults: string[] = [];
  #calls = 0;

  constructor({ clock, seed }: DaysOptions, ledger: Ledger) {
    this.#clock = clock;
    this.#random = new Random(seed);
    this.#fleet = new Fleet({ clock, nodes: NODES, delaySeconds: 60 });
    this.#simulator = new Simulator(this.#fleet.world);
    this.#simulator.limit(AWS_QUOTAS);
    for (const [index, [probability, effect]] of FAULTS.entries())
      this.#simulator.faults.add({ when: { probability, seed: seed + index }, effect });
    const environment = { SECRET: "soak", CLOUDPROVIDER: "aws", AWS_REGION: REGION, INDEX_RATE: "0.1" };
    const wire = new Wire(clock, (body, signal) => this.#answered(body, signal));
    this.#engine = createEngine(readConfig({ verb: "serve", environment }), {
      clock,
      ledger,
      aws: {
        credentials: { accessKeyId: "simulated", secretAccessKey: "simulated" },
        requestHandler: requestHandler(wire, this.#stop.signal),
      },
    });
    this.#background = [
      this.#engine.maintainIndex(this.#stop.signal),
      this.#every(RECONCILE_MS, () => this.#fleet.reconcile()),
      this.#every(POOL_LIFE_MS, () => this.#fleet.replaceOldestPool()),
    ];
  }

  get done(): Readonly<Record<string, number>> {
    return { ...Object.fromEntries([...this.#counts].sort()), "calls to AWS": this.#calls };
  }

  get faults(): readonly string[] {
    return this.#faults;
  }

  values(): Record<string, number> {
    return {
      sleepers: this.#clock.sleeping,
      listeners: getEventListeners(this.#stop.signal, "abort").length,
    };
  }

  /** Resolves when no drain is under way. */
  async round(roundMs: number): Promise<void> {
    const until = this.#clock.now() + roundMs;
    const busyUntil = until - QUIET_MS;
    const underWay: Promise<void>[] = [];
    while (this.#clock.now() < busyUntil) {
      // Now and then many at once.
      const count = this.#random.isTrue(0.02) ? 8 : 1;
      for (const node of this.#fleet.members.slice(0, count)) underWay.push(this.#retire(node));
      await this.#sleep(this.#random.between(5_000, 105_000));
    }
    await Promise.all(underWay);
    await this.#sleep(until - this.#clock.now());
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#background);
  }

  /** Somebody wants the node gone: asks until it is drained, or loses patience. Another one takes its place. */
  async #retire(node: Instance): Promise<void> {
    const fleet = this.#fleet;
    fleet.leaves(node);
    fleet.grow();
    // Who forgets it for a minute sees controllers put the node back.
    const forgets = this.#random.isTrue(0.2);
    const excluded = forgets ? this.#sleep(60_000).then(() => fleet.exclude(node)) : fleet.exclude(node);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const [status] = await Promise.all(this.#requests().map((more) => this.#ask(node, more)));
      if (status === "drained") this.#judge(node, forgets);
      if (status === "drained" || status === "nothing-registered") break;
      await this.#sleep(30_000);
    }
    await excluded;
    fleet.terminate(node);
  }

  /** Most ask once, and wait as long as it takes. */
  #requests(): readonly { readonly timeoutMs?: number; readonly dryRun: boolean }[] {
    const first = this.#random.isTrue(0.05) ? { dryRun: false, timeoutMs: 40_000 } : { dryRun: false };
    if (this.#random.isTrue(0.1)) return [first, { dryRun: false }, { dryRun: false, timeoutMs: 20_000 }];
    return this.#random.isTrue(0.05) ? [first, { dryRun: true }] : [first];
  }

  async #ask(node: Instance, more: { readonly timeoutMs?: number; readonly dryRun: boolean }): Promise<string> {
    const by = this.#random.isTrue(0.7)
      ? ({ by: "id", value: node.id } as const)
      : ({ by: "ip", value: node.privateIp } as const);
    if (this.#random.isTrue(0.1)) void this.#engine.drainer.status(by, this.#stop.signal).catch(() => {}); // It may fail.
    const { status } = await this.#engine.drainer.drain({ node: by, ...more }, this.#stop.signal);
    this.#count(status);
    return status;
  }

  /** Where a controller puts a node back into a pool that has let go of it, while others still hold it, nobody looks. */
  #judge(node: Instance, isPutBack: boolean): void {
    const where = this.#fleet.registeredIn(node).join(", ");
    if (where === "") return;
    if (isPutBack) this.#count("drained, but put back unnoticed");
    else this.#faults.push(`${node.id} was said to be drained while AWS had it in ${where}`);
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  async #answered(body: string, signal: AbortSignal) {
    this.#calls += 1;
    const over = newAbort();
    const tooLate = this.#clock.sleep(ANSWER_WITHIN_MS, over.signal).then(() => {
      throw Object.assign(new Error("the request has timed out"), { name: "TimeoutError" });
    });
    tooLate.catch(() => {}); // The answer came first.
    try {
      return await Promise.race([this.#simulator.call({ body }, AbortSignal.any([signal, over.signal])), tooLate]);
    } finally {
      over.abort();
    }
  }

  async #every(intervalMs: number, work: () => void): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#sleep(intervalMs);
      if (!this.#stop.signal.aborted) work();
    }
  }

  /** Ends early when everything does. */
  #sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#stop.signal).catch(() => {});
  }
}
