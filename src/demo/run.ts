import { createEngine } from "../app/engine.ts";
import { createAwsClients } from "../aws/clients.ts";
import { readConfig } from "../config/config.ts";
import { ScaledClock } from "../simulator/clock.ts";
import { CREDENTIALS, openDemoCluster } from "./cluster.ts";
import type { Moment, Strategy } from "./strategies.ts";
import { LOSS_CAUSES, type Loss, type LossCause, Traffic } from "./traffic.ts";

/** Simulated seconds in each real second. */
export const SPEED = 20;
/** Real milliseconds between two requests to each destination: with five of them, 300 requests a second. */
const INTERVAL_REAL_MS = 16;
/** The number of requests that the clients intend to send in a real second, to all destinations together. */
export const MEANT_PER_SECOND = 300;
/** Simulated milliseconds. */
const BEFORE_MS = 15_000;
const TIMEOUT_MS = 30_000;
const CONNECTION_LIFETIME_MS = 20_000;
/** About as many as wait for a node that is gone, and few enough for a busy machine. */
const WAITING_MAX = 8;

export interface DemoRun {
  readonly strategy: Strategy;
  readonly sent: number;
  readonly sentPerRealSecond: number;
  readonly losses: readonly Loss[];
  readonly lostBy: Readonly<Record<LossCause, number>>;
  /** Simulated seconds in which at least one request was lost. */
  readonly disruptionSeconds: number;
  /** Simulated, from the first request to the last. */
  readonly durationSeconds: number;
  /** Simulated milliseconds since the epoch. */
  readonly startedAt: number;
  readonly moments: readonly { readonly moment: Moment; readonly at: number }[];
}

/** Removes one node of a new cluster by `strategy`, under traffic. Engine, simulator and clients share one clock. */
export async function runStrategy(strategy: Strategy, signal: AbortSignal): Promise<DemoRun> {
  const clock = new ScaledClock(SPEED);
  const cluster = await openDemoCluster(clock);
  const aws = { endpoint: cluster.url, credentials: CREDENTIALS };
  const region = cluster.world.region;
  const config = readConfig({ verb: "drain", environment: { AWS_REGION: region } });
  const moments: { moment: Moment; at: number }[] = [];
  const startedAt = clock.now();
  const traffic = new Traffic({
    destinations: cluster.destinations,
    clock,
    intervalMs: INTERVAL_REAL_MS * SPEED,
    timeoutMs: TIMEOUT_MS,
    waitingMax: WAITING_MAX,
    connectionLifetimeMs: CONNECTION_LIFETIME_MS,
  });
  try {
    await clock.sleep(BEFORE_MS, signal);
    await strategy.run({
      nodeId: cluster.nodeId,
      clock,
      signal,
      clients: createAwsClients({ region, ...aws }),
      drainer: createEngine(config, { clock, aws }).drainer,
      mark: (moment) => moments.push({ moment, at: clock.now() }),
    });
    await clock.sleep(strategy.aftermathMs, signal);
    const durationMs = clock.now() - startedAt;
    const { sent, losses } = await traffic.stop();
    return {
      strategy,
      sent,
      sentPerRealSecond: sent / (durationMs / SPEED / 1_000),
      losses,
      lostBy: countByCause(losses),
      disruptionSeconds: new Set(losses.map(({ at }) => Math.floor(at / 1_000))).size,
      durationSeconds: durationMs / 1_000,
      startedAt,
      moments,
    };
  } finally {
    await traffic.stop();
    await cluster.close();
  }
}

function countByCause(losses: readonly Loss[]): Readonly<Record<LossCause, number>> {
  const counts = Object.fromEntries(LOSS_CAUSES.map((cause) => [cause, 0])) as Record<LossCause, number>;
  for (const { cause } of losses) counts[cause] += 1;
  return counts;
}
