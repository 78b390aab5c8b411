import { describe, expect, test } from "vitest";
import type { Announcement } from "../../src/sources/announcement.ts";
import { readEvent } from "../../src/sources/events/read-event.ts";
import { withHooksNamed } from "../../src/sources/message-reader.ts";

const notification = (hook: string) =>
  JSON.stringify({
    LifecycleHookName: hook,
    AutoScalingGroupName: "workers",
    LifecycleActionToken: "cc34960c-1e41-4703-a665-bdb3e5b81ad3",
    LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
    EC2InstanceId: "i-0123456789abcdef0",
    Time: "2019-09-27T02:39:14.183Z",
  });
const announced = (hookName: string | undefined, body: string): readonly Announcement[] => {
  const reading = withHooksNamed(hookName, readEvent)(body);
  return reading.reading === "announced" ? reading.announcements : [];
};

describe("of a group's hooks", () => {
  test("all are answered where none is named", () => {
    expect(announced(undefined, notification("any"))[0]?.lifecycleAction?.hookName).toBe("any");
  });

  test("only the one is answered that is named, and machines of the others are drained all the same", () => {
    expect(announced("drain", notification("drain"))[0]?.lifecycleAction?.hookName).toBe("drain");
    const [other] = announced("drain", notification("Terminate-LC-Hook"));
    expect(other).toMatchObject({ kind: "autoscaling-terminate", instanceId: "i-0123456789abcdef0" });
    expect(other).not.toHaveProperty("lifecycleAction");
  });

  test("what announces nothing is read as before", () => {
    expect(withHooksNamed("drain", readEvent)("no JSON").reading).toBe("malformed");
  });
});
