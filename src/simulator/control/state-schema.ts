import * as z from "zod";

/** The answer of `GET /_simulator/state`. */

const traffic = z
  .object({
    open: z.int().describe("Under way now."),
    answered: z.int().describe("Answered whole; of a flow: both sides had ended it."),
    failed: z.int().describe("Answered by a 5xx of the load balancer's own, or broken off by it."),
    abandoned: z.int().describe("The client left first."),
  })
  .describe("Requests, or flows of a TCP listener, since the region has opened.");

const listener = z.object({
  port: z.int().describe("As AWS's API has it."),
  protocol: z.string(),
  url: z.string().optional().describe("Where it listens. Absent where it carries no traffic."),
  urls: z
    .array(z.string())
    .optional()
    .describe("All of them: a listener for connections and datagrams has one for each, http:// and udp://."),
  traffic: traffic.optional(),
});

const target = {
  id: z.string(),
  state: z
    .string()
    .describe("As AWS's API has it now; not-registered: it was registered since the region opened, and is no more."),
  receivesNew: z
    .boolean()
    .describe("Whether the load balancer sends it new requests or flows now, whatever AWS's API says."),
  traffic,
};

export const stateSchema = z.object({
  now: z.string().describe("The simulated time, in ISO 8601."),
  speed: z.number().optional(),
  seed: z.int(),
  region: z.string(),
  traffic: traffic.describe("Of all listeners together."),
  loadBalancers: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["application", "network", "gateway"]),
      zones: z.array(z.string()),
      shiftedZones: z.array(z.string()),
      listeners: z.array(listener),
    }),
  ),
  targetGroups: z.array(
    z.object({
      name: z.string(),
      arn: z.string(),
      loadBalancer: z.string().optional(),
      targets: z.array(
        z.object({ ...target, port: z.int(), zone: z.string().optional(), reason: z.string().optional() }),
      ),
    }),
  ),
  classicLoadBalancers: z.array(
    z.object({
      name: z.string(),
      zones: z.array(z.string()),
      listeners: z.array(listener),
      instances: z.array(z.object({ ...target, description: z.string().optional() })),
    }),
  ),
  autoScalingGroups: z.array(
    z.object({
      name: z.string(),
      desiredCapacity: z.int(),
      instances: z.array(z.object({ id: z.string(), lifecycleState: z.string() })),
    }),
  ),
  instances: z.array(
    z.object({
      id: z.string(),
      name: z.string().optional().describe("What the scenario calls it. Absent of one that was launched later."),
      state: z.string().describe("As EC2 has it."),
      answering: z.boolean().describe("Whether its program answers health checks."),
      zone: z.string(),
      privateIp: z.string(),
      metadataUrl: z.string().optional(),
    }),
  ),
  calls: z.record(z.string(), z.int()).describe("How often each action was called, such as ec2:DescribeInstances."),
});

export type RegionState = z.infer<typeof stateSchema>;
