import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { DescribeAutoScalingInstancesCommand } from "@aws-sdk/client-auto-scaling";
import { expect } from "vitest";
import { createAutoScalingClient } from "../../src/aws/event-clients.ts";
import { createHandlers, type HandlersOptions } from "../../src/lambda/handlers.ts";
import type { SqsRecord } from "../../src/lambda/sqs-handler.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { unlistedIn } from "../support/listed-lines.ts";
import { printedFor } from "../support/printed-policy.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

interface SentRequest {
  readonly hostname: string;
  readonly body: Uint8Array;
}

interface RequestHandler {
  readonly handle: (request: SentRequest, options: object) => Promise<unknown>;
}

interface Batch {
  /** Of a message that is sent. */
  readonly MessageBody?: string;
  readonly Entries?: readonly { readonly VisibilityTimeout: number }[];
}

const md5 = (text: string) => createHash("md5").update(text).digest("hex");

const SECOND_MS = 1_000;
const QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:departures";

interface SceneOptions {
  readonly undo?: boolean;
  readonly openTracing?: HandlersOptions["openTracing"];
}

/** Two nodes behind an ALB that drains for five minutes; the first one waits for its group's hook. */
export async function lambdaScene(
  environment: Readonly<Record<string, string>> = {},
  { undo = false, openTracing }: SceneOptions = {},
) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = [region.node(), region.node()] as const;
  const group = region.group({ name: "web", nodes });
  const scaling = world.addAutoScalingGroup({
    name: "workers",
    instanceIds: nodes.map(({ id }) => id),
    hooks: [
      {
        name: "drain",
        transition: "autoscaling:EC2_INSTANCE_TERMINATING",
        heartbeatTimeoutSeconds: 60,
        defaultResult: "ABANDON",
      },
    ],
  });
  world.beginScaleIn(scaling, nodes[0]);
  // At its first call the SDK loads modules, for which no virtual clock waits.
  await createAutoScalingClient({ region: world.region, ...region.aws() }).send(
    new DescribeAutoScalingInstancesCommand({}),
  );
  region.calls.splice(0);
  /** Of messages given back: after so many seconds. */
  const givenBack: number[] = [];
  const credentials = { accessKeyId: "function", secretAccessKey: "function" };
  const aws = region.aws(credentials);
  const ofTheRegion = aws.requestHandler as unknown as RequestHandler;
  const requestHandler = {
    ...ofTheRegion,
    handle: (request: SentRequest, options: object) => {
      if (!request.hostname.startsWith("sqs.")) return ofTheRegion.handle(request, options);
      const { Entries = [], MessageBody = "" } = JSON.parse(new TextDecoder().decode(request.body)) as Batch;
      givenBack.push(...Entries.map(({ VisibilityTimeout }) => VisibilityTimeout));
      const Successful = Entries.map((_, index) => ({ Id: String(index) }));
      const body = JSON.stringify({ Successful, Failed: [], MessageId: "copy", MD5OfMessageBody: md5(MessageBody) });
      const headers = { "content-type": "application/x-amz-json-1.0" };
      return Promise.resolve({ response: { statusCode: 200, headers, body: Readable.from([Buffer.from(body)]) } });
    },
  };
  const lines: Record<string, unknown>[] = [];
  const document = printedFor({ AWS_REGION: world.region, UNDO: String(undo) }, { for: "lambda" });
  region.simulator.access.restrict({ accessKeyId: credentials.accessKeyId, document });
  const handlers = await createHandlers({
    environment: { AWS_REGION: world.region, MIN_HEALTHY: "0", QUOTA_SHARE: "100", ...environment },
    clock,
    version: "1.2.3",
    ...(openTracing && { openTracing }),
    aws: { ...aws, requestHandler: requestHandler as never },
    write: (line) => {
      expect(unlistedIn(line)).toEqual([]);
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  });
  const start = clock.now();
  const context = (seconds: number) => {
    const end = clock.now() + seconds * SECOND_MS;
    return { getRemainingTimeInMillis: () => end - clock.now() };
  };
  const actionOf = (node: Instance) => scaling.scaleInOf(node.id)?.activeActions(clock.now()) ?? [];
  const hookEvent = (node: Instance = nodes[0]) => ({
    version: "0",
    id: "12345678-1234-1234-1234-123456789012",
    "detail-type": "EC2 Instance-terminate Lifecycle Action",
    source: "aws.autoscaling",
    account: "123456789012",
    time: new Date(start).toISOString().replace(/\.\d+/, ""),
    region: world.region,
    resources: [],
    detail: {
      LifecycleActionToken: actionOf(node)[0]?.token ?? "87654321-4321-4321-4321-210987654321",
      AutoScalingGroupName: "workers",
      LifecycleHookName: "drain",
      EC2InstanceId: node.id,
      LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
      Origin: "AutoScalingGroup",
      Destination: "EC2",
    },
  });
  const record = (body: unknown, { id = "m-1", receives = 1 } = {}): SqsRecord => ({
    messageId: id,
    receiptHandle: `handle of ${id}`,
    body: typeof body === "string" ? body : JSON.stringify(body),
    eventSourceARN: QUEUE_ARN,
    attributes: {
      ApproximateReceiveCount: String(receives),
      SentTimestamp: String(start),
      ApproximateFirstReceiveTimestamp: String(start),
    },
  });
  const answer = (records: readonly SqsRecord[], seconds = 900) =>
    clock.run(handlers.queue.answer(records, context(seconds)));
  const answerRule = (event: unknown, seconds = 900) => clock.run(handlers.rule.answer(event, context(seconds)));
  const elapsed = () => Math.round((clock.now() - start) / SECOND_MS);
  return {
    ...{ region, clock, nodes, group, scaling, lines, givenBack },
    ...{ hookEvent, record, answer, answerRule, elapsed },
    isWaiting: () => actionOf(nodes[0]).length > 0,
    said: () => lines.map(({ msg }) => msg),
  };
}
