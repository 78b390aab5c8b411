import * as z from "zod";
import { policyDocument } from "../iam/policy.ts";
import type { Timing } from "../timing.ts";
import {
  eventQueue,
  instanceMetadata,
  interruption,
  rebalanceRecommendation,
  rootVolumeReplacement,
  scheduledEvent,
} from "./departure-schema.ts";
import { fault, quotas } from "./fault-schema.ts";
import { autoScalingGroup } from "./scaling-schema.ts";
import {
  addresses,
  ipv4Prefix,
  ipv6Prefix,
  ms,
  name,
  port,
  range,
  reference,
  seconds,
  tags,
  vpcId,
  wholeNumber,
  zone,
} from "./values.ts";

const SEED_MAX = 2 ** 31 - 1;
/** Each instance is a machine, and with a data plane a process too. */
const INSTANCES_PER_ENTRY_MAX = 2_000;

/** Addresses, which only one machine can have. */
const interfaceAddresses = {
  vpc: vpcId.optional().describe("Default: the VPC of the machine. It may be another one."),
  addresses: z.array(z.ipv4()).min(1).describe("The first address is the primary one."),
  ipv4Prefixes: z.array(ipv4Prefix).min(1).optional().describe("The interface owns every address in them."),
};

const network = {
  privateDnsName: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "give a DNS name such as node.example.internal")
    .optional()
    .describe("The node's name in Kubernetes. Default: made from the address, as EC2 does. Not with a count."),
  secondaryIps: z.array(z.ipv4()).min(1).optional().describe("Further addresses of its interface. Not with a count."),
  ipv6Addresses: z.array(z.ipv6()).min(1).optional().describe("Not with a count."),
  ipv4Prefixes: z
    .array(ipv4Prefix)
    .min(1)
    .optional()
    .describe("Its first interface owns every address in them. Not with a count."),
  ipv6Prefixes: z
    .array(ipv6Prefix)
    .min(1)
    .optional()
    .describe("Its first interface owns every address in them. Not with a count."),
  interfaces: z
    .array(
      z.strictObject({
        ...interfaceAddresses,
        branches: z
          .array(z.strictObject(interfaceAddresses))
          .min(1)
          .optional()
          .describe("Branch interfaces, for pods with their own security groups. They make this interface a trunk."),
      }),
    )
    .min(1)
    .optional()
    .describe("Further network interfaces. Not with a count."),
};
export const OF_ONE_MACHINE = Object.keys(network);

const instance = z
  .strictObject({
    name: name.describe("Name in the rest of the file. With a count, the machines are NAME-1, NAME-2 and so on."),
    count: wholeNumber(1, INSTANCES_PER_ENTRY_MAX).optional().describe("Number of machines. Default: 1."),
    vpc: vpcId.optional().describe("Default: the first VPC."),
    firstId: z
      .string()
      .regex(/^i-[0-9a-f]{17}$/, "give an id such as i-0123456789abcdef0")
      .optional()
      .describe("Id of the first machine. The others have the next ids. Default: made from the entry's position."),
    firstIp: z
      .ipv4()
      .optional()
      .describe(
        "Address of the first machine. The others have the next ones. Default: 10.N.0.10 in entry number N, from 0.",
      ),
    zones: z
      .array(zone)
      .min(1)
      .optional()
      .describe("The machines are in these zones in turn. Default: the region's a, b and c."),
    ...network,
    tags: tags.optional(),
    spot: z.boolean().optional().describe("Whether it is a spot instance. Default: false."),
    state: z.enum(["running", "stopped"]).optional(),
    excluded: z
      .boolean()
      .optional()
      .describe("Whether its node has the label by which controllers ignore it. Default: false."),
  })
  .describe("One machine, or several that differ only by number.");

const healthCheck = z.strictObject({
  intervalSeconds: wholeNumber(5, 300).optional(),
  healthyThreshold: wholeNumber(2, 10).optional(),
  unhealthyThreshold: wholeNumber(2, 10).optional(),
});

const targets = z
  .strictObject({
    instances: z
      .array(reference)
      .min(1)
      .optional()
      .describe("Names of machines. The name of an entry stands for all of its machines."),
    addresses: addresses
      .optional()
      .describe("Addresses of machines, such as secondary ones, or others. Only for groups of type ip."),
    ports: z.array(port).min(1).optional().describe("Default: the port of the group."),
    zone: z
      .union([z.literal("all"), zone])
      .optional()
      .describe(
        "Zone of the addresses. Default: the zone of the machine, or all for an address outside the group's VPC.",
      ),
    settled: z
      .boolean()
      .optional()
      .describe("Whether the targets were registered long ago and are healthy. Default: true."),
  })
  .refine(
    ({ instances, addresses }) => instances !== undefined || addresses !== undefined,
    "give instances, addresses or both",
  );

const attributeValue = z.union([z.string(), z.number(), z.boolean()], {
  error: "give a text, a number, true or false",
});

const targetGroup = z.strictObject({
  name,
  vpc: vpcId.optional(),
  protocol: z.enum(["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC", "GENEVE"]),
  port,
  targetType: z.enum(["instance", "ip"]).optional().describe("Default: instance."),
  attributes: z.record(z.string(), attributeValue).optional().describe("By AWS's keys."),
  healthCheck: healthCheck.optional(),
  tags: tags.optional(),
  targets: z.array(targets).optional(),
});

const action = z
  .strictObject({
    forward: z
      .array(z.strictObject({ group: reference, weight: wholeNumber(0, 999).optional() }))
      .min(1)
      .optional(),
    fixedResponse: z
      .strictObject({ statusCode: z.string().regex(/^[245]\d\d$/), body: z.string().optional() })
      .optional(),
    redirect: z
      .strictObject({
        statusCode: z.enum(["HTTP_301", "HTTP_302"]),
        protocol: z.enum(["HTTP", "HTTPS", "#{protocol}"]).optional(),
        host: z.string().optional(),
        port: z.string().optional(),
        path: z.string().startsWith("/").optional(),
        query: z.string().optional(),
      })
      .optional(),
  })
  .refine((given) => Object.keys(given).length === 1, "give exactly one of forward, fixedResponse, redirect");

const rule = z
  .strictObject({
    priority: wholeNumber(1, 50_000),
    paths: z.array(z.string()).min(1).optional(),
    hosts: z.array(z.string()).min(1).optional(),
    action,
  })
  .refine(({ paths, hosts }) => paths !== undefined || hosts !== undefined, "give paths, hosts or both");

const enabledZones = z
  .array(zone)
  .min(1)
  .optional()
  .describe("Enabled zones. Machines in other zones get no traffic. Default: the region's a, b and c.");

const loadBalancer = z.strictObject({
  name,
  type: z.enum(["application", "network", "gateway"]),
  vpc: vpcId.optional(),
  zones: enabledZones,
  attributes: z.record(z.string(), attributeValue).optional().describe("By AWS's keys."),
  shiftedZones: z
    .array(zone)
    .length(1, { error: "AWS allows one zonal shift of a load balancer: name one zone" })
    .optional()
    .describe("The zone that traffic was shifted away from."),
  tags: tags.optional(),
  listeners: z.array(
    z.strictObject({
      protocol: z.string(),
      port,
      action,
      rules: z.array(rule).optional(),
      idleTimeoutSeconds: wholeNumber(60, 6_000)
        .optional()
        .describe("Idle timeout of TCP flows through a network or gateway load balancer. Default: 350."),
    }),
  ),
});

const classicLoadBalancer = z.strictObject({
  name,
  vpc: vpcId.optional(),
  zones: enabledZones,
  tags: tags.optional(),
  listeners: z
    .array(z.strictObject({ protocol: z.string(), port, instanceProtocol: z.string().optional(), instancePort: port }))
    .min(1),
  connectionDrainingSeconds: wholeNumber(1, 3_600).optional().describe("Default: connection draining is off."),
  healthCheck: healthCheck.optional(),
  instances: z.array(reference).optional(),
});

const controller = z
  .strictObject({
    intervalSeconds: seconds(0.1),
    targetGroups: z.array(reference).optional(),
    classicLoadBalancers: z.array(reference).optional(),
    autoScalingGroups: z
      .array(reference)
      .optional()
      .describe(
        "Groups whose instances, also launched ones, are registered there, except in target groups of type ip.",
      ),
  })
  .describe("Registers the targets of this file again whenever they are missing.");

const policy = z
  .strictObject({
    accessKeyId: z.string().regex(/^\w+$/, "give letters and digits"),
    user: z
      .string()
      .regex(/^[\w+=,.@-]+$/, "give a user's name")
      .optional()
      .describe("User name in AWS's errors. Default: the id of the access key."),
    document: policyDocument,
  })
  .describe(
    "A caller that signs with this access key may do what its IAM policy allows. All others may do everything.",
  );

const lags = {
  albDeregistration: range,
  nlbDeregistration: range,
  nlbUnhealthy: range,
  gatewayFailover: range,
  classicDeregistration: range,
  albRegistrationMs: ms,
  nlbRegistrationMs: ms,
  classicRegistrationMs: ms,
  provisioningMs: ms,
  shuttingDownMs: ms,
  terminatedDropMs: ms,
  stoppingMs: ms,
  pendingMs: ms,
  rebootMs: ms,
  apiPropagationMs: ms,
  connectTimeoutMs: ms,
  dnsTtlMs: ms,
} satisfies Record<keyof Timing, z.ZodType>;

const timing = z
  .strictObject(lags)
  .partial()
  .describe("Lags in milliseconds. A pair applies to the first and the last machine of a load balancer.");

const seed = wholeNumber(0, SEED_MAX).describe(
  "With the same seed, and the same order of calls and connections, all random values are the same. Default: 1.",
);

/** The message if there is no scenario at all. */
export const SCENARIO_NEEDED =
  "a scenario is an object, at least {} for an empty region; docs/scenarios has examples and the schema";

const scenario = {
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "give a region such as eu-west-1")
    .optional(),
  accountId: z
    .string()
    .regex(/^\d{12}$/, "give twelve digits, in quotes")
    .optional(),
  seed: seed.optional(),
  vpcs: z
    .array(z.strictObject({ id: vpcId }))
    .min(1)
    .optional(),
  instances: z.array(instance).optional(),
  targetGroups: z.array(targetGroup).optional(),
  loadBalancers: z.array(loadBalancer).optional(),
  classicLoadBalancers: z.array(classicLoadBalancer).optional(),
  autoScalingGroups: z.array(autoScalingGroup).optional(),
  controllers: z.array(controller).optional(),
  interruptions: z.array(interruption).optional(),
  rebalanceRecommendations: z.array(rebalanceRecommendation).optional(),
  rootVolumeReplacements: z.array(rootVolumeReplacement).optional(),
  scheduledEvents: z.array(scheduledEvent).optional(),
  events: z.array(eventQueue).optional(),
  instanceMetadata: instanceMetadata.optional(),
  faults: z.array(fault).optional(),
  quotas: quotas.optional(),
  policies: z.array(policy).optional(),
  timing: timing.optional(),
  dataPlane: z
    .boolean()
    .optional()
    .describe("Whether load balancers send real requests to real processes, one for each instance. Default: true."),
};

/** The schema of a scenario file. Unknown keys are errors. */
export const scenarioSchema = z.strictObject(scenario, {
  error: ({ code }) => (code === "invalid_type" ? SCENARIO_NEEDED : undefined),
});

export type Scenario = z.infer<typeof scenarioSchema>;
