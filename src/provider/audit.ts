import type { Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import type { MachineFacts, PoolFacts, TargetFacts, Unread } from "../doctor/facts.ts";
import { addressOf, type CallFor, idOf, type PoolHealth, type Registration } from "../drain/cloud-provider.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import { carriesClusterTag, clusterOf } from "./cluster-tags.ts";
import { describeInstances } from "./instances.ts";
import type { KnownTags } from "./known-tags.ts";
import { NodeAddresses, networksOf } from "./node-addresses.ts";
import type { PoolHealths } from "./pool-healths.ts";
import type { Pools } from "./pools.ts";
import type { ReleaseTerms } from "./release-terms.ts";
import { readTags, type Tags } from "./tags.ts";
import { TargetGroup } from "./target-group.ts";

/** The pools of a region with what decides whether they lose requests, and the machines behind them. */
export interface PoolAudit {
  readonly pools: readonly PoolFacts[];
  readonly machines: ReadonlyMap<string, MachineFacts>;
  readonly unread: readonly Unread[];
}

export interface AuditScope {
  /** Only pools that carry its tag or have one of its instances. Absent: all. */
  readonly clusterName?: string;
  /** Only pools in this VPC. Absent: in all. */
  readonly vpcId?: string;
  readonly region: string | undefined;
}

interface AuditParts {
  readonly aws: AwsAccess;
  readonly pools: Pools;
  readonly release: ReleaseTerms;
  readonly healths: Pick<PoolHealths, "of">;
  readonly tags: KnownTags;
}

/** What a machine's targets are found by. */
interface Machine extends MachineFacts {
  readonly addresses: NodeAddresses;
}

type Known = TargetGroup | ClassicLoadBalancer;
type Found = Omit<PoolFacts, "targets" | "tags"> & { readonly health: PoolHealth };

/** A read of the index so old is as good as a new one. */
const KEPT_MS = 60_000;
const LIVE = { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] };

/**
 * Reads every pool with a load balancer. What AWS denies, or does not answer, is named in `unread`, and the rest is read all the
 * same. Throws `DrainError` where the pools can't be listed for another reason than a missing permission.
 */
export async function auditPools(parts: AuditParts, scope: AuditScope, by: CallFor): Promise<PoolAudit> {
  const unread: Unread[] = [];
  const { pools } = parts;
  try {
    await pools.refresh(by);
  } catch (error) {
    const why = asDrainError(error);
    if (why.code !== "access-denied") throw error;
    return {
      pools: [],
      machines: new Map(),
      unread: [{ what: "all target groups and classic load balancers", why: why.message }],
    };
  }
  const known = [...pools].filter(
    ({ pool, network }) => pool.kind !== "unattached" && (scope.vpcId ?? network) === network,
  );
  const [found, machines, tags] = await Promise.all([
    readPools(parts, known, scope, by, unread),
    readMachines(parts.aws, known, by, unread),
    readPoolTags(parts, known, scope, by, unread),
  ]);
  const byId = new Map(machines.map((machine) => [machine.id, machine]));
  const all = found.map(({ health, ...pool }): PoolFacts => {
    const its = tags?.get(pool.pool.id);
    return { ...pool, targets: targetsOf(pool, health, machines, byId), ...(its === undefined ? {} : { tags: its }) };
  });
  const { clusterName: cluster } = scope;
  return {
    pools: cluster === undefined ? all : all.filter((pool) => isOf(cluster, pool, byId)),
    machines: byId,
    unread,
  };
}

export type AuditPools = typeof auditPools;

/** Whether it carries the tag of the cluster, or has one of its instances. */
function isOf(cluster: string, { tags, targets }: PoolFacts, machines: ReadonlyMap<string, Machine>): boolean {
  if (tags !== undefined && carriesClusterTag(tags, cluster)) return true;
  return targets.some(({ instanceId = "" }) => machines.get(instanceId)?.clusters.includes(cluster));
}

/** Side by side: the request quota lets them through one after the other. */
async function readPools(
  { pools: { listedAt }, release, healths }: AuditParts,
  pools: readonly Known[],
  { region }: AuditScope,
  by: CallFor,
  unread: Unread[],
): Promise<readonly Found[]> {
  const notBefore = listedAt - KEPT_MS;
  const read = async (one: Known): Promise<readonly Found[]> => {
    const { pool } = one;
    try {
      const [settings, health] = await Promise.all([one.settings.of(by), healths.of(pool, notBefore, by)]);
      // It is gone.
      if (settings === undefined) return [];
      const { drainMs, holdMs, keepsUnhealthyMs } = release.of(pool.kind, settings);
      const { kubeProxyCheckMs } = pool;
      const its = { drainMs, holdMs, ...(keepsUnhealthyMs === undefined ? {} : { keepsUnhealthyMs }) };
      return [
        {
          ...placeOf(one),
          terms: its,
          ...(kubeProxyCheckMs === undefined ? {} : { kubeProxyCheckMs }),
          attributes: settings.attributes,
          isZonal: health.zoneOf !== undefined,
          health,
          ...(region && { region }),
        },
      ];
    } catch (error) {
      by.signal.throwIfAborted();
      note(unread, `the attributes and targets of ${pool.name}`, asDrainError(error));
      return [];
    }
  };
  return (await Promise.all(pools.map(read))).flat();
}

function placeOf(one: Known): Pick<PoolFacts, "pool" | "network" | "targetType" | "check"> {
  const { pool, network = "" } = one;
  if (!(one instanceof TargetGroup)) return { pool, network, targetType: "instance" };
  return { pool, network, targetType: one.targetType, check: one.check };
}

async function readMachines(
  aws: AwsAccess,
  pools: readonly Known[],
  by: CallFor,
  unread: Unread[],
): Promise<readonly Machine[]> {
  const networks = [...new Set(pools.map(({ network = "" }) => network).filter((network) => network !== ""))];
  try {
    const found = await describeInstances(aws, { filter: "vpc-id", and: LIVE }, () => networks, by);
    return found.map(machineOf);
  } catch (error) {
    by.signal.throwIfAborted();
    note(unread, "the instances: which are spot, in which zone, and of which cluster", asDrainError(error));
    return [];
  }
}

function machineOf(instance: Instance): Machine {
  const { InstanceId: id = "", Placement, InstanceLifecycle, PrivateDnsName: name = "" } = instance;
  return {
    id,
    zone: Placement?.AvailabilityZone ?? "",
    isSpot: InstanceLifecycle === "spot",
    clusters: clusterOf(readTags(instance.Tags)).names,
    addresses: new NodeAddresses({ id, name, ...networksOf(instance) }),
  };
}

/** Those of the pools themselves and of their load balancers, as one. */
async function readPoolTags(
  { tags }: AuditParts,
  pools: readonly Known[],
  { clusterName: cluster }: AuditScope,
  by: CallFor,
  unread: Unread[],
): Promise<ReadonlyMap<string, Tags> | undefined> {
  const groups = pools.filter((one) => one instanceof TargetGroup);
  const names = pools.filter((one) => !(one instanceof TargetGroup)).map(({ pool }) => pool.id);
  const arns = groups.flatMap(({ pool, loadBalancerArns }) => [pool.id, ...loadBalancerArns]);
  try {
    const [byArn, byName] = await Promise.all([tags.arns.of([...new Set(arns)], by), tags.names.of(names, by)]);
    const joined = groups.map(({ pool, loadBalancerArns }) => {
      const all = [...loadBalancerArns, pool.id].flatMap((arn) => [...(byArn.get(arn) ?? [])]);
      return [pool.id, new Map(all)] as const;
    });
    return new Map([...joined, ...byName]);
  } catch (error) {
    by.signal.throwIfAborted();
    // Without CLUSTERNAME they only say which controller has made a pool.
    if (cluster !== undefined)
      note(unread, "the tags of pools: which of them belong to the cluster", asDrainError(error));
    return undefined;
  }
}

function targetsOf(
  { pool, network }: Pick<PoolFacts, "pool" | "network">,
  { targets, zoneOf }: PoolHealth,
  machines: readonly Machine[],
  byId: ReadonlyMap<string, Machine>,
): readonly TargetFacts[] {
  return targets.map(({ target, state, isHealthy }) => {
    const address = addressOf({ pool, target } as Registration);
    const machine =
      address === undefined
        ? byId.get(idOf(target))
        : machines.find(({ addresses }) => addresses.hasIn(network, address));
    const zone = zoneOf?.(target) ?? machine?.zone;
    return {
      target,
      state,
      isHealthy,
      ...(machine === undefined ? {} : { instanceId: machine.id }),
      ...(zone === undefined || zone === "" ? {} : { zone }),
    };
  });
}

/** One denied action is one entry, however many pools it was asked about. */
function note(unread: Unread[], what: string, { code, message }: DrainError): void {
  const why = message;
  if (code === "access-denied" && unread.some((one) => one.why === why)) return;
  unread.push({ what: code === "access-denied" ? what.replace(/ of [^:]+$/, " of pools") : what, why });
}
