import type { CloudWords, PoolTerms, UnsavedTraffic } from "../drain/cloud-provider.ts";
import { LOAD_BALANCER_KINDS, type LoadBalancerKind } from "../drain/load-balancer-kinds.ts";

/** See `CloudProvider.words`. */
export const AWS_WORDS: CloudWords = {
  cloud: "AWS",
  quotaDelays: (wait) => `the request quota of AWS (QUOTA_SHARE) delays the last deregistration by ${wait}`,
  leftOut: (pools) =>
    `also registered in pools without the tag of the cluster, which DISCOVERY=tag does not change: ${pools}`,
  notWritable: (pools) =>
    `the IAM policy does not allow deregistering from these pools, and the drain will fail: ${pools}`,
};

/** How long traffic continues after AWS has accepted a deregistration, whatever its API says. All in milliseconds. */
export interface HoldAllowances {
  /** New requests were seen up to 19 s after an ALB target turned `draining` (aws-load-balancer-controller#2366). */
  readonly albPropagationMs: number;
  /** New flows were seen 120 to 200 s after deregistering from an NLB, whatever the delay (containers-roadmap#470). */
  readonly nlbPropagationMs: number;
  /**
   * A GWLB keeps existing flows on a deregistered target until they were idle for 350 s.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
   */
  readonly gwlbIdleMs: number;
  /**
   * With target failover a GWLB sends existing flows elsewhere only some time after the deregistration delay: about 60 s.
   * https://aws.amazon.com/blogs/networking-and-content-delivery/introducing-aws-gateway-load-balancer-target-failover-for-existing-flows/
   */
  readonly gwlbFailoverMs: number;
  /** A classic load balancer reports the end itself, but its own machines learn of it one by one. */
  readonly classicMinimumMs: number;
}

/** What a pool's attributes say about the release of its targets. */
export interface ReleaseSettings {
  /**
   * The deregistration delay, or the timeout of connection draining, in milliseconds. 0: requests in flight are cut.
   */
  readonly drainMs: number;
  /** NLB: established flows are closed after `drainMs`, instead of continuing. */
  readonly terminatesConnections?: boolean;
  /**
   * NLB: for how long established flows of a target that becomes unhealthy are kept, in milliseconds. Absent: they are
   * closed.
   */
  readonly keepsUnhealthyMs?: number;
  /**
   * GWLB: existing flows stay on a deregistered target until they were idle for this time, in milliseconds. Absent:
   * unknown.
   */
  readonly flowsIdleMs?: number;
  /** GWLB: `flowsIdleMs` is not known for all of its listeners, so that the configured value counts too. */
  readonly othersMayIdleLonger?: true;
  /** GWLB: existing flows move to another target some time after `drainMs`. */
  readonly movesFlows?: true;
  /** GWLB: TCP flows are reset after `drainMs`. */
  readonly resetsFlows?: true;
  /** Answers of AWS that could not be used, and the values that are used instead, in sentences for people. */
  readonly warnings?: readonly string[];
  /** See `AwsPool`. */
  readonly sendsToIpv6?: true;
  /** `false`: the IAM policy allows no deregistration here. It is tried all the same. */
  readonly writable?: false;
}

/** Terms with the values that the fast path needs too (`fast-path.ts`). */
export interface AwsPoolTerms extends PoolTerms, Pick<ReleaseSettings, "keepsUnhealthyMs"> {}

/** The kind that continues to send traffic for longest is called first. */
const CALL_ORDER: readonly LoadBalancerKind[] = ["nlb", "gwlb", "unknown", "alb", "classic", "unattached"];

/** The terms of AWS's load balancers, with the configured allowances. */
export class ReleaseTerms {
  readonly #allowances: HoldAllowances;
  readonly #afterDelay: ReadonlyMap<LoadBalancerKind, AwsPoolTerms>;
  /** Each drain of a pool asks for the terms, and a thousand drains share what the same settings mean. */
  readonly #known = new WeakMap<ReleaseSettings, Map<LoadBalancerKind, AwsPoolTerms>>();

  constructor(allowances: HoldAllowances) {
    this.#allowances = allowances;
    // Whether flows move is not known here.
    const gwlbIdleMs = Math.max(allowances.gwlbIdleMs, allowances.gwlbFailoverMs);
    this.#afterDelay = new Map(
      LOAD_BALANCER_KINDS.map((kind) => [kind, termsOf(kind, { ...allowances, gwlbIdleMs }, { drainMs: 0 })]),
    );
  }

  of(kind: LoadBalancerKind, settings: ReleaseSettings): AwsPoolTerms {
    const byKind = this.#known.get(settings) ?? new Map<LoadBalancerKind, AwsPoolTerms>();
    this.#known.set(settings, byKind);
    const terms = byKind.get(kind) ?? termsOf(kind, this.#allowances, settings);
    byKind.set(kind, terms);
    return terms;
  }

  /** See `CloudProvider.termsAfterDelay`. */
  afterDelay(kind: LoadBalancerKind): AwsPoolTerms {
    return this.#afterDelay.get(kind) ?? this.of(kind, { drainMs: 0 });
  }
}

function termsOf(kind: LoadBalancerKind, allowances: HoldAllowances, settings: ReleaseSettings): AwsPoolTerms {
  const { drainMs, keepsUnhealthyMs, sendsToIpv6, warnings, writable } = settings;
  const holdMs = holdMsOf(kind, settings, allowances);
  return {
    drainMs,
    holdMs,
    // Where flows move, they do so only some time after the end of the delay. A poll shows that the delay is over, not when it
    // ended.
    holdAfterDelayMs: settings.movesFlows === true ? holdMs : holdMsOf(kind, { ...settings, drainMs: 0 }, allowances),
    newTrafficMs: newTrafficMsOf(kind, allowances),
    callRank: CALL_ORDER.indexOf(kind),
    unsaved: unsavedTraffic(kind, settings, holdMs),
    ...(kind === "classic" && { endsWhenAbsentMs: allowances.classicMinimumMs }),
    // It sends only HTTP over TCP, from its own addresses to the registered port, and does not report its end. Agents
    // count connections to the IPv4 address of the node, or to the registered address.
    ...(kind === "alb" && sendsToIpv6 !== true && { endsWhenIdle: true as const }),
    ...(kind === "unattached" && { isUnused: true as const }),
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-register-targets.html
    ...(kind === "alb" && { locksAddresses: true as const }),
    ...(keepsUnhealthyMs !== undefined && { keepsUnhealthyMs }),
    ...(warnings && { warnings }),
    ...(writable === false && { writable }),
  };
}

/**
 * How long the pool may continue to send traffic after a deregistration, in milliseconds. For a classic one, the
 * longest time.
 */
function holdMsOf(kind: LoadBalancerKind, settings: ReleaseSettings, allowances: HoldAllowances): number {
  const { drainMs } = settings;
  switch (kind) {
    case "alb":
    case "nlb":
    case "classic":
      return Math.max(drainMs, newTrafficMsOf(kind, allowances));
    case "gwlb":
      return gwlbHoldMs(settings, allowances);
    case "unknown":
      return Math.max(newTrafficMsOf(kind, allowances), gwlbHoldMs(settings, allowances), allowances.gwlbIdleMs);
    case "unattached":
      // No load balancer uses the group, so that only the confirmation is waited for.
      return 0;
    default:
      return kind satisfies never;
  }
}

/**
 * Existing flows stay until they were idle, or move to another target some time after the delay. New flows stop
 * earlier.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
 */
function gwlbHoldMs(settings: ReleaseSettings, allowances: HoldAllowances): number {
  const { drainMs, flowsIdleMs, othersMayIdleLonger, movesFlows } = settings;
  const idleMs = Math.max(
    flowsIdleMs ?? 0,
    flowsIdleMs === undefined || othersMayIdleLonger ? allowances.gwlbIdleMs : 0,
  );
  const flowsMs = movesFlows === true ? drainMs + allowances.gwlbFailoverMs : idleMs;
  return Math.max(drainMs, newTrafficMsOf("gwlb", allowances), flowsMs);
}

/** How long new requests or flows may still arrive after a deregistration, in milliseconds. */
function newTrafficMsOf(kind: LoadBalancerKind, allowances: HoldAllowances): number {
  switch (kind) {
    case "alb":
      return allowances.albPropagationMs;
    case "nlb":
      return allowances.nlbPropagationMs;
    case "gwlb":
      // New flows stop as on an NLB, which has the same technology. The 350 s are about existing flows.
      return Math.min(allowances.nlbPropagationMs, allowances.gwlbIdleMs);
    case "classic":
      return allowances.classicMinimumMs;
    case "unknown":
      return Math.max(allowances.albPropagationMs, allowances.nlbPropagationMs);
    case "unattached":
      return 0;
    default:
      return kind satisfies never;
  }
}

/** `holdMs`: how long the node is held. */
function unsavedTraffic(kind: LoadBalancerKind, settings: ReleaseSettings, holdMs: number): readonly UnsavedTraffic[] {
  const { drainMs, terminatesConnections } = settings;
  switch (kind) {
    case "alb":
      return drainMs === 0
        ? [{ code: "requests-in-flight", message: "deregistration delay is 0: requests in flight are cut" }]
        : [{ code: "long-requests", message: `requests that take longer than ${seconds(drainMs)} are cut` }];
    case "classic":
      return drainMs === 0
        ? [{ code: "requests-in-flight", message: "connection draining is off: requests in flight are cut at once" }]
        : [{ code: "long-requests", message: `requests that take longer than ${seconds(drainMs)} are cut` }];
    case "nlb":
      return terminatesConnections === true
        ? [
            {
              code: "terminated-connections",
              message: `connection termination is on: connections still open after ${seconds(drainMs)} are closed`,
            },
          ]
        : [
            {
              code: "long-connections",
              message: `connections still open after ${seconds(holdMs)} break when the node goes`,
            },
          ];
    case "gwlb":
      return unsavedFlows(settings, holdMs);
    case "unknown":
      return [
        {
          code: "long-connections",
          message: `requests and connections still open after ${seconds(holdMs)} may break when the node goes`,
        },
      ];
    case "unattached":
      return [];
    default:
      return kind satisfies never;
  }
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html */
function unsavedFlows(
  { drainMs, movesFlows, resetsFlows }: ReleaseSettings,
  holdMs: number,
): readonly UnsavedTraffic[] {
  const after = seconds(drainMs);
  const reset: UnsavedTraffic = {
    code: "terminated-connections",
    message: `TCP flows still open after ${after} are reset`,
  };
  const other = resetsFlows === true ? "other flows" : "flows";
  const rest: UnsavedTraffic =
    movesFlows === true
      ? { code: "moved-connections", message: `${other} still open after ${after} move to another target` }
      : {
          code: "long-connections",
          message: `${other} still active after ${seconds(holdMs)} break when the node goes`,
        };
  return resetsFlows === true ? [reset, rest] : [rest];
}

/** `30 s` */
export function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`;
}
