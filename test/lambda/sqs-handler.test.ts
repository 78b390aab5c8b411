import { describe, expect, test } from "vitest";
import { sqsRecords } from "../../src/lambda/sqs-handler.ts";
import { elbError } from "../support/simulated-region.ts";
import { lambdaScene } from "./scene.ts";

describe("a batch of a queue's messages", () => {
  test("is done with when its nodes are drained and their hooks completed", async () => {
    const { region, record, hookEvent, answer, elapsed, isWaiting, said } = await lambdaScene();
    expect(await answer([record(hookEvent())])).toEqual({ batchItemFailures: [] });
    expect(elapsed()).toBe(300);
    expect(isWaiting()).toBe(false);
    expect(region.callsOf("CompleteLifecycleAction").map((params) => params.get("LifecycleActionResult"))).toEqual([
      "CONTINUE",
    ]);
    expect(said()).toContain("hook completed");
  });

  test("comes back at once when the invocation is too short, and is held from the first time on", async () => {
    const { region, record, hookEvent, answer, elapsed, isWaiting, givenBack } = await lambdaScene();
    for (const receives of [1, 2]) {
      await expect(answer([record(hookEvent(), { receives })], 130)).rejects.toThrow("none of the 1 messages");
      // The hook's timeout is a minute: somebody has kept it waiting.
      expect(isWaiting()).toBe(true);
    }
    expect(givenBack).toEqual([0, 0]);
    expect(await answer([record(hookEvent(), { receives: 3 })], 130)).toEqual({ batchItemFailures: [] });
    expect(elapsed()).toBeGreaterThanOrEqual(300);
    // A read that only confirms waits up to a second for others.
    expect(elapsed()).toBeLessThanOrEqual(301);
    expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
    expect(isWaiting()).toBe(false);
  });

  test("waits in the queue while what it tells of is days ahead, and takes a copy's place when it comes again", async () => {
    const { region, record, answer, nodes, clock, givenBack, said } = await lambdaScene();
    const event = {
      source: "aws.health",
      "detail-type": "AWS Health Event",
      detail: {
        eventTypeCode: "AWS_EC2_INSTANCE_STOP_SCHEDULED",
        startTime: new Date(clock.now() + 3 * 86_400_000).toUTCString(),
        affectedEntities: [{ entityValue: nodes[0].id }],
      },
    };
    await expect(answer([record(event)])).rejects.toThrow("none of the 1 messages");
    expect(givenBack).toEqual([43_140]);
    expect(await answer([record(event, { receives: 2 })])).toEqual({ batchItemFailures: [] });
    expect(said()).toContain("maintenance postponed");
    expect(region.callsOf("DeregisterTargets")).toEqual([]);
  });

  test("leaves a machine alone that runs, whatever an old message says of its state", async () => {
    const { region, record, answer, nodes, clock } = await lambdaScene();
    const old = {
      source: "aws.ec2",
      "detail-type": "EC2 Instance State-change Notification",
      time: new Date(clock.now() - 3 * 86_400_000).toISOString(),
      detail: { "instance-id": nodes[1].id, state: "stopped" },
    };
    expect(await answer([record(old)])).toEqual({ batchItemFailures: [] });
    expect(region.callsOf("DeregisterTargets")).toEqual([]);
  });

  test("has none of its messages wait for another, and names those that have to come back", async () => {
    const { record, hookEvent, answer, nodes } = await lambdaScene();
    const running = { ...hookEvent(), source: "aws.ec2", "detail-type": "EC2 Instance State-change Notification" };
    const records = [
      record("no JSON", { id: "malformed" }),
      record(hookEvent(), { id: "hook" }),
      record({ ...running, detail: { "instance-id": nodes[1].id, state: "running" } }, { id: "running" }),
    ];
    expect(await answer(records)).toEqual({ batchItemFailures: [{ itemIdentifier: "malformed" }] });
  });

  test("tells in the log what each message was", async () => {
    const { lines, record, hookEvent, answer, nodes } = await lambdaScene();
    await answer([record(hookEvent()), record("no JSON", { id: "m-2" })]);
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "info", messageId: "m-1", node: nodes[0].id, msg: "termination announced" }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "warn", messageId: "m-2", error: expect.stringContaining("JSON") }),
    );
    expect(lines.every(({ time }) => /^\d{4}-\d\d-\d\dT/.test(String(time)))).toBe(true);
  });

  test("comes back a little later when AWS fails, and its hook is left as it is", async () => {
    const { region, record, hookEvent, answer, givenBack } = await lambdaScene();
    const answered = region.intercept;
    region.intercept = (call) =>
      call.action.startsWith("Describe") ? elbError("AccessDenied", "no", 403) : answered(call);
    await expect(answer([record(hookEvent())])).rejects.toThrow("SQS redelivers them");
    expect(givenBack).toEqual([30]);
    expect(region.callsOf("CompleteLifecycleAction")).toEqual([]);
  });

  test("comes back when the hook could not be completed in the time that was left, also where the machine returns", async () => {
    const { region, hookEvent, record, answer, said } = await lambdaScene({}, { undo: true });
    region.intercept = ({ action }) =>
      action === "CompleteLifecycleAction" ? elbError("ServiceUnavailable", "not now", 503) : undefined;
    const event = hookEvent();
    const detail = { ...event.detail, Destination: "AutoScalingGroup", Action: "ReplaceRootVolume" };
    // The drain takes 300 s, and its time ends while the hook is being completed.
    await expect(answer([record({ ...event, detail })], 312)).rejects.toThrow("SQS redelivers them");
    expect(said()).toEqual(expect.arrayContaining(["drain completed", "hook completion failed"]));
  });

  test("changes nothing in a dry run, and does not come back", async () => {
    const { region, record, hookEvent, answer } = await lambdaScene({ DRYRUN: "true" });
    expect(await answer([record(hookEvent())])).toEqual({ batchItemFailures: [] });
    expect(region.calls.filter(({ action }) => !action.startsWith("Describe"))).toEqual([]);
  });

  test("is left to others where its machine is in another region", async () => {
    const { record, hookEvent, answer, region, said } = await lambdaScene();
    await expect(answer([record({ ...hookEvent(), region: "us-east-1" })])).rejects.toThrow("SQS redelivers them");
    expect(region.calls.filter(({ action }) => action !== "")).toEqual([]);
    expect(said()).toContain("announcement skipped");
  });

  test("is refused by name when it is none", () => {
    for (const event of [undefined, null, "text", {}, { Records: [{}] }, { Records: [{ messageId: 1 }] }])
      expect(() => sqsRecords(event)).toThrow(/this handler takes batches of an SQS queue, and was invoked with /);
  });
});
