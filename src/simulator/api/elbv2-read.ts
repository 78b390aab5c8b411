import {
  AwsError,
  invalidArn,
  listenerNotFound,
  missingParameter,
  ruleNotFound,
  validationError,
} from "../aws-error.ts";
import { domainOf, HOSTED_ZONE_ID, isArnOf, numberedDnsName } from "../world/arn.ts";
import type { Action, Listener, LoadBalancer, Rule } from "../world/load-balancer.ts";
import { subnetIdOf } from "../world/networks.ts";
import { UNCHANGED } from "../world/redirect.ts";
import type { TargetGroup } from "../world/target-group.ts";
import { isApplicationProtocol } from "../world/target-group-attributes.ts";
import type { World } from "../world/world.ts";
import { LIMITS, limitsOf } from "./account-limits.ts";
import { type ApiActions, isoTime, tagList } from "./action.ts";
import { conditionXml } from "./elbv2-conditions.ts";
import { oneOf } from "./elbv2-params.ts";
import { tlsXml } from "./listener-tls.ts";
import { pageOf } from "./paging.ts";
import { atMost, requiredText, structures, targetDescription, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

const ARNS_PER_CALL_MAX = 20;

const INCLUDED = ["AnomalyDetection", "All"];
/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AnomalyDetection.html */
const NO_ANOMALY = { Result: "normal", MitigationInEffect: "no" };
const NO_OVERRIDE = {
  State: "no_override",
  Reason: "AdministrativeOverride.NoOverride",
  Description: "No override is currently active on target",
};
const ZONAL_SHIFT = {
  State: "zonal_shift_active",
  Reason: "AdministrativeOverride.ZonalShiftActive",
  Description: "Override is currently active on target due to zonal shift",
};

/** The Describe actions of Elastic Load Balancing 2015-12-01 that draining needs. */
export const elbv2ReadActions: ApiActions = {
  DescribeLoadBalancers(params, world) {
    const arns = texts(params, "LoadBalancerArns");
    const names = texts(params, "Names");
    if (arns !== undefined) atMost(arns, ARNS_PER_CALL_MAX, "loadBalancerArns");
    const all = [...world.loadBalancers.values()];
    const chosen = arns?.map((arn) => world.loadBalancer(arn)) ?? names?.map((name) => byName(all, name)) ?? all;
    const { items, nextMarker } = pageOf(chosen, params);
    return { LoadBalancers: { member: items.map((item) => loadBalancerXml(item, world)) }, NextMarker: nextMarker };
  },

  DescribeTargetGroups(params, world) {
    const loadBalancerArn = text(params, "LoadBalancerArn");
    const arns = texts(params, "TargetGroupArns");
    const names = texts(params, "Names");
    if ([loadBalancerArn, arns, names].filter((given) => given !== undefined).length > 1) {
      throw validationError(
        "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time",
      );
    }
    if (arns !== undefined && arns.length > ARNS_PER_CALL_MAX) {
      throw validationError(`You cannot describe more than '${ARNS_PER_CALL_MAX}' target groups at a time`);
    }
    const all = [...world.targetGroups.values()];
    let chosen: readonly TargetGroup[] = all;
    if (arns !== undefined) chosen = arns.map((arn) => world.targetGroup(arn));
    if (names !== undefined) chosen = names.map((name) => groupByName(all, name));
    if (loadBalancerArn !== undefined) {
      const { groupArns } = world.loadBalancer(loadBalancerArn);
      chosen = all.filter(({ arn }) => groupArns.has(arn));
    }
    const { items, nextMarker } = pageOf(chosen, params);
    return { TargetGroups: { member: items.map((group) => targetGroupXml(group, world)) }, NextMarker: nextMarker };
  },

  DescribeTargetGroupAttributes(params, world) {
    return attributesXml(world.targetGroup(requiredText(params, "TargetGroupArn")).attributes);
  },

  DescribeLoadBalancerAttributes(params, world) {
    return attributesXml(world.loadBalancer(requiredText(params, "LoadBalancerArn")).attributes);
  },

  DescribeTargetHealth(params, world) {
    const group = world.targetGroup(requiredText(params, "TargetGroupArn"));
    const named = structures(params, "Targets")?.map((target) => targetDescription(target, group));
    const now = world.clock.now();
    const included = (texts(params, "Include") ?? []).map((one) => oneOf(one, INCLUDED, "include"));
    const withAnomalies = included.length > 0 && isApplicationProtocol(group.protocol) && group.targetType !== "lambda";
    const described =
      named === undefined
        ? group.listed(now).map((target) => ({ described: target, target }))
        : named.map((description) => ({ described: description, target: group.named(description, now) }));
    return {
      TargetHealthDescriptions: {
        member: described.map(({ described: { id, port, zone, quicServerId }, target }) => {
          const health =
            target === undefined
              ? {
                  state: "unused",
                  reason: "Target.NotRegistered",
                  description: "Target is not registered to the target group",
                }
              : group.apiHealth(target, now);
          return {
            Target: {
              Id: id,
              Port: port ?? group.port,
              AvailabilityZone: target?.zone ?? zone,
              QuicServerId: target?.quicServerId ?? quicServerId,
            },
            HealthCheckPort: String(port ?? group.port),
            TargetHealth: { State: health.state, Reason: health.reason, Description: health.description },
            AnomalyDetection: withAnomalies ? NO_ANOMALY : undefined,
            AdministrativeOverride: target !== undefined && group.isShifted(target, now) ? ZONAL_SHIFT : NO_OVERRIDE,
          };
        }),
      },
    };
  },

  DescribeAccountLimits(params) {
    return limitsOf(LIMITS, params);
  },

  DescribeTags(params, world) {
    const arns = texts(params, "ResourceArns");
    if (arns === undefined) throw missingParameter("ResourceArns");
    atMost(arns, ARNS_PER_CALL_MAX, "resourceArns");
    return {
      TagDescriptions: { member: arns.map((arn) => ({ ResourceArn: arn, Tags: tagList(tagsOf(arn, world)) })) },
    };
  },

  DescribeListeners(params, world) {
    const loadBalancerArn = text(params, "LoadBalancerArn");
    const arns = texts(params, "ListenerArns");
    if (loadBalancerArn === undefined && arns === undefined) {
      throw validationError("You must specify either listener ARNs or a load balancer ARN");
    }
    const chosen = arns?.map((arn) => findListener(arn, world)) ?? listenersOf(loadBalancerArn ?? "", world);
    const { items, nextMarker } = pageOf(chosen, params);
    return { Listeners: { member: items.map(listenerXml) }, NextMarker: nextMarker };
  },

  DescribeListenerAttributes(params, world) {
    const found = findListener(requiredText(params, "ListenerArn"), world);
    return attributesXml(found.listener.attributes);
  },

  /** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListenerCertificates.html */
  DescribeListenerCertificates(params, world) {
    const { listener } = findListener(requiredText(params, "ListenerArn"), world);
    const { items, nextMarker } = pageOf(listener.certificateArns, params);
    const [first] = listener.certificateArns;
    const certificates = items.map((arn) => ({ CertificateArn: arn, IsDefault: arn === first }));
    return { Certificates: { member: certificates }, NextMarker: nextMarker };
  },

  /** Nothing is reserved. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeCapacityReservation.html */
  DescribeCapacityReservation(params, world) {
    world.loadBalancer(requiredText(params, "LoadBalancerArn"));
    return { DecreaseRequestsRemaining: 2, CapacityReservationState: { member: [] } };
  },

  DescribeRules(params, world) {
    const listenerArn = text(params, "ListenerArn");
    const arns = texts(params, "RuleArns");
    if (listenerArn === undefined && arns === undefined) {
      throw validationError("You must specify either listener rule ARNs or a listener ARN");
    }
    const chosen =
      arns?.map((arn) => findRule(arn, world)) ?? describedRules(findListener(listenerArn ?? "", world).listener);
    const { items, nextMarker } = pageOf(chosen, params);
    return { Rules: { member: items.map(ruleXml) }, NextMarker: nextMarker };
  },
};

interface ListenerOf {
  readonly listener: Listener;
  readonly loadBalancer: LoadBalancer;
}

export function findListener(arn: string, world: World): ListenerOf {
  for (const loadBalancer of world.loadBalancers.values()) {
    const listener = loadBalancer.listeners.find((candidate) => candidate.arn === arn);
    if (listener !== undefined) return { listener, loadBalancer };
  }
  throw isArnOf("listener", arn, world) ? listenerNotFound() : invalidArn(arn, "listener");
}

function listenersOf(loadBalancerArn: string, world: World): readonly ListenerOf[] {
  const loadBalancer = world.loadBalancer(loadBalancerArn);
  return loadBalancer.listeners.map((listener) => ({ listener, loadBalancer }));
}

/** A rule as it is described. The default rule has neither conditions nor a number. */
export interface DescribedRule extends Omit<Rule, "priority"> {
  readonly priority: number | "default";
}

/** By priority, the default one last. */
function describedRules({ rules, defaultRuleArn, defaultActions, tags }: Listener): readonly DescribedRule[] {
  const byPriority = [...rules].sort((a, b) => a.priority - b.priority);
  return [...byPriority, { arn: defaultRuleArn, priority: "default", conditions: [], actions: defaultActions, tags }];
}

export function findRule(arn: string, world: World): DescribedRule {
  const listeners = [...world.loadBalancers.values()].flatMap((loadBalancer) => loadBalancer.listeners);
  const rule = listeners.flatMap(describedRules).find((candidate) => candidate.arn === arn);
  if (rule === undefined) throw isArnOf("rule", arn, world) ? ruleNotFound() : invalidArn(arn, "listener rule");
  return rule;
}

export function tagsOf(arn: string, world: World): Map<string, string> {
  if (arn.includes(":targetgroup/")) return world.targetGroup(arn).tags;
  if (arn.includes(":loadbalancer/")) return world.loadBalancer(arn).tags;
  if (arn.includes(":listener-rule/")) return findRule(arn, world).tags;
  if (arn.includes(":listener/")) return findListener(arn, world).listener.tags;
  throw invalidArn(arn, "resource");
}

export function attributesXml(attributes: ReadonlyMap<string, string>): XmlFields {
  return { Attributes: { member: [...attributes].map(([Key, Value]) => ({ Key, Value })) } };
}

function byName(all: readonly LoadBalancer[], name: string): LoadBalancer {
  const found = all.find((loadBalancer) => loadBalancer.name === name);
  if (found === undefined) throw new AwsError("LoadBalancerNotFound", `Load balancers '[${name}]' not found`);
  return found;
}

function groupByName(all: readonly TargetGroup[], name: string): TargetGroup {
  const found = all.find((group) => group.name === name);
  if (found === undefined) throw new AwsError("TargetGroupNotFound", "One or more target groups not found");
  return found;
}

export function loadBalancerXml(loadBalancer: LoadBalancer, world: World): XmlFields {
  return {
    LoadBalancerArn: loadBalancer.arn,
    DNSName: dnsNameOf(loadBalancer, world.region),
    CanonicalHostedZoneId: HOSTED_ZONE_ID,
    CreatedTime: isoTime(loadBalancer.createdAt),
    LoadBalancerName: loadBalancer.name,
    Scheme: loadBalancer.scheme,
    VpcId: loadBalancer.vpcId,
    State: { Code: world.clock.now() < loadBalancer.activeAt ? "provisioning" : "active" },
    Type: loadBalancer.type,
    AvailabilityZones: zonesXml(loadBalancer),
    SecurityGroups: { member: loadBalancer.securityGroups },
    IpAddressType: loadBalancer.ipAddressType,
    [ENFORCEMENT]: enforcementOf(loadBalancer),
  };
}

export const ENFORCEMENT = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic";

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSecurityGroups.html */
export function enforcementOf({ type, securityGroups, enforcesOnPrivateLink }: LoadBalancer): string | undefined {
  return type === "network" && securityGroups.length > 0 ? enforcesOnPrivateLink : undefined;
}

/** For an NLB and a GWLB it contains the digits of their ARN, for an ALB a number. */
function dnsNameOf({ arn, name, type, scheme }: LoadBalancer, region: string): string {
  const digits = arn.slice(arn.lastIndexOf("/") + 1);
  if (type !== "application") return `${name}-${digits}.elb.${region}.${domainOf(region)}`;
  return numberedDnsName({ name, scheme }, digits, region);
}

export function zonesXml({ zones, vpcId, addresses }: LoadBalancer): XmlFields {
  const addressesIn = (zone: string) => {
    const address = addresses.get(zone);
    if (address === undefined) return [];
    const { allocationId, privateIp, ipv6 } = address;
    return [{ AllocationId: allocationId, PrivateIPv4Address: privateIp, IPv6Address: ipv6 }];
  };
  return {
    member: zones.map((zone) => ({
      ZoneName: zone,
      SubnetId: subnetIdOf(vpcId, zone),
      LoadBalancerAddresses: { member: addressesIn(zone) },
    })),
  };
}

export function targetGroupXml(group: TargetGroup, world: World): XmlFields {
  const loadBalancer = world.loadBalancerOf(group.arn);
  const isLambda = group.targetType === "lambda";
  return {
    TargetGroupArn: group.arn,
    TargetGroupName: group.name,
    Protocol: isLambda ? undefined : group.protocol,
    Port: isLambda ? undefined : group.port,
    VpcId: isLambda ? undefined : group.vpcId,
    HealthCheckEnabled: group.probe.enabled ?? true,
    HealthCheckIntervalSeconds: group.healthCheck.intervalMs / 1_000,
    HealthyThresholdCount: group.healthCheck.healthyThreshold,
    UnhealthyThresholdCount: group.healthCheck.unhealthyThreshold,
    HealthCheckTimeoutSeconds: group.probe.timeoutSeconds,
    HealthCheckProtocol: isLambda ? undefined : group.probe.protocol,
    HealthCheckPort: isLambda ? undefined : group.probe.port,
    HealthCheckPath: group.probe.path,
    Matcher: group.probe.matcher === undefined ? undefined : { HttpCode: group.probe.matcher },
    ProtocolVersion: isApplicationProtocol(group.protocol) && !isLambda ? "HTTP1" : undefined,
    LoadBalancerArns: { member: loadBalancer === undefined ? [] : [loadBalancer.arn] },
    TargetType: group.targetType,
    IpAddressType: group.ipAddressType,
  };
}

export function listenerXml({ listener, loadBalancer }: ListenerOf): XmlFields {
  return {
    ListenerArn: listener.arn,
    LoadBalancerArn: loadBalancer.arn,
    Port: listener.port,
    Protocol: listener.protocol,
    ...tlsXml(listener),
    DefaultActions: { member: listener.defaultActions.map(actionXml) },
  };
}

export function ruleXml(rule: DescribedRule): XmlFields {
  return {
    RuleArn: rule.arn,
    Priority: String(rule.priority),
    Conditions: { member: rule.conditions.map(conditionXml) },
    Actions: { member: rule.actions.map(actionXml) },
    IsDefault: rule.priority === "default",
  };
}

/** AWS describes a forward to one group in both of its forms. */
function actionXml(action: Action): XmlFields {
  const common = { Type: action.type, Order: action.order };
  switch (action.type) {
    case "forward": {
      const [only, ...others] = action.groups;
      return {
        ...common,
        TargetGroupArn: others.length === 0 ? only?.arn : undefined,
        ForwardConfig: {
          TargetGroups: { member: action.groups.map(({ arn, weight }) => ({ TargetGroupArn: arn, Weight: weight })) },
          TargetGroupStickinessConfig: { Enabled: false, DurationSeconds: action.stickinessSeconds },
        },
      };
    }
    case "fixed-response": {
      const { statusCode: StatusCode, body: MessageBody, contentType: ContentType } = action;
      return { ...common, FixedResponseConfig: { StatusCode, MessageBody, ContentType } };
    }
    case "redirect":
      return { ...common, RedirectConfig: redirectXml(action) };
    default:
      return action satisfies never;
  }
}

function redirectXml({ statusCode, ...changed }: Extract<Action, { type: "redirect" }>): XmlFields {
  const { protocol, host, port, path, query } = { ...UNCHANGED, ...changed };
  return { Protocol: protocol, Port: port, Host: host, Path: path, Query: query, StatusCode: statusCode };
}
