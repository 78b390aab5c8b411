import type { Redirect } from "./redirect.ts";
import { defaultIdOf } from "./security-groups.ts";
import { CROSS_ZONE } from "./target-group-attributes.ts";

export type LoadBalancerType = "application" | "network" | "gateway";

export interface WeightedGroup {
  readonly arn: string;
  readonly weight: number;
}

/** What a listener or a rule does with a request. */
export type Action =
  | { readonly type: "forward"; readonly groups: readonly WeightedGroup[] }
  | { readonly type: "fixed-response"; readonly statusCode: string; readonly body: string }
  | ({ readonly type: "redirect"; readonly statusCode: string } & Partial<Redirect>);

export interface Condition {
  readonly field: "path-pattern" | "host-header";
  readonly values: readonly string[];
}

export interface Rule {
  readonly arn: string;
  priority: number;
  conditions: readonly Condition[];
  actions: readonly Action[];
  readonly tags: Map<string, string>;
}

export interface Listener {
  readonly arn: string;
  protocol: string;
  port: number;
  defaultActions: readonly Action[];
  /** On AWS the default actions are a rule too. */
  readonly defaultRuleArn: string;
  readonly rules: Rule[];
  readonly tags: Map<string, string>;
  /** Of those of AWS's that the simulator knows, by AWS's keys. */
  readonly attributes: Map<string, string>;
  /** Of HTTPS and TLS: the default one first. */
  certificateArns: readonly string[];
  sslPolicy: string | undefined;
}

export type Scheme = "internet-facing" | "internal";

/** What a load balancer has in a zone besides its subnet. */
export interface ZoneAddress {
  /** Of an elastic IP address. */
  readonly allocationId?: string;
  readonly privateIp?: string;
}

export interface LoadBalancerInput {
  readonly arn: string;
  readonly name: string;
  readonly type: LoadBalancerType;
  readonly vpcId: string;
  readonly zones: readonly string[];
  readonly createdAt: number;
  /** Default: internet-facing. */
  readonly scheme?: Scheme;
  /** Default: an ALB has its VPC's default one, others have none. */
  readonly securityGroups?: readonly string[];
  /** By zone. */
  readonly addresses?: ReadonlyMap<string, ZoneAddress>;
  /** Default: ipv4. */
  readonly ipAddressType?: string;
}

/** An ALB, NLB or GWLB. */
export class LoadBalancer {
  readonly arn: string;
  readonly name: string;
  readonly type: LoadBalancerType;
  readonly vpcId: string;
  readonly createdAt: number;
  readonly scheme: Scheme;
  /** The zones that it is enabled in, with a subnet each. */
  zones: readonly string[];
  addresses: ReadonlyMap<string, ZoneAddress>;
  securityGroups: readonly string[];
  ipAddressType: string;
  readonly tags = new Map<string, string>();
  readonly listeners: Listener[] = [];
  readonly attributes: Map<string, string>;
  /** Zones that traffic was shifted away from. */
  readonly shiftedZones = new Set<string>();

  constructor(input: LoadBalancerInput) {
    this.arn = input.arn;
    this.name = input.name;
    this.type = input.type;
    this.vpcId = input.vpcId;
    this.zones = input.zones;
    this.createdAt = input.createdAt;
    this.scheme = input.scheme ?? "internet-facing";
    this.addresses = input.addresses ?? new Map();
    this.securityGroups = input.securityGroups ?? (input.type === "application" ? [defaultIdOf(input.vpcId)] : []);
    this.ipAddressType = input.ipAddressType ?? "ipv4";
    this.attributes = defaultAttributes(input.type);
  }

  /** Every group that a default action or a rule forwards to, weights of 0 included. */
  get groupArns(): ReadonlySet<string> {
    const actions = this.listeners.flatMap(({ defaultActions, rules }) => [
      ...defaultActions,
      ...rules.flatMap((rule) => rule.actions),
    ]);
    return new Set(actions.flatMap((action) => (action.type === "forward" ? action.groups.map(({ arn }) => arn) : [])));
  }

  /** Whether the group is one of `groupArns`, without collecting them. */
  uses(groupArn: string): boolean {
    for (const { defaultActions, rules } of this.listeners) {
      if (forwardsTo(groupArn, defaultActions)) return true;
      for (const { actions } of rules) if (forwardsTo(groupArn, actions)) return true;
    }
    return false;
  }
}

/**
 * The attributes that a new load balancer of this type has, as far as the simulator knows them.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
 */
function defaultAttributes(type: LoadBalancerType): Map<string, string> {
  const attributes = new Map([
    ["deletion_protection.enabled", "false"],
    [CROSS_ZONE, String(type === "application")],
  ]);
  if (type !== "gateway") {
    attributes.set("zonal_shift.config.enabled", "false");
    attributes.set("access_logs.s3.enabled", "false");
    attributes.set("access_logs.s3.bucket", "");
    attributes.set("access_logs.s3.prefix", "");
  }
  if (type === "network") attributes.set("dns_record.client_routing_policy", "any_availability_zone");
  if (type === "application") {
    attributes.set("idle_timeout.timeout_seconds", "60");
    attributes.set("client_keep_alive.seconds", "3600");
    attributes.set("routing.http2.enabled", "true");
    attributes.set("routing.http.drop_invalid_header_fields.enabled", "false");
    attributes.set("routing.http.preserve_host_header.enabled", "false");
    attributes.set("routing.http.xff_header_processing.mode", "append");
    attributes.set("routing.http.desync_mitigation_mode", "defensive");
  }
  return attributes;
}

/**
 * The attributes that a new listener has.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
 */
export function defaultListenerAttributes(type: LoadBalancerType, protocol: string): Map<string, string> {
  if (type === "application") return new Map([["routing.http.response.server.enabled", "true"]]);
  const hasTimeout = type === "gateway" || protocol === "TCP";
  return new Map(hasTimeout ? [[IDLE_TIMEOUT, "350"]] : []);
}

/** Of TCP flows through an NLB or a GWLB. */
export const IDLE_TIMEOUT = "tcp.idle_timeout.seconds";

function forwardsTo(groupArn: string, actions: readonly Action[]): boolean {
  return actions.some((action) => action.type === "forward" && action.groups.some(({ arn }) => arn === groupArn));
}

/** The action for one request: that of the first rule by priority whose every condition holds, or the default. */
export function actionFor(
  listener: Listener,
  request: { readonly host: string; readonly path: string },
): Action | undefined {
  const rules = [...listener.rules].sort((a, b) => a.priority - b.priority);
  const rule = rules.find(({ conditions }) => conditions.every((condition) => holds(condition, request)));
  return (rule?.actions ?? listener.defaultActions).at(-1);
}

/** Chooses by weight; `ticket` is any whole number, and consecutive ones share out exactly by the weights. */
export function chooseGroup(groups: readonly WeightedGroup[], ticket: number): string | undefined {
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return undefined;
  let rest = ticket % total;
  for (const { arn, weight } of groups) {
    if (rest < weight) return arn;
    rest -= weight;
  }
  return undefined;
}

function holds(condition: Condition, { host, path }: { readonly host: string; readonly path: string }): boolean {
  switch (condition.field) {
    case "path-pattern":
      return condition.values.some((value) => matchesWildcard(value, path));
    case "host-header":
      return condition.values.some((value) => matchesWildcard(value.toLowerCase(), host.toLowerCase()));
    default:
      return condition.field satisfies never;
  }
}

/** AWS's wildcards: `*` for any characters, `?` for exactly one. */
export function matchesWildcard(pattern: string, text: string): boolean {
  // Most patterns have none, and are compared a hundred thousand times.
  if (!pattern.includes("*") && !pattern.includes("?")) return pattern === text;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}
