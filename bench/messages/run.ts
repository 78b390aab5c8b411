import { type Clock, ScaledClock } from "../../src/simulator/clock.ts";
import { nodeId } from "../region.ts";
import type { AskQueue, AskRegion } from "./asks.ts";
import { spotInterruption, type WaitingAction } from "./bodies.ts";
import { Consumer } from "./consumer.ts";
import { faultsOf } from "./faults.ts";
import { Forked } from "./forked.ts";
import { type Mix, type MixedNode, messagesOf } from "./mix.ts";
import { type Outcomes, outcomesOf } from "./outcomes.ts";
import type { RegionReport } from "./region.ts";

/** What one consumer did with one mix. */
export interface Run {
  readonly seconds: number;
  /** The consumer's own time on the processors meanwhile. */
  readonly cpuSeconds: number;
  /** Resident memory before the mix came, and the most of it until it was done with. */
  readonly beforeMiB: number;
  readonly peakMiB: number;
}

export interface ServiceRun extends Run {
  /** From the moment when the mix was there to each registered node's first deregistration, the earliest first. */
  readonly deregisterMs: readonly number[];
  /** The same for messages that came alone, each when the one before was done with. */
  readonly aloneMs: readonly number[];
  /** Requests that joined a drain that ran. */
  readonly joined: number;
}

const ALONE = 5;
const LOOK_EVERY_MS = 20;
/** Nothing here takes so long. */
const GIVE_UP_MS = 300_000;

/** A queue, a region, and the process between them, all for one run. */
class Scene {
  readonly mix: Mix;
  readonly queue = new Forked<AskQueue>("queue-process");
  readonly region = new Forked<AskRegion>("region-process");
  readonly clock: Clock = new ScaledClock(1);
  readonly #giveUp = AbortSignal.timeout(GIVE_UP_MS);
  #consumer: Consumer | undefined;
  #waiting: readonly WaitingAction[] = [];

  constructor(mix: Mix) {
    this.mix = mix;
  }

  /** The nodes that are asked for alone come on top of the mix. */
  get #alone(): readonly MixedNode[] {
    return Array.from({ length: ALONE }, (_, index) => {
      return { id: nodeId(this.mix.nodes.length + index), departs: "spot", isRegistered: true };
    });
  }

  get consumer(): Consumer {
    if (this.#consumer === undefined) throw new Error("it is not open");
    return this.#consumer;
  }

  async open(start: (endpoints: { readonly queue: string; readonly region: string }) => Promise<Consumer>) {
    const { url: queue } = await this.queue.ask("open", {});
    const { url: region, waiting } = await this.region.ask("build", { nodes: [...this.mix.nodes, ...this.#alone] });
    this.#waiting = waiting;
    this.#consumer = await start({ queue, region });
  }

  /** Resolves when each of them is done with. Answers when each had come. */
  async alone(): Promise<ReadonlyMap<string, number>> {
    const came = new Map<string, number>();
    for (const { id } of this.#alone) {
      const { at } = await this.queue.ask("fill", { messages: [spotInterruption(id, this.clock.now())] });
      came.set(id, at);
      await this.#within(this.queue.ask("deleted", { count: came.size }));
    }
    return came;
  }

  /** The whole mix, there at once. Resolves when so many of it have been deleted. */
  async mixed(count: number): Promise<Run & { readonly cameAt: number }> {
    const { nowMiB: beforeMiB } = this.consumer.memory;
    this.consumer.pause();
    // Made only now: the two minutes of a spot warning count from then.
    await this.queue.ask("fill", { messages: messagesOf(this.mix, this.#waiting, this.clock.now()) });
    const cameAt = this.clock.now();
    const { cpuSeconds: cpuBefore } = this.consumer;
    this.consumer.resume();
    const { at } = await this.#within(this.queue.ask("deleted", { count: ALONE + count }));
    const cpuSeconds = this.consumer.cpuSeconds - cpuBefore;
    return { seconds: (at - cameAt) / 1_000, cpuSeconds, beforeMiB, peakMiB: this.consumer.memory.peakMiB, cameAt };
  }

  /** Resolves when `isSo`. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await this.clock.sleep(LOOK_EVERY_MS, this.#giveUp);
  }

  async close(): Promise<void> {
    await Promise.all([this.#consumer?.kill(), this.queue.close(), this.region.close()]);
  }

  async #within<T>(work: Promise<T>): Promise<T> {
    const late = new Promise<never>((_, reject) => {
      this.#giveUp.addEventListener("abort", () => reject(new Error(`not done with after ${GIVE_UP_MS / 1_000} s`)));
    });
    return await Promise.race([work, late]);
  }
}

/** Throws where anything was lost or done twice. */
export async function serviceRun(mix: Mix, messages: number): Promise<ServiceRun> {
  const scene = new Scene(mix);
  try {
    await scene.open((endpoints) => Consumer.service(endpoints));
    // Where nodes are registered is known then, as in a service that has run for a while.
    await scene.until(async () => (await scene.region.ask("report", {})).isRead);
    const cameAlone = await scene.alone();
    const { cameAt, ...run } = await scene.mixed(messages - mix.malformed);
    // The last lines may still be on their way.
    let outcomes: Outcomes = outcomesOf([]);
    await scene.until(async () => {
      outcomes = outcomesOf(scene.consumer.lines);
      return mix.nodes.every(({ id }) => outcomes.byNode.has(id));
    });
    const report = await scene.region.ask("report", {});
    const { messages: left } = await scene.queue.ask("depth", {});
    const faults = faultsOf({ mix, outcomes, report, left });
    if (faults.length > 0) throw new Error([...faults.slice(0, 5), `${faults.length} faults`].join("\n"));
    const registered = mix.nodes.filter(({ isRegistered }) => isRegistered).map(({ id }) => id);
    return {
      ...run,
      deregisterMs: waits(registered, report, () => cameAt),
      aloneMs: waits([...cameAlone.keys()], report, (id) => cameAlone.get(id) ?? Number.NaN),
      joined: mix.asking + ALONE - outcomes.ends,
    };
  } finally {
    await scene.close();
  }
}

export async function bareRun(mix: Mix, messages: number): Promise<Run> {
  const scene = new Scene(mix);
  try {
    await scene.open((endpoints) => Consumer.bareLoop(endpoints));
    await scene.alone();
    const { cameAt: _, ...run } = await scene.mixed(messages);
    const { messages: left } = await scene.queue.ask("depth", {});
    if (left > 0) throw new Error(`the bare loop has left ${left} messages`);
    return run;
  } finally {
    await scene.close();
  }
}

function waits(ids: readonly string[], { deregisteredAt }: RegionReport, cameAt: (id: string) => number) {
  return ids.map((id) => (deregisteredAt[id] ?? Number.NaN) - cameAt(id)).sort((a, b) => a - b);
}
