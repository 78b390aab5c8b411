import { describe, expect, test } from "vitest";
import { elbError } from "../support/simulated-region.ts";
import { lambdaScene } from "./scene.ts";

describe("an event of a rule", () => {
  test("is done with when its node is drained and its hook completed", async () => {
    const { hookEvent, answerRule, elapsed, isWaiting, said } = await lambdaScene();
    await answerRule(hookEvent());
    expect(elapsed()).toBe(300);
    expect(isWaiting()).toBe(false);
    expect(said()).toContain("hook completed");
  });

  test("fails the invocation that has no time for it, which says what to use instead, and is held from then on", async () => {
    const { region, hookEvent, answerRule, elapsed } = await lambdaScene();
    await expect(answerRule(hookEvent(), 130)).rejects.toThrow(
      /^the invocation ended before .* use the queue for holds/,
    );
    await answerRule(hookEvent(), 900);
    expect(elapsed()).toBe(300);
    expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
  });

  test("fails the invocation with AWS's reason, and leaves the hook", async () => {
    const { region, hookEvent, answerRule } = await lambdaScene();
    region.intercept = ({ action }) =>
      action === "DescribeInstances" ? elbError("AccessDenied", "no", 403) : undefined;
    await expect(answerRule(hookEvent())).rejects.toMatchObject({ code: "access-denied" });
    expect(region.callsOf("CompleteLifecycleAction")).toEqual([]);
  });

  test("that can't be understood fails the invocation by name", async () => {
    const { hookEvent, answerRule } = await lambdaScene();
    const detail = { ...hookEvent().detail, EC2InstanceId: "node" };
    await expect(answerRule({ ...hookEvent(), detail })).rejects.toThrow(
      /the event does not announce .*EC2InstanceId is 'node'/,
    );
    for (const event of [undefined, null, 1, []]) await expect(answerRule(event)).rejects.toThrow(TypeError);
  });

  test("in records of SNS or SQS is read as in the envelopes that they are", async () => {
    const { region, hookEvent, answerRule, nodes } = await lambdaScene();
    const inSns = (message: string) => ({
      EventSource: "aws:sns",
      Sns: { Type: "Notification", TopicArn: "arn:aws:sns:eu-west-1:123456789012:hooks", Message: message },
    });
    await answerRule({ Records: [inSns(JSON.stringify(hookEvent()))] });
    const body = JSON.stringify(hookEvent(nodes[1]));
    await answerRule({ Records: [{ messageId: "m", eventSource: "aws:sqs", body }] });
    const gone = region.callsOf("DeregisterTargets").map((params) => params.get("Targets.member.1.Id"));
    expect(gone).toEqual(nodes.map(({ id }) => id));
    for (const Records of [[inSns("Hello")], [{}], ["x"], []])
      await expect(answerRule({ Records })).rejects.toThrow(TypeError);
  });

  test("of a root volume is done with when its machine is registered again", async () => {
    const { region, hookEvent, answerRule, nodes, group, clock, said } = await lambdaScene({}, { undo: true });
    // The machine serves all the while, as its group says.
    const event = hookEvent(nodes[1]);
    await answerRule({
      ...event,
      detail: { ...event.detail, Destination: "AutoScalingGroup", Action: "ReplaceRootVolume" },
    });
    expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
    expect(said()).toContain("node returned");
    const registered = group.listed(clock.now()).filter(({ deregisteredAt }) => deregisteredAt === undefined);
    expect(registered.map(({ id }) => id)).toContain(nodes[1].id);
  });

  test("of scheduled maintenance is drained for at once: nobody would bring it again", async () => {
    const { region, answerRule, nodes, clock } = await lambdaScene();
    await answerRule({
      source: "aws.health",
      "detail-type": "AWS Health Event",
      region: region.world.region,
      detail: {
        eventTypeCode: "AWS_EC2_INSTANCE_STOP_SCHEDULED",
        startTime: new Date(clock.now() + 3 * 86_400_000).toUTCString(),
        affectedEntities: [{ entityValue: nodes[0].id }],
      },
    });
    expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
  });

  test("that asks for nothing is done with", async () => {
    const { region, hookEvent, answerRule, said } = await lambdaScene();
    await answerRule({ ...hookEvent(), source: "aws.s3", "detail-type": "Object Created" });
    expect(region.calls).toEqual([]);
    expect(said()).toEqual(["message ignored", "invocation completed"]);
  });
});
