import { isIP, isIPv6 } from "node:net";
import {
  DeregisterTargetsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  type DescribeTargetGroupsCommandOutput,
  type TargetDescription,
  type TargetGroup,
  type TargetHealth,
  type TargetHealthDescription,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNamedIn, isPoolGone, isTargetGone } from "../aws/errors.ts";
import type {
  CallFor,
  HealthyMinimum,
  LoadBalancerKind,
  Pool,
  PoolTerms,
  Registration,
  RegistrationState,
} from "../drain/cloud-provider.ts";
import { LIST_GROUPS, unlessListed } from "./listed-pools.ts";

const DESCRIBE_ATTRIBUTES: AwsAction = {
  name: "elasticloadbalancing:DescribeTargetGroupAttributes",
  bucket: "v2-read",
  answersWith: "Attributes",
};
export const DEREGISTER_TARGETS: AwsAction = {
  name: "elasticloadbalancing:DeregisterTargets",
  bucket: "v2-register",
};

const PAGE_SIZE = 400;
/** AWS refuses larger calls now and then; its own controllers send 100 to 200. */
const TARGETS_PER_CALL_MAX = 100;

/** With more different texts than this, the cache is cleared. */
const TEXTS_MAX = 100_000;

/** One copy of each text that is read repeatedly: a node has the same name in every pool. */
class SameText {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= TEXTS_MAX) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}

/** A thousand nodes in hundreds of groups have as many hundred thousand registrations. */
const texts = new SameText();

interface AwsRegistration extends Registration {
  readonly listed?: TargetDescription;
}

/**
 * A target group's own listing names its VPC, type and load balancer, whether that reaches it by a default action, a
 * rule or a weight: listeners need not be walked. `onSent` runs whenever a call is sent.
 */
export async function listTargetGroups(
  aws: AwsAccess,
  by: CallFor,
  onSent: () => void,
): Promise<readonly TargetGroup[]> {
  const groups: TargetGroup[] = [];
  let marker: string | undefined;
  do {
    const input = { PageSize: PAGE_SIZE, ...(marker === undefined ? {} : { Marker: marker }) };
    const page: DescribeTargetGroupsCommandOutput = await aws.caller.call(LIST_GROUPS, by, () => {
      onSent();
      return aws.v2.send(new DescribeTargetGroupsCommand(input), { abortSignal: by.signal });
    });
    groups.push(...(page.TargetGroups ?? []));
    marker = page.NextMarker || undefined;
  } while (marker !== undefined);
  return groups;
}

export function poolOfGroup(group: TargetGroup): Pool {
  const arn = group.TargetGroupArn ?? "";
  const [loadBalancerArn] = group.LoadBalancerArns ?? [];
  return {
    kind: kindOf(loadBalancerArn),
    id: arn,
    name: group.TargetGroupName ?? arn,
    ...(loadBalancerArn === undefined ? {} : { loadBalancer: loadBalancerArn.split("/").at(-2) ?? loadBalancerArn }),
  };
}

/** Attributes of a pool besides its terms of release. */
export interface AwsPoolTerms extends PoolTerms {
  /** Cross-zone load balancing. Off: each zone of the load balancer sends to the targets of its own zone alone. */
  readonly crossZone: "on" | "off" | "as-load-balancer";
  /** Fewer healthy targets than this change how AWS routes. Absent: AWS has no such number for the pool. */
  readonly minimum?: HealthyMinimum;
}

/** See `CloudProvider.describe`. */
export async function describeGroup(aws: AwsAccess, pool: Pool, by: CallFor): Promise<AwsPoolTerms | undefined> {
  const { id } = pool;
  try {
    const { Attributes } = await aws.caller.call(DESCRIBE_ATTRIBUTES, by, () =>
      unlessListed(aws, id, by, () =>
        aws.v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn: id }), { abortSignal: by.signal }),
      ),
    );
    const attributes = new Map((Attributes ?? []).map(({ Key, Value }) => [Key, Value]));
    return {
      // 300 s is AWS's default for every type that has a delay.
      drainMs: Number(attributes.get("deregistration_delay.timeout_seconds") ?? 300) * 1_000,
      terminatesConnections: attributes.get("deregistration_delay.connection_termination.enabled") === "true",
      crossZone: crossZoneOf(pool, attributes.get("load_balancing.cross_zone.enabled")),
      minimum: healthyMinimum(attributes),
    };
  } catch (error) {
    if (isPoolGone(error)) return undefined;
    throw error;
  }
}

/**
 * A group that does not say follows its load balancer. An ALB always has cross-zone load balancing on.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
 */
function crossZoneOf({ kind }: Pool, attribute: string | undefined): AwsPoolTerms["crossZone"] {
  if (attribute === "true") return "on";
  if (attribute === "false") return "off";
  return kind === "nlb" || kind === "gwlb" ? "as-load-balancer" : "on";
}

/**
 * Below either of these numbers AWS sends requests to unhealthy targets too, or takes the zone out of DNS. "off", and what
 * is no number, sets no minimum.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html
 */
function healthyMinimum(attributes: ReadonlyMap<string | undefined, string | undefined>): HealthyMinimum {
  const largest = (unit: "count" | "percentage") => {
    const values = ["dns_failover", "unhealthy_state_routing"].map((action) =>
      Number(attributes.get(`target_group_health.${action}.minimum_healthy_targets.${unit}`)),
    );
    return Math.max(0, ...values.filter((value) => Number.isFinite(value)));
  };
  return { count: largest("count"), percent: largest("percentage") };
}

/** See `CloudProvider.deregister`. Each target goes back exactly as AWS listed it, or the call would do nothing. */
export function deregisterTargets(
  aws: AwsAccess,
  pool: Pool,
  take: (max: number) => Promise<readonly Registration[]>,
  by: CallFor,
): Promise<void> {
  const targets: TargetDescription[] = [];
  const gathered = async () => {
    const still = targets.length === 0 ? undefined : by.stillIncluded?.();
    if (still !== undefined) targets.splice(0, Infinity, ...targets.filter((target) => still.has(nameOf(target))));
    targets.push(...(await take(TARGETS_PER_CALL_MAX - targets.length)).map(targetOf));
    return targets;
  };
  return endTargets(aws, pool.id, gathered, by);
}

async function endTargets(
  aws: AwsAccess,
  arn: string,
  gathered: () => Promise<readonly TargetDescription[]>,
  by: CallFor,
): Promise<void> {
  let Targets: readonly TargetDescription[] = [];
  try {
    await aws.caller.call(DEREGISTER_TARGETS, by, async () => {
      Targets = await gathered();
      // AWS would take an empty list for all targets. Those who wanted this call may have left meanwhile.
      if (Targets.length === 0) return;
      const input = { TargetGroupArn: arn, Targets: [...Targets] };
      await aws.v2.send(new DeregisterTargetsCommand(input), { abortSignal: by.signal });
    });
  } catch (error) {
    if (isPoolGone(error)) return;
    if (!isTargetGone(error)) throw error;
    // One unknown target refuses all, and is out already.
    const isNamed = ({ Id = "" }: TargetDescription) => Targets.length === 1 || isNamedIn(error, Id);
    by.refuses?.(Targets.filter(isNamed).map(nameOf));
    for (const part of inParts(Targets, isNamed)) await endTargets(aws, arn, async () => part, by);
  }
}

/** The registration of a target that the group lists. */
export function registrationOf(pool: Pool, listing: TargetHealthDescription): AwsRegistration {
  const { Target, TargetHealth } = listing;
  const { AvailabilityZone, QuicServerId } = Target ?? {};
  const shift = zonalShiftOf(listing);
  const reason = shift ?? TargetHealth?.Reason;
  return {
    pool,
    target: texts.of(nameOf(Target)),
    state: stateOf(TargetHealth),
    detail: texts.of(`${TargetHealth?.State}${reason === undefined ? "" : ` (${reason})`}`),
    isHealthy: TargetHealth?.State === "healthy" && shift === undefined,
    ...(Target !== undefined && (AvailabilityZone ?? QuicServerId) !== undefined ? { listed: Target } : {}),
  };
}

/**
 * A target in a zone that traffic was shifted away from stays `healthy`, and gets no new traffic.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AdministrativeOverride.html
 */
function zonalShiftOf({ AdministrativeOverride }: TargetHealthDescription): string | undefined {
  const { State } = AdministrativeOverride ?? {};
  return State === "zonal_shift_active" || State === "zonal_shift_delegated_to_dns" ? State : undefined;
}

/** The zone that a target is listed with: those by address are. `all` is none. */
export function zoneOf(registration: Registration): string | undefined {
  const { listed } = registration as AwsRegistration;
  return listed?.AvailabilityZone === "all" ? undefined : listed?.AvailabilityZone;
}

function nameOf({ Id = "", Port, QuicServerId }: Partial<TargetDescription> = {}): string {
  const quic = QuicServerId === undefined ? "" : ` ${QuicServerId}`;
  return `${isIPv6(Id) ? `[${Id}]` : Id}:${Port}${quic}`;
}

/**
 * `unused` alone does not mean deregistered: a group without a listener and a stopped instance show it too.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
 */
export function stateOf(health: TargetHealth | undefined): RegistrationState {
  if (health?.Reason === "Target.NotRegistered") return "absent";
  if (health?.State === "draining") return "draining";
  return health?.State === "initial" ? "initial" : "live";
}

/** The address of a target that is registered by it; undefined when it is registered by its instance id. */
export function addressOf({ pool, target }: Registration): string | undefined {
  if (pool.kind === "classic") return undefined;
  const id = idOf(target);
  return isIP(id) === 0 ? undefined : id;
}

/** The instance id or address in a registration's name. */
export function idOf(target: string): string {
  const isBracketed = target.startsWith("[");
  const end = target.indexOf(isBracketed ? "]" : ":");
  return end === -1 ? target : target.slice(isBracketed ? 1 : 0, end);
}

/** The target as AWS listed it. */
export function targetOf(registration: Registration): TargetDescription {
  const { target, listed } = registration as AwsRegistration;
  return listed ?? { Id: idOf(target), Port: Number(target.slice(target.lastIndexOf(":") + 1)) };
}

/** `…:loadbalancer/app/NAME/ID`, `net` or `gwy`. */
function kindOf(loadBalancerArn: string | undefined): LoadBalancerKind {
  if (loadBalancerArn === undefined) return "unattached";
  if (loadBalancerArn.includes(":loadbalancer/net/")) return "nlb";
  if (loadBalancerArn.includes(":loadbalancer/gwy/")) return "gwlb";
  return "alb";
}

/** `list` in its order, in parts of at most `size`. No part is empty. */
export function inBatches<T>(list: readonly T[], size: number): readonly T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < list.length; start += size) batches.push(list.slice(start, start + size));
  return batches;
}

/**
 * The part to retry of a batch that was refused as a whole because of some of its members: all but the `named`
 * ones, or halves where that is none or all. No part is empty; a batch of one has no parts.
 */
export function inParts<T>(batch: readonly T[], isNamed: (member: T) => boolean): readonly (readonly T[])[] {
  const others = batch.filter((member) => !isNamed(member));
  if (others.length > 0 && others.length < batch.length) return [others];
  return batch.length <= 1 ? [] : inBatches(batch, Math.ceil(batch.length / 2));
}
