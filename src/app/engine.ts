import { AwsCaller } from "../aws/aws-caller.ts";
import type { AwsTime } from "../aws/aws-time.ts";
import { type AwsClientOptions, createAwsClients } from "../aws/clients.ts";
import { RequestQuota } from "../aws/request-quota.ts";
import { awsClientOptions, type Config, drainGuard, drainTimes } from "../config/config.ts";
import { type Clock, SystemClock } from "../drain/clock.ts";
import type { CloudProvider } from "../drain/cloud-provider.ts";
import type { CloudState } from "../drain/cloud-state.ts";
import type { Cluster } from "../drain/cluster.ts";
import { Drainer } from "../drain/drainer.ts";
import type { EarlyReleaseFor } from "../drain/early-release.ts";
import { type AccessProblem, DrainError } from "../drain/errors.ts";
import type { CloudCall, DrainObserver } from "../drain/events.ts";
import type { Leadership } from "../drain/leadership.ts";
import type { Ledger } from "../drain/ledger.ts";
import type { NodeReference } from "../drain/request.ts";
import type { AuditPools, PoolAudit } from "../provider/audit.ts";
import { AwsProvider, type AwsProviderOptions } from "../provider/aws-provider.ts";

export interface EngineOptions {
  readonly clock?: Clock;
  readonly observers?: readonly DrainObserver[];
  /** Absent: nothing is written to a ledger. */
  readonly ledger?: Ledger;
  /** Absent: no cluster is configured. */
  readonly cluster?: Cluster | undefined;
  /** Absent: no other process acts on the same nodes. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** The endpoint of AWS and how to reach it, if it is a simulator. */
  readonly aws?: Omit<AwsClientOptions, "region">;
  /** Learns what AWS's clock says. */
  readonly time?: AwsTime;
  /** Called for each failed attempt to find the node of a request that will be retried. */
  readonly onLookupFailed?: (asked: NodeReference, error: DrainError) => void;
  /** Called for each failed read of the index. It is repeated. */
  readonly onIndexFailed?: (error: DrainError, place?: string) => void;
  /** Called for every attempt to call AWS. */
  readonly onCall?: (call: CloudCall) => void;
  /** Absent: holds do not end early. */
  readonly earlyRelease?: EarlyReleaseFor | undefined;
  /** Several accounts and regions as one cloud: see `openEngine`. Absent: there is only one. */
  readonly joined?: (providerAt: ProviderAt) => Cloud;
}

/**
 * Creates the provider of one account and region, from its clients and from what it needs in addition to the
 * configuration.
 */
export type ProviderAt = (
  aws: Omit<AwsClientOptions, "proxy" | "endpoint">,
  options: Pick<AwsProviderOptions, "place" | "machines">,
) => AwsProvider;

/** What the engine needs of a cloud, in addition to what drains need. */
type Cloud = CloudProvider &
  Pick<AwsProvider, "maintainIndex" | "hasAddressGroups" | "checkAccess" | "audit" | "covers" | "states">;

export interface Engine {
  readonly drainer: Drainer;
  /** Finds the machine that a reference means. */
  readonly cloud: Pick<Cloud, "resolve" | "recall" | "covers" | "words">;
  /**
   * Reads pools in the background until `signal` aborts, so that a drain knows where its node is when it begins.
   * Without it, or with INDEX_RATE=0, every drain searches first.
   */
  maintainIndex(signal: AbortSignal): Promise<void>;
  /** Whether target groups with targets by address are known, such as those of pods. */
  hasAddressGroups(): boolean;
  /** The current quotas and indexes, one for each account and region. Makes no call. */
  cloudStates(): readonly CloudState[];
  /** The problems with which drains would not work now, such as denied actions or missing credentials. Only reads. */
  checkAccess(signal: AbortSignal): Promise<readonly AccessProblem[]>;
  /**
   * The settings that decide whether pools lose requests, read by calls of the lowest urgency. Throws `DrainError`.
   */
  audit(auditPools: AuditPools, signal: AbortSignal): Promise<PoolAudit>;
  /** Whether EC2 reports the instance as running, or about to run. Throws `DrainError`. */
  isRunning(instanceId: string, signal: AbortSignal): Promise<boolean>;
}

/** The drainer that a configuration describes. Service and command line share it. */
export function createEngine(config: Config, options: EngineOptions = {}): Engine {
  const { clock = new SystemClock(), observers, ledger, cluster, onLookupFailed, joined } = options;
  if (config.awsPlaces !== undefined && joined === undefined)
    throw new DrainError("internal", "AWS_PLACES needs openEngine");
  const providerAt: ProviderAt = (aws, where) => createProvider(config, { ...options, clock }, aws, where);
  const cloud: Cloud = joined?.(providerAt) ?? providerAt({}, {});
  const guard = drainGuard(config);
  const times = drainTimes(config);
  return {
    drainer: new Drainer({
      cloud,
      clock,
      times,
      ...(guard && { guard }),
      ...(observers && { observers }),
      ...(ledger && { ledger }),
      ...(onLookupFailed && { onLookupFailed }),
      ...(cluster && !config.dryRun && { cluster }),
      evictsAlways: config.evict === "always",
      registersAgain: config.undo,
      ...(options.earlyRelease && { earlyRelease: options.earlyRelease }),
    }),
    cloud,
    maintainIndex: (signal) => cloud.maintainIndex(signal),
    hasAddressGroups: () => cloud.hasAddressGroups,
    cloudStates: () => cloud.states,
    checkAccess: (signal) => cloud.checkAccess(signal),
    audit: (auditPools, signal) =>
      cloud.audit(auditPools, config.region, {
        urgency: () => ({ purpose: "refresh", deadline: Number.POSITIVE_INFINITY }),
        signal,
      }),
    isRunning: async (instanceId, signal) => {
      const by = { urgency: () => ({ purpose: "poll", deadline: Number.POSITIVE_INFINITY }) as const, signal };
      return (await cloud.findRunning([{ id: instanceId }], by)).has(instanceId);
    },
  };
}

/** Each has its own clients, request quota and index. */
function createProvider(
  config: Config,
  { clock, time, aws: everywhere, leadership, onCall, onIndexFailed }: EngineOptions & { readonly clock: Clock },
  ...[aws, { place, machines }]: Parameters<ProviderAt>
): AwsProvider {
  const { albPropagationMs, nlbPropagationMs, gwlbIdleMs, classicMinimumMs } = config;
  const { clusterName, vpcId, discovery, otherVpcs, policyScope, quotaShare, indexPerSecond, givenBy } = config;
  const clients = createAwsClients({
    ...awsClientOptions(config),
    ...everywhere,
    ...aws,
    time,
    turn: () => clock.turn(),
  });
  const quota = new RequestQuota({ clock, share: quotaShare });
  const told = onCall && ((call: CloudCall) => onCall(place === undefined ? call : { ...call, place }));
  const caller = new AwsCaller({ quota, clock, leadership, ...(told && { onCall: told }) });
  return new AwsProvider({ ...clients, caller }, clock, {
    allowances: { albPropagationMs, nlbPropagationMs, gwlbIdleMs, classicMinimumMs },
    discovery,
    indexPerSecond,
    names: givenBy,
    ...(onIndexFailed && { onIndexFailed: (error) => onIndexFailed(error, place) }),
    isGuarded: drainGuard(config) !== undefined,
    ignoresOtherNetworks: otherVpcs === "ignore",
    ...(policyScope === "tag" && clusterName !== undefined ? { writableCluster: clusterName } : {}),
    ...(clusterName === undefined ? {} : { clusterName }),
    ...(vpcId === undefined ? {} : { vpcId }),
    ...(place && { place }),
    ...(machines && { machines }),
  });
}
