import { AwsError, missingParameter, validationError } from "../aws-error.ts";
import type { LoadBalancer, LoadBalancerType, Scheme } from "../world/load-balancer.ts";
import type { TargetDescription, TargetGroup } from "../world/target-group.ts";
import {
  CROSS_ZONE,
  defaultIntervalSeconds,
  defaultProbe,
  loadBalancerTypeFor,
} from "../world/target-group-attributes.ts";
import { DEFAULT_HEALTH_CHECK } from "../world/world.ts";
import { type ApiActions, addTags, hasSettings, readTags, requiredTags } from "./action.ts";
import { elbv2ChangeActions, IP_ADDRESS_TYPES, PRIORITY, PROTOCOLS } from "./elbv2-change.ts";
import { condition } from "./elbv2-conditions.ts";
import {
  actions,
  checkName,
  checkProtocol,
  checkProtocols,
  checkProtocolVersion,
  checkTransforms,
  checkUnshared,
  oneOf,
  readAttributes,
  readHealthCheck,
} from "./elbv2-params.ts";
import {
  attributesXml,
  findListener,
  listenerXml,
  loadBalancerXml,
  ruleXml,
  tagsOf,
  targetGroupXml,
} from "./elbv2-read.ts";
import { checkRegistration } from "./elbv2-registration.ts";
import { checkConflicts } from "./group-conflicts.ts";
import { readTls } from "./listener-tls.ts";
import {
  checkSettings,
  type NotSimulated,
  type Params,
  PORT,
  requiredInteger,
  requiredText,
  structures,
  targetDescription,
  text,
  texts,
} from "./params.ts";
import { placeOfSubnets, readSecurityGroups } from "./subnets.ts";

/** A group of functions has no addresses: AWS accepts none of these and shows none. */
const OF_FUNCTIONS = { protocol: "HTTP", port: 80, vpcId: "" };
/** https://docs.aws.amazon.com/elasticloadbalancing/latest/network/application-load-balancer-target.html */
const PROTOCOLS_TO_ALB = ["TCP", "TLS"];
const TARGET_ADDRESS_TYPES = ["ipv4", "ipv6"] as const;
const LOAD_BALANCER_TYPES: readonly LoadBalancerType[] = ["application", "network", "gateway"];
const GENEVE_PORT = 6_081;
const VPC_ID = /^vpc-[0-9a-z]+$/;
/** https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-tags.html */
const TAGS_MAX = 50;
/** Where the addresses of a load balancer come from. */
const NOT_SIMULATED: NotSimulated = {
  CustomerOwnedIpv4Pool: [],
  EnablePrefixForIpv6SourceNat: ["off"],
  IpamPools: [],
};
const SCHEMES: readonly Scheme[] = ["internet-facing", "internal"];

const changes: ApiActions = {
  DeregisterTargets(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    for (const target of targets(params, group)) world.deregisterTarget(group, target);
    return {};
  },

  RegisterTargets(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    const wanted = targets(params, group);
    checkRegistration(wanted, group, world);
    for (const target of wanted) world.registerTarget(group, target);
    return {};
  },

  CreateTargetGroup(params, world) {
    const name = checkName("Target group", requiredText(params, "Name"));
    const targetType = oneOf(
      text(params, "TargetType") ?? "instance",
      ["instance", "ip", "lambda", "alb"],
      "targetType",
    );
    const where = targetType === "lambda" ? OF_FUNCTIONS : addressed(params);
    if (targetType === "alb" && !PROTOCOLS_TO_ALB.includes(where.protocol))
      throw validationError(`Protocol '${where.protocol}' is not supported with target type 'alb'`);
    const ipAddressType = oneOf(text(params, "IpAddressType") ?? "ipv4", TARGET_ADDRESS_TYPES, "ipAddressType");
    checkProtocolVersion(params);
    checkSettings(params, { TargetControlPort: [] }, "a target group");
    if (where.protocol === "GENEVE" && where.port !== GENEVE_PORT)
      throw validationError(`The port of a target group of the protocol 'GENEVE' must be ${GENEVE_PORT}`);
    const about = { ...where, targetType };
    const intervalMs = defaultIntervalSeconds(about) * 1_000;
    const defaults = { healthCheck: { ...DEFAULT_HEALTH_CHECK, intervalMs }, probe: defaultProbe(about) };
    const settings = {
      targetType,
      ipAddressType,
      ...where,
      ...readHealthCheck(params, { ...defaults, protocol: where.protocol, targetType }),
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
    const about = { thing: "Target group", type: loadBalancerTypeFor(group.protocol) };
    const wanted = readAttributes(params, group.attributes, about);
    checkConflicts(group.protocol, new Map([...group.attributes, ...wanted]), new Set(wanted.map(([key]) => key)));
    for (const [key, value] of wanted) group.attributes.set(key, value);
    return attributesXml(group.attributes);
  },

  ModifyLoadBalancerAttributes(params, world) {
    const { attributes, type } = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    const wanted = readAttributes(params, attributes, { thing: "Load balancer", type });
    if (type === "application" && wanted.some(([key, value]) => key === CROSS_ZONE && value === "false"))
      throw new AwsError(
        "InvalidConfigurationRequest",
        "Cross-zone load balancing cannot be turned off for an Application Load Balancer: turn it off for its target groups",
      );
    checkLogs(new Map([...attributes, ...wanted]));
    for (const [key, value] of wanted) attributes.set(key, value);
    return attributesXml(attributes);
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
    const name = checkName("Load balancer", requiredText(params, "Name"));
    const type = oneOf(text(params, "Type") ?? "application", LOAD_BALANCER_TYPES, "type");
    const place = placeOfSubnets(params, world.region);
    if (type === "application" && place.zones.length < 2)
      throw validationError("At least two subnets in two different Availability Zones must be specified");
    checkSettings(params, NOT_SIMULATED, "a load balancer");
    const securityGroups = readSecurityGroups(params, place.vpcId, world);
    const settings = {
      type,
      vpcId: place.vpcId,
      scheme: oneOf(text(params, "Scheme") ?? "internet-facing", SCHEMES, "scheme"),
      ipAddressType: oneOf(text(params, "IpAddressType") ?? "ipv4", IP_ADDRESS_TYPES, "ipAddressType"),
    };
    const tags = readTags(params);
    const existing = [...world.loadBalancers.values()].find((loadBalancer) => loadBalancer.name === name);
    if (existing !== undefined && !hasSettings(existing, settings)) {
      throw new AwsError(
        "DuplicateLoadBalancerName",
        `A load balancer with the same name '${name}' exists, but with different settings`,
      );
    }
    const activeAt = world.clock.now() + world.timing.provisioningMs;
    const loadBalancer =
      existing ??
      world.addLoadBalancer({ name, ...settings, ...place, ...(securityGroups && { securityGroups }), activeAt });
    addTags(loadBalancer.tags, tags);
    return { LoadBalancers: { member: [loadBalancerXml(loadBalancer, world)] } };
  },

  /** As on AWS, deleting one that does not exist is not an error. */
  DeleteLoadBalancer(params, world) {
    const arn = requiredText(params, "LoadBalancerArn");
    if (world.loadBalancers.get(arn)?.attributes.get("deletion_protection.enabled") === "true")
      throw new AwsError(
        "OperationNotPermitted",
        `Load balancer '${arn}' cannot be deleted because deletion protection is enabled`,
      );
    world.loadBalancers.delete(arn);
    return {};
  },

  CreateListener(params, world) {
    const loadBalancer = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    const { protocol, port } = readEntrance(params, loadBalancer);
    const defaultActions = actions(params, "DefaultActions", world);
    checkProtocols(defaultActions, loadBalancer, world);
    checkUnshared(defaultActions, loadBalancer, world);
    const existing = loadBalancer.listeners.find((listener) => listener.port === port);
    if (existing !== undefined && !hasSettings(existing, { protocol, defaultActions })) {
      throw new AwsError(
        "DuplicateListener",
        `A listener already exists on this port for this load balancer '${loadBalancer.arn}'`,
      );
    }
    const tls = readTls(params, protocol);
    const tags = readTags(params);
    const listener = existing ?? world.addListener(loadBalancer, { protocol, port, defaultActions, ...tls });
    addTags(listener.tags, tags);
    return { Listeners: { member: [listenerXml({ listener, loadBalancer })] } };
  },

  CreateRule(params, world) {
    const { listener, loadBalancer } = findListener(requiredText(params, "ListenerArn"), world);
    const priority = requiredInteger(params, "Priority", PRIORITY);
    if (listener.rules.some((rule) => rule.priority === priority)) {
      throw new AwsError("PriorityInUse", `Priority '${priority}' is currently in use`);
    }
    checkTransforms(params);
    const conditions = structures(params, "Conditions")?.map(condition);
    if (conditions === undefined) throw missingParameter("Conditions");
    const ruleActions = actions(params, "Actions", world);
    checkProtocols(ruleActions, loadBalancer, world);
    checkUnshared(ruleActions, loadBalancer, world);
    const tags = readTags(params);
    const rule = world.addRule(listener, { priority, conditions, actions: ruleActions });
    addTags(rule.tags, tags);
    return { Rules: { member: [ruleXml(rule)] } };
  },

  AddTags(params, world) {
    const arns = texts(params, "ResourceArns");
    if (arns === undefined) throw missingParameter("ResourceArns");
    const resources = arns.map((arn) => tagsOf(arn, world));
    const tags = requiredTags(params);
    for (const resource of resources) checkTagCount(new Map([...resource, ...tags]));
    for (const resource of resources) addTags(resource, tags);
    return {};
  },

  RemoveTags(params, world) {
    const arns = texts(params, "ResourceArns");
    if (arns === undefined) throw missingParameter("ResourceArns");
    const keys = texts(params, "TagKeys");
    if (keys === undefined) throw missingParameter("TagKeys");
    for (const resource of arns.map((arn) => tagsOf(arn, world))) for (const key of keys) resource.delete(key);
    return {};
  },

  ...elbv2ChangeActions,
};

/**
 * The actions of Elastic Load Balancing 2015-12-01 that change something: those of draining, and those that build a
 * world.
 */
export const elbv2WriteActions: ApiActions = Object.fromEntries(
  Object.entries(changes).map(([name, change]) => [
    name,
    (params, world, caller) => world.changeUses(() => change(params, world, caller)),
  ]),
);

function checkTagCount(tags: ReadonlyMap<string, string>): void {
  if (tags.size > TAGS_MAX) throw new AwsError("TooManyTags", `A resource can have at most ${TAGS_MAX} tags`);
}

function targets(params: Params, group: TargetGroup): readonly TargetDescription[] {
  const list = structures(params, "Targets");
  if (list === undefined) throw missingParameter("Targets");
  return list.map((target) => targetDescription(target, group));
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html */
function checkLogs(attributes: ReadonlyMap<string, string>): void {
  for (const log of ["access_logs", "connection_logs", "health_check_logs"]) {
    if (attributes.get(`${log}.s3.enabled`) === "true" && attributes.get(`${log}.s3.bucket`) === "")
      throw new AwsError("InvalidConfigurationRequest", `The attribute ${log}.s3.bucket is required`);
  }
}

/** The listener's entrance. A GWLB's listener accepts everything, and a call may not limit it. */
function readEntrance(params: Params, { type }: LoadBalancer): { readonly protocol: string; readonly port: number } {
  if (type !== "gateway")
    return {
      protocol: checkProtocol(type, requiredText(params, "Protocol")),
      port: requiredInteger(params, "Port", PORT),
    };
  if (text(params, "Protocol") !== undefined || text(params, "Port") !== undefined)
    throw validationError("You cannot specify a protocol or a port for the listener of a Gateway Load Balancer");
  return { protocol: "GENEVE", port: GENEVE_PORT };
}

function addressed(params: Params): { readonly protocol: string; readonly port: number; readonly vpcId: string } {
  const vpcId = requiredText(params, "VpcId");
  // A VPC exists as soon as anything is in it.
  if (!VPC_ID.test(vpcId)) throw validationError(`The VPC ID '${vpcId}' is not found`);
  return {
    protocol: oneOf(requiredText(params, "Protocol"), PROTOCOLS, "protocol"),
    port: requiredInteger(params, "Port", PORT),
    vpcId,
  };
}
