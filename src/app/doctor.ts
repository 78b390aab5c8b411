import type { AwsClientOptions } from "../aws/clients.ts";
import { createAutoScalingClient, createSqsClient } from "../aws/event-clients.ts";
import { UnmeteredCaller } from "../aws/unmetered-caller.ts";
import { awsClientOptions, type Config } from "../config/config.ts";
import { findingsOf } from "../doctor/diagnose.ts";
import type { Facts, KubernetesFacts, QueueFacts, ScalingGroupFacts, Unread } from "../doctor/facts.ts";
import { type DoctorReport, doctorReport } from "../doctor/report.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import type { CloudCall } from "../drain/events.ts";
import { auditPools } from "../provider/audit.ts";
import { auditQueue, auditScalingGroups } from "../sources/departure-audit.ts";
import type { Engine } from "./engine.ts";
import { placesAccess } from "./places.ts";

export interface DoctorParts {
  readonly clock: Clock;
  readonly engine: Pick<Engine, "audit" | "checkAccess">;
  /** In a pod, the environment has the address of the API server. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The endpoint of AWS, if it is a simulator. */
  readonly aws?: Omit<AwsClientOptions, "region">;
  /** Called for every attempt to call AWS that no request quota limits. */
  readonly onCall?: (call: Omit<CloudCall, "purpose">) => void;
}

type CalledBy = DoctorParts & { readonly caller: UnmeteredCaller; readonly unread: Unread[] };

/**
 * Audits the effects of the configuration. It only reads, by calls of the lowest urgency. The report names what was
 * denied or not answered. Throws `DrainError` if nothing can be read at all: without a region, credentials or AWS.
 */
export async function examine(config: Config, parts: DoctorParts, signal: AbortSignal): Promise<DoctorReport> {
  const { clock, engine, onCall } = parts;
  const at = clock.now();
  const { pools, machines, unread } = await engine.audit(auditPools, signal);
  const caller = new UnmeteredCaller({ clock, ...(onCall && { onCall }) });
  const by: CalledBy = { ...parts, caller, unread: [...unread] };
  const [denied, scalingGroups, queue, inCluster] = await Promise.all([
    deniedCalls(by, signal),
    scalingGroupsOf(config, by, { pools, machines }, signal),
    queueOf(config, by, signal),
    clusterOf(config, by, signal),
  ]);
  const { clusterName, region, terminationHook } = config;
  const facts: Facts = {
    ...(clusterName === undefined ? {} : { cluster: clusterName }),
    pools,
    machines,
    denied,
    ...(scalingGroups && { scalingGroups }),
    ...(queue && { queue }),
    ...(inCluster && { kubernetes: inCluster }),
    unread: by.unread,
    settings: {
      hasQueue: config.queue !== undefined,
      ...(terminationHook === undefined ? {} : { terminationHook }),
    },
  };
  return doctorReport({ facts, findings: findingsOf(facts, region), region, at });
}

async function deniedCalls({ engine, unread }: CalledBy, signal: AbortSignal): Promise<Facts["denied"]> {
  const problems = await engine.checkAccess(signal);
  const [denied, others] = [
    problems.filter(({ error }) => error.code === "access-denied"),
    problems.filter(({ error }) => error.code !== "access-denied"),
  ];
  for (const { error } of others) unread.push({ what: "the permissions of drains", why: error.message });
  return denied;
}

/** Undefined if they could not be read. */
async function scalingGroupsOf(
  config: Config,
  by: CalledBy,
  { pools, machines }: Pick<Facts, "pools" | "machines">,
  signal: AbortSignal,
): Promise<readonly ScalingGroupFacts[] | undefined> {
  const { caller, unread } = by;
  const registered = new Set(pools.flatMap(({ targets }) => targets.map(({ instanceId }) => instanceId)));
  const { clusterName } = config;
  const isMeant = (ids: readonly string[], tags: ReadonlyMap<string, string>) =>
    ids.some((id) => registered.has(id) && isOf(clusterName, machines.get(id)?.clusters)) ||
    (clusterName !== undefined && tags.has(`kubernetes.io/cluster/${clusterName}`));
  try {
    const each = (await scalingClients(config, by)).map(({ autoScaling, where }) =>
      auditScalingGroups({ autoScaling, caller, isMeant, where }, signal),
    );
    return (await Promise.all(each)).flat();
  } catch (error) {
    signal.throwIfAborted();
    unread.push({ what: "Auto Scaling groups and their hooks", why: asDrainError(error).message });
    return undefined;
  }
}

/** A machine without a cluster's tag may belong to any cluster. */
function isOf(cluster: string | undefined, clusters: readonly string[] = []): boolean {
  return cluster === undefined || clusters.length === 0 || clusters.includes(cluster);
}

async function scalingClients(config: Config, { clock, aws = {} }: DoctorParts) {
  const { awsPlaces, region } = config;
  const own = { ...awsClientOptions(config), ...aws };
  if (awsPlaces === undefined) return [{ autoScaling: createAutoScalingClient(own), where: region ? { region } : {} }];
  const accessTo = await placesAccess(config, { clock, aws });
  return awsPlaces.map((place) => ({
    autoScaling: createAutoScalingClient({ ...own, ...accessTo(place) }),
    where: { region: place.region, place: place.name },
  }));
}

/** Undefined if none is configured, or it could not be read. */
async function queueOf(
  config: Config,
  { caller, unread }: CalledBy,
  signal: AbortSignal,
): Promise<QueueFacts | undefined> {
  const { queue: address, region } = config;
  if (address === undefined) return undefined;
  try {
    const sqs = createSqsClient(awsClientOptions(config), address, config.sqsEndpoint);
    return await auditQueue({ sqs, caller, address, region }, signal);
  } catch (error) {
    signal.throwIfAborted();
    unread.push({
      what: `the queue ${address.name}: its dead-letter queue, and who may send`,
      why: asDrainError(error).message,
    });
    return undefined;
  }
}

/**
 * What Kubernetes needs is loaded only if a cluster is configured. Undefined if none is, or if it could not be read.
 */
async function clusterOf(
  config: Config,
  { clock, environment, unread }: CalledBy,
  signal: AbortSignal,
): Promise<KubernetesFacts | undefined> {
  if (config.kubernetes === undefined) return undefined;
  const [{ openApiServer }, { auditCluster }] = await Promise.all([
    import("./cluster-access.ts"),
    import("../kubernetes/audit.ts"),
  ]);
  const server = await openApiServer(config, { clock, environment });
  if (server === undefined) return undefined;
  try {
    const { facts, unread: those } = await auditCluster(server, signal);
    unread.push(...those);
    return facts;
  } finally {
    server.close();
  }
}
