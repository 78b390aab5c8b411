/**
 * The allowed values of the attributes of target groups, load balancers and listeners.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
 */

interface Rule {
  /** The end of a message, after `must be`. */
  readonly be: string;
  readonly allows: (value: string) => boolean;
}

const oneOf = (...values: readonly string[]): Rule => ({
  be: `one of ${values.join(", ")}`,
  allows: (value) => values.includes(value),
});

const between = (min: number, max: number, unit = "", or?: string): Rule => ({
  be: `${or === undefined ? "" : `${or}, or `}between ${min} and ${max}${unit}`,
  allows: (value) => value === or || (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max),
});
const seconds = (min: number, max: number, or?: string) => between(min, max, " seconds", or);

const BOOLEAN = oneOf("true", "false");
const WEEK_SECONDS = 604_800;
const HEALTHY = "minimum_healthy_targets";

const RULES: Readonly<Record<string, Rule>> = {
  "client_keep_alive.seconds": seconds(60, WEEK_SECONDS),
  "deregistration_delay.timeout_seconds": seconds(0, 3_600),
  "dns_record.client_routing_policy": oneOf(
    "availability_zone_affinity",
    "partial_availability_zone_affinity",
    "any_availability_zone",
  ),
  "idle_timeout.timeout_seconds": seconds(1, 4_000),
  "ipv6.deny_all_igw_traffic": BOOLEAN,
  "load_balancing.algorithm.anomaly_mitigation": oneOf("on", "off"),
  "load_balancing.algorithm.type": oneOf("round_robin", "least_outstanding_requests", "weighted_random"),
  "routing.http.desync_mitigation_mode": oneOf("monitor", "defensive", "strictest"),
  "routing.http.xff_header_processing.mode": oneOf("append", "preserve", "remove"),
  "secondary_ips.auto_assigned.per_subnet": between(0, 7),
  "slow_start.duration_seconds": seconds(30, 900, "0"),
  "stickiness.app_cookie.duration_seconds": seconds(1, WEEK_SECONDS),
  "stickiness.lb_cookie.duration_seconds": seconds(1, WEEK_SECONDS),
  "target_failover.on_deregistration": oneOf("rebalance", "no_rebalance"),
  "target_failover.on_unhealthy": oneOf("rebalance", "no_rebalance"),
  [`target_group_health.dns_failover.${HEALTHY}.count`]: between(1, 1_000, "", "off"),
  [`target_group_health.dns_failover.${HEALTHY}.percentage`]: between(1, 100, "", "off"),
  [`target_group_health.unhealthy_state_routing.${HEALTHY}.count`]: between(1, 1_000),
  [`target_group_health.unhealthy_state_routing.${HEALTHY}.percentage`]: between(1, 100, "", "off"),
  "target_health_state.unhealthy.draining_interval_seconds": seconds(0, 360_000),
  "tcp.idle_timeout.seconds": seconds(60, 6_000),
};

/** Rules for the type of stickiness, by the type of the load balancer that a group of the protocol is for. */
const STICKINESS_TYPES: Readonly<Record<string, Rule>> = {
  application: oneOf("lb_cookie", "app_cookie"),
  network: oneOf("source_ip"),
  gateway: oneOf("source_ip_dest_ip", "source_ip_dest_ip_proto"),
};

interface Attribute {
  readonly key: string;
  readonly value: string;
  /** The kind of resource that has the attribute, such as `Target group`. */
  readonly thing: string;
  /** The type of the load balancer, or of the load balancer that the target group is for. */
  readonly type: "application" | "network" | "gateway";
}

/**
 * The message for a value that AWS does not accept. Undefined if AWS accepts it. Names and texts can have any value.
 */
export function attributeProblem({ key, value, thing, type }: Attribute): string | undefined {
  const rule = ruleFor(key, thing, type);
  if (rule === undefined || rule.allows(value)) return undefined;
  const subject =
    key === "deregistration_delay.timeout_seconds" ? "Deregistration delay" : `${thing} attribute '${key}'`;
  return `${subject} must be ${rule.be}, not '${value}'`;
}

function ruleFor(key: string, thing: string, type: Attribute["type"]): Rule | undefined {
  if (key === "stickiness.type") return STICKINESS_TYPES[type];
  // A target group can use the setting of its load balancer.
  if (key === "load_balancing.cross_zone.enabled" && thing === "Target group")
    return oneOf("true", "false", "use_load_balancer_configuration");
  return Object.hasOwn(RULES, key) ? RULES[key] : key.endsWith(".enabled") ? BOOLEAN : undefined;
}
