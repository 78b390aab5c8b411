import { AwsError, invalidInstance, missingParameter, validationError } from "../aws-error.ts";
import { HOSTED_ZONE_ID, numberedDnsName } from "../world/arn.ts";
import type { ClassicLoadBalancer } from "../world/classic-load-balancer.ts";
import { digitsOf } from "../world/networks.ts";
import type { World } from "../world/world.ts";
import { CLASSIC_LIMITS, limitsOf } from "./account-limits.ts";
import { type ApiActions, addTags, hasSettings, isoTime, readTags, requiredTags, tagList } from "./action.ts";
import {
  classicChangeActions,
  DESYNC_MITIGATION_MODE,
  find,
  named,
  readAttributes,
  readListeners,
  subnetIds,
} from "./classic-change.ts";
import { checkName } from "./elbv2-params.ts";
import { pageOf } from "./paging.ts";
import {
  atMost,
  type Bounds,
  type Params,
  requiredInteger,
  requiredText,
  structure,
  structures,
  text,
  texts,
} from "./params.ts";
import { placeOfSubnets, readSecurityGroups } from "./subnets.ts";
import type { XmlFields } from "./xml.ts";

const NAMES_PER_TAGS_CALL_MAX = 20;
const INTERVAL_SECONDS: Bounds = [5, 300];
const TIMEOUT_SECONDS: Bounds = [2, 60];
const THRESHOLD: Bounds = [2, 10];

/** The actions of Elastic Load Balancing 2012-06-01 (classic) that draining needs, and those that build a world. */
export const classicActions: ApiActions = {
  DescribeLoadBalancers(params, world) {
    const names = texts(params, "LoadBalancerNames");
    const chosen = names?.map((name) => find(name, world)) ?? [...world.classics.values()];
    const { items, nextMarker } = pageOf(chosen, params);
    return {
      LoadBalancerDescriptions: { member: items.map((item) => descriptionXml(item, world)) },
      NextMarker: nextMarker ?? "",
    };
  },

  DescribeAccountLimits(params) {
    return limitsOf(CLASSIC_LIMITS, params);
  },

  DescribeTags(params, world) {
    const names = texts(params, "LoadBalancerNames");
    if (names === undefined) throw missingParameter("LoadBalancerNames");
    atMost(names, NAMES_PER_TAGS_CALL_MAX, "loadBalancerNames");
    const missing = names.find((name) => !world.classics.has(name));
    // If one load balancer has vanished, the whole batch fails.
    if (missing !== undefined) throw new AwsError("LoadBalancerNotFound", `Cannot find Load Balancer ${missing}`);
    return {
      TagDescriptions: {
        member: names.map((name) => ({ LoadBalancerName: name, Tags: tagList(find(name, world).tags) })),
      },
    };
  },

  DescribeInstanceHealth(params, world) {
    const loadBalancer = named(params, world);
    const now = world.clock.now();
    const ids = instanceIds(params) ?? loadBalancer.registered(now);
    const unknown = ids.find((id) => !loadBalancer.knows(id) && world.instance(id) === undefined);
    if (unknown !== undefined) throw invalidInstance(unknown);
    const states = ids.map((id) => loadBalancer.apiState(id, now)).filter((state) => state !== undefined);
    return {
      InstanceStates: {
        member: states.map(({ instanceId, state, reasonCode, description }) => ({
          InstanceId: instanceId,
          State: state,
          ReasonCode: reasonCode,
          Description: description,
        })),
      },
    };
  },

  DeregisterInstancesFromLoadBalancer(params, world) {
    const loadBalancer = named(params, world);
    const ids = instanceIds(params);
    if (ids === undefined) throw missingParameter("Instances");
    // All or nothing: if one instance was never registered, the others stay registered.
    const unknown = ids.find((id) => !loadBalancer.knows(id));
    if (unknown !== undefined) throw invalidInstance(unknown);
    for (const id of ids) world.deregisterClassic(loadBalancer, id);
    return { Instances: instancesXml(loadBalancer, world) };
  },

  RegisterInstancesWithLoadBalancer(params, world) {
    const loadBalancer = named(params, world);
    const ids = instanceIds(params);
    if (ids === undefined) throw missingParameter("Instances");
    const unknown = ids.find((id) => world.instance(id) === undefined);
    if (unknown !== undefined) throw invalidInstance(unknown);
    const elsewhere = ids.find((id) => world.instance(id)?.vpcId !== loadBalancer.vpcId);
    if (elsewhere !== undefined)
      throw new AwsError("InvalidInstance", `EC2 instance ${elsewhere} is not in the same VPC as ELB.`);
    for (const id of ids) world.registerClassic(loadBalancer, id);
    return { Instances: instancesXml(loadBalancer, world) };
  },

  DescribeLoadBalancerAttributes(params, world) {
    return attributesXml(named(params, world));
  },

  ModifyLoadBalancerAttributes(params, world) {
    const loadBalancer = named(params, world);
    const attributes = structure(params, "LoadBalancerAttributes");
    if (attributes === undefined) throw missingParameter("LoadBalancerAttributes");
    const changed = readAttributes(attributes, loadBalancer);
    Object.assign(loadBalancer, changed);
    return { LoadBalancerName: loadBalancer.name, ...attributesXml(loadBalancer) };
  },

  CreateLoadBalancer(params, world) {
    const name = checkName("Load balancer", requiredText(params, "LoadBalancerName"));
    const listeners = readListeners(params);
    const { vpcId, zones } = placeOfSubnets(params, world.region);
    const securityGroups = readSecurityGroups(params, vpcId, world);
    const scheme = text(params, "Scheme") ?? "internet-facing";
    if (scheme !== "internet-facing" && scheme !== "internal")
      throw new AwsError("InvalidScheme", `'${scheme}' is not a valid scheme`);
    const tags = readTags(params);
    const existing = world.classics.get(name);
    const settings = { vpcId, listeners, scheme } as const;
    if (existing !== undefined && !hasSettings(existing, settings)) {
      throw new AwsError(
        "DuplicateLoadBalancerName",
        `Load Balancer named '${name}' already exists and it is configured with different parameters.`,
      );
    }
    const loadBalancer =
      existing ??
      world.addClassic({ name, ...settings, zones, isCrossZone: false, ...(securityGroups && { securityGroups }) });
    addTags(loadBalancer.tags, tags);
    return { DNSName: dnsName(loadBalancer, world) };
  },

  /** As on AWS, one that is already gone is not an error. */
  DeleteLoadBalancer(params, world) {
    world.classics.delete(requiredText(params, "LoadBalancerName"));
    return {};
  },

  ConfigureHealthCheck(params, world) {
    const loadBalancer = named(params, world);
    const check = structure(params, "HealthCheck");
    if (check === undefined) throw missingParameter("HealthCheck");
    const target = requiredText(check, "Target");
    const interval = requiredInteger(check, "Interval", INTERVAL_SECONDS);
    const timeout = requiredInteger(check, "Timeout", TIMEOUT_SECONDS);
    if (timeout >= interval) throw validationError("HealthCheck timeout must be less than interval");
    const healthCheck = {
      intervalMs: interval * 1_000,
      healthyThreshold: requiredInteger(check, "HealthyThreshold", THRESHOLD),
      unhealthyThreshold: requiredInteger(check, "UnhealthyThreshold", THRESHOLD),
    };
    // Results of the old settings stay valid.
    loadBalancer.catchUpHealth(world.clock.now());
    loadBalancer.healthCheckTarget = target;
    loadBalancer.healthCheckTimeoutSeconds = timeout;
    loadBalancer.healthCheck = healthCheck;
    return { HealthCheck: healthCheckXml(loadBalancer) };
  },

  ...classicChangeActions,

  AddTags(params, world) {
    const names = texts(params, "LoadBalancerNames") ?? [];
    if (names.length !== 1) throw validationError("AddTags takes exactly one load balancer");
    const tags = requiredTags(params);
    for (const name of names) addTags(find(name, world).tags, tags);
    return {};
  },
};

function instanceIds(params: Params): readonly string[] | undefined {
  const list = structures(params, "Instances");
  return list?.map((entry) => requiredText(entry, "InstanceId"));
}

function instancesXml(loadBalancer: ClassicLoadBalancer, world: World): XmlFields {
  return { member: loadBalancer.registered(world.clock.now()).map((InstanceId) => ({ InstanceId })) };
}

function healthCheckXml(loadBalancer: ClassicLoadBalancer): XmlFields {
  const { healthCheckTarget, healthCheckTimeoutSeconds, healthCheck } = loadBalancer;
  return {
    Target: healthCheckTarget,
    Interval: healthCheck.intervalMs / 1_000,
    Timeout: healthCheckTimeoutSeconds,
    UnhealthyThreshold: healthCheck.unhealthyThreshold,
    HealthyThreshold: healthCheck.healthyThreshold,
  };
}

function attributesXml(loadBalancer: ClassicLoadBalancer): XmlFields {
  const { draining, isCrossZone, idleTimeoutSeconds, accessLog, desyncMitigationMode } = loadBalancer;
  const { enabled, bucket, prefix, emitIntervalMinutes } = accessLog;
  return {
    LoadBalancerAttributes: {
      CrossZoneLoadBalancing: { Enabled: isCrossZone },
      AccessLog: {
        Enabled: enabled,
        S3BucketName: bucket,
        S3BucketPrefix: prefix,
        EmitInterval: emitIntervalMinutes,
      },
      ConnectionDraining: { Enabled: draining.enabled, Timeout: draining.timeoutSeconds },
      ConnectionSettings: { IdleTimeout: idleTimeoutSeconds },
      AdditionalAttributes: { member: [{ Key: DESYNC_MITIGATION_MODE, Value: desyncMitigationMode }] },
    },
  };
}

function dnsName(loadBalancer: ClassicLoadBalancer, world: World): string {
  const digits = digitsOf(`${loadBalancer.name} of ${loadBalancer.createdAt}`);
  return numberedDnsName(loadBalancer, digits, world.region);
}

function descriptionXml(loadBalancer: ClassicLoadBalancer, world: World): XmlFields {
  return {
    LoadBalancerName: loadBalancer.name,
    DNSName: dnsName(loadBalancer, world),
    CanonicalHostedZoneName: dnsName(loadBalancer, world),
    CanonicalHostedZoneNameID: HOSTED_ZONE_ID,
    ListenerDescriptions: {
      member: loadBalancer.listeners.map((listener) => ({
        Listener: {
          Protocol: listener.protocol,
          LoadBalancerPort: listener.port,
          InstanceProtocol: listener.instanceProtocol,
          InstancePort: listener.instancePort,
          SSLCertificateId: listener.certificateArn,
        },
        PolicyNames: { member: [] },
      })),
    },
    Policies: {
      AppCookieStickinessPolicies: { member: [] },
      LBCookieStickinessPolicies: { member: [] },
      OtherPolicies: { member: [] },
    },
    BackendServerDescriptions: { member: [] },
    AvailabilityZones: { member: loadBalancer.zones },
    Subnets: { member: subnetIds(loadBalancer) },
    VPCId: loadBalancer.vpcId,
    Instances: instancesXml(loadBalancer, world),
    HealthCheck: healthCheckXml(loadBalancer),
    SourceSecurityGroup: {
      OwnerAlias: world.accountId,
      GroupName: world.securityGroups.nameOf(loadBalancer.securityGroups[0]),
    },
    SecurityGroups: { member: loadBalancer.securityGroups },
    CreatedTime: isoTime(loadBalancer.createdAt),
    Scheme: loadBalancer.scheme,
  };
}
