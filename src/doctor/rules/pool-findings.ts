import type { Facts, PoolFacts } from "../facts.ts";
import type { Evidence, Finding, Resource } from "../finding.ts";

/**
 * EC2 says so long before that it takes a spot instance back.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 */
export const SPOT_NOTICE_MS = 120_000;

/** The findings of a rule about one pool. */
export type PoolRule = (pool: PoolFacts, facts: Facts) => readonly Finding[];

export function resourceOf({ pool }: Pick<PoolFacts, "pool">): Resource {
  const { kind, id, name, place } = pool;
  return {
    kind: kind === "classic" ? "classic-load-balancer" : "target-group",
    id,
    name,
    ...(place === undefined ? {} : { place }),
  };
}

/** An attribute of the pool as AWS has it. */
export function attributeEvidence({ pool, attributes }: PoolFacts, name: string): Evidence {
  const what = pool.kind === "classic" ? "DescribeLoadBalancerAttributes" : "DescribeTargetGroupAttributes";
  return { read: `elasticloadbalancing:${what}`, name, value: attributes.get(name) ?? "not set" };
}

export function targetEvidence({ pool }: Pick<PoolFacts, "pool">, name: string, value: string): Evidence {
  const what = pool.kind === "classic" ? "DescribeInstanceHealth" : "DescribeTargetHealth";
  return { read: `elasticloadbalancing:${what}`, name, value };
}

/** The instances of the pool's targets that are not being deregistered, each once. */
export function machinesOf({ targets }: PoolFacts, { machines }: Facts) {
  const ids = new Set(targets.flatMap(({ instanceId, state }) => (state !== "draining" && instanceId) || []));
  return [...ids].flatMap((id) => machines.get(id) ?? []);
}

/** A few of them in a text: `i-1, i-2 and 3 more`. */
export function some(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_MAX);
  const more = names.length - shown.length;
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${more} more`;
}

const SHOWN_MAX = 3;

/**
 * A controller of the cluster sets the attributes of its target groups again and again. Undefined: no controller owns it.
 * https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/#target-group-attributes
 */
export function ownerAdvice({ tags }: Pick<PoolFacts, "tags">, wanted: string): string | undefined {
  const service = tags?.get("service.k8s.aws/stack");
  const ingress = tags?.get("ingress.k8s.aws/stack");
  if (service !== undefined)
    return `The AWS Load Balancer Controller owns it for Service ${service}, and sets it again. Add "${wanted}" to the annotation ${ATTRIBUTES.service} of the Service instead.`;
  if (ingress !== undefined)
    return `The AWS Load Balancer Controller owns it for Ingress ${ingress}, and sets it again. Add "${wanted}" to the annotation ${ATTRIBUTES.ingress} of the Ingress instead.`;
  return undefined;
}

const ATTRIBUTES = {
  service: "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes",
  ingress: "alb.ingress.kubernetes.io/target-group-attributes",
};
