import { command } from "../commands.ts";
import type { AutoscalerFacts, Facts, KubernetesFacts } from "../facts.ts";
import type { Finding } from "../finding.ts";

/** Findings about Kubernetes and the pools. */
export function clusterFindings(facts: Facts): readonly Finding[] {
  const { kubernetes } = facts;
  if (kubernetes === undefined) return [];
  const holdSeconds = longestHoldSeconds(facts);
  return [
    ...kubernetes.autoscalers.flatMap((autoscaler) => autoscalerDelayShort(autoscaler, holdSeconds)),
    ...kubernetes.nodePools.flatMap((pool) => karpenterGraceShort(pool, holdSeconds)),
    ...readinessGateMissing(kubernetes),
    ...localPolicyOneNode(kubernetes),
  ];
}

/** The longest hold of all pools, in whole seconds. 0: there is none. */
function longestHoldSeconds({ pools }: Facts): number {
  const holds = pools.map(({ terms }) => terms.holdMs);
  return Math.ceil(Math.max(0, ...holds.filter((ms) => Number.isFinite(ms))) / 1_000);
}

const DELAY_FLAG = "node-deletion-delay-timeout";
/** https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#what-are-the-parameters-to-ca */
const DELAY_DEFAULT = "2m";

/** cluster-autoscaler waits no longer than this for the annotation of a node to be removed. */
function autoscalerDelayShort(autoscaler: AutoscalerFacts, holdSeconds: number): readonly Finding[] {
  const given = autoscaler.flags.get(DELAY_FLAG);
  const waits = durationSeconds(given ?? DELAY_DEFAULT);
  if (waits === undefined || waits >= holdSeconds) return [];
  const { namespace, name, containerIndex, list, argumentIndex } = autoscaler;
  const wanted = `--${DELAY_FLAG}=${holdSeconds + SPARE_SECONDS}s`;
  const path = `/spec/template/spec/containers/${containerIndex}/${list}/${argumentIndex.get(DELAY_FLAG) ?? "-"}`;
  const patch = [{ op: argumentIndex.has(DELAY_FLAG) ? "replace" : "add", path, value: wanted }];
  return [
    {
      code: "autoscaler-delay-short",
      severity: "warning",
      resource: { kind: "deployment", id: `${namespace}/${name}`, name },
      cost: `cluster-autoscaler terminates a node ${waits} s after it began to remove it, and the longest hold is ${holdSeconds} s: what the load balancer still sends there is lost.`,
      evidence: [
        {
          read: `deployments of ${namespace}`,
          name: `--${DELAY_FLAG} of ${name}`,
          value: given ?? `not set (default ${DELAY_DEFAULT})`,
        },
      ],
      mend: [
        command(
          "kubectl",
          "--namespace",
          namespace,
          "patch",
          "deployment",
          name,
          "--type",
          "json",
          "--patch",
          JSON.stringify(patch),
        ),
      ],
      advice: `Set AUTOSCALER_HOLD=true and AUTOSCALER_DELAY=${holdSeconds + SPARE_SECONDS} for the service too. If a chart or another tool installs cluster-autoscaler, set the flag there.`,
    },
  ];
}

/** For the time in which the drain begins. */
const SPARE_SECONDS = 60;

/**
 * Karpenter terminates a node when this time has passed, whatever still holds it.
 * https://karpenter.sh/docs/concepts/disruption/#terminationgraceperiod
 */
function karpenterGraceShort(
  { name, terminationGracePeriod: given }: KubernetesFacts["nodePools"][number],
  holdSeconds: number,
): readonly Finding[] {
  const grace = given === undefined ? undefined : durationSeconds(given);
  if (given === undefined || grace === undefined || grace >= holdSeconds) return [];
  const wanted = `${holdSeconds + SPARE_SECONDS}s`;
  const patch = { spec: { template: { spec: { terminationGracePeriod: wanted } } } };
  return [
    {
      code: "karpenter-grace-short",
      severity: "warning",
      resource: { kind: "node-pool", id: name, name },
      cost: `Karpenter terminates a node ${grace} s after it began to remove it, and the longest hold is ${holdSeconds} s: what the load balancer still sends there is lost.`,
      evidence: [
        { read: "nodepools.karpenter.sh", name: `spec.template.spec.terminationGracePeriod of ${name}`, value: given },
      ],
      mend: [command("kubectl", "patch", "nodepool", name, "--type", "merge", "--patch", JSON.stringify(patch))],
      advice: "Karpenter replaces the nodes of the NodePool when this field changes.",
    },
  ];
}

/**
 * Without the gate, a rollout ends old pods before the load balancer sends to the new ones.
 * https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/pod_readiness_gate/
 */
function readinessGateMissing({ podTargetNamespaces }: KubernetesFacts): readonly Finding[] {
  return podTargetNamespaces
    .filter(({ injectsGates }) => !injectsGates)
    .map(({ name }) => ({
      code: "readiness-gate-missing",
      severity: "warning",
      resource: { kind: "namespace", id: name, name },
      cost: "A pod counts as ready before the load balancer sends to it. When pods are replaced or evicted, the last healthy target can go before the next one is healthy: requests get 503.",
      evidence: [
        { read: `namespace ${name}`, name: `label ${GATE_LABEL}`, value: "not enabled" },
        { read: `targetgroupbindings of ${name}`, name: "spec.targetType", value: "ip" },
      ],
      mend: [command("kubectl", "label", "namespace", name, "--overwrite", `${GATE_LABEL}=enabled`)],
      advice: "Pods get the gate when they are created: restart the deployments of the namespace.",
    }));
}

const GATE_LABEL = "elbv2.k8s.aws/pod-readiness-gate-inject";

/**
 * With externalTrafficPolicy Local only nodes with an endpoint pass their health check.
 * https://kubernetes.io/docs/reference/networking/virtual-ips/#external-traffic-policy
 */
function localPolicyOneNode({ localServices }: KubernetesFacts): readonly Finding[] {
  return localServices
    .filter(({ nodes }) => nodes === 1)
    .map(({ namespace, name, readyEndpoints }) => ({
      code: "local-policy-one-node",
      severity: "warning",
      resource: { kind: "service", id: `${namespace}/${name}`, name },
      cost: "All endpoints of the Service are on one node, and no other node serves it: when that node leaves, no target is left.",
      evidence: [
        { read: `services of ${namespace}`, name: "spec.externalTrafficPolicy", value: "Local" },
        {
          read: `endpointslices of ${namespace}`,
          name: "ready endpoints",
          value: `${readyEndpoints} on 1 node`,
        },
      ],
      mend: [
        command(
          ...["kubectl", "--namespace", namespace, "patch", "service", name, "--type", "merge"],
          ...["--patch", JSON.stringify({ spec: { externalTrafficPolicy: "Cluster" } })],
        ),
      ],
      advice:
        "Or run two replicas or more, and spread them over nodes. Cluster hides the clients' addresses from the pods.",
    }));
}

const UNITS = { h: 3_600, m: 60, s: 1, ms: 0.001 } as const;

/** A duration as Go writes it: `2m`, `1h30m`. Undefined: it is not one. */
export function durationSeconds(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|h|m|s))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit as keyof typeof UNITS], 0);
}
