import { type AwsClientOptions, createAwsClients } from "./aws/clients.ts";
import { type Config, drainTimes } from "./config.ts";
import { type Clock, SystemClock } from "./drain/clock.ts";
import { Drainer } from "./drain/drainer.ts";
import type { AccessProblem } from "./drain/errors.ts";
import type { DrainObserver } from "./drain/events.ts";
import { AwsProvider } from "./providers/aws/aws-provider.ts";

export interface EngineOptions {
  readonly clock?: Clock;
  readonly observers?: readonly DrainObserver[];
  /** Where AWS is and how to reach it, when it is not AWS itself: a simulator. */
  readonly aws?: Omit<AwsClientOptions, "region">;
}

export interface Engine {
  readonly drainer: Drainer;
  /** What would keep drains from working now: denied actions, missing credentials and so on. Only reads. */
  checkAccess(signal: AbortSignal): Promise<readonly AccessProblem[]>;
}

/** What a configuration describes: what the service and the command line share. */
export function createEngine(config: Config, options: EngineOptions = {}): Engine {
  const { region, clusterName, vpcId, discovery } = config;
  const clients = createAwsClients({ ...options.aws, ...(region === undefined ? {} : { region }) });
  const cloud = new AwsProvider(clients, {
    discovery,
    ...(clusterName === undefined ? {} : { clusterName }),
    ...(vpcId === undefined ? {} : { vpcId }),
  });
  const drainer = new Drainer({
    cloud,
    clock: options.clock ?? new SystemClock(),
    times: drainTimes(config),
    ...(options.observers === undefined ? {} : { observers: options.observers }),
  });
  return { drainer, checkAccess: (signal) => cloud.checkAccess(signal) };
}
