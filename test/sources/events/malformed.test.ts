import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readEvent } from "../../../src/sources/events/read-event.ts";
import { body, changed, inSns } from "./bodies.ts";

const BODY_CHARACTERS_MAX = 1_048_576;

function problemOf(text: string): string {
  const reading = readEvent(text);
  return reading.reading === "malformed" ? reading.problem : `not malformed: ${JSON.stringify(reading)}`;
}

describe("a body that is no event says so", () => {
  test.each([
    ["", "the body is not JSON: it begins with ''"],
    ["drain i-1234567890abcdef0", "the body is not JSON: it begins with 'drain i-12345678…'"],
    ["\u001b[31m\n{", "the body is not JSON: it begins with '?[31m?{'"],
    ["null", "the body is null, not an object"],
    ["42", "the body is 42, not an object"],
    ["true", "the body is true, not an object"],
    ['"{}"', "the body is a text, not an object"],
    ["[{}]", "the body is a list, not an object"],
    ["{}", "it is not an event: it has no detail-type, LifecycleTransition, Event or Records"],
    ['{"detail-type":null}', "it is not an event: it has no detail-type, LifecycleTransition, Event or Records"],
    ['{"__proto__":{"detail-type":"x"}}', expect.stringContaining("it is not an event")],
    ['{"Records":[]}', "Records is empty"],
    ['{"Records":{}}', "Records is an object, not a list"],
    [inSns("Hello"), "SNS envelope: Message is not JSON: it begins with 'Hello'"],
    [inSns("[]"), "SNS envelope: Message is a list, not an object"],
    [inSns('{"AlarmName":"x"}'), expect.stringContaining("SNS envelope: it is not an event")],
    [inSns(body("autoscaling-terminate.sns")), "SNS envelope: Message is a second SNS envelope"],
    [changed("autoscaling-terminate.sns", { Message: undefined }), "SNS envelope: Message is missing"],
    [changed("autoscaling-terminate.sns", { Message: {} }), "SNS envelope: Message is an object, not a text"],
    [changed("autoscaling-terminate.sns", { Type: 7 }), "SNS envelope: Type is 7, not a text"],
  ])("%j", (text, problem) => {
    expect(problemOf(text)).toEqual(problem);
  });
});

const SPOT = "spot-interruption.eventbridge";
const SPOT_TYPE = "EC2 Spot Instance Interruption Warning";
const ACTION = "autoscaling-terminate.eventbridge";
const ACTION_TYPE = "EC2 Instance-terminate Lifecycle Action";
const HEALTH = "scheduled-change-page-1.eventbridge";
const STATE = "state-change.eventbridge";
const RECLAIMED = "capacity-reservation-interruption.eventbridge";

describe("an event of a known kind names the field that is wrong", () => {
  test.each([
    [SPOT, { source: undefined }, "source is missing"],
    [SPOT, { "detail-type": ["x"] }, "detail-type is a list, not a text"],
    [SPOT, { detail: undefined }, `${SPOT_TYPE}: detail is missing`],
    [SPOT, { detail: "x" }, `${SPOT_TYPE}: detail is a text, not an object`],
    [SPOT, { detail: [] }, `${SPOT_TYPE}: detail is a list, not an object`],
    [SPOT, { "detail.instance-id": undefined }, `${SPOT_TYPE}: detail.instance-id is missing`],
    [SPOT, { "detail.instance-id": null }, `${SPOT_TYPE}: detail.instance-id is missing`],
    [SPOT, { "detail.instance-id": 5 }, `${SPOT_TYPE}: detail.instance-id is 5, not a text`],
    [SPOT, { "detail.instance-id": "i-123486890234" }, /detail\.instance-id is 'i-123486890234', not an instance id$/],
    [SPOT, { "detail.instance-id": "i-1234567890ABCDEF0" }, /not an instance id$/],
    [SPOT, { "detail.instance-id": `i-${"0".repeat(9_000)}` }, /^.{1,200}$/],
    [SPOT, { "detail.instance-id": "i-abcd1111\n" }, /detail\.instance-id is 'i-abcd1111\?', not an instance id$/],
    [SPOT, { time: "yesterday" }, `${SPOT_TYPE}: time is 'yesterday', not a time`],
    [SPOT, { time: "1" }, `${SPOT_TYPE}: time is '1', not a time`],
    [SPOT, { time: "2022-13-11T14:00:00Z" }, `${SPOT_TYPE}: time is '2022-13-11T14:00:00Z', not a time`],
    [SPOT, { time: 1660226400 }, `${SPOT_TYPE}: time is 1660226400, not a text`],
    [SPOT, { account: "12" }, `${SPOT_TYPE}: account is '12', not an account's 12 digits`],
    [SPOT, { region: "us east" }, `${SPOT_TYPE}: region is 'us east', not a region`],
    [ACTION, { "detail.EC2InstanceId": "i-1" }, `${ACTION_TYPE}: detail.EC2InstanceId is 'i-1', not an instance id`],
    [ACTION, { "detail.LifecycleTransition": undefined }, `${ACTION_TYPE}: detail.LifecycleTransition is missing`],
    [
      "autoscaling-terminate.queue",
      { LifecycleTransition: 1 },
      "lifecycle action: LifecycleTransition is 1, not a text",
    ],
    ["autoscaling-terminate.queue", { Time: "" }, "lifecycle action: Time is '', not a time"],
    [STATE, { "detail.state": undefined }, "EC2 Instance State-change Notification: detail.state is missing"],
    [STATE, { "detail.instance-id": "" }, /detail\.instance-id is '', not an instance id$/],
    [HEALTH, { "detail.eventTypeCode": undefined }, "AWS Health Event: detail.eventTypeCode is missing"],
    [HEALTH, { "detail.startTime": "soon" }, "AWS Health Event: detail.startTime is 'soon', not a time"],
    [HEALTH, { "detail.affectedEntities": "i-abcd1111" }, /detail\.affectedEntities is a text, not a list$/],
    [
      HEALTH,
      { "detail.affectedEntities": [[]], resources: [] },
      /^AWS Health Event: detail\.affectedEntities\[0\] is a list, not an object$/,
    ],
    [
      HEALTH,
      { "detail.affectedEntities": [{}], resources: undefined },
      /^AWS Health Event: detail\.affectedEntities\[0\]\.entityValue is missing$/,
    ],
    [HEALTH, { "detail.affectedAccount": "me" }, /detail\.affectedAccount is 'me', not an account's 12 digits$/],
    [RECLAIMED, { "detail.instance-termination-time": "x" }, /detail\.instance-termination-time is 'x', not a time$/],
  ])("%s with %j", (name, changes, problem) => {
    const said = problemOf(changed(name, changes));
    if (typeof problem === "string") expect(said).toBe(problem);
    else expect(said).toMatch(problem);
  });

  test("in an SNS envelope too", () => {
    const text = inSns(changed(SPOT, { "detail.instance-id": undefined }));
    expect(problemOf(text)).toBe(`SNS envelope: ${SPOT_TYPE}: detail.instance-id is missing`);
  });
});

describe("a lifecycle event that does not say which hook waits announces the departure, and the hook is left alone", () => {
  test.each([
    [ACTION, { "detail.AutoScalingGroupName": "x".repeat(256) }, /AutoScalingGroupName is 'x{80}…', not 1 to 255 char/],
    [
      ACTION,
      { "detail.LifecycleHookName": undefined },
      /^detail\.LifecycleHookName is missing: the hook is left to its/,
    ],
    [ACTION, { "detail.AutoScalingGroupName": null }, /^detail\.AutoScalingGroupName is missing/],
    ["autoscaling-terminate.queue", { LifecycleHookName: undefined }, /^LifecycleHookName is missing/],
    ["autoscaling-terminate.queue", { LifecycleActionToken: "" }, /^LifecycleActionToken is ''/],
  ])("%s with %j", (name, changes, problem) => {
    const reading = readEvent(changed(name, changes));
    expect(reading).toMatchObject({
      reading: "announced",
      announcements: [{ kind: "autoscaling-terminate", instanceId: expect.stringMatching(/^i-/) }],
      problems: [expect.stringMatching(problem)],
    });
    expect(reading).not.toHaveProperty("announcements.0.lifecycleAction");
  });
});

describe("the size of a body", () => {
  test("is what a queue takes, at most", () => {
    const text = body(SPOT);
    expect(readEvent(text.padEnd(BODY_CHARACTERS_MAX))).toMatchObject({ reading: "announced" });
    expect(problemOf(text.padEnd(BODY_CHARACTERS_MAX + 1))).toBe(
      "the body is 1048577 characters long: more than 1048576",
    );
  });

  test("may be all of one event's instances", () => {
    const entities = Array.from({ length: 35_000 }, (_, n) => `{"entityValue":"i-${n.toString(16).padStart(8, "0")}"}`);
    const text = changed(HEALTH, { "detail.affectedEntities": 0 }).replace('Entities":0', `Entities":[${entities}]`);
    expect(text.length).toBeGreaterThan(BODY_CHARACTERS_MAX * 0.9);
    const reading = readEvent(text);
    expect(reading.reading === "announced" && reading.announcements.length).toBe(entities.length);
  });

  test.each([
    ["an unclosed list", "[".repeat(BODY_CHARACTERS_MAX), /^the body is not JSON/],
    ["a list", `${"[".repeat(500_000)}${"]".repeat(500_000)}`, /^the body is a list/],
    [
      "a detail",
      `{"source":"aws.ec2","detail-type":"${SPOT_TYPE}","detail":${"[".repeat(400_000)}${"]".repeat(400_000)}}`,
      /: detail is a list, not an object$/,
    ],
    [
      "a field",
      changed(SPOT, { "detail.instance-id": 0 }).replace(
        'id":0',
        `id":${'{"a":'.repeat(99_999)}1${"}".repeat(99_999)}`,
      ),
      /: detail.instance-id is an object, not a text$/,
    ],
  ])("may go into depth: %s", (_, text, problem) => {
    expect(problemOf(text)).toMatch(/^.{1,200}$/);
    expect(problemOf(text)).toMatch(problem);
  });
});

describe("any event", () => {
  test("is read the same in an SNS envelope as out of it", () => {
    const texts = fc.oneof(fc.json(), fc.string(), fc.constantFrom(body(SPOT), body(ACTION), body(HEALTH)));
    fc.assert(
      fc.property(texts, (text) => {
        const [bare, wrapped] = [readEvent(text), readEvent(inSns(text))];
        if (bare.reading !== "malformed") expect(wrapped).toEqual(bare);
        else expect(wrapped.reading).toBe("malformed");
      }),
    );
  });

  test("of a spot interruption has its deadline two minutes after its time, whenever that is", () => {
    const times = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:57:59Z"), noInvalidDate: true });
    fc.assert(
      fc.property(times, (time) => {
        const at = time.getTime();
        expect(readEvent(changed(SPOT, { time: time.toISOString() }))).toMatchObject({
          announcements: [{ announcedAt: at, deadline: at + 120_000 }],
        });
      }),
    );
  });

  test("of AWS Health announces each of its instances once, in its order", () => {
    const ids = fc.stringMatching(/^i-[0-9a-f]{17}$/);
    fc.assert(
      fc.property(fc.array(ids, { minLength: 1, maxLength: 20 }), fc.nat(20), (distinct, again) => {
        const listed = [...distinct, ...distinct.slice(0, again)];
        const entities = listed.map((entityValue) => ({ entityValue }));
        const reading = readEvent(changed(HEALTH, { "detail.affectedEntities": entities }));
        const read = reading.reading === "announced" ? reading.announcements.map(({ instanceId }) => instanceId) : [];
        expect(read).toEqual([...new Set(listed)]);
      }),
    );
  });
});
