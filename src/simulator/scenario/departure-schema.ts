import * as z from "zod";
import { bucket, reference, seconds, wholeNumber } from "./values.ts";

/** The schema of departures, of the queues that receive events, and of instance metadata. */

const instances = z
  .array(reference)
  .min(1)
  .describe("Names of machines. The name of an entry stands for all of its machines.");
const FROM = "from the opening of the region, or from the request to the control API. Default: 0.";
const afterSeconds = seconds(0).optional().describe(`Seconds ${FROM}`);

export const interruption = z
  .strictObject({
    instances,
    afterSeconds: afterSeconds.describe(`Seconds until the first notice, ${FROM}`),
    of: z
      .enum(["spot", "capacity-reservation"])
      .optional()
      .describe("Kind of capacity that EC2 takes back. Default: spot."),
    action: z
      .enum(["terminate", "stop", "hibernate"])
      .optional()
      .describe("Action of EC2 two minutes after its warning. Only hibernate happens at once. Default: terminate."),
    rebalanceLeadSeconds: seconds(0)
      .optional()
      .describe("Seconds from a rebalance recommendation to the warning. Default: no recommendation."),
    skipOsShutdown: z
      .boolean()
      .optional()
      .describe(
        "Whether machines vanish without closing their connections. Default: false. Hibernated ones always do.",
      ),
  })
  .refine(
    ({ of, action = "terminate", rebalanceLeadSeconds }) =>
      of !== "capacity-reservation" || (action === "terminate" && rebalanceLeadSeconds === undefined),
    "instances of a capacity reservation are terminated without a recommendation: remove action and rebalanceLeadSeconds",
  )
  .describe("EC2 takes machines back.");

export const rebalanceRecommendation = z
  .strictObject({ instances, afterSeconds })
  .describe("EC2 recommends replacing machines. An interruption need not follow.");

export const rootVolumeReplacement = z
  .strictObject({ instances: instances.describe("Members of Auto Scaling groups."), afterSeconds })
  .describe("Auto Scaling replaces root volumes. The machines leave service, hooks included, boot and return.");

export const scheduledEvent = z
  .strictObject({
    code: z.enum(["instance-reboot", "system-reboot", "instance-stop", "instance-retirement"]),
    instances,
    afterSeconds: afterSeconds.describe(`Seconds until the announcement, ${FROM}`),
    startsInSeconds: seconds(0).describe("Seconds from the announcement until AWS acts."),
    windowSeconds: seconds(1)
      .optional()
      .describe("Seconds from the beginning to the end of the announced window. Default: 7200."),
  })
  .describe("A scheduled event: AWS reboots, stops or retires machines because of their hosts.");

const url = z
  .url({ protocol: /^https?$/, error: "give a URL such as http://127.0.0.1:9324/000000000000/departures" })
  // The program prints the URL.
  .refine((given) => !/^\w+:\/\/[^/]*@/.test(given), "give a URL without user and password");

export const eventQueue = z
  .strictObject({
    queue: url.describe("URL of an SQS queue."),
    endpoint: url.optional().describe("Endpoint of SQS. Default: the host of the queue's URL."),
    from: z
      .enum(["eventbridge", "auto-scaling"])
      .optional()
      .describe(
        "Events of EventBridge, or notifications that Auto Scaling itself sends for its hooks. Default: eventbridge.",
      ),
    topic: z
      .string()
      .regex(
        /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/,
        "give a topic's ARN such as arn:aws:sns:eu-west-1:123456789012:hooks",
      )
      .optional()
      .describe("ARN of an SNS topic that forwards the messages in its envelope. Default: no topic."),
    kinds: z
      .array(
        z.enum([
          "interruption",
          "rebalance-recommendation",
          "instance-state",
          "scheduled-change",
          "lifecycle-action",
          "instance-refresh",
        ]),
      )
      .min(1)
      .optional()
      .describe("Kinds of EventBridge events that the queue receives. Default: all."),
    lagSeconds: seconds(0).optional().describe("Seconds from the event until it is sent. Default: 0."),
    duplicateEvery: wholeNumber(1, 1_000_000).optional().describe("Every nth message is sent twice. Default: none."),
  })
  .refine(
    ({ from, kinds }) => from !== "auto-scaling" || kinds === undefined,
    "kinds is only for events of EventBridge: remove it",
  )
  .describe("A queue that receives the events that AWS announces.");

export const instanceMetadata = z
  .strictObject({
    instances,
    httpTokens: z
      .enum(["required", "optional"])
      .optional()
      .describe("Whether requests without a token are refused. Default: required."),
    limit: bucket.optional().describe("Request limit of each machine. Default: no limit."),
    limitStatus: z
      .union([z.literal(429), z.literal(503)])
      .optional()
      .describe("Status of requests above the limit. Default: 429."),
  })
  .describe("Machines with a metadata service. Each service has its own address.");
