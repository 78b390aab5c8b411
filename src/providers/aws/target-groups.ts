import { BlockList, isIP, isIPv6 } from "node:net";
import {
  DeregisterTargetsCommand,
  DescribeTagsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  type DescribeTargetGroupsCommandOutput,
  DescribeTargetHealthCommand,
  type ElasticLoadBalancingV2Client,
  type TargetDescription,
  type TargetGroup,
  type TargetHealth,
  type TargetHealthDescription,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import pMap from "p-map";
import { call, isPoolGone, isTargetGone } from "../../aws/errors.ts";
import type { LoadBalancerKind, Node, Pool, Registration, RegistrationState } from "../../drain/cloud-provider.ts";
import { inBatches } from "./batches.ts";
import { readTags, type TagsById, tagsInBatches } from "./tags.ts";

const DESCRIBE_GROUPS = "elasticloadbalancing:DescribeTargetGroups";
const DESCRIBE_ATTRIBUTES = "elasticloadbalancing:DescribeTargetGroupAttributes";
const DESCRIBE_HEALTH = "elasticloadbalancing:DescribeTargetHealth";
const DESCRIBE_TAGS = "elasticloadbalancing:DescribeTags";
const DEREGISTER = "elasticloadbalancing:DeregisterTargets";

const PAGE_SIZE = 400;
/** AWS refuses larger calls now and then; its own controllers send 100 to 200. */
const TARGETS_PER_CALL_MAX = 100;
/** AWS allows bursts of 40 reads and refills 10 a second: more at once would only be refused. */
const READS_AT_ONCE = 10;

/**
 * A target group's own listing names its VPC, type and load balancer, whether that reaches it by a default action, a
 * rule or a weight: listeners need not be walked.
 */
export async function listTargetGroups(
  v2: ElasticLoadBalancingV2Client,
  signal: AbortSignal,
): Promise<readonly TargetGroup[]> {
  const groups: TargetGroup[] = [];
  let marker: string | undefined;
  do {
    const input = { PageSize: PAGE_SIZE, ...(marker === undefined ? {} : { Marker: marker }) };
    const page: DescribeTargetGroupsCommandOutput = await call(DESCRIBE_GROUPS, signal, () =>
      v2.send(new DescribeTargetGroupsCommand(input), { abortSignal: signal }),
    );
    groups.push(...(page.TargetGroups ?? []));
    marker = page.NextMarker || undefined;
  } while (marker !== undefined);
  return groups;
}

/** Whether a node could be registered in it: in the node's VPC, and for instances or addresses. */
export function mayHoldNode(group: TargetGroup, node: Node): boolean {
  return group.VpcId === node.network && (group.TargetType === "instance" || group.TargetType === "ip");
}

/** The node's registrations in these groups: every port, and in groups of addresses each of its own. */
export async function findInTargetGroups(
  v2: ElasticLoadBalancingV2Client,
  groups: readonly TargetGroup[],
  node: Node,
  signal: AbortSignal,
): Promise<readonly Registration[]> {
  const ownAddress = addressMatcher(node);
  const found = await pMap(
    groups,
    async (group): Promise<readonly Registration[]> => {
      const listed = await listTargets(v2, group.TargetGroupArn ?? "", signal);
      const isNode = group.TargetType === "ip" ? ownAddress : (id: string) => id === node.id;
      const own = listed.filter(({ Target }) => isNode(Target?.Id ?? ""));
      if (own.length === 0) return [];
      const pool = await poolOf(v2, group, signal);
      return pool === undefined ? [] : own.map((description) => registrationOf(pool, description));
    },
    { concurrency: READS_AT_ONCE, signal },
  );
  return found.flat();
}

/** See `CloudProvider.deregister`. Each target goes back exactly as AWS listed it, or the call would do nothing. */
export async function deregisterTargets(
  v2: ElasticLoadBalancingV2Client,
  pool: Pool,
  registrations: readonly Registration[],
  signal: AbortSignal,
): Promise<void> {
  for (const batch of inBatches(registrations, TARGETS_PER_CALL_MAX)) {
    const Targets = batch.map(({ listed }) => listed as TargetDescription);
    try {
      await call(DEREGISTER, signal, () =>
        v2.send(new DeregisterTargetsCommand({ TargetGroupArn: pool.id, Targets }), { abortSignal: signal }),
      );
    } catch (error) {
      if (isPoolGone(error)) return;
      if (!isTargetGone(error)) throw error;
      // One unknown target refuses all: the others get calls of their own, and the unknown one is out already.
      if (batch.length > 1) for (const one of batch) await deregisterTargets(v2, pool, [one], signal);
    }
  }
}

/** See `CloudProvider.observe`. Nobody is named: AWS answers about a named target that has gone in other ways. */
export async function observeTargets(
  v2: ElasticLoadBalancingV2Client,
  pool: Pool,
  registrations: readonly Registration[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, RegistrationState>> {
  const listed = await listTargets(v2, pool.id, signal);
  const states = new Map(listed.map(({ Target, TargetHealth }) => [keyOf(pool.id, Target), stateOf(TargetHealth)]));
  return new Map(registrations.map(({ key }) => [key, states.get(key) ?? "absent"]));
}

/** The tags of load balancers and target groups, by ARN. What has vanished meanwhile is left out. */
export function tagsByArn(
  v2: ElasticLoadBalancingV2Client,
  arns: readonly string[],
  signal: AbortSignal,
): Promise<TagsById> {
  const describe = async (ResourceArns: string[]) => {
    const { TagDescriptions } = await call(DESCRIBE_TAGS, signal, () =>
      v2.send(new DescribeTagsCommand({ ResourceArns }), { abortSignal: signal }),
    );
    return (TagDescriptions ?? []).map(({ ResourceArn, Tags }) => [ResourceArn ?? "", readTags(Tags)] as const);
  };
  return tagsInBatches(arns, describe, signal);
}

async function listTargets(
  v2: ElasticLoadBalancingV2Client,
  arn: string,
  signal: AbortSignal,
): Promise<readonly TargetHealthDescription[]> {
  try {
    const { TargetHealthDescriptions } = await call(DESCRIBE_HEALTH, signal, () =>
      v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: arn }), { abortSignal: signal }),
    );
    // A target that is named in a list though it is not registered is a deviation of some emulators.
    return (TargetHealthDescriptions ?? []).filter(({ TargetHealth }) => stateOf(TargetHealth) !== "absent");
  } catch (error) {
    if (isPoolGone(error)) return [];
    throw error;
  }
}

/** Undefined when the group vanished meanwhile. */
async function poolOf(
  v2: ElasticLoadBalancingV2Client,
  group: TargetGroup,
  signal: AbortSignal,
): Promise<Pool | undefined> {
  const arn = group.TargetGroupArn ?? "";
  const [loadBalancerArn] = group.LoadBalancerArns ?? [];
  try {
    const { Attributes } = await call(DESCRIBE_ATTRIBUTES, signal, () =>
      v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn: arn }), { abortSignal: signal }),
    );
    const attributes = new Map((Attributes ?? []).map(({ Key, Value }) => [Key, Value]));
    const delay = attributes.get("deregistration_delay.timeout_seconds");
    return {
      kind: kindOf(loadBalancerArn),
      id: arn,
      name: group.TargetGroupName ?? arn,
      ...(loadBalancerArn === undefined ? {} : { loadBalancer: loadBalancerArn.split("/").at(-2) ?? loadBalancerArn }),
      // 300 s is AWS's default for every type that has a delay.
      drainMs: Number(delay ?? 300) * 1_000,
      terminatesConnections: attributes.get("deregistration_delay.connection_termination.enabled") === "true",
    };
  } catch (error) {
    if (isPoolGone(error)) return undefined;
    throw error;
  }
}

/** `…:loadbalancer/app/NAME/ID`, `net` or `gwy`. */
function kindOf(loadBalancerArn: string | undefined): LoadBalancerKind {
  if (loadBalancerArn === undefined) return "unattached";
  if (loadBalancerArn.includes(":loadbalancer/net/")) return "nlb";
  if (loadBalancerArn.includes(":loadbalancer/gwy/")) return "gwlb";
  return "alb";
}

function registrationOf(pool: Pool, { Target, TargetHealth }: TargetHealthDescription): Registration {
  const reason = TargetHealth?.Reason;
  return {
    key: keyOf(pool.id, Target),
    pool,
    target: `${isIPv6(Target?.Id ?? "") ? `[${Target?.Id}]` : Target?.Id}:${Target?.Port}`,
    state: stateOf(TargetHealth),
    detail: `${TargetHealth?.State}${reason === undefined ? "" : ` (${reason})`}`,
    listed: Target,
  };
}

function keyOf(arn: string, target: TargetDescription | undefined): string {
  return [arn, target?.Id, target?.Port, target?.AvailabilityZone, target?.QuicServerId].join("|");
}

/**
 * `unused` alone does not mean deregistered: a group without a listener and a stopped instance show it too.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
 */
function stateOf(health: TargetHealth | undefined): RegistrationState {
  if (health?.Reason === "Target.NotRegistered") return "absent";
  if (health?.State === "draining") return "draining";
  return health?.State === "initial" ? "initial" : "live";
}

/** The address of a target that is registered by it; undefined when it is registered by its instance id. */
export function addressOf({ pool, listed }: Registration): string | undefined {
  const id = pool.kind === "classic" ? undefined : (listed as TargetDescription).Id;
  return id === undefined || isIP(id) === 0 ? undefined : id;
}

/** Whether an address is the node's: one of its own, or from a block that is delegated to it. */
export function addressMatcher(node: Node): (address: string) => boolean {
  const own = new BlockList();
  for (const address of node.addresses) own.addAddress(address, isIPv6(address) ? "ipv6" : "ipv4");
  for (const prefix of node.addressPrefixes) {
    const [network = "", bits] = prefix.split("/");
    own.addSubnet(network, Number(bits), isIPv6(network) ? "ipv6" : "ipv4");
  }
  return (address) => own.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
