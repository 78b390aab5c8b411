import { SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { expect, onTestFinished, test } from "vitest";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { auditQueue } from "../../src/sources/departure-audit.ts";
import { realQueue } from "../support/real-queue.ts";
import { CREDENTIALS, never } from "../support/simulated-region.ts";

/** What doctor reads of a queue with these attributes. */
async function read(attributes: Readonly<Record<string, string>>) {
  const queue = await realQueue();
  const sqs = new SQSClient({ region: "eu-west-1", credentials: CREDENTIALS, endpoint: queue.endpoint });
  onTestFinished(() => sqs.destroy());
  if (Object.keys(attributes).length > 0)
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl: queue.url, Attributes: { ...attributes } }));
  const caller = new UnmeteredCaller({ clock: new SystemClock() });
  return auditQueue({ sqs, caller, address: queueAddress(queue.url), region: "eu-west-1" }, never);
}

const policy = (...statements: readonly object[]) => ({
  Policy: JSON.stringify({ Version: "2012-10-17", Statement: statements }),
});
const allow = (Principal: unknown, Action: unknown = "sqs:SendMessage") => ({
  Effect: "Allow",
  Principal,
  Action,
  Resource: "*",
});

test("a queue without attributes has no dead-letter queue, and nobody may send", async () => {
  expect(await read({})).toMatchObject({ name: "departures", region: "eu-west-1", senders: [], statements: [] });
  expect(await read({})).not.toHaveProperty("deadLetterQueue");
});

test("the dead-letter queue is read", async () => {
  const deadLetterTargetArn = "arn:aws:sqs:eu-west-1:000000000000:departures";
  const { deadLetterQueue } = await read({
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 3 }),
  });
  expect(deadLetterQueue).toBe(deadLetterTargetArn);
});

test.each([
  ["a service", allow({ Service: "events.amazonaws.com" }), ["events.amazonaws.com"]],
  [
    "several",
    allow({ Service: ["events.amazonaws.com", "sns.amazonaws.com"], AWS: "1" }),
    ["events.amazonaws.com", "sns.amazonaws.com", "1"],
  ],
  ["anybody", allow("*", ["sqs:ReceiveMessage", "SQS:Send*"]), ["*"]],
  [
    "one who may do everything",
    allow({ AWS: "arn:aws:iam::123456789012:root" }, "sqs:*"),
    ["arn:aws:iam::123456789012:root"],
  ],
  ["nobody who may only receive", allow("*", "sqs:ReceiveMessage"), []],
  ["nobody who is denied", { ...allow("*"), Effect: "Deny" }, []],
  ["whoever a statement leaves over", { Effect: "Allow", NotPrincipal: { AWS: "1" }, Action: "sqs:*" }, ["*"]],
])("its policy lets send: %s", async (_, statement, senders) => {
  const read1 = await read(policy(statement));
  expect(read1).toMatchObject({ senders, statements: [statement] });
});

test.each([["not JSON"], ["[]"], ["{}"], ['{"Statement":["x",null,3]}']])(
  "a policy that is %s lets nobody send",
  async (Policy) => {
    const sqs = { send: async () => ({ Attributes: { QueueArn: "arn", Policy, RedrivePolicy: Policy } }) } as never;
    const address = queueAddress("https://sqs.eu-west-1.amazonaws.com/123456789012/departures");
    const caller = new UnmeteredCaller({ clock: new SystemClock() });
    const { senders, deadLetterQueue } = await auditQueue({ sqs, caller, address, region: undefined }, never);
    expect([senders, deadLetterQueue]).toEqual([[], undefined]);
  },
);
