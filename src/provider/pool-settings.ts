import { DescribeLoadBalancerAttributesCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DescribeTargetGroupAttributesCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isPoolGone } from "../aws/errors.ts";
import { isWritableByTag } from "../aws/policy.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, HealthyMinimum, Pool } from "../drain/cloud-provider.ts";
import { printable } from "../drain/errors.ts";
import { flowsOf } from "./gateway-flows.ts";
import { keepsUnhealthyMs } from "./health-checks.ts";
import type { TagsOfKind } from "./known-tags.ts";
import { unlessListed } from "./listed-pools.ts";
import type { ReleaseSettings } from "./release-terms.ts";
import { type AwsPool, DELAY_DEFAULT_MS } from "./target-groups.ts";

const DESCRIBE_GROUP: AwsAction = {
  name: "elasticloadbalancing:DescribeTargetGroupAttributes",
  bucket: "v2-read",
  answersWith: "Attributes",
};
const DESCRIBE_CLASSIC: AwsAction = {
  name: "elasticloadbalancing:DescribeLoadBalancerAttributes",
  bucket: "classic-read",
  answersWith: "LoadBalancerAttributes",
};

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html */
const DRAINING_DEFAULT_MS = 300_000;
/** AWS's largest value is 3600. More than a week is not a timeout. */
const DRAINING_MAX_SECONDS = 999_999;
const UNUSABLE_TIMEOUT =
  "its connection draining timeout is not a usable number of seconds: AWS's default of 300 s is used";

/** The attributes of a pool. */
export interface PoolSettings extends ReleaseSettings {
  /**
   * Cross-zone load balancing. Off: each zone of the load balancer sends traffic only to the targets of its own zone.
   */
  readonly crossZone: "on" | "off" | "as-load-balancer";
  /** Fewer healthy targets than this change AWS's routing. Absent: the pool has no such number. */
  readonly minimum?: HealthyMinimum;
  /** The attributes by AWS's names. Those of a classic load balancer, which have none, by their path in the answer. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** The attributes of a target group. Undefined if it has vanished. */
export async function describeGroup(aws: AwsAccess, pool: AwsPool, by: CallFor): Promise<PoolSettings | undefined> {
  const { id } = pool;
  try {
    const { Attributes } = await aws.caller.call(DESCRIBE_GROUP, by, () =>
      unlessListed(aws, id, by, () =>
        aws.v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn: id }), { abortSignal: by.signal }),
      ),
    );
    const attributes = new Map((Attributes ?? []).map(({ Key, Value = "" }) => [Key ?? "", Value] as const));
    const delay = delayOf(attributes.get(DELAY_KEY));
    const { warnings: flowWarnings = [], ...flows } = await flowsOf(aws, pool, attributes, by);
    const warnings = [...delay.warnings, ...flowWarnings];
    const keptMs = keepsUnhealthyMs(attributes);
    return {
      drainMs: Math.max(delay.ms, pool.drainMinimumMs ?? 0),
      terminatesConnections: attributes.get("deregistration_delay.connection_termination.enabled") === "true",
      ...(keptMs === undefined ? {} : { keepsUnhealthyMs: keptMs }),
      ...flows,
      ...(pool.sendsToIpv6 && { sendsToIpv6: pool.sendsToIpv6 }),
      ...(warnings.length === 0 ? {} : { warnings }),
      crossZone: crossZoneOf(pool, attributes.get("load_balancing.cross_zone.enabled")),
      minimum: healthyMinimum(attributes),
      attributes,
    };
  } catch (error) {
    if (isPoolGone(error)) return undefined;
    throw error;
  }
}

const DELAY_KEY = "deregistration_delay.timeout_seconds";

/**
 * AWS's largest value is 3600. A delay that is not a number of seconds, or is weeks long, is not used. AWS's default
 * applies then.
 */
function delayOf(given: string | undefined): { readonly ms: number; readonly warnings: readonly string[] } {
  if (given === undefined) return { ms: DELAY_DEFAULT_MS, warnings: [] };
  if (/^\d{1,6}(\.\d{1,9})?$/.test(given)) return { ms: Number(given) * 1_000, warnings: [] };
  const warning = `its ${DELAY_KEY} is '${printable(given, 100)}', which is not a usable number of seconds: AWS's default of 300 s is used`;
  return { ms: DELAY_DEFAULT_MS, warnings: [warning] };
}

/**
 * A group without this attribute follows its load balancers. An ALB always has cross-zone load balancing on.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
 */
function crossZoneOf({ kind }: Pool, attribute: string | undefined): PoolSettings["crossZone"] {
  if (attribute === "true") return "on";
  if (attribute === "false") return "off";
  return kind === "alb" || kind === "unattached" ? "on" : "as-load-balancer";
}

/**
 * Below either of these numbers AWS sends requests to unhealthy targets too, or removes the zone from DNS. "off", and a
 * value that is not a number, sets no minimum.
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

/** The same for a classic load balancer. */
export async function describeClassic(aws: AwsAccess, { id }: Pool, by: CallFor): Promise<PoolSettings | undefined> {
  try {
    const { LoadBalancerAttributes } = await aws.caller.call(DESCRIBE_CLASSIC, by, () =>
      unlessListed(aws, id, by, () =>
        aws.classic.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerName: id }), {
          abortSignal: by.signal,
        }),
      ),
    );
    const { Enabled, Timeout } = LoadBalancerAttributes?.ConnectionDraining ?? {};
    const isUsable = Timeout !== undefined && Timeout >= 0 && Timeout <= DRAINING_MAX_SECONDS;
    const isOn = Enabled !== false;
    return {
      // AWS's default, also if AWS does not say whether draining is on.
      drainMs: isOn ? (isUsable ? Timeout * 1_000 : DRAINING_DEFAULT_MS) : 0,
      ...(isOn && !isUsable && Timeout !== undefined && { warnings: [UNUSABLE_TIMEOUT] }),
      terminatesConnections: false,
      crossZone: LoadBalancerAttributes?.CrossZoneLoadBalancing?.Enabled === true ? "on" : "off",
      attributes: namedAttributes({
        "ConnectionDraining.Enabled": Enabled,
        "ConnectionDraining.Timeout": Timeout,
        "CrossZoneLoadBalancing.Enabled": LoadBalancerAttributes?.CrossZoneLoadBalancing?.Enabled,
      }),
    };
  } catch (error) {
    if (isPoolGone(error)) return undefined;
    throw error;
  }
}

/** The attributes of the answer, as strings. */
function namedAttributes(
  answered: Readonly<Record<string, boolean | number | undefined>>,
): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(answered).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as const])),
  );
}

/** Deregistration delays rarely change, and a running drain keeps the one that it began with. */
const KEPT_MS = 3_600_000;

export interface KnownSettingsOptions {
  /** The id of the pool. */
  readonly id: string;
  readonly clock: Clock;
  readonly describe: (by: CallFor) => Promise<PoolSettings | undefined>;
  readonly tags: TagsOfKind;
  /** The policy allows to change only pools with this cluster's tag. Absent: any pool. */
  readonly writableCluster: string | undefined;
}

/** The attributes of one pool, from AWS's answer within the last hour. */
export class KnownSettings {
  readonly #options: KnownSettingsOptions;
  #known: { readonly settings: PoolSettings; readonly at: number } | undefined;
  #asked: SharedCall<undefined, PoolSettings | undefined>;

  constructor(options: KnownSettingsOptions) {
    this.#options = options;
    this.#asked = this.#newCall();
  }

  /** Undefined if the pool has vanished. */
  async of(by: CallFor): Promise<PoolSettings | undefined> {
    return this.recall() ?? this.ask(by);
  }

  /** The answer of AWS, at most an hour old. */
  recall(): PoolSettings | undefined {
    return this.#options.clock.now() - this.knownAt < KEPT_MS ? this.#known?.settings : undefined;
  }

  /** When AWS last answered, in milliseconds since the epoch. `-Infinity`: never. */
  get knownAt(): number {
    return this.#known?.at ?? Number.NEGATIVE_INFINITY;
  }

  /** The current answer of AWS. Callers share a call that is in flight. */
  ask(by: CallFor): Promise<PoolSettings | undefined> {
    return this.#asked.ask(undefined, by);
  }

  /** The answer, or the call in progress, does not apply any more. */
  forget(): void {
    this.#known = undefined;
    this.#asked = this.#newCall();
  }

  #newCall(): SharedCall<undefined, PoolSettings | undefined> {
    const call: SharedCall<undefined, PoolSettings | undefined> = new SharedCall(async (sent, by) => {
      const { clock, describe } = this.#options;
      const [described, isWritable] = await Promise.all([describe(by), this.#isWritable(by)]);
      sent();
      const settings = described && (isWritable ? described : { ...described, writable: false as const });
      // It may have been forgotten meanwhile.
      if (this.#asked === call) this.#known = settings && { settings, at: clock.now() };
      return settings;
    });
    return call;
  }

  async #isWritable(by: CallFor): Promise<boolean> {
    const { id, tags, writableCluster } = this.#options;
    if (writableCluster === undefined) return true;
    return isWritableByTag((await tags.of([id], by)).get(id) ?? new Map(), writableCluster);
  }
}
