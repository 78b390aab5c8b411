import type { TargetGroup } from "@aws-sdk/client-elastic-load-balancing-v2";

/** kube-proxy's `--healthz-bind-address`. https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/ */
const KUBE_PROXY_PORT = "10256";
/**
 * On this path it answers 503 while its node is being deleted, or has cluster-autoscaler's taint. `/livez` does not.
 * https://github.com/kubernetes/enhancements/tree/master/keps/sig-network/3836-kube-proxy-improved-ingress-connectivity-reliability
 */
const KUBE_PROXY_PATH = "/healthz";
const NODE_GOES_STATUS = 503;

/**
 * How long after kube-proxy reports that its node goes a target of the group becomes unhealthy, in milliseconds.
 * Undefined: kube-proxy does not answer the health checks of the group, or they accept that answer.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
 */
export function kubeProxyCheckOf({
  HealthCheckEnabled: isEnabled,
  HealthCheckProtocol: protocol,
  HealthCheckPort: port,
  HealthCheckPath: path,
  HealthCheckIntervalSeconds: interval,
  UnhealthyThresholdCount: threshold,
  Matcher: { HttpCode: codes = "" } = {},
}: TargetGroup): number | undefined {
  if (isEnabled === false || protocol !== "HTTP" || port !== KUBE_PROXY_PORT || path !== KUBE_PROXY_PATH)
    return undefined;
  if (!isCount(interval) || !isCount(threshold) || includes(codes, NODE_GOES_STATUS)) return undefined;
  return interval * threshold * 1_000;
}

/** How a target group checks its targets, as AWS describes it. */
export interface HealthCheckSettings {
  readonly protocol: string;
  /** `traffic-port`, or a number. */
  readonly port: string;
  /** Empty if the check has no path, as with TCP. */
  readonly path: string;
  readonly intervalSeconds: number;
  readonly unhealthyThreshold: number;
}

export function healthCheckOf(group: TargetGroup): HealthCheckSettings {
  return {
    protocol: group.HealthCheckProtocol ?? "",
    port: group.HealthCheckPort ?? "",
    path: group.HealthCheckPath ?? "",
    intervalSeconds: group.HealthCheckIntervalSeconds ?? 0,
    unhealthyThreshold: group.UnhealthyThresholdCount ?? 0,
  };
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value > 0;
}

/** `200`, `200,202` or `200-399`. */
function includes(codes: string, status: number): boolean {
  return codes.split(",").some((part) => {
    const [first = "", last = first] = part.split("-");
    return Number(first) <= status && status <= Number(last);
  });
}

const TERMINATION_KEY = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL_KEY = "target_health_state.unhealthy.draining_interval_seconds";

/**
 * How long established connections of an unhealthy target are kept, in milliseconds: for ever if they are not
 * terminated, and for the interval if there is one. Undefined: they are terminated, which is the default, or AWS does
 * not say.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health.html#unhealthy-target-connection-termination
 */
export function keepsUnhealthyMs(attributes: ReadonlyMap<string, string>): number | undefined {
  if (attributes.get(TERMINATION_KEY) !== "false") return undefined;
  const interval = attributes.get(INTERVAL_KEY) ?? "0";
  if (!/^\d{1,6}$/.test(interval)) return undefined;
  return interval === "0" ? Number.POSITIVE_INFINITY : Number(interval) * 1_000;
}
