import { AwsError, invalidTarget, missingParameter, validationError } from "../aws-error.ts";
import type { Action, Condition, LoadBalancer, LoadBalancerType } from "../world/load-balancer.ts";
import type { TargetDescription, TargetGroup } from "../world/target-group.ts";
import { DEREGISTRATION_DELAY, isQuic, SECONDS_MAX } from "../world/target-group-attributes.ts";
import type { World } from "../world/world.ts";
import { type ApiActions, addTags, hasSettings, readTags, requiredTags } from "./action.ts";
import { findListener, listenerXml, loadBalancerXml, ruleXml, targetGroupXml } from "./elbv2-read.ts";
import {
  type Bounds,
  integer,
  type Params,
  PORT,
  placeOfSubnets,
  requiredInteger,
  requiredText,
  structure,
  structures,
  targetDescription,
  text,
  texts,
} from "./params.ts";

const PRIORITY: Bounds = [1, 50_000];
const WEIGHT: Bounds = [0, 999];
const INTERVAL_SECONDS: Bounds = [5, 300];
const THRESHOLD: Bounds = [2, 10];
const PROTOCOLS = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"];
/** A group of functions has no addresses: AWS takes none of these and shows none. */
const OF_FUNCTIONS = { protocol: "HTTP", port: 80, vpcId: "" };
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
    if (isQuic(group.protocol) && wanted.some(({ quicServerId }) => quicServerId === undefined)) {
      throw validationError("A QUIC server ID is required for the targets of a target group of this protocol");
    }
    for (const target of wanted) world.registerTarget(group, target);
    return {};
  },

  CreateTargetGroup(params, world) {
    const name = requiredText(params, "Name");
    const targetType = oneOf(
      text(params, "TargetType") ?? "instance",
      ["instance", "ip", "lambda", "alb"],
      "targetType",
    );
    const settings = {
      targetType,
      ...(targetType === "lambda" ? OF_FUNCTIONS : addressed(params)),
      healthCheck: {
        intervalMs: (integer(params, "HealthCheckIntervalSeconds", INTERVAL_SECONDS) ?? 30) * 1_000,
        healthyThreshold: integer(params, "HealthyThresholdCount", THRESHOLD) ?? 5,
        unhealthyThreshold: integer(params, "UnhealthyThresholdCount", THRESHOLD) ?? 2,
      },
    };
    const tags = readTags(params);
    const existing = [...world.targetGroups.values()].find((group) => group.name === name);
    if (existing !== undefined && !hasSettings(existing, settings)) {
      throw new AwsError(
        "DuplicateTargetGroupName",
        `A target group with the same name '${name}' exists, but with different settings`,
      );
    }
    const group = existing ?? world.addTargetGroup({ name, ...settings });
    addTags(group.tags, tags);
    return { TargetGroups: { member: [targetGroupXml(group, world)] } };
  },

  ModifyTargetGroupAttributes(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    const wanted = structures(params, "Attributes")?.map((attribute) => checkedAttribute(attribute, group));
    if (wanted === undefined) throw missingParameter("Attributes");
    for (const [key, value] of wanted) group.attributes.set(key, value);
    return { Attributes: { member: [...group.attributes].map(([Key, Value]) => ({ Key, Value })) } };
  },

  ModifyLoadBalancerAttributes(params, world) {
    const { attributes } = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    const wanted = structures(params, "Attributes");
    if (wanted === undefined) throw missingParameter("Attributes");
    const pairs = wanted.map((one) => [requiredText(one, "Key"), requiredText(one, "Value")] as const);
    const unknown = pairs.find(([key]) => !attributes.has(key));
    if (unknown !== undefined)
      throw new AwsError(
        "InvalidConfigurationRequest",
        `Load balancer attribute key '${unknown[0]}' is not recognized`,
      );
    for (const [key, value] of pairs) attributes.set(key, value);
    return { Attributes: { member: [...attributes].map(([Key, Value]) => ({ Key, Value })) } };
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
    const type = oneOf(text(params, "Type") ?? "application", LOAD_BALANCER_TYPES, "type");
    const { vpcId, zones } = placeOfSubnets(params, world.region);
    const tags = readTags(params);
    const existing = [...world.loadBalancers.values()].find((loadBalancer) => loadBalancer.name === name);
    if (existing !== undefined && !hasSettings(existing, { type, vpcId })) {
      throw new AwsError(
        "DuplicateLoadBalancerName",
        `A load balancer with the same name '${name}' exists, but with different settings`,
      );
    }
    const loadBalancer = existing ?? world.addLoadBalancer({ name, type, vpcId, zones });
    addTags(loadBalancer.tags, tags);
    return { LoadBalancers: { member: [loadBalancerXml(loadBalancer, world)] } };
  },

  /** As on AWS, one that is already gone is not an error. */
  DeleteLoadBalancer(params, world) {
    world.loadBalancers.delete(requiredText(params, "LoadBalancerArn"));
    return {};
  },

  CreateListener(params, world) {
    const loadBalancer = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    const protocol = requiredText(params, "Protocol");
    const port = requiredInteger(params, "Port", PORT);
    const defaultActions = actions(params, "DefaultActions", world);
    checkUnshared(defaultActions, loadBalancer, world);
    const existing = loadBalancer.listeners.find((listener) => listener.port === port);
    if (existing !== undefined && !hasSettings(existing, { protocol, defaultActions })) {
      throw new AwsError(
        "DuplicateListener",
        `A listener already exists on this port for this load balancer '${loadBalancer.arn}'`,
      );
    }
    const listener = existing ?? world.addListener(loadBalancer, { protocol, port, defaultActions });
    return { Listeners: { member: [listenerXml({ listener, loadBalancer })] } };
  },

  CreateRule(params, world) {
    const { listener, loadBalancer } = findListener(requiredText(params, "ListenerArn"), world);
    const priority = requiredInteger(params, "Priority", PRIORITY);
    if (listener.rules.some((rule) => rule.priority === priority)) {
      throw new AwsError("PriorityInUse", `Priority '${priority}' is currently in use`);
    }
    const conditions = structures(params, "Conditions")?.map(condition);
    if (conditions === undefined) throw missingParameter("Conditions");
    const ruleActions = actions(params, "Actions", world);
    checkUnshared(ruleActions, loadBalancer, world);
    const rule = world.addRule(listener, { priority, conditions, actions: ruleActions });
    return { Rules: { member: [ruleXml(rule)] } };
  },

  AddTags(params, world) {
    const arns = texts(params, "ResourceArns");
    if (arns === undefined) throw missingParameter("ResourceArns");
    const resources = arns.map((arn) =>
      arn.includes(":targetgroup/") ? world.targetGroup(arn) : world.loadBalancer(arn),
    );
    const tags = requiredTags(params);
    for (const resource of resources) addTags(resource.tags, tags);
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
  const stopped = wanted.filter(({ id }) => !world.isRunning(id));
  if (stopped.length > 0) {
    throw invalidTarget(
      `The following targets are not in a running state and cannot be registered: ${quoted(stopped)}`,
    );
  }
}

function actions(params: Params, name: string, world: World): readonly Action[] {
  const list = structures(params, name);
  if (list === undefined) throw missingParameter(name);
  return list.map((action) => readAction(action, world));
}

/** A target group serves one load balancer at most. */
function checkUnshared(list: readonly Action[], loadBalancer: LoadBalancer, world: World): void {
  const arns = list.flatMap((action) => (action.type === "forward" ? action.groups.map(({ arn }) => arn) : []));
  const inUse = arns.find((arn) => (world.loadBalancerOf(arn) ?? loadBalancer) !== loadBalancer);
  if (inUse !== undefined) {
    throw new AwsError(
      "TargetGroupAssociationLimit",
      `The following target groups cannot be associated with more than one load balancer: ${inUse}`,
    );
  }
}

function readAction(params: Params, world: World): Action {
  const type = oneOf(requiredText(params, "Type"), ["forward", "fixed-response", "redirect"], "type");
  switch (type) {
    case "forward": {
      const config = structure(params, "ForwardConfig");
      const weighted = (config && structures(config, "TargetGroups")) ?? [];
      const groups = weighted.map((group) => ({
        arn: requiredText(group, "TargetGroupArn"),
        weight: integer(group, "Weight", WEIGHT) ?? 1,
      }));
      const forward = groups.length > 0 ? groups : [{ arn: requiredText(params, "TargetGroupArn"), weight: 1 }];
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

function addressed(params: Params): { readonly protocol: string; readonly port: number; readonly vpcId: string } {
  return {
    protocol: oneOf(requiredText(params, "Protocol"), PROTOCOLS, "protocol"),
    port: requiredInteger(params, "Port", PORT),
    vpcId: requiredText(params, "VpcId"),
  };
}

function checkedAttribute(attribute: Params, group: TargetGroup): readonly [key: string, value: string] {
  const key = requiredText(attribute, "Key");
  const value = requiredText(attribute, "Value");
  if (!group.attributes.has(key))
    throw new AwsError("InvalidConfigurationRequest", `Target group attribute key '${key}' is not recognized`);
  const max = SECONDS_MAX.get(key);
  if (max !== undefined && !(/^\d+$/.test(value) && Number(value) <= max)) {
    const what = key === DEREGISTRATION_DELAY ? "Deregistration delay" : `Target group attribute '${key}'`;
    throw validationError(`${what} must be between 0 and ${max} seconds, not '${value}'`);
  }
  return [key, value];
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
