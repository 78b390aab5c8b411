import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";
import type { ClassicLoadBalancer } from "../world/classic-load-balancer.ts";
import type { TargetGroup } from "../world/target-group.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { recordsOf } from "./paging.ts";
import { text } from "./params.ts";
import { namedGroup } from "./scaling-groups.ts";

const PAGES = { byDefault: 100, max: 100 };
/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeTrafficSources.html */
const SOURCE_PAGES = { byDefault: 50, max: 50 };

/** The load balancers with which a group registers its members. */
export const scalingPoolActions: ApiActions = {
  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLoadBalancerTargetGroups.html */
  DescribeLoadBalancerTargetGroups(params, world) {
    const group = namedGroup(params, world);
    const { items, nextToken } = recordsOf(group.targetGroups, params, PAGES);
    return {
      LoadBalancerTargetGroups: {
        member: items.map((pool) => ({
          LoadBalancerTargetGroupARN: pool.arn,
          State: stateBy(group, world, (id) => isHealthyIn(pool, id, world)),
        })),
      },
      NextToken: nextToken,
    };
  },

  /** The classic ones. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLoadBalancers.html */
  DescribeLoadBalancers(params, world) {
    const group = namedGroup(params, world);
    const { items, nextToken } = recordsOf(group.classics, params, PAGES);
    return {
      LoadBalancers: {
        member: items.map((classic) => ({
          LoadBalancerName: classic.name,
          State: stateBy(group, world, (id) => isInServiceIn(classic, id, world)),
        })),
      },
      NextToken: nextToken,
    };
  },

  /** All of them, by the newer name of both. https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeTrafficSources.html */
  DescribeTrafficSources(params, world) {
    const group = namedGroup(params, world);
    const type = text(params, "TrafficSourceType");
    const sources = [
      ...group.targetGroups.map((pool) => ({
        ...{ Type: "elbv2", Identifier: pool.arn },
        passes: (id: string) => isHealthyIn(pool, id, world),
      })),
      ...group.classics.map((classic) => ({
        ...{ Type: "elb", Identifier: classic.name },
        passes: (id: string) => isInServiceIn(classic, id, world),
      })),
    ].filter(({ Type }) => type === undefined || type === Type);
    const { items, nextToken } = recordsOf(sources, params, SOURCE_PAGES);
    return {
      TrafficSources: {
        member: items.map(({ passes, ...source }) => ({ ...source, State: stateBy(group, world, passes) })),
      },
      NextToken: nextToken,
    };
  },
};

/** `InService` when a member passes the health checks, `Added` before. The states of changes are not simulated. */
function stateBy(group: AutoScalingGroup, { clock }: World, passes: (instanceId: string) => boolean): string {
  return group.members(clock.now()).some(({ instance }) => passes(instance.id)) ? "InService" : "Added";
}

function isHealthyIn(pool: TargetGroup, id: string, { clock }: World): boolean {
  const target = pool.named({ id }, clock.now());
  return target !== undefined && pool.apiHealth(target, clock.now()).state === "healthy";
}

function isInServiceIn(classic: ClassicLoadBalancer, id: string, { clock }: World): boolean {
  return classic.isRegistered(id) && classic.apiState(id, clock.now())?.state === "InService";
}
