import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeInstanceHealthCommand,
  DescribeLoadBalancerAttributesCommand,
  DescribeLoadBalancersCommand,
  type DescribeLoadBalancersCommandOutput,
  DescribeTagsCommand,
  type ElasticLoadBalancingClient,
  type InstanceState,
  type LoadBalancerDescription,
} from "@aws-sdk/client-elastic-load-balancing";
import pMap from "p-map";
import { call, isPoolGone, isTargetGone } from "../../aws/errors.ts";
import type { Node, Pool, Registration, RegistrationState } from "../../drain/cloud-provider.ts";
import { readTags, type TagsById, tagsInBatches } from "./tags.ts";

const DESCRIBE = "elasticloadbalancing:DescribeLoadBalancers";
const DESCRIBE_ATTRIBUTES = "elasticloadbalancing:DescribeLoadBalancerAttributes";
const DESCRIBE_HEALTH = "elasticloadbalancing:DescribeInstanceHealth";
const DESCRIBE_TAGS = "elasticloadbalancing:DescribeTags";
const DEREGISTER = "elasticloadbalancing:DeregisterInstancesFromLoadBalancer";

const PAGE_SIZE = 400;
const READS_AT_ONCE = 10;

/**
 * AWS's exact sentences. The state beside them misleads: a draining instance shows `InService`, and an unhealthy one
 * that is still registered shows `OutOfService`.
 * https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
 */
const NOT_REGISTERED = "Instance is not currently registered with the LoadBalancer.";
const DEREGISTERING = "Instance deregistration currently in progress.";
const REGISTERING = "Instance registration is still in progress.";

/** Every classic load balancer, with the instances registered in it: one call for up to 400. */
export async function listClassicLoadBalancers(
  classic: ElasticLoadBalancingClient,
  signal: AbortSignal,
): Promise<readonly LoadBalancerDescription[]> {
  const loadBalancers: LoadBalancerDescription[] = [];
  let marker: string | undefined;
  do {
    const input = { PageSize: PAGE_SIZE, ...(marker === undefined ? {} : { Marker: marker }) };
    const page: DescribeLoadBalancersCommandOutput = await call(DESCRIBE, signal, () =>
      classic.send(new DescribeLoadBalancersCommand(input), { abortSignal: signal }),
    );
    loadBalancers.push(...(page.LoadBalancerDescriptions ?? []));
    // AWS answers with an empty marker when it is done.
    marker = page.NextMarker || undefined;
  } while (marker !== undefined);
  return loadBalancers;
}

/**
 * The node's registrations. A load balancer that doesn't list the node is asked about it by name: AWS does not say
 * whether its list still shows an instance that somebody else is deregistering, and such a one gets traffic all the
 * same.
 */
export async function findInClassicLoadBalancers(
  classic: ElasticLoadBalancingClient,
  loadBalancers: readonly LoadBalancerDescription[],
  node: Node,
  signal: AbortSignal,
): Promise<readonly Registration[]> {
  const found = await pMap(
    loadBalancers,
    async (loadBalancer) => {
      const name = loadBalancer.LoadBalancerName ?? "";
      const isListed = (loadBalancer.Instances ?? []).some(({ InstanceId }) => InstanceId === node.id);
      const state = isListed ? "live" : stateOf((await describeHealth(classic, name, [node.id], signal))[0]);
      if (state === "absent") return undefined;
      const pool = await poolOf(classic, name, signal);
      return pool && registrationOf(pool, node.id, state);
    },
    { concurrency: READS_AT_ONCE, signal },
  );
  return found.filter((registration) => registration !== undefined);
}

/** See `CloudProvider.deregister`. One instance that AWS doesn't know would fail the call for all: then one by one. */
export async function deregisterInstances(
  classic: ElasticLoadBalancingClient,
  pool: Pool,
  registrations: readonly Registration[],
  signal: AbortSignal,
): Promise<void> {
  const Instances = registrations.map(({ listed }) => ({ InstanceId: listed as string }));
  if (Instances.length === 0) return;
  try {
    await call(DEREGISTER, signal, () =>
      classic.send(new DeregisterInstancesFromLoadBalancerCommand({ LoadBalancerName: pool.id, Instances }), {
        abortSignal: signal,
      }),
    );
  } catch (error) {
    if (isPoolGone(error)) return;
    if (!isTargetGone(error)) throw error;
    if (registrations.length > 1)
      for (const one of registrations) await deregisterInstances(classic, pool, [one], signal);
  }
}

/** See `CloudProvider.observe`. Instances are named, because AWS does not say whether its list shows draining ones. */
export async function observeInstances(
  classic: ElasticLoadBalancingClient,
  pool: Pool,
  registrations: readonly Registration[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, RegistrationState>> {
  const ids = registrations.map(({ listed }) => listed as string);
  const states = await describeHealth(classic, pool.id, ids, signal);
  const byId = new Map(states.map((state) => [state.InstanceId, stateOf(state)]));
  return new Map(registrations.map(({ key, listed }) => [key, byId.get(listed as string) ?? "absent"]));
}

/** The tags of classic load balancers, by name. What has vanished meanwhile is left out. */
export function tagsByName(
  classic: ElasticLoadBalancingClient,
  names: readonly string[],
  signal: AbortSignal,
): Promise<TagsById> {
  const describe = async (LoadBalancerNames: string[]) => {
    const { TagDescriptions } = await call(DESCRIBE_TAGS, signal, () =>
      classic.send(new DescribeTagsCommand({ LoadBalancerNames }), { abortSignal: signal }),
    );
    return (TagDescriptions ?? []).map(
      ({ LoadBalancerName, Tags }) => [LoadBalancerName ?? "", readTags(Tags)] as const,
    );
  };
  return tagsInBatches(names, describe, signal);
}

/** Terminated instances are missing from AWS's answer. */
async function describeHealth(
  classic: ElasticLoadBalancingClient,
  name: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly InstanceState[]> {
  if (ids.length === 0) return [];
  const Instances = ids.map((InstanceId) => ({ InstanceId }));
  try {
    const { InstanceStates } = await call(DESCRIBE_HEALTH, signal, () =>
      classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName: name, Instances }), { abortSignal: signal }),
    );
    return InstanceStates ?? [];
  } catch (error) {
    if (isPoolGone(error)) return [];
    if (!isTargetGone(error)) throw error;
    if (ids.length === 1) return [];
    const each = await pMap(ids, (id) => describeHealth(classic, name, [id], signal), { concurrency: READS_AT_ONCE });
    return each.flat();
  }
}

/** Undefined when the load balancer vanished meanwhile. */
async function poolOf(
  classic: ElasticLoadBalancingClient,
  name: string,
  signal: AbortSignal,
): Promise<Pool | undefined> {
  try {
    const { LoadBalancerAttributes } = await call(DESCRIBE_ATTRIBUTES, signal, () =>
      classic.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerName: name }), { abortSignal: signal }),
    );
    const draining = LoadBalancerAttributes?.ConnectionDraining;
    return {
      kind: "classic",
      id: name,
      name,
      loadBalancer: name,
      drainMs: draining?.Enabled === true ? (draining.Timeout ?? 300) * 1_000 : 0,
      terminatesConnections: false,
    };
  } catch (error) {
    if (isPoolGone(error)) return undefined;
    throw error;
  }
}

function registrationOf(pool: Pool, instanceId: string, state: RegistrationState): Registration {
  return {
    key: `${pool.id}|${instanceId}`,
    pool,
    target: instanceId,
    state,
    detail: state === "live" ? "registered" : state,
    listed: instanceId,
  };
}

function stateOf(health: InstanceState | undefined): RegistrationState {
  switch (health?.Description) {
    case undefined:
    case NOT_REGISTERED:
      return "absent";
    case DEREGISTERING:
      return "draining";
    case REGISTERING:
      return "initial";
    default:
      return "live";
  }
}
