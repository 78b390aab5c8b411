import { AwsError, invalidTarget, missingParameter, validationError } from "../aws-error.ts";
import type { Action, Condition } from "../world/load-balancer.ts";
import type { LoadBalancerType, TargetDescription, TargetGroup } from "../world/target-group.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { findListener, listenerXml, loadBalancerXml, ruleXml, targetGroupXml } from "./elbv2-read.ts";
import { integer, type Params, requiredInteger, requiredText, structure, structures, text, texts } from "./params.ts";
import { targetDescription } from "./target-description.ts";

const DELAY_MAX_SECONDS = 3_600;
const LOAD_BALANCER_TYPES: readonly LoadBalancerType[] = ["application", "network", "gateway"];

/** The actions of Elastic Load Balancing 2015-12-01 that change something: what draining does, and what builds a world. */
export const elbv2WriteActions: ApiActions = {
  DeregisterTargets(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    for (const target of targets(params, group)) world.deregisterTarget(group, target);
    return {};
  },

  RegisterTargets(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    const wanted = targets(params, group);
    if (group.targetType === "instance") checkInstances(wanted, world);
    for (const target of wanted) world.registerTarget(group, target);
    return {};
  },

  CreateTargetGroup(params, world) {
    const name = requiredText(params, "Name");
    if ([...world.targetGroups.values()].some((group) => group.name === name)) {
      throw new AwsError(
        "DuplicateTargetGroupName",
        `A target group with the same name '${name}' exists, but with different settings`,
      );
    }
    const targetType = oneOf(
      text(params, "TargetType") ?? "instance",
      ["instance", "ip", "lambda", "alb"],
      "targetType",
    );
    const group = world.addTargetGroup({
      name,
      targetType,
      vpcId: requiredText(params, "VpcId"),
      protocol: requiredText(params, "Protocol"),
      port: requiredInteger(params, "Port"),
      healthCheck: {
        intervalMs: (integer(params, "HealthCheckIntervalSeconds") ?? 30) * 1_000,
        healthyThreshold: integer(params, "HealthyThresholdCount") ?? 5,
        unhealthyThreshold: integer(params, "UnhealthyThresholdCount") ?? 2,
      },
    });
    setTags(group.tags, params);
    return { TargetGroups: { member: [targetGroupXml(group, world)] } };
  },

  ModifyTargetGroupAttributes(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    for (const attribute of structures(params, "Attributes") ?? []) {
      const key = requiredText(attribute, "Key");
      const value = requiredText(attribute, "Value");
      if (!group.attributes.has(key))
        throw new AwsError("InvalidConfigurationRequest", `Target group attribute key '${key}' is not recognized`);
      if (key === "deregistration_delay.timeout_seconds" && !isDelay(value)) {
        throw validationError(
          `Deregistration delay must be between 0 and ${DELAY_MAX_SECONDS} seconds, not '${value}'`,
        );
      }
      group.attributes.set(key, value);
    }
    return { Attributes: { member: [...group.attributes].map(([Key, Value]) => ({ Key, Value })) } };
  },

  DeleteTargetGroup(params, world) {
    const arn = requiredText(params, "TargetGroupArn");
    if (world.usedBy(arn) !== undefined) {
      throw new AwsError("ResourceInUse", `Target group '${arn}' is currently in use by a listener or a rule`);
    }
    world.targetGroups.delete(arn);
    return {};
  },

  CreateLoadBalancer(params, world) {
    const name = requiredText(params, "Name");
    if ([...world.loadBalancers.values()].some((loadBalancer) => loadBalancer.name === name)) {
      throw new AwsError(
        "DuplicateLoadBalancerName",
        `A load balancer with the same name '${name}' exists, but with different settings`,
      );
    }
    const type = oneOf(text(params, "Type") ?? "application", LOAD_BALANCER_TYPES, "type");
    const loadBalancer = world.addLoadBalancer({ name, type, vpcId: vpcOfSubnet(params) });
    setTags(loadBalancer.tags, params);
    return { LoadBalancers: { member: [loadBalancerXml(loadBalancer, world)] } };
  },

  /** As on AWS, one that is already gone is not an error. */
  DeleteLoadBalancer(params, world) {
    world.loadBalancers.delete(requiredText(params, "LoadBalancerArn"));
    return {};
  },

  CreateListener(params, world) {
    const loadBalancer = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    const listener = world.addListener(loadBalancer, {
      protocol: requiredText(params, "Protocol"),
      port: requiredInteger(params, "Port"),
      defaultActions: actions(params, "DefaultActions", world),
    });
    return { Listeners: { member: [listenerXml({ listener, loadBalancer })] } };
  },

  CreateRule(params, world) {
    const { listener } = findListener(requiredText(params, "ListenerArn"), world);
    const priority = requiredInteger(params, "Priority");
    if (listener.rules.some((rule) => rule.priority === priority)) {
      throw new AwsError("PriorityInUse", `Priority '${priority}' is currently in use`);
    }
    const conditions = (structures(params, "Conditions") ?? []).map(condition);
    const rule = world.addRule(listener, { priority, conditions, actions: actions(params, "Actions", world) });
    return { Rules: { member: [ruleXml(rule)] } };
  },

  AddTags(params, world) {
    for (const arn of texts(params, "ResourceArns") ?? []) {
      const resource = arn.includes(":targetgroup/") ? world.targetGroup(arn) : world.loadBalancer(arn);
      setTags(resource.tags, params);
    }
    return {};
  },
};

function targets(params: Params, group: TargetGroup): readonly TargetDescription[] {
  const list = structures(params, "Targets");
  if (list === undefined) throw missingParameter("Targets");
  return list.map((target) => targetDescription(target, group));
}

function checkInstances(wanted: readonly TargetDescription[], world: World): void {
  const quoted = (ids: readonly TargetDescription[]) => ids.map(({ id }) => `'${id}'`).join(", ");
  const unknown = wanted.filter(({ id }) => world.instance(id) === undefined);
  if (unknown.length > 0) throw invalidTarget(`The following instances do not exist: ${quoted(unknown)}`);
  const stopped = wanted.filter(({ id }) => world.instance(id)?.terminatedAt !== undefined);
  if (stopped.length > 0) {
    throw invalidTarget(
      `The following targets are not in a running state and cannot be registered: ${quoted(stopped)}`,
    );
  }
}

function actions(params: Params, name: string, world: World): readonly Action[] {
  const list = structures(params, name);
  if (list === undefined || list.length === 0) throw missingParameter(name);
  return list.map((action) => readAction(action, world));
}

function readAction(params: Params, world: World): Action {
  const type = oneOf(requiredText(params, "Type"), ["forward", "fixed-response", "redirect"], "type");
  switch (type) {
    case "forward": {
      const config = structure(params, "ForwardConfig");
      const weighted = (config && structures(config, "TargetGroups")) ?? [];
      const groups = weighted.map((group) => ({
        arn: requiredText(group, "TargetGroupArn"),
        weight: integer(group, "Weight") ?? 1,
      }));
      const only = text(params, "TargetGroupArn");
      const forward = groups.length > 0 || only === undefined ? groups : [{ arn: only, weight: 1 }];
      for (const { arn } of forward) world.targetGroup(arn);
      return { type, groups: forward };
    }
    case "fixed-response": {
      const config = structure(params, "FixedResponseConfig") ?? {};
      return { type, statusCode: requiredText(config, "StatusCode"), body: text(config, "MessageBody") ?? "" };
    }
    case "redirect": {
      const config = structure(params, "RedirectConfig") ?? {};
      const host = text(config, "Host");
      return { type, statusCode: requiredText(config, "StatusCode"), ...(host === undefined ? {} : { host }) };
    }
    default:
      return type satisfies never;
  }
}

function condition(params: Params): Condition {
  const field = oneOf(requiredText(params, "Field"), ["path-pattern", "host-header"], "field");
  const config = structure(params, field === "path-pattern" ? "PathPatternConfig" : "HostHeaderConfig");
  const values = texts(params, "Values") ?? (config && texts(config, "Values")) ?? [];
  if (values.length === 0) throw validationError("A condition must specify at least one value");
  return { field, values };
}

/** Networks are not simulated: a subnet is named for its VPC, `subnet-<vpc>-<anything>`. */
function vpcOfSubnet(params: Params): string {
  const subnet = texts(params, "Subnets")?.[0] ?? "";
  const vpcId = /^subnet-(vpc-[0-9a-z]+)/.exec(subnet)?.[1];
  if (vpcId === undefined) throw new AwsError("SubnetNotFound", `The subnet ID '${subnet}' does not exist`);
  return vpcId;
}

function setTags(tags: Map<string, string>, params: Params): void {
  for (const tag of structures(params, "Tags") ?? []) tags.set(requiredText(tag, "Key"), text(tag, "Value") ?? "");
}

function isDelay(value: string): boolean {
  return /^\d+$/.test(value) && Number(value) <= DELAY_MAX_SECONDS;
}

function oneOf<T extends string>(value: string, allowed: readonly T[], parameter: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw validationError(
      `1 validation error detected: Value '${value}' at '${parameter}' failed to satisfy constraint: Member must satisfy enum value set: [${allowed.join(", ")}]`,
    );
  }
  return found;
}
