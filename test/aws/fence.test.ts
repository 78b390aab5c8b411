import { expect, test } from "vitest";
import { AwsCaller } from "../../src/aws/aws-caller.ts";
import { RequestQuota } from "../../src/aws/request-quota.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";

const ACTION = { name: "elasticloadbalancing:DeregisterTargets", bucket: "v2-register" } as const;
const urgency = () => ({ purpose: "deregister", deadline: Number.POSITIVE_INFINITY }) as const;

function scene() {
  const clock = new VirtualClock(0, 1);
  const over = newAbort();
  const leadership = {
    check: () => {
      if (over.signal.aborted) throw over.signal.reason;
    },
  };
  const caller = new AwsCaller({ clock, quota: new RequestQuota({ clock, share: 0.01 }), leadership });
  return { clock, over, caller };
}

test("a call that has waited for the request quota is not sent once the term of the process is over", async () => {
  const { clock, over, caller } = scene();
  const sent: number[] = [];
  const call = (number: number) =>
    caller.call(ACTION, { urgency, signal: never }, async () => {
      sent.push(number);
      return {};
    });
  await clock.run(call(1));
  const second = call(2);
  over.abort(new DrainError("not-leader", "another replica leads"));
  await expect(clock.run(second)).rejects.toMatchObject({ code: "not-leader" });
  expect(sent).toEqual([1]);
});

test("a failed call is not repeated by a process whose term is over, and ends with its drain where that has ended", async () => {
  const { clock, over, caller } = scene();
  const drain = newAbort();
  const reason = new DrainError("not-leader", "another replica leads");
  let attempts = 0;
  const attempt = () => {
    attempts += 1;
    over.abort(reason);
    drain.abort(reason);
    return Promise.reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
  };
  const call = caller.call(ACTION, { urgency, signal: drain.signal }, attempt);
  await expect(clock.run(call)).rejects.toBe(reason);
  expect(attempts).toBe(1);
});
