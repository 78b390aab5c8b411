import { arnOf, command, regionFlag, setGroupAttributes } from "../commands.ts";
import type { Facts, PoolFacts } from "../facts.ts";
import type { Evidence, Finding } from "../finding.ts";
import { attributeEvidence, machinesOf, ownerAdvice, resourceOf, SPOT_NOTICE_MS, some } from "./pool-findings.ts";

const TERMINATES = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";

/**
 * An NLB opens connections to a deregistered node for up to 200 s, and stops sooner where its health check fails. The fast path
 * makes a check fail that asks kube-proxy.
 * https://github.com/aws/containers-roadmap/issues/470
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
 */
export function nlbSlowerThanNotice(pool: PoolFacts, facts: Facts): readonly Finding[] {
  const { check } = pool;
  if (pool.pool.kind !== "nlb" || pool.targetType !== "instance" || check === undefined) return [];
  const spot = machinesOf(pool, facts).filter(({ isSpot }) => isSpot);
  const failsAfterMs = pool.kubeProxyCheckMs;
  if (spot.length === 0 || (failsAfterMs !== undefined && failsAfterMs < SPOT_NOTICE_MS)) return [];
  const asked = `${check.protocol} on port ${check.port}${check.path === "" ? "" : `, path ${check.path}`}`;
  const evidence: readonly Evidence[] = [
    { read: "elasticloadbalancing:DescribeTargetGroups", name: "health check", value: asked },
    {
      read: "elasticloadbalancing:DescribeTargetGroups",
      name: "HealthCheckIntervalSeconds x UnhealthyThresholdCount",
      value: `${check.intervalSeconds} s x ${check.unhealthyThreshold}`,
    },
    { read: "ec2:DescribeInstances", name: "InstanceLifecycle", value: `spot (${some(spot.map(({ id }) => id))})` },
  ];
  const wanted = ["--health-check-protocol", "HTTP", "--health-check-port", "10256", "--health-check-path", "/healthz"];
  const timing = ["--health-check-interval-seconds", "10", "--unhealthy-threshold-count", "2"];
  const group = ["--target-group-arn", arnOf(pool.pool)];
  return [
    {
      code: "nlb-slower-than-notice",
      severity: "warning",
      resource: resourceOf(pool),
      cost: `The load balancer opens connections to a spot node for up to 200 s after its deregistration, and EC2 takes the node back 120 s after its notice: they are lost. ${failsAfterMs === undefined ? "The health check does not ask kube-proxy" : "The health check needs too long to fail"}, so that the fast path is of no use.`,
      evidence,
      mend: [
        command("aws", "elbv2", "modify-target-group", ...regionFlag(pool.region), ...group, ...wanted, ...timing),
      ],
      advice:
        "Only for a target group whose nodes run kube-proxy and whose Service has externalTrafficPolicy Cluster. Set NLB_FAST_PATH=true too. Where the AWS Load Balancer Controller owns the target group, set the annotations of docs/kubernetes.md (NLB fast path) instead.",
    },
  ];
}

/**
 * A target that becomes unhealthy loses its connections, by default. kube-proxy fails the check while cluster-autoscaler
 * removes its node.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health.html#unhealthy-target-connection-termination
 */
export function unhealthyCutsFlows(pool: PoolFacts): readonly Finding[] {
  if (pool.pool.kind !== "nlb" || !pool.attributes.has(TERMINATES)) return [];
  const asksKubeProxy = pool.kubeProxyCheckMs !== undefined;
  const keptMs = pool.terms.keepsUnhealthyMs ?? 0;
  // A target that fails for another reason does not serve its connections well.
  if (!asksKubeProxy || keptMs >= SPOT_NOTICE_MS) return [];
  const wanted = { [TERMINATES]: "false", [INTERVAL]: String(KEPT_SECONDS) };
  const advice = ownerAdvice(pool, `${TERMINATES}=false,${INTERVAL}=${KEPT_SECONDS}`);
  return [
    {
      code: "unhealthy-cuts-flows",
      severity: "warning",
      resource: resourceOf(pool),
      cost: `kube-proxy fails the health check while its node is being removed, and the load balancer ${keptMs === 0 ? "then closes" : `closes ${keptMs / 1_000} s later`} every connection through the node: requests in flight are lost.`,
      evidence: [
        attributeEvidence(pool, TERMINATES),
        ...(keptMs === 0 ? [] : [attributeEvidence(pool, INTERVAL)]),
        {
          read: "elasticloadbalancing:DescribeTargetGroups",
          name: "health check",
          value: "HTTP on port 10256, path /healthz",
        },
      ],
      mend: [setGroupAttributes(pool, wanted)],
      ...(advice === undefined ? {} : { advice }),
    },
  ];
}

/** Longer than an NLB continues to send traffic to a deregistered target. */
const KEPT_SECONDS = 300;
