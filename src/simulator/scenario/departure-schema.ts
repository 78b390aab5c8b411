import * as z from "zod";
import { bucket, reference, seconds, wholeNumber } from "./values.ts";

/** The schema of departures, of the queues that receive events, and of instance metadata. */

const instances = z.array(reference).min(1).describe("Names of machines, or of entries for all of theirs.");
const FROM = "from when the region opens, or from the request to the control API. Default: 0.";
const afterSeconds = seconds(0).optional().describe(`Counted ${FROM}`);

export const interruption = z
  .strictObject({
    instances,
    afterSeconds: afterSeconds.describe(`When the first notice comes, ${FROM}`),
    of: z.enum(["spot", "capacity-reservation"]).optional().describe("Whose capacity it was. Default: spot."),
    action: z
      .enum(["terminate", "stop", "hibernate"])
      .optional()
      .describe("What EC2 does, two minutes after its warning; it hibernates at once. Default: terminate."),
    rebalanceLeadSeconds: seconds(0)
      .optional()
      .describe("So long before the warning a rebalance recommendation comes. Default: none comes."),
    skipOsShutdown: z
      .boolean()
      .optional()
      .describe("Whether machines vanish without closing their connections. Default: false; those that hibernate do."),
  })
  .refine(
    ({ of, action = "terminate", rebalanceLeadSeconds }) =>
      of !== "capacity-reservation" || (action === "terminate" && rebalanceLeadSeconds === undefined),
    "a capacity reservation's instances are terminated, without a recommendation before",
  )
  .describe("EC2 takes machines back.");

export const rebalanceRecommendation = z
  .strictObject({ instances, afterSeconds })
  .describe("EC2 recommends to replace machines, and nothing need follow.");

export const rootVolumeReplacement = z
  .strictObject({ instances: instances.describe("Members of Auto Scaling groups."), afterSeconds })
  .describe("Auto Scaling gives machines new root volumes: they leave service by their hooks, boot and come back.");

export const scheduledEvent = z
  .strictObject({
    code: z.enum(["instance-reboot", "system-reboot", "instance-stop", "instance-retirement"]),
    instances,
    afterSeconds: afterSeconds.describe(`When it is announced, ${FROM}`),
    startsInSeconds: seconds(0).describe("From its announcement until AWS acts."),
    windowSeconds: seconds(1).optional().describe("How long AWS says that it may take. Default: 7200."),
  })
  .describe("Something that AWS does to machines because of what they run on.");

const url = z
  .url({ protocol: /^https?$/, error: "give a URL such as http://127.0.0.1:9324/000000000000/departures" })
  // The program prints the URL.
  .refine((given) => !/^\w+:\/\/[^/]*@/.test(given), "give a URL without user and password");

export const eventQueue = z
  .strictObject({
    queue: url.describe("An SQS queue's URL."),
    endpoint: url.optional().describe("Where that SQS listens. Default: the host of the queue's URL."),
    from: z
      .enum(["eventbridge", "auto-scaling"])
      .optional()
      .describe("EventBridge's events, or what Auto Scaling itself sends for its hooks. Default: eventbridge."),
    topic: z
      .string()
      .regex(
        /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/,
        "give a topic's ARN such as arn:aws:sns:eu-west-1:123456789012:hooks",
      )
      .optional()
      .describe("The topic that passes them on, in SNS's envelope. Default: none does."),
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
      .describe("Which of EventBridge's events. Default: all."),
    lagSeconds: seconds(0).optional().describe("Delay from the moment that an event is about. Default: 0."),
    duplicateEvery: wholeNumber(1, 1_000_000)
      .optional()
      .describe("Every so manieth message comes twice. Default: none does."),
  })
  .refine(
    ({ from, kinds }) => from !== "auto-scaling" || kinds === undefined,
    "kinds choose among EventBridge's events: leave them out",
  )
  .describe("A queue that receives the events that AWS announces.");

export const instanceMetadata = z
  .strictObject({
    instances,
    httpTokens: z
      .enum(["required", "optional"])
      .optional()
      .describe("Whether requests without a token are refused. Default: required."),
    limit: bucket.optional().describe("How many requests each machine may make. Default: any number."),
    limitStatus: z
      .union([z.literal(429), z.literal(503)])
      .optional()
      .describe("What others are refused with. Default: 429."),
  })
  .describe("Machines that have a metadata service, each on an address of its own.");
