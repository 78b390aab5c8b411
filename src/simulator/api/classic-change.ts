import { AwsError, classicNotFound, missingParameter } from "../aws-error.ts";
import {
  type AccessLog,
  type ClassicListener,
  type ClassicLoadBalancer,
  DESYNC_MITIGATION_MODES,
} from "../world/classic-load-balancer.ts";
import { subnetIdOf } from "../world/networks.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import {
  integer,
  type Params,
  PORT,
  requiredInteger,
  requiredText,
  structure,
  structures,
  text,
  texts,
} from "./params.ts";
import { placeOfSubnets, readSecurityGroups } from "./subnets.ts";

const DRAINING_MAX_SECONDS = 3_600;
const IDLE_TIMEOUT_MAX_SECONDS = 4_000;

/** The changes that controllers make to existing classic load balancers. */
export const classicChangeActions: ApiActions = {
  /** https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AttachLoadBalancerToSubnets.html */
  AttachLoadBalancerToSubnets(params, world) {
    const loadBalancer = named(params, world);
    if (texts(params, "Subnets") === undefined) throw missingParameter("Subnets");
    const { vpcId, zones } = placeOfSubnets(params, world.region);
    if (vpcId !== loadBalancer.vpcId)
      throw new AwsError("InvalidConfigurationRequest", "The subnets are not in the VPC of the load balancer", 409);
    loadBalancer.zones = [...new Set([...loadBalancer.zones, ...zones])];
    return { Subnets: { member: subnetIds(loadBalancer) } };
  },

  /** Its instances in the zones of these subnets get nothing any more: they are OutOfService, and stay registered. */
  DetachLoadBalancerFromSubnets(params, world) {
    const loadBalancer = named(params, world);
    if (texts(params, "Subnets") === undefined) throw missingParameter("Subnets");
    const { zones } = placeOfSubnets(params, world.region);
    const remaining = loadBalancer.zones.filter((zone) => !zones.includes(zone));
    if (remaining.length === 0)
      throw new AwsError("InvalidConfigurationRequest", "A load balancer must have at least one subnet", 409);
    loadBalancer.zones = remaining;
    return { Subnets: { member: subnetIds(loadBalancer) } };
  },

  ApplySecurityGroupsToLoadBalancer(params, world) {
    const loadBalancer = named(params, world);
    const ids = readSecurityGroups(params, loadBalancer.vpcId, world);
    if (ids === undefined) throw missingParameter("SecurityGroups");
    loadBalancer.securityGroups = ids;
    return { SecurityGroups: { member: ids } };
  },

  CreateLoadBalancerListeners(params, world) {
    const loadBalancer = named(params, world);
    const wanted = readListeners(params);
    const others = loadBalancer.listeners.filter(({ port }) => wanted.some((listener) => listener.port === port));
    const changed = others.find((other) => !wanted.some((one) => JSON.stringify(one) === JSON.stringify(other)));
    if (changed !== undefined)
      throw new AwsError(
        "DuplicateListener",
        `A listener already exists for ${loadBalancer.name} with LoadBalancerPort ${changed.port}, but with a different configuration`,
      );
    loadBalancer.listeners = [...loadBalancer.listeners.filter((one) => !others.includes(one)), ...wanted];
    return {};
  },

  DeleteLoadBalancerListeners(params, world) {
    const loadBalancer = named(params, world);
    const ports = texts(params, "LoadBalancerPorts")?.map(Number);
    if (ports === undefined) throw missingParameter("LoadBalancerPorts");
    loadBalancer.listeners = loadBalancer.listeners.filter(({ port }) => !ports.includes(port));
    return {};
  },
};

export function named(params: Params, world: World): ClassicLoadBalancer {
  return find(requiredText(params, "LoadBalancerName"), world);
}

export function find(name: string, world: World): ClassicLoadBalancer {
  const loadBalancer = world.classics.get(name);
  if (loadBalancer === undefined) throw classicNotFound(name);
  return loadBalancer;
}

export function subnetIds({ zones, vpcId }: ClassicLoadBalancer): readonly string[] {
  return zones.map((zone) => subnetIdOf(vpcId, zone));
}

export function readListeners(params: Params): readonly ClassicListener[] {
  const listeners = structures(params, "Listeners")?.map((listener) => {
    const certificateArn = text(listener, "SSLCertificateId");
    return {
      protocol: requiredText(listener, "Protocol"),
      port: requiredInteger(listener, "LoadBalancerPort", PORT),
      instanceProtocol: text(listener, "InstanceProtocol") ?? requiredText(listener, "Protocol"),
      instancePort: requiredInteger(listener, "InstancePort", PORT),
      ...(certificateArn === undefined ? {} : { certificateArn }),
    };
  });
  if (listeners === undefined) throw missingParameter("Listeners");
  return listeners;
}

export const DESYNC_MITIGATION_MODE = "elb.http.desyncmitigationmode";

type Changeable = Pick<
  ClassicLoadBalancer,
  "draining" | "isCrossZone" | "idleTimeoutSeconds" | "accessLog" | "desyncMitigationMode"
>;

/** The settings of the call. Missing ones are missing here. */
export function readAttributes(attributes: Params, { draining }: ClassicLoadBalancer): Partial<Changeable> {
  const connectionDraining = structure(attributes, "ConnectionDraining");
  const crossZone = structure(attributes, "CrossZoneLoadBalancing");
  const settings = structure(attributes, "ConnectionSettings");
  const accessLog = structure(attributes, "AccessLog");
  return {
    ...(connectionDraining === undefined
      ? {}
      : {
          draining: {
            enabled: isEnabled(connectionDraining),
            timeoutSeconds: seconds(
              integer(connectionDraining, "Timeout") ?? draining.timeoutSeconds,
              "ConnectionDraining.Timeout",
              DRAINING_MAX_SECONDS,
            ),
          },
        }),
    ...(crossZone === undefined ? {} : { isCrossZone: isEnabled(crossZone) }),
    ...(settings === undefined
      ? {}
      : {
          idleTimeoutSeconds: seconds(
            requiredInteger(settings, "IdleTimeout", [1, IDLE_TIMEOUT_MAX_SECONDS]),
            "ConnectionSettings.IdleTimeout",
            IDLE_TIMEOUT_MAX_SECONDS,
          ),
        }),
    ...(accessLog === undefined ? {} : { accessLog: readAccessLog(accessLog) }),
    ...Object.assign({}, ...(structures(attributes, "AdditionalAttributes") ?? []).map(readAdditional)),
  };
}

function readAdditional(attribute: Params): Pick<Changeable, "desyncMitigationMode"> {
  const key = requiredText(attribute, "Key");
  const value = text(attribute, "Value");
  const mode = DESYNC_MITIGATION_MODES.find((known) => known === value);
  if (key !== DESYNC_MITIGATION_MODE || mode === undefined)
    throw new AwsError("InvalidConfigurationRequest", `The attribute '${key}' cannot be '${value}'`, 409);
  return { desyncMitigationMode: mode };
}

function readAccessLog(params: Params): AccessLog {
  const bucket = text(params, "S3BucketName");
  const prefix = text(params, "S3BucketPrefix");
  const emitIntervalMinutes = integer(params, "EmitInterval");
  return {
    enabled: isEnabled(params),
    ...(bucket === undefined ? {} : { bucket }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(emitIntervalMinutes === undefined ? {} : { emitIntervalMinutes }),
  };
}

function isEnabled(params: Params): boolean {
  return text(params, "Enabled") === "true";
}

function seconds(value: number, name: string, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new AwsError("InvalidConfigurationRequest", `${name} must be between 1 and ${max}`, 409);
}
