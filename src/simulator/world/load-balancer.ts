import type { Redirect } from "./redirect.ts";
import { type Condition, holds, type RuleRequest } from "./rule-conditions.ts";
import { defaultIdOf } from "./security-groups.ts";
import { CROSS_ZONE } from "./target-group-attributes.ts";
import { ZonalShifts } from "./zonal-shifts.ts";

export type LoadBalancerType = "application" | "network" | "gateway";

export interface WeightedGroup {
  readonly arn: string;
  readonly weight: number;
}

/** The action of a listener or a rule for a request. */
export type Action = {
  /** As the call that made it has it. The actions themselves are in this order. */
  readonly order?: number;
} & (
  | {
      readonly type: "forward";
      readonly groups: readonly WeightedGroup[];
      /** The duration of the stickiness of groups, which is not enabled. */
      readonly stickinessSeconds?: number;
    }
  | {
      readonly type: "fixed-response";
      readonly statusCode: string;
      readonly body?: string | undefined;
      readonly contentType?: string | undefined;
    }
  | ({ readonly type: "redirect"; readonly statusCode: string } & Partial<Redirect>)
);

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
  /** On AWS, the default actions are a rule too. */
  readonly defaultRuleArn: string;
  readonly rules: Rule[];
  readonly tags: Map<string, string>;
  /** The attributes that the simulator knows, by AWS's keys. */
  readonly attributes: Map<string, string>;
  /** For HTTPS and TLS, the default certificate first. */
  certificateArns: readonly string[];
  sslPolicy: string | undefined;
  /** Only for TLS. */
  alpnPolicy: string | undefined;
}

/**
 * The policy of listeners that are created without one, except in the console.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
 */
export const DEFAULT_SSL_POLICY = "ELBSecurityPolicy-2016-08";

/** Whether listeners of the protocol decrypt. */
export function isEncrypted(protocol: string): boolean {
  return protocol === "HTTPS" || protocol === "TLS";
}

export type Scheme = "internet-facing" | "internal";

/** The addresses of a load balancer in a zone. */
export interface ZoneAddress {
  /** The allocation id of an Elastic IP address. */
  readonly allocationId?: string;
  readonly privateIp?: string;
  readonly ipv6?: string;
}

export interface LoadBalancerInput {
  readonly arn: string;
  readonly name: string;
  readonly type: LoadBalancerType;
  readonly vpcId: string;
  readonly zones: readonly string[];
  readonly createdAt: number;
  /**
   * When it becomes active, in milliseconds since the epoch: `provisioning` before. Default: it has long been active.
   */
  readonly activeAt?: number;
  /** Default: internet-facing. */
  readonly scheme?: Scheme;
  /** Default: the VPC's default security group for an ALB, none for other types. */
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
  readonly activeAt: number;
  readonly scheme: Scheme;
  /** The enabled zones. It has one subnet in each. */
  zones: readonly string[];
  addresses: ReadonlyMap<string, ZoneAddress>;
  securityGroups: readonly string[];
  ipAddressType: string;
  /** Whether the rules of its security groups are for traffic through PrivateLink too. Only for an NLB that has some. */
  enforcesOnPrivateLink: "on" | "off" = "on";
  readonly tags = new Map<string, string>();
  readonly listeners: Listener[] = [];
  readonly attributes: Map<string, string>;
  readonly zonalShifts = new ZonalShifts();

  constructor(input: LoadBalancerInput) {
    this.arn = input.arn;
    this.name = input.name;
    this.type = input.type;
    this.vpcId = input.vpcId;
    this.zones = input.zones;
    this.createdAt = input.createdAt;
    this.activeAt = input.activeAt ?? Number.NEGATIVE_INFINITY;
    this.scheme = input.scheme ?? "internet-facing";
    this.addresses = input.addresses ?? new Map();
    this.securityGroups = input.securityGroups ?? (input.type === "application" ? [defaultIdOf(input.vpcId)] : []);
    this.ipAddressType = input.ipAddressType ?? "ipv4";
    this.attributes = defaultAttributes(this.type, this.scheme);
  }

  /** The target groups to which a default action or a rule forwards, including those with weight 0. */
  get groupArns(): ReadonlySet<string> {
    const actions = this.listeners.flatMap(({ defaultActions, rules }) => [
      ...defaultActions,
      ...rules.flatMap((rule) => rule.actions),
    ]);
    return new Set(actions.flatMap((action) => (action.type === "forward" ? action.groups.map(({ arn }) => arn) : [])));
  }

  /** Whether `groupArns` contains the group, but without collecting them. */
  uses(groupArn: string): boolean {
    for (const { defaultActions, rules } of this.listeners) {
      if (forwardsTo(groupArn, defaultActions)) return true;
      for (const { actions } of rules) if (forwardsTo(groupArn, actions)) return true;
    }
    return false;
  }
}

/**
 * The attributes of a new load balancer of this type: all that AWS documents.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
 */
function defaultAttributes(type: LoadBalancerType, scheme: Scheme): Map<string, string> {
  const attributes = new Map([
    ["deletion_protection.enabled", "false"],
    [CROSS_ZONE, String(type === "application")],
  ]);
  if (type !== "gateway") {
    attributes.set("zonal_shift.config.enabled", "false");
    attributes.set("ipv6.deny_all_igw_traffic", String(scheme === "internal"));
  }
  if (type === "network") {
    attributes.set("dns_record.client_routing_policy", "any_availability_zone");
    attributes.set("secondary_ips.auto_assigned.per_subnet", "0");
  }
  if (type === "application") for (const [key, value] of APPLICATION_ATTRIBUTES) attributes.set(key, value);
  const logs = { application: ["access", "connection", "health_check"], network: ["access"], gateway: [] };
  for (const log of logs[type]) {
    attributes.set(`${log}_logs.s3.enabled`, "false");
    attributes.set(`${log}_logs.s3.bucket`, "");
    attributes.set(`${log}_logs.s3.prefix`, "");
  }
  return attributes;
}

const APPLICATION_ATTRIBUTES: readonly (readonly [string, string])[] = [
  ["idle_timeout.timeout_seconds", "60"],
  ["client_keep_alive.seconds", "3600"],
  ["routing.http2.enabled", "true"],
  ["routing.http.drop_invalid_header_fields.enabled", "false"],
  ["routing.http.preserve_host_header.enabled", "false"],
  ["routing.http.xff_header_processing.mode", "append"],
  ["routing.http.xff_client_port.enabled", "false"],
  ["routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"],
  ["routing.http.desync_mitigation_mode", "defensive"],
  ["waf.fail_open.enabled", "false"],
];

/**
 * The attributes of a new listener.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
 */
export function defaultListenerAttributes(type: LoadBalancerType, protocol: string): Map<string, string> {
  if (type === "application") {
    const headers = protocol === "HTTPS" ? [...RESPONSE_HEADERS, ...REQUEST_HEADERS] : RESPONSE_HEADERS;
    return new Map([["routing.http.response.server.enabled", "true"], ...headers]);
  }
  const attributes = new Map<string, string>();
  if (type === "gateway" || protocol === "TCP") attributes.set(IDLE_TIMEOUT, "350");
  if (type === "gateway") attributes.set("send_tcp_reset.on_idle_timeout.enabled", "false");
  return attributes;
}

/** Response headers that an ALB can add. By default it adds none. */
const RESPONSE_HEADERS: readonly (readonly [string, string])[] = [
  "strict_transport_security",
  "access_control_allow_origin",
  "access_control_allow_methods",
  "access_control_allow_headers",
  "access_control_allow_credentials",
  "access_control_expose_headers",
  "access_control_max_age",
  "content_security_policy",
  "x_content_type_options",
  "x_frame_options",
].map((header) => [`routing.http.response.${header}.header_value`, ""]);

/** The default names of the headers in which an ALB passes information about TLS to targets. */
const REQUEST_HEADERS: readonly (readonly [string, string])[] = [
  "X-Amzn-Mtls-Clientcert-Serial-Number",
  "X-Amzn-Mtls-Clientcert-Issuer",
  "X-Amzn-Mtls-Clientcert-Subject",
  "X-Amzn-Mtls-Clientcert-Validity",
  "X-Amzn-Mtls-Clientcert-Leaf",
  "X-Amzn-Mtls-Clientcert",
  "X-Amzn-Tls-Version",
  "X-Amzn-Tls-Cipher-Suite",
].map((header) => [`routing.http.request.${header.toLowerCase().replaceAll("-", "_")}.header_name`, header]);

/** The attribute for the idle timeout of TCP flows through an NLB or a GWLB. */
export const IDLE_TIMEOUT = "tcp.idle_timeout.seconds";

function forwardsTo(groupArn: string, actions: readonly Action[]): boolean {
  return actions.some((action) => action.type === "forward" && action.groups.some(({ arn }) => arn === groupArn));
}

/**
 * The action of the first rule, by priority, whose conditions are all true for the request, or else the default action.
 */
export function actionFor(listener: Listener, request: RuleRequest): Action | undefined {
  const rules = [...listener.rules].sort((a, b) => a.priority - b.priority);
  const rule = rules.find(({ conditions }) => conditions.every((condition) => holds(condition, request)));
  return (rule?.actions ?? listener.defaultActions).at(-1);
}

/** Chooses a group by weight. `ticket`: any whole number. Consecutive tickets distribute exactly by the weights. */
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
