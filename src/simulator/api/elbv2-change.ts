import { AwsError, missingParameter } from "../aws-error.ts";
import type { Rule } from "../world/load-balancer.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { condition } from "./elbv2-conditions.ts";
import {
  actions,
  checkProtocol,
  checkProtocols,
  checkTransforms,
  checkUnshared,
  oneOf,
  readAttributes,
  readHealthCheck,
} from "./elbv2-params.ts";
import {
  attributesXml,
  ENFORCEMENT,
  enforcementOf,
  findListener,
  findRule,
  listenerXml,
  ruleXml,
  targetGroupXml,
  zonesXml,
} from "./elbv2-read.ts";
import { readTls } from "./listener-tls.ts";
import {
  type Bounds,
  checkSettings,
  integer,
  PORT,
  requiredInteger,
  requiredText,
  structures,
  text,
} from "./params.ts";
import { placeOfSubnets, readSecurityGroups } from "./subnets.ts";

export const PRIORITY: Bounds = [1, 50_000];
export const PROTOCOLS = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"];
export const IP_ADDRESS_TYPES = ["ipv4", "dualstack", "dualstack-without-public-ipv4"];

/** The changes that controllers make to existing load balancers, listeners, rules and target groups. */
export const elbv2ChangeActions: ApiActions = {
  /** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSubnets.html */
  SetSubnets(params, world) {
    const loadBalancer = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    checkSettings(params, { EnablePrefixForIpv6SourceNat: ["off"] }, "a load balancer");
    const { vpcId, zones, addresses } = placeOfSubnets(params, world.region);
    if (vpcId !== loadBalancer.vpcId)
      throw new AwsError(
        "InvalidSubnet",
        `The subnets are not in the VPC '${loadBalancer.vpcId}' of the load balancer`,
      );
    const type = text(params, "IpAddressType");
    if (type !== undefined) loadBalancer.ipAddressType = oneOf(type, IP_ADDRESS_TYPES, "ipAddressType");
    loadBalancer.zones = zones;
    loadBalancer.addresses = addresses;
    return { AvailabilityZones: zonesXml(loadBalancer), IpAddressType: loadBalancer.ipAddressType };
  },

  /**
   * An NLB that was created without security groups can have none later.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
   */
  SetSecurityGroups(params, world) {
    const loadBalancer = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    const ids = readSecurityGroups(params, loadBalancer.vpcId, world);
    if (ids === undefined) throw missingParameter("SecurityGroups");
    const { type, securityGroups } = loadBalancer;
    if (type === "gateway" || (type === "network" && securityGroups.length === 0))
      throw new AwsError(
        "InvalidConfigurationRequest",
        `You cannot set security groups on the load balancer '${loadBalancer.arn}': it was created without any`,
      );
    const enforcement = text(params, ENFORCEMENT);
    if (enforcement !== undefined && type === "network")
      loadBalancer.enforcesOnPrivateLink = oneOf(enforcement, ["on", "off"], "enforcement");
    loadBalancer.securityGroups = ids;
    return { SecurityGroupIds: { member: ids }, [ENFORCEMENT]: enforcementOf(loadBalancer) };
  },

  SetIpAddressType(params, world) {
    const loadBalancer = world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    const type = oneOf(requiredText(params, "IpAddressType"), IP_ADDRESS_TYPES, "ipAddressType");
    loadBalancer.ipAddressType = type;
    return { IpAddressType: type };
  },

  /** Missing settings are not changed. */
  ModifyListener(params, world) {
    const { listener, loadBalancer } = findListener(requiredText(params, "ListenerArn"), world);
    const port = integer(params, "Port", PORT) ?? listener.port;
    if (loadBalancer.listeners.some((other) => other !== listener && other.port === port))
      throw new AwsError(
        "DuplicateListener",
        `A listener already exists on this port for this load balancer '${loadBalancer.arn}'`,
      );
    const protocol = text(params, "Protocol");
    if (protocol !== undefined && loadBalancer.type !== "gateway") checkProtocol(loadBalancer.type, protocol);
    const changed = {
      port,
      protocol: protocol === undefined ? listener.protocol : oneOf(protocol, PROTOCOLS, "protocol"),
      defaultActions:
        structures(params, "DefaultActions") === undefined
          ? listener.defaultActions
          : actions(params, "DefaultActions", world),
      ...readTls(params, protocol ?? listener.protocol, listener),
    };
    checkProtocols(changed.defaultActions, loadBalancer, world);
    checkUnshared(changed.defaultActions, loadBalancer, world);
    Object.assign(listener, changed);
    return { Listeners: { member: [listenerXml({ listener, loadBalancer })] } };
  },

  ModifyListenerAttributes(params, world) {
    const { listener, loadBalancer } = findListener(requiredText(params, "ListenerArn"), world);
    const { attributes } = listener;
    const about = { thing: "Listener", type: loadBalancer.type };
    for (const [key, value] of readAttributes(params, attributes, about)) attributes.set(key, value);
    return attributesXml(attributes);
  },

  DeleteListener(params, world) {
    const { listener, loadBalancer } = findListener(requiredText(params, "ListenerArn"), world);
    loadBalancer.listeners.splice(loadBalancer.listeners.indexOf(listener), 1);
    return {};
  },

  ModifyRule(params, world) {
    const { rule, loadBalancer } = changeableRule(requiredText(params, "RuleArn"), world);
    checkTransforms(params);
    const conditions = structures(params, "Conditions")?.map(condition) ?? rule.conditions;
    const ruleActions = structures(params, "Actions") === undefined ? rule.actions : actions(params, "Actions", world);
    checkProtocols(ruleActions, loadBalancer, world);
    checkUnshared(ruleActions, loadBalancer, world);
    Object.assign(rule, { conditions, actions: ruleActions });
    return { Rules: { member: [ruleXml(rule)] } };
  },

  DeleteRule(params, world) {
    const { rule, listener } = changeableRule(requiredText(params, "RuleArn"), world);
    listener.rules.splice(listener.rules.indexOf(rule), 1);
    return {};
  },

  /** All at once, because rules may exchange their priorities. */
  SetRulePriorities(params, world) {
    const wanted = structures(params, "RulePriorities")?.map((one) => ({
      ...changeableRule(requiredText(one, "RuleArn"), world),
      priority: requiredInteger(one, "Priority", PRIORITY),
    }));
    if (wanted === undefined) throw missingParameter("RulePriorities");
    const moved = new Set(wanted.map(({ rule }) => rule));
    for (const { listener, priority } of wanted) {
      const isInUse = listener.rules.some((other) => !moved.has(other) && other.priority === priority);
      if (isInUse || wanted.filter((one) => one.listener === listener && one.priority === priority).length > 1)
        throw new AwsError("PriorityInUse", `Priority '${priority}' is currently in use`);
    }
    for (const { rule, priority } of wanted) rule.priority = priority;
    return { Rules: { member: wanted.map(({ rule }) => ruleXml(rule)) } };
  },

  /** Results of the old settings stay valid. */
  ModifyTargetGroup(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    const changed = readHealthCheck(params, group);
    group.catchUpHealth(world.clock.now());
    Object.assign(group, changed);
    return { TargetGroups: { member: [targetGroupXml(group, world)] } };
  },
};

/** The default rule can't be changed by these calls. */
function changeableRule(arn: string, world: World) {
  const { priority } = findRule(arn, world);
  if (priority === "default")
    throw new AwsError("OperationNotPermitted", `Default rule '${arn}' cannot be modified or deleted`);
  for (const loadBalancer of world.loadBalancers.values()) {
    for (const listener of loadBalancer.listeners) {
      const rule: Rule | undefined = listener.rules.find((candidate) => candidate.arn === arn);
      if (rule !== undefined) return { rule, listener, loadBalancer };
    }
  }
  throw new AwsError("RuleNotFound", "One or more rules not found");
}
