import { type AwsClientOptions, createAwsClients } from "./aws/clients.ts";
import { type Config, drainTimes } from "./config.ts";
import { type Clock, SystemClock } from "./drain/clock.ts";
import { Drainer } from "./drain/drainer.ts";
import type { DrainObserver } from "./drain/events.ts";
import { AwsProvider } from "./providers/aws/aws-provider.ts";

export interface EngineOptions {
  readonly clock?: Clock;
  readonly observers?: readonly DrainObserver[];
  /** Where AWS is and how to reach it, when it is not AWS itself: a simulator. */
  readonly aws?: Omit<AwsClientOptions, "region">;
}

/** The drainer that a configuration describes: what the service and the command line share. */
export function createEngine(config: Config, options: EngineOptions = {}): Drainer {
  const { region, clusterName, vpcId, discovery, policyScope, givenBy } = config;
  const clients = createAwsClients({ ...options.aws, ...(region === undefined ? {} : { region }) });
  return new Drainer({
    cloud: new AwsProvider(clients, {
      discovery,
      names: givenBy,
      ...(clusterName === undefined ? {} : { clusterName }),
      ...(vpcId === undefined ? {} : { vpcId }),
      ...(policyScope === "tag" && clusterName !== undefined ? { writableCluster: clusterName } : {}),
    }),
    clock: options.clock ?? new SystemClock(),
    times: drainTimes(config),
    ...(options.observers === undefined ? {} : { observers: options.observers }),
  });
}
