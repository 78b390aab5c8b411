import type { HealthCheck } from "./health.ts";

/**
 * The attributes of target groups, by AWS's keys.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
 */

const DEREGISTRATION_DELAY = "deregistration_delay.timeout_seconds";
export const CONNECTION_TERMINATION = "deregistration_delay.connection_termination.enabled";
export const CROSS_ZONE = "load_balancing.cross_zone.enabled";
export const UNHEALTHY_TERMINATION = "target_health_state.unhealthy.connection_termination.enabled";
export const UNHEALTHY_DRAINING_INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";
export const CLIENT_ADDRESS = "preserve_client_ip.enabled";
export const ALGORITHM = "load_balancing.algorithm.type";
export const ANOMALY_MITIGATION = "load_balancing.algorithm.anomaly_mitigation";

/** The greatest value that AWS accepts, for attributes that are whole numbers of seconds from 0. */
export const SECONDS_MAX: ReadonlyMap<string, number> = new Map([
  [DEREGISTRATION_DELAY, 3_600],
  [UNHEALTHY_DRAINING_INTERVAL, 360_000],
]);

/** The attributes of a new group of this protocol. It has no others. */
export function defaultAttributes(protocol: string, targetType: string): Map<string, string> {
  const attributes = new Map([["stickiness.enabled", "false"]]);
  // Lambda functions have no connections to wait for.
  if (targetType !== "lambda") attributes.set(DEREGISTRATION_DELAY, "300");
  attributes.set(CROSS_ZONE, "use_load_balancer_configuration");
  // https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
  if (protocol === "GENEVE") {
    for (const moment of ["on_deregistration", "on_unhealthy"]) {
      attributes.set(`target_failover.${moment}`, "no_rebalance");
      attributes.set(`send_tcp_reset.${moment}.enabled`, "false");
    }
  }
  if (protocol !== "GENEVE") {
    for (const action of ["dns_failover", "unhealthy_state_routing"]) {
      attributes.set(`target_group_health.${action}.minimum_healthy_targets.count`, "1");
      attributes.set(`target_group_health.${action}.minimum_healthy_targets.percentage`, "off");
    }
  }
  attributes.set("stickiness.type", STICKINESS_TYPES[loadBalancerTypeFor(protocol)]);
  if (targetType === "lambda") attributes.set("lambda.multi_value_headers.enabled", "false");
  if (isApplicationProtocol(protocol)) {
    attributes.set("stickiness.lb_cookie.duration_seconds", "86400");
    attributes.set("stickiness.app_cookie.duration_seconds", "86400");
    attributes.set("stickiness.app_cookie.cookie_name", "");
  }
  if (isApplicationProtocol(protocol) && targetType !== "lambda") {
    attributes.set("slow_start.duration_seconds", "0");
    attributes.set(ALGORITHM, "round_robin");
    attributes.set(ANOMALY_MITIGATION, "off");
  }
  if (!isApplicationProtocol(protocol) && protocol !== "GENEVE") {
    attributes.set("proxy_protocol_v2.enabled", "false");
    // For targets by address it is off, except for UDP.
    // https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    attributes.set(CLIENT_ADDRESS, String(targetType === "instance" || hasDatagrams(protocol)));
    // On by default for new UDP groups only.
    attributes.set(CONNECTION_TERMINATION, String(hasDatagrams(protocol)));
    attributes.set(UNHEALTHY_TERMINATION, String(!hasDatagrams(protocol)));
    attributes.set(UNHEALTHY_DRAINING_INTERVAL, "0");
  }
  return attributes;
}

const STICKINESS_TYPES = { application: "lb_cookie", network: "source_ip", gateway: "source_ip_dest_ip" } as const;

/** The type of load balancer that a group of this protocol is for. */
export function loadBalancerTypeFor(protocol: string): "application" | "network" | "gateway" {
  if (protocol === "GENEVE") return "gateway";
  return isApplicationProtocol(protocol) ? "application" : "network";
}

export function hasDatagrams(protocol: string): boolean {
  return protocol === "UDP" || protocol === "TCP_UDP";
}

/**
 * How long a load balancer keeps the connections of a target that has become unhealthy, in milliseconds. Infinity: it
 * does not terminate them. A GWLB does not terminate them, unless they are moved or reset.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#unhealthy-draining-interval
 */
export function keptWhenUnhealthyMs(attributes: ReadonlyMap<string, string>): number {
  if (attributes.get(UNHEALTHY_TERMINATION) === "true" || failoverOf(attributes, "on_unhealthy") !== undefined)
    return 0;
  const seconds = Number(attributes.get(UNHEALTHY_DRAINING_INTERVAL) ?? 0);
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1_000;
}

/**
 * How a GWLB treats the flows of a target that it has lost. Undefined: it continues to send them to that target.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html#target-failover
 */
export function failoverOf(
  attributes: ReadonlyMap<string, string>,
  moment: "on_deregistration" | "on_unhealthy",
): "moved" | "reset-when-used" | undefined {
  if (attributes.get(`target_failover.${moment}`) === "rebalance") return "moved";
  return attributes.get(`send_tcp_reset.${moment}.enabled`) === "true" ? "reset-when-used" : undefined;
}

/** The delay of QUIC targets, whatever the attribute says. */
const QUIC_DELAY_MS = 300_000;

export function deregistrationDelayMs(protocol: string, attributes: ReadonlyMap<string, string>): number {
  return isQuic(protocol) ? QUIC_DELAY_MS : Number(attributes.get(DEREGISTRATION_DELAY) ?? 0) * 1_000;
}

/** The request of a health check. Only for kube-proxy does it decide what the machine answers (`asksKubeProxy`). */
export interface Probe {
  /** Default: true. Only groups of functions can be without health checks. */
  readonly enabled?: boolean;
  readonly protocol: string;
  /** A number, or `traffic-port`. */
  readonly port: string;
  readonly timeoutSeconds: number;
  /** Only for HTTP. */
  readonly path?: string;
  /** Healthy statuses. Only for HTTP. */
  readonly matcher?: string;
}

export interface TargetGroupInput {
  readonly arn: string;
  readonly name: string;
  readonly vpcId: string;
  readonly protocol: string;
  readonly port: number;
  readonly targetType: "instance" | "ip" | "lambda" | "alb";
  readonly healthCheck: HealthCheck;
  readonly probe: Probe;
  /** The type of the addresses in a group of type `ip`. Default: ipv4. */
  readonly ipAddressType?: "ipv4" | "ipv6";
}

/**
 * Whether the health check asks kube-proxy about the node. kube-proxy answers 503 while the node goes away.
 * https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/proxy/healthcheck/proxy_health.go
 */
export function asksKubeProxy({ protocol, port, path }: Probe): boolean {
  return protocol === "HTTP" && port === "10256" && path === "/healthz";
}

/** The default of CreateTargetGroup: HTTP behind an ALB and for functions, TCP for every other protocol. */
export function defaultProbe({
  protocol,
  targetType,
}: {
  readonly protocol: string;
  readonly targetType: string;
}): Probe {
  const byHttp = { protocol: "HTTP", port: "traffic-port", path: "/", matcher: "200" };
  if (targetType === "lambda") return { ...byHttp, enabled: false, timeoutSeconds: 30 };
  if (isApplicationProtocol(protocol)) return { ...byHttp, timeoutSeconds: 5 };
  if (protocol === "GENEVE") return { protocol: "TCP", port: "80", timeoutSeconds: 5 };
  return { protocol: "TCP", port: "traffic-port", timeoutSeconds: 10 };
}

/** The default interval of health checks in CreateTargetGroup. */
export function defaultIntervalSeconds({
  protocol,
  targetType,
}: {
  readonly protocol: string;
  readonly targetType: string;
}): number {
  if (targetType === "lambda") return 35;
  return protocol === "GENEVE" ? 10 : 30;
}

export function isQuic(protocol: string): boolean {
  return protocol === "QUIC" || protocol === "TCP_QUIC";
}

export function isApplicationProtocol(protocol: string): boolean {
  return protocol === "HTTP" || protocol === "HTTPS";
}

const UNHEALTHY_ROUTING = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";

interface Leaving {
  /** Undefined: it stays. */
  readonly deregisteredAt: number | undefined;
}

/**
 * Whether enough targets are healthy, so that unhealthy ones get no traffic. Targets that are leaving do not count.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html
 */
export function areEnough(
  attributes: ReadonlyMap<string, string>,
  healthy: readonly Leaving[],
  all: readonly Leaving[],
): boolean {
  const count = (targets: readonly Leaving[]) => targets.filter((one) => one.deregisteredAt === undefined).length;
  const percent = attributes.get(`${UNHEALTHY_ROUTING}.percentage`) ?? "off";
  const share = percent === "off" ? 0 : Math.ceil((Number(percent) * count(all)) / 100);
  const least = Math.max(Number(attributes.get(`${UNHEALTHY_ROUTING}.count`) ?? 1), share);
  // A last healthy target serves alone, even while it is leaving.
  return least <= 1 || count(healthy) >= least;
}
