import { describe, expect, test } from "vitest";
import type { Announcement } from "../../../src/sources/announcement.ts";
import { readEvent } from "../../../src/sources/events/read-event.ts";
import { keepSecret, searchForSecrets } from "../../support/secret-search.ts";
import { BODY_NAMES, body, inSns } from "./bodies.ts";

const ID = "12345678-1234-1234-1234-123456789012";
const ACCOUNT = "123456789012";

const TERMINATION: Announcement = {
  kind: "autoscaling-terminate",
  instanceId: "i-1234567890abcdef0",
  announcedAt: Date.UTC(2020, 6, 1, 22, 19, 58),
  eventId: ID,
  accountId: ACCOUNT,
  region: "us-west-2",
  lifecycleAction: {
    groupName: "my-asg",
    hookName: "my-lifecycle-hook",
    token: "87654321-4321-4321-4321-210987654321",
  },
  reason: "Auto Scaling termination: my-asg",
};
/** Without EventBridge nothing names the region. */
const DIRECT_TERMINATION: Announcement = {
  kind: "autoscaling-terminate",
  instanceId: "i-0123486890234abcd",
  announcedAt: Date.UTC(2019, 8, 27, 2, 39, 14, 183),
  eventId: "63f5b5c2-58b3-0574-b7d5-b3162d0268f0",
  accountId: ACCOUNT,
  lifecycleAction: { groupName: "my-asg", hookName: "my-hook", token: "cc34960c-1e41-4703-a665-bdb3e5b81ad3" },
  reason: "Auto Scaling termination: my-asg",
};
const WARNED_AT = Date.UTC(2022, 7, 11, 14);
const SPOT: Announcement = {
  kind: "spot-interruption",
  instanceId: "i-1234567890abcdef0",
  announcedAt: WARNED_AT,
  deadline: WARNED_AT + 120_000,
  eventId: ID,
  accountId: ACCOUNT,
  region: "us-east-2",
  reason: "spot interruption: terminate",
};
/** Delivered in us-west-2, to the organization's account. */
const RETIREMENT: Omit<Announcement, "instanceId"> = {
  kind: "scheduled-change",
  announcedAt: Date.UTC(2023, 7, 15, 3, 13, 27),
  deadline: Date.UTC(2023, 7, 29, 3, 30),
  eventId: "7fb65329-1628-4cf3-a740-95fa457b1402",
  accountId: "210987654321",
  region: "us-east-2",
  isCopy: true,
  reason: "scheduled change: AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
};
const RECLAIMED_AT = Date.UTC(2025, 11, 1, 10);
const RECLAIMED: Announcement = {
  kind: "capacity-reservation-interruption",
  instanceId: "i-1234567890abcdef0",
  announcedAt: RECLAIMED_AT,
  deadline: RECLAIMED_AT + 120_000,
  eventId: ID,
  accountId: ACCOUNT,
  region: "us-east-2",
  reason: "capacity reservation interruption: terminate",
};

const ANNOUNCED: Readonly<Record<string, readonly Announcement[]>> = {
  "autoscaling-terminate.eventbridge": [TERMINATION],
  "autoscaling-terminate.sns-eventbridge": [TERMINATION],
  "autoscaling-terminate-to-warm-pool.eventbridge": [
    { ...TERMINATION, reason: "Auto Scaling return to the warm pool: my-asg" },
  ],
  "autoscaling-terminate.queue": [DIRECT_TERMINATION],
  "autoscaling-terminate.sns": [DIRECT_TERMINATION],
  "spot-interruption.eventbridge": [SPOT],
  "spot-interruption.sns-eventbridge": [{ ...SPOT, reason: "spot interruption: stop" }],
  "spot-interruption-hibernate.eventbridge": [{ ...SPOT, deadline: WARNED_AT, reason: "spot interruption: hibernate" }],
  "rebalance-recommendation.eventbridge": [
    {
      kind: "rebalance-recommendation",
      instanceId: "i-0b662ef9931388ba0",
      announcedAt: Date.UTC(2020, 9, 26, 14, 14, 14),
      isVoluntary: true,
      eventId: "5d5555d5-dd55-5555-5555-5555dd55d55d",
      accountId: ACCOUNT,
      region: "us-east-1",
      reason: "rebalance recommendation",
    },
  ],
  "state-change.eventbridge": [
    {
      kind: "state-change",
      instanceId: "i-abcd1111",
      announcedAt: Date.UTC(2021, 10, 11, 21, 29, 54),
      eventId: "7bf73129-1428-4cd3-a780-95db273d1602",
      accountId: ACCOUNT,
      region: "us-east-1",
      holdsWhile: "stops",
      reason: "instance state: shutting-down",
    },
  ],
  "scheduled-change-page-1.eventbridge": [
    { ...RETIREMENT, instanceId: "i-0aaaaaaaaaaaaaaa1" },
    { ...RETIREMENT, instanceId: "i-0aaaaaaaaaaaaaaa2" },
  ],
  "scheduled-change-page-2.eventbridge": [{ ...RETIREMENT, instanceId: "i-0aaaaaaaaaaaaaaa3" }],
  "capacity-reservation-interruption.eventbridge": [RECLAIMED],
  "capacity-block-interruption.eventbridge": [{ ...RECLAIMED, deadline: RECLAIMED_AT + 600_000 }],
};

const NOTHING_ASKED: Readonly<Record<string, string>> = {
  "autoscaling-launch.eventbridge": "aws.autoscaling: EC2 Instance-launch Lifecycle Action",
  "autoscaling-launch.queue": "lifecycle action: autoscaling:EC2_INSTANCE_LAUNCHING",
  "autoscaling-test.queue": "AWS Auto Scaling: autoscaling:TEST_NOTIFICATION",
  "autoscaling-test.sns": "AWS Auto Scaling: autoscaling:TEST_NOTIFICATION",
  "sns-subscription-confirmation": "SNS: SubscriptionConfirmation",
  "state-change-running.eventbridge": "instance state: running",
  "scheduled-change-network.eventbridge": "AWS Health: AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED",
  "s3-test.queue": "Amazon S3: s3:TestEvent",
};

describe("the recorded bodies", () => {
  test("each have an expectation", () => {
    expect([...Object.keys(ANNOUNCED), ...Object.keys(NOTHING_ASKED)].sort()).toEqual([...BODY_NAMES].sort());
  });

  test.each(Object.entries(ANNOUNCED))("%s announces a departure", (name, announcements) => {
    expect(readEvent(body(name))).toStrictEqual({ reading: "announced", announcements });
  });

  test.each(Object.entries(NOTHING_ASKED))("%s asks for nothing", (name, what) => {
    expect(readEvent(body(name))).toStrictEqual({ reading: "nothing-asked", what });
  });

  test("are read without the operator's own metadata, whatever is wrong with them", () => {
    const secret = "the-operators-own-secret";
    keepSecret(secret);
    for (const name of BODY_NAMES) {
      const text = body(name);
      const spoilt = [text, text.slice(0, -4), JSON.stringify(text), text.replace(/"LifecycleHookName"/, '"x"')];
      const rotten = [`{"NotificationMetadata":"${secret}"`, `["${secret}"]`, inSns(`{"m":"${secret}"`)];
      for (const each of [...spoilt, ...rotten]) searchForSecrets(name, JSON.stringify(readEvent(each)));
    }
  });
});
