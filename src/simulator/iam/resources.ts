import type { ApiCall } from "../api/answer.ts";
import { type Params, structures, text, texts } from "../api/params.ts";
import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";
import type { World } from "../world/world.ts";

/** A resource that a policy may allow or deny. */
export interface Resource {
  readonly arn: string;
  readonly tags: ReadonlyMap<string, string>;
}

const NO_TAGS: ReadonlyMap<string, string> = new Map();
const ARN_TYPES: Readonly<Record<string, string>> = { application: "app", network: "net", gateway: "gwy" };

/**
 * The resources that a call would change. On AWS, read actions have none, and are allowed on everything or on nothing.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
 */
export function resourcesOf({ api, action, params }: ApiCall, world: World): readonly Resource[] {
  if (action.startsWith("Describe")) return [];
  switch (api) {
    case "ec2":
      return (texts(params, "InstanceId") ?? []).map((id) => ({
        arn: world.arn("ec2", `instance/${id}`),
        tags: world.instance(id)?.tags ?? NO_TAGS,
      }));
    case "classic":
      return [text(params, "LoadBalancerName"), ...(texts(params, "LoadBalancerNames") ?? [])]
        .filter((name) => name !== undefined)
        .map((name) => ({
          arn: world.arn("elasticloadbalancing", `loadbalancer/${name}`),
          tags: world.classics.get(name)?.tags ?? NO_TAGS,
        }));
    case "elbv2":
      return elbv2Arns(action, params, world).map((arn) => ({
        arn,
        tags: (world.targetGroups.get(arn) ?? world.loadBalancers.get(arn))?.tags ?? NO_TAGS,
      }));
    case "autoscaling":
      if (action === "CreateAutoScalingGroup") {
        const name = `autoScalingGroup:*:autoScalingGroupName/${text(params, "AutoScalingGroupName")}`;
        return [{ arn: world.arn("autoscaling", name), tags: NO_TAGS }];
      }
      return groupsOf(params, world).map(({ arn, tags }) => ({ arn, tags }));
    case "sts":
    case "tagging":
      return [];
    default:
      return api satisfies never;
  }
}

/** The groups that the tags or the parameter of a call name (a name or an ARN), or else the groups of its instances. */
function groupsOf(params: Params, world: World): readonly AutoScalingGroup[] {
  const tagged = (structures(params, "Tags") ?? []).map((tag) => text(tag, "ResourceId"));
  if (tagged.length > 0) return [...world.autoScalingGroups.values()].filter((group) => tagged.includes(group.name));
  const name = text(params, "AutoScalingGroupName");
  const ids = [text(params, "InstanceId"), ...(texts(params, "InstanceIds") ?? [])];
  return [...world.autoScalingGroups.values()].filter((group) =>
    name === undefined
      ? group.members(world.clock.now()).some(({ instance }) => ids.includes(instance.id))
      : group.name === name || group.arn === name,
  );
}

/** A resource that does not exist yet has no id. Its ARN has `*` instead. */
function elbv2Arns(action: string, params: Params, world: World): readonly string[] {
  const name = text(params, "Name") ?? "";
  if (action === "CreateTargetGroup") return [world.arn("elasticloadbalancing", `targetgroup/${name}/*`)];
  if (action === "CreateLoadBalancer") {
    const type = ARN_TYPES[text(params, "Type") ?? "application"] ?? "app";
    return [world.arn("elasticloadbalancing", `loadbalancer/${type}/${name}/*`)];
  }
  const one = ["TargetGroupArn", "LoadBalancerArn", "ListenerArn"].map((parameter) => text(params, parameter));
  return [...one.filter((arn) => arn !== undefined), ...(texts(params, "ResourceArns") ?? [])];
}
