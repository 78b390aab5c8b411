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

  test("that asks for nothing is done with", async () => {
    const { region, hookEvent, answerRule, said } = await lambdaScene();
    await answerRule({ ...hookEvent(), source: "aws.s3", "detail-type": "Object Created" });
    expect(region.calls).toEqual([]);
    expect(said()).toEqual(["message ignored"]);
  });
});
