import { describe, expect, test } from "vitest";
import type { Announcement } from "../../../src/sources/announcement.ts";
import { readEvent } from "../../../src/sources/events/read-event.ts";
import { changed, inSns } from "./bodies.ts";

const WARNED_AT = Date.UTC(2022, 7, 11, 14);

/** What one announcement of a changed body says. */
function only(name: string, changes: Readonly<Record<string, unknown>>): Announcement {
  const reading = readEvent(changed(name, changes));
  if (reading.reading !== "announced") throw new Error(JSON.stringify(reading));
  expect(reading.announcements).toHaveLength(1);
  return reading.announcements[0] as Announcement;
}

describe("a termination of Auto Scaling", () => {
  test("is understood with nothing but what completes its hook", () => {
    const optional = ["Time", "RequestId", "AccountId", "Service", "NotificationMetadata"];
    const without = Object.fromEntries(optional.map((name) => [name, undefined]));
    expect(only("autoscaling-terminate.queue", without)).toStrictEqual({
      kind: "autoscaling-terminate",
      instanceId: "i-0123486890234abcd",
      lifecycleAction: { groupName: "my-asg", hookName: "my-hook", token: "cc34960c-1e41-4703-a665-bdb3e5b81ad3" },
      reason: "Auto Scaling termination: my-asg",
    });
  });

  test("with a transition that is not known yet asks for nothing", () => {
    const LifecycleTransition = "autoscaling:EC2_INSTANCE_RESTING";
    const what = "lifecycle action: autoscaling:EC2_INSTANCE_RESTING";
    expect(readEvent(changed("autoscaling-terminate.queue", { LifecycleTransition }))).toEqual({
      reading: "nothing-asked",
      what,
    });
    expect(
      readEvent(changed("autoscaling-terminate.eventbridge", { "detail.LifecycleTransition": LifecycleTransition })),
    ).toEqual({ reading: "nothing-asked", what });
  });
});

test.each([["2022-08-11T14:00:00"], ["2022-08-11T14:00:00.000"], ["2022-08-11T16:00:00+02:00"]])(
  "a time without a zone is UTC, wherever the reader is: %s",
  (time) => {
    expect(only("spot-interruption.eventbridge", { time })).toMatchObject({
      announcedAt: WARNED_AT,
      deadline: WARNED_AT + 120_000,
    });
  },
);

describe("a termination of Auto Scaling that replaces the root volume", () => {
  const REPLACED = { Origin: "AutoScalingGroup", Destination: "AutoScalingGroup", Action: "ReplaceRootVolume" };
  const inDetail = Object.fromEntries(Object.entries(REPLACED).map(([name, value]) => [`detail.${name}`, value]));

  test.each([
    ["autoscaling-terminate.eventbridge", inDetail],
    ["autoscaling-terminate.queue", REPLACED],
    ["autoscaling-terminate.queue", { Action: "ReplaceRootVolume" }],
    ["autoscaling-terminate.queue", { Destination: "AutoScalingGroup" }],
  ])("is of a machine that comes back, and says so: %s with %j", (name, changes) => {
    expect(only(name, changes)).toMatchObject({
      returns: true,
      lifecycleAction: { groupName: "my-asg" },
      reason: "Auto Scaling root volume replacement: my-asg",
    });
  });

  test("is told from one that goes for good, or into a warm pool", () => {
    expect(only("autoscaling-terminate.eventbridge", {})).not.toHaveProperty("returns");
    expect(only("autoscaling-terminate-to-warm-pool.eventbridge", {})).not.toHaveProperty("returns");
  });
});

describe("a name that AWS allows is data", () => {
  test.each([
    ["with a zero-width joiner", "team-👩\u200d💻", "team-👩?💻"],
    ["with a tab and a line break", "a\tb\r\nc", "a?b??c"],
    ["of 255 characters", "x".repeat(255), `${"x".repeat(80)}…`],
  ])("%s: it goes back to AWS as it is, and is shown printable", (_, AutoScalingGroupName, shownAs) => {
    const read = only("autoscaling-terminate.queue", { AutoScalingGroupName });
    expect(read.lifecycleAction?.groupName).toBe(AutoScalingGroupName);
    expect(read.reason).toBe(`Auto Scaling termination: ${shownAs}`);
  });
});

describe("what is not needed may be missing, or odd", () => {
  test("a lifecycle action has no token", () => {
    const { lifecycleAction } = only("autoscaling-terminate.queue", { LifecycleActionToken: undefined });
    expect(lifecycleAction).toStrictEqual({ groupName: "my-asg", hookName: "my-hook" });
  });

  test.each([[undefined], [""], [7]])("a spot interruption's action is %j", (action) => {
    expect(only("spot-interruption.eventbridge", { "detail.instance-action": action })).toMatchObject({
      deadline: WARNED_AT + 120_000,
      reason: "spot interruption: terminate",
    });
  });

  test.each([[{}], ["x".repeat(256)], ["a\nb"]])("an event's id is %j", (id) => {
    expect(readEvent(changed("spot-interruption.eventbridge", { id }))).toMatchObject({ reading: "announced" });
  });
});

describe("records that invoke a function, or stand in a queue, are envelopes", () => {
  const sns = (message: string, more: object = {}) => ({
    EventSource: "aws:sns",
    Sns: { Type: "Notification", TopicArn: "arn:aws:sns:eu-west-1:111122223333:hooks", Message: message, ...more },
  });
  const sqs = (text: string) => ({ messageId: "m", eventSource: "aws:sqs", body: text });
  const batch = (...Records: readonly unknown[]) => readEvent(JSON.stringify({ Records }));
  const action = changed("autoscaling-terminate.queue", {});
  const spot = changed("spot-interruption.eventbridge", {});
  const inside = (text: string) => readEvent(text);

  test("of SNS and of SQS", () => {
    expect(batch(sns(action))).toEqual(inside(action));
    expect(batch(sqs(spot))).toEqual(inside(spot));
    expect(batch(sqs(inSns(action)))).toEqual(inside(action));
    expect(batch(sns(action), sqs(spot))).toMatchObject({
      announcements: [{ kind: "autoscaling-terminate" }, { kind: "spot-interruption" }],
    });
  });

  test("each judged alone: one that can't be read hides no other", () => {
    expect(batch(sns("Hello"), "x", sns(action), {})).toMatchObject({
      announcements: [{ kind: "autoscaling-terminate" }],
      problems: [
        "Records[1] is a text, not an object",
        "SNS record: Records[0].Sns.Message is not JSON: it begins with 'Hello'",
        "a record names no eventSource",
      ],
    });
  });

  test("malformed where none of them announces anything and one can't be read", () => {
    expect(batch(sns("Hello"), { eventSource: "aws:s3" })).toMatchObject({ reading: "malformed" });
    expect(batch({})).toMatchObject({ reading: "malformed", problem: "a record names no eventSource" });
  });

  test("and ask for nothing where they are another service's", () => {
    expect(batch({ eventSource: "aws:s3" })).toEqual({ reading: "nothing-asked", what: "Records" });
    expect(batch(sns(action, { Type: "SubscriptionConfirmation" }))).toMatchObject({ reading: "nothing-asked" });
  });
});

describe("what a function has failed at is read where its destination is the queue", () => {
  const failed = (requestPayload: unknown, condition = "RetriesExhausted") => ({
    version: "1.0",
    requestContext: { requestId: "r", functionArn: "arn:aws:lambda:x", condition, approximateInvokeCount: 3 },
    requestPayload,
    responsePayload: { errorMessage: "x" },
  });
  const spot = JSON.parse(changed("spot-interruption.eventbridge", {}));

  test("as Lambda, SNS and EventBridge bring it", () => {
    const expected = readEvent(JSON.stringify(spot));
    expect(readEvent(JSON.stringify(failed(spot)))).toEqual(expected);
    expect(readEvent(inSns(JSON.stringify(failed(spot))))).toEqual(expected);
    const onBus = {
      source: "lambda",
      "detail-type": "Lambda Function Invocation Result - Failure",
      detail: failed(spot),
    };
    expect(readEvent(JSON.stringify(onBus))).toEqual(expected);
  });

  test("and what it has done asks for nothing", () => {
    expect(readEvent(JSON.stringify(failed(spot, "Success")))).toMatchObject({ reading: "nothing-asked" });
  });

  test("in so many envelopes at most", () => {
    let event: unknown = spot;
    for (let depth = 0; depth < 6; depth += 1) event = failed(event);
    expect(readEvent(JSON.stringify(event))).toMatchObject({
      reading: "malformed",
      problem: expect.stringMatching(/more than 4 envelopes/),
    });
  });
});

describe("a spot interruption", () => {
  test.each([
    ["terminate", 120_000],
    ["stop", 120_000],
    ["hibernate", 0],
    ["vaporise", 120_000],
  ])("that will %s gives %i ms", (action, noticeMs) => {
    const read = only("spot-interruption.eventbridge", { "detail.instance-action": action });
    expect(read.deadline).toBe(WARNED_AT + noticeMs);
    expect(read.reason).toBe(`spot interruption: ${action}`);
  });

  test("without a time has no deadline, and is announced all the same", () => {
    const read = only("spot-interruption.eventbridge", { time: undefined });
    expect(read).not.toHaveProperty("deadline");
    expect(read).not.toHaveProperty("announcedAt");
  });

  test("with a long action has a reason that stays short", () => {
    const { reason } = only("spot-interruption.eventbridge", { "detail.instance-action": "x".repeat(255) });
    expect(reason).toBe(`spot interruption: ${"x".repeat(80)}…`);
  });
});

describe("a change of an instance's state", () => {
  test.each(["stopping", "stopped", "shutting-down", "terminated"])("to %s announces, without a deadline", (state) => {
    const read = only("state-change.eventbridge", { "detail.state": state });
    expect(read.reason).toBe(`instance state: ${state}`);
    expect(read).not.toHaveProperty("deadline");
  });

  test.each(["pending", "running", "rebooting"])("to %s asks for nothing", (state) => {
    expect(readEvent(changed("state-change.eventbridge", { "detail.state": state }))).toEqual({
      reading: "nothing-asked",
      what: `instance state: ${state}`,
    });
  });
});

describe("a scheduled change of AWS Health", () => {
  const PAGE = "scheduled-change-page-1.eventbridge";
  const entity = (entityValue: string, more = {}) => ({ entityValue, ...more });
  const idsOf = (entities: readonly unknown[]) => {
    const reading = readEvent(changed(PAGE, { "detail.affectedEntities": entities }));
    return reading.reading === "announced" ? reading.announcements.map(({ instanceId }) => instanceId) : reading;
  };

  test.each([
    "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_INSTANCE_RETIREMENT_EXPEDITED",
    "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_INSTANCE_STOP_SCHEDULED",
    "AWS_EC2_INSTANCE_TERMINATION_SCHEDULED",
    "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
    "AWS_EC2_INSTANCE_REBOOT_FLEXIBLE_MAINTENANCE_SCHEDULED",
    "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
    "AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED",
    "AWS_EC2_DEDICATED_HOST_RETIREMENT_SCHEDULED",
  ])("%s takes the machine", (eventTypeCode) => {
    const reading = readEvent(changed(PAGE, { "detail.eventTypeCode": eventTypeCode }));
    expect(reading).toMatchObject({
      announcements: [{ reason: `scheduled change: ${eventTypeCode}` }, { deadline: Date.UTC(2023, 7, 29, 3, 30) }],
    });
  });

  test.each([
    [{ "detail.eventTypeCode": "AWS_EC2_DEDICATED_HOST_NETWORK_MAINTENANCE_SCHEDULED" }],
    [{ "detail.eventTypeCode": "AWS_EC2_INSTANCE_RETIREMENT_CANCELLED" }],
    [{ "detail.eventTypeCode": "AWS_EC2_SYSTEM_MAINTENANCE_EVENT" }],
    [{ "detail.eventTypeCategory": "issue" }],
    [{ "detail.eventTypeCategory": "accountNotification" }],
    [{ "detail.service": "RDS" }],
    [{ "detail.statusCode": "closed" }],
    [{ "detail.affectedEntities": [] }],
    [{ "detail.affectedEntities": undefined, resources: undefined }],
    [{ "detail-type": "AWS Health Abuse Event" }],
  ])("asks for nothing with %j", (changes) => {
    expect(readEvent(changed(PAGE, changes))).toMatchObject({ reading: "nothing-asked" });
  });

  test("is about the instances among its entities, each once, and not about those that are resolved", () => {
    const [a, b, c, d] = ["i-0aaaaaaaaaaaaaaa1", "i-abcd1111", "i-0aaaaaaaaaaaaaaa3", "i-abcd3333"];
    expect(
      idsOf([
        entity(a, { status: "PENDING" }),
        entity("h-0bbbbbbbbbbbbbbb1"),
        entity("i-not-an-id"),
        entity("x".repeat(2_000)),
        entity("arn:aws:ec2:us-east-2:210987654321:volume/i-abcd2222"),
        entity(`arn:aws:ec2:us-east-2:210987654321:instance/${b}`),
        entity(c, { status: "RESOLVED" }),
        entity(d),
        entity(b),
        entity(a),
      ]),
    ).toEqual([a, b, d]);
  });

  test("is about those of its entities that can be read, and about its resources for the others", () => {
    const changes = { "detail.affectedEntities": [{ entityArn: "arn:x" }, entity("i-abcd1111")], resources: [] };
    expect(readEvent(changed(PAGE, changes))).toMatchObject({
      announcements: [{ instanceId: "i-abcd1111" }],
      problems: ["AWS Health Event: detail.affectedEntities[0].entityValue is missing"],
    });
    const named = { ...changes, resources: ["i-abcd1111", "arn:aws:ec2:us-east-2:210987654321:instance/i-abcd2222"] };
    const both = [{ instanceId: "i-abcd1111" }, { instanceId: "i-abcd2222" }];
    expect(readEvent(changed(PAGE, named))).toMatchObject({ announcements: both });
    const missing = { "detail.affectedEntities": undefined, resources: named.resources };
    expect(readEvent(changed(PAGE, missing))).toMatchObject({ announcements: both });
  });

  test("needs neither a service nor a category, which its code says too", () => {
    const changes = { "detail.service": undefined, "detail.eventTypeCategory": undefined };
    expect(readEvent(changed(PAGE, changes))).toMatchObject({ reading: "announced" });
  });

  test("that is delivered in another region than the one that it affects is a copy", () => {
    expect(only("scheduled-change-page-2.eventbridge", {})).toMatchObject({ region: "us-east-2", isCopy: true });
    expect(only("scheduled-change-page-2.eventbridge", { region: "us-east-2" })).not.toHaveProperty("isCopy");
  });

  test.each([
    ["AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED", true],
    ["AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED", true],
    ["AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED", undefined],
    ["AWS_EC2_INSTANCE_STOP_SCHEDULED", undefined],
  ])("%s boots the machine again by itself: %s", (eventTypeCode, reboots) => {
    const { reboots: said } = only("scheduled-change-page-2.eventbridge", { "detail.eventTypeCode": eventTypeCode });
    expect(said).toBe(reboots);
  });

  test("falls back to where it was delivered, and has no deadline where it names no start", () => {
    const changes = { eventRegion: undefined, affectedAccount: undefined, startTime: undefined };
    const paths = Object.fromEntries(Object.entries(changes).map(([name, value]) => [`detail.${name}`, value]));
    const read = only("scheduled-change-page-2.eventbridge", paths);
    expect(read).toMatchObject({ accountId: "123456789012", region: "us-west-2" });
    expect(read).not.toHaveProperty("deadline");
  });
});

test("an interruption of a capacity reservation is known by its first name too, and without a time", () => {
  const read = only("capacity-reservation-interruption.eventbridge", {
    "detail-type": "EC2 Interruptible Capacity Reservation Instance Interruption Warning",
    "detail.instance-termination-time": undefined,
  });
  expect(read.kind).toBe("capacity-reservation-interruption");
  expect(read).not.toHaveProperty("deadline");
});

describe("what is of no known kind", () => {
  test.each([
    ["another source", { source: "aws.s3", "detail-type": "Object Created" }, "aws.s3: Object Created"],
    ["a known name of an unknown source", { source: "my.app" }, "my.app: EC2 Spot Instance Interruption Warning"],
    ["a name that objects have", { "detail-type": "constructor" }, "aws.ec2: constructor"],
  ])("asks for nothing: %s", (_, changes, what) => {
    expect(readEvent(changed("spot-interruption.eventbridge", changes))).toEqual({ reading: "nothing-asked", what });
  });

  test("asks for nothing without a detail, for it is nobody's", () => {
    expect(readEvent('{"source":"aws.ec2","detail-type":"EC2 Spot Instance Request Fulfillment"}')).toEqual({
      reading: "nothing-asked",
      what: "aws.ec2: EC2 Spot Instance Request Fulfillment",
    });
  });

  test("asks for nothing as S3's records", () => {
    expect(readEvent('{"Records":[{"eventSource":"aws:s3"}]}')).toEqual({ reading: "nothing-asked", what: "Records" });
  });

  test("is named in so many characters", () => {
    const changes = { source: "x".repeat(255), "detail-type": "y" };
    const reading = readEvent(changed("spot-interruption.eventbridge", changes));
    expect(reading).toEqual({ reading: "nothing-asked", what: `${"x".repeat(120)}…` });
  });
});
