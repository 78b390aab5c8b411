import { pageOf } from "./paging.ts";
import type { Params } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/**
 * The defaults of AWS's quotas. Of them the simulator enforces the targets of a target group alone.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Limit.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/quotas-limits.html
 */
export const LIMITS: Readonly<Record<string, number>> = {
  "application-load-balancers": 50,
  "condition-values-per-alb-rule": 5,
  "gateway-load-balancers": 100,
  "gateway-load-balancers-per-vpc": 100,
  "geneve-target-groups": 100,
  "listeners-per-application-load-balancer": 50,
  "listeners-per-network-load-balancer": 50,
  "network-load-balancer-enis-per-vpc": 1_200,
  "network-load-balancers": 50,
  "rules-per-application-load-balancer": 100,
  "target-groups": 3_000,
  "target-groups-per-action-on-application-load-balancer": 5,
  "target-groups-per-action-on-network-load-balancer": 1,
  "target-groups-per-application-load-balancer": 100,
  "targets-per-application-load-balancer": 1_000,
  "targets-per-availability-zone-per-gateway-load-balancer": 300,
  "targets-per-availability-zone-per-network-load-balancer": 500,
  "targets-per-network-load-balancer": 3_000,
};

/** https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_Limit.html */
export const CLASSIC_LIMITS: Readonly<Record<string, number>> = {
  "classic-listeners": 100,
  "classic-load-balancers": 20,
  "classic-registered-instances": 1_000,
};

export function limitsOf(limits: Readonly<Record<string, number>>, params: Params): XmlFields {
  const { items, nextMarker } = pageOf(Object.entries(limits), params);
  return {
    Limits: { member: items.map(([name, max]) => ({ Name: name, Max: String(max) })) },
    NextMarker: nextMarker,
  };
}
