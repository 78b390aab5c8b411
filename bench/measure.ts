import { setMaxListeners } from "node:events";
import { VirtualClock } from "../src/simulator/clock.ts";
import type { Client, Scene } from "./client.ts";
import { ProcessorTime } from "./clock.ts";
import { Departures } from "./departures.ts";
import { Ideal } from "./ideal.ts";
import { MemoryWatch } from "./memory.ts";
import { OneAtATime } from "./peers/one-at-a-time.ts";
import { Original } from "./peers/original.ts";
import { RemoteSimulator } from "./process/remote-simulator.ts";
import { type BenchRegion, buildRegion, nodeId } from "./region.ts";
import { runRival } from "./rival.ts";
import type { BenchScenario } from "./scenarios.ts";
import { sealed } from "./sealed.ts";
import { Service } from "./service.ts";
import { Tally } from "./tally.ts";
import { type Answer, Wire } from "./wire.ts";

export type ClientName = "hasta-la-vista" | "ideal" | "one-at-a-time" | "original";

/** What one client did in one scenario. */
export interface Measured {
  readonly drainCalls: number;
  readonly scanCalls: number;
  readonly indexCallsPerMinute: number;
  readonly callsByAction: Readonly<Record<string, number>>;
  readonly throttledAnswers: number;
  readonly failedByThrottling: number;
  readonly firstDeregisterSeconds: number | null;
  readonly lastDeregisterSeconds: number | null;
  readonly noticedLateSeconds: number | null;
  readonly serviceMiB: number | null;
  /** Of the process's processor time; a simulator in the same process included. */
  readonly cpuSeconds: number;
  /** What went otherwise than it should, in words. */
  readonly problem: string | null;
}

export interface MeasureOptions {
  readonly client: ClientName;
  readonly isWarm: boolean;
  /** After so much processor time a row is given up. */
  readonly cpuSecondsMax: number;
}

/** Runs one client through one scenario on a virtual clock. */
export async function measure(scenario: BenchScenario, options: MeasureOptions): Promise<Measured> {
  if (options.client === "hasta-la-vista") await Service.rehearsed();
  const clock = new VirtualClock();
  const isRemote = scenario.isIsolated && options.client === "hasta-la-vista";
  const remote = isRemote ? await RemoteSimulator.start(scenario.region, clock) : undefined;
  const region = remote === undefined ? buildRegion(scenario.region, clock) : undefined;
  const answer: Answer = remote
    ? (body) => remote.call(body)
    : (body, signal) => (region as BenchRegion).simulator.call({ body }, signal);
  try {
    return await run({ scenario, options, clock, region, answer });
  } finally {
    await remote?.close();
  }
}

interface Run {
  readonly scenario: BenchScenario;
  readonly options: MeasureOptions;
  readonly clock: VirtualClock;
  /** Absent when it is in another process. */
  readonly region: BenchRegion | undefined;
  readonly answer: Answer;
}

async function run({ scenario, options, clock, region, answer }: Run): Promise<Measured> {
  const processor = new ProcessorTime(options.cpuSecondsMax);
  const departures = new Departures(scenario.region);
  const tally = new Tally(departures);
  const { signal } = processor;
  setMaxListeners(0, signal);
  const wire = new Wire(clock, answer, tally);
  const scene: Scene = { scenario, clock, wire, tally, departures, isWarm: options.isWarm, signal };
  const memory = region === undefined ? new MemoryWatch(clock, (work) => processor.leaveOut(work)) : undefined;
  let problem: string | undefined;
  let startedAt = clock.now();
  try {
    await sealed(clock, async () => {
      const client = clientOf(options.client, scene, region);
      if (options.isWarm) await clock.run(client.warm?.() ?? Promise.resolve());
      tally.restart();
      processor.begin();
      startedAt = clock.now();
      void memory?.run(signal);
      if (scenario.hasRival && region !== undefined) void runRival(region, clock, signal);
      await clock.run(drainAll(client, scene));
    });
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  const cpuSeconds = processor.seconds;
  problem = processor.stop()?.message ?? problem;
  const minutes = (clock.now() - startedAt) / 60_000;
  const { columns } = tally;
  return {
    drainCalls: columns.drain,
    scanCalls: columns.scan,
    indexCallsPerMinute: minutes === 0 ? 0 : rounded(columns.index / minutes),
    callsByAction: tally.byAction,
    throttledAnswers: tally.throttledAnswers,
    failedByThrottling: tally.failedByThrottling,
    firstDeregisterSeconds: seconds(departures.firstMs),
    lastDeregisterSeconds: seconds(departures.lastMs),
    noticedLateSeconds: seconds(departures.noticedLateMs),
    serviceMiB: memory === undefined ? null : Math.round(memory.peakMiB),
    cpuSeconds: rounded(cpuSeconds),
    problem: problemOf(problem, departures),
  };
}

function clientOf(name: ClientName, scene: Scene, region: BenchRegion | undefined): Client {
  switch (name) {
    case "hasta-la-vista":
      return new Service(scene);
    case "ideal":
      if (region === undefined) throw new Error("the ideal must see the region");
      return new Ideal(scene, region);
    case "one-at-a-time":
      return new OneAtATime(scene);
    case "original":
      return new Original(scene);
    default:
      return name satisfies never;
  }
}

/** Asks for the nodes when the scenario does. Resolves when every drain has ended. */
async function drainAll(client: Client, { scenario, departures, clock, signal }: Scene): Promise<void> {
  const nodes = Array.from({ length: scenario.region.nodes }, (_, node) => nodeId(node));
  const waves = scenario.apartSeconds === 0 ? [nodes] : nodes.map((id) => [id]);
  const drains: Promise<void>[] = [];
  for (const [index, wave] of waves.entries()) {
    if (index > 0) await clock.sleep(scenario.apartSeconds * 1_000, signal);
    departures.asked(wave, clock.now());
    drains.push(client.drain(wave));
  }
  await Promise.all(drains);
}

function problemOf(problem: string | undefined, { failures, remaining }: Departures): string | null {
  const failed = [...failures].map(([reason, count]) => `${count} x ${reason}`);
  const stayed = remaining > 0 ? [`${remaining} registrations stayed`] : [];
  const all = [...(problem === undefined ? [] : [problem]), ...failed, ...stayed];
  return all.length === 0 ? null : all.join(", ");
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms) / 1_000;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
