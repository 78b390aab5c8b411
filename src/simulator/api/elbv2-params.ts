import { AwsError, missingParameter, notSimulated, validationError } from "../aws-error.ts";
import { attributeProblem } from "../world/attribute-values.ts";
import type { HealthCheck } from "../world/health.ts";
import type { Action, LoadBalancer, LoadBalancerType } from "../world/load-balancer.ts";
import { isLoop, type Redirect, UNCHANGED } from "../world/redirect.ts";
import { isApplicationProtocol, loadBalancerTypeFor, type Probe } from "../world/target-group-attributes.ts";
import type { World } from "../world/world.ts";
import { type Bounds, integer, type Params, requiredText, structure, structures, text } from "./params.ts";

/** All actions of AWS. The last three let only known users pass. */
const ACTION_TYPES = [
  "forward",
  "fixed-response",
  "redirect",
  "authenticate-oidc",
  "authenticate-cognito",
  "jwt-validation",
] as const;
const ORDER: Bounds = [1, 50_000];
const STICKINESS_SECONDS: Bounds = [1, 604_800];
const WEIGHT: Bounds = [0, 999];
const INTERVAL_SECONDS: Bounds = [5, 300];
const TIMEOUT_SECONDS: Bounds = [2, 120];
const THRESHOLD: Bounds = [2, 10];
const PROBE_PROTOCOLS = ["HTTP", "HTTPS", "TCP"];
/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_FixedResponseActionConfig.html */
const CONTENT_TYPES = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
/** https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html */
const PROTOCOL_VERSIONS = ["HTTP1", "HTTP2", "GRPC"] as const;

export function actions(params: Params, name: string, world: World): readonly Action[] {
  const list = structures(params, name);
  if (list === undefined) throw missingParameter(name);
  const read = list.map((action) => {
    const order = integer(action, "Order", ORDER);
    return { ...readAction(action, world), ...(order === undefined ? {} : { order }) };
  });
  return read.toSorted((a, b) => (a.order ?? 0) - (b.order ?? 0));
}

/** The simulated load balancers only speak HTTP/1.1. A group for another version would not do what it promises. */
export function checkProtocolVersion(params: Params): void {
  const version = oneOf(text(params, "ProtocolVersion") ?? "HTTP1", PROTOCOL_VERSIONS, "protocolVersion");
  if (version !== "HTTP1") throw notSimulated(`The protocol version ${version} of target groups is not simulated`);
}

/** A target group serves at most one load balancer. */
export function checkUnshared(list: readonly Action[], loadBalancer: LoadBalancer, world: World): void {
  const arns = list.flatMap((action) => (action.type === "forward" ? action.groups.map(({ arn }) => arn) : []));
  const inUse = arns.find((arn) => (world.loadBalancerOf(arn) ?? loadBalancer) !== loadBalancer);
  if (inUse !== undefined) {
    throw new AwsError(
      "TargetGroupAssociationLimit",
      `The following target groups cannot be associated with more than one load balancer: ${inUse}`,
    );
  }
}

/**
 * A load balancer sends to groups of its own kind of protocols.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
 */
export function checkProtocols(list: readonly Action[], { type }: LoadBalancer, world: World): void {
  const groups = list.flatMap((action) => (action.type === "forward" ? action.groups : []));
  const other = groups
    .map(({ arn }) => world.targetGroup(arn))
    .find((group) => loadBalancerTypeFor(group.protocol) !== type);
  if (other !== undefined)
    throw new AwsError(
      "IncompatibleProtocols",
      `The target group '${other.arn}' of the protocol ${other.protocol} cannot be used by this load balancer`,
    );
}

function readAction(params: Params, world: World): Action {
  const type = oneOf(requiredText(params, "Type"), ACTION_TYPES, "type");
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
      return { type, groups: forward, ...readStickiness(config) };
    }
    case "fixed-response": {
      const config = structure(params, "FixedResponseConfig") ?? {};
      const contentType = text(config, "ContentType");
      return {
        type,
        statusCode: requiredText(config, "StatusCode"),
        body: text(config, "MessageBody"),
        contentType: contentType === undefined ? undefined : oneOf(contentType, CONTENT_TYPES, "contentType"),
      };
    }
    case "redirect": {
      const config = structure(params, "RedirectConfig") ?? {};
      return { type, statusCode: requiredText(config, "StatusCode"), ...readRedirect(config) };
    }
    case "authenticate-oidc":
    case "authenticate-cognito":
    case "jwt-validation":
      throw notSimulated(`The action ${type} is not simulated`);
    default:
      return type satisfies never;
  }
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupStickinessConfig.html */
function readStickiness(config: Params = {}): { readonly stickinessSeconds?: number } {
  const stickiness = structure(config, "TargetGroupStickinessConfig") ?? {};
  if (text(stickiness, "Enabled") === "true")
    throw notSimulated("The stickiness of the target groups of an action is not simulated");
  const stickinessSeconds = integer(stickiness, "DurationSeconds", STICKINESS_SECONDS);
  return stickinessSeconds === undefined ? {} : { stickinessSeconds };
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-transforms.html */
export function checkTransforms(params: Params): void {
  if (structures(params, "Transforms") !== undefined) throw notSimulated("Transforms of rules are not simulated");
}

function readRedirect(config: Params): Redirect {
  const protocol = text(config, "Protocol");
  const redirect: Redirect = {
    protocol:
      protocol === undefined ? UNCHANGED.protocol : oneOf(protocol, ["HTTP", "HTTPS", "#{protocol}"], "protocol"),
    host: text(config, "Host") ?? UNCHANGED.host,
    port: text(config, "Port") ?? UNCHANGED.port,
    path: text(config, "Path") ?? UNCHANGED.path,
    query: text(config, "Query") ?? UNCHANGED.query,
  };
  if (isLoop(redirect)) {
    const message = "The redirect configuration is not valid because it creates a loop.";
    throw new AwsError("InvalidLoadBalancerAction", message);
  }
  return redirect;
}

/** The health check settings of the call, merged over the existing ones. */
export function readHealthCheck(
  params: Params,
  {
    healthCheck,
    probe,
    protocol: ofGroup,
    targetType,
  }: {
    readonly healthCheck: HealthCheck;
    readonly probe: Probe;
    readonly protocol: string;
    readonly targetType: string;
  },
): { readonly healthCheck: HealthCheck; readonly probe: Probe } {
  const protocol = text(params, "HealthCheckProtocol");
  const matcher = structure(params, "Matcher");
  const path = text(params, "HealthCheckPath") ?? probe.path;
  const codes = (matcher && (text(matcher, "HttpCode") ?? text(matcher, "GrpcCode"))) ?? probe.matcher;
  const checked = protocol === undefined ? probe.protocol : oneOf(protocol, PROBE_PROTOCOLS, "healthCheckProtocol");
  if (checked === "TCP" && isApplicationProtocol(ofGroup))
    throw validationError(
      `Health check protocol 'TCP' is not supported for target groups of the protocol '${ofGroup}'`,
    );
  const isHttp = checked !== "TCP";
  const enabled = text(params, "HealthCheckEnabled");
  if (enabled === "false" && targetType !== "lambda")
    throw validationError(`Health check enabled must be true for target groups with target type '${targetType}'`);
  return {
    healthCheck: {
      intervalMs:
        (integer(params, "HealthCheckIntervalSeconds", INTERVAL_SECONDS) ?? healthCheck.intervalMs / 1_000) * 1_000,
      healthyThreshold: integer(params, "HealthyThresholdCount", THRESHOLD) ?? healthCheck.healthyThreshold,
      unhealthyThreshold: integer(params, "UnhealthyThresholdCount", THRESHOLD) ?? healthCheck.unhealthyThreshold,
    },
    probe: {
      ...(targetType === "lambda"
        ? { enabled: enabled === undefined ? probe.enabled === true : enabled === "true" }
        : {}),
      protocol: checked,
      port: text(params, "HealthCheckPort") ?? probe.port,
      timeoutSeconds: integer(params, "HealthCheckTimeoutSeconds", TIMEOUT_SECONDS) ?? probe.timeoutSeconds,
      ...(isHttp ? { path: path ?? "/", matcher: codes ?? "200-399" } : {}),
    },
  };
}

/**
 * Checks the attributes of a call and their values against those that the resource has. `thing`: its name in AWS's
 * errors. `type`: the type of load balancer that it is, or is for.
 */
export function readAttributes(
  params: Params,
  known: ReadonlyMap<string, string>,
  { thing, type }: { readonly thing: string; readonly type: LoadBalancerType },
): readonly (readonly [key: string, value: string])[] {
  const wanted = structures(params, "Attributes");
  if (wanted === undefined) throw missingParameter("Attributes");
  // Some may be empty, such as the name of a bucket.
  const pairs = wanted.map((one) => [requiredText(one, "Key"), text(one, "Value") ?? ""] as const);
  const unknown = pairs.find(([key]) => !known.has(key));
  if (unknown !== undefined)
    throw new AwsError("InvalidConfigurationRequest", `${thing} attribute key '${unknown[0]}' is not recognized`);
  for (const [key, value] of pairs) {
    const problem = attributeProblem({ key, value, thing, type });
    if (problem !== undefined) throw validationError(problem);
  }
  return pairs;
}

export function oneOf<T extends string>(value: string, allowed: readonly T[], parameter: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw validationError(
      `1 validation error detected: Value '${value}' at '${parameter}' failed to satisfy constraint: Member must satisfy enum value set: [${allowed.join(", ")}]`,
    );
  }
  return found;
}

const NAME_LENGTH_MAX = 32;

/** Returns the name. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html */
export function checkName(thing: "Load balancer" | "Target group", name: string): string {
  const refuse = (why: string) => validationError(`${thing} name '${name}' ${why}`);
  if (name.length > NAME_LENGTH_MAX) throw refuse(`cannot be longer than '${NAME_LENGTH_MAX}' characters`);
  if (!/^[a-zA-Z0-9-]+$/.test(name))
    throw refuse("can only contain characters that are alphanumeric characters or hyphens(-)");
  if (/^-|-$/.test(name)) throw refuse("cannot begin or end with a hyphen(-)");
  if (thing === "Load balancer" && name.startsWith("internal-")) throw refuse("cannot begin with 'internal-'");
  return name;
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html */
const LISTENER_PROTOCOLS: Readonly<Record<Exclude<LoadBalancerType, "gateway">, readonly string[]>> = {
  application: ["HTTP", "HTTPS"],
  network: ["TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"],
};

/** Returns the protocol. */
export function checkProtocol(type: Exclude<LoadBalancerType, "gateway">, protocol: string): string {
  const allowed = LISTENER_PROTOCOLS[type];
  if (allowed.includes(protocol)) return protocol;
  throw validationError(`Listener protocol '${protocol}' must be one of '${allowed.join(", ")}'`);
}
