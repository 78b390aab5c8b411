import { describe, expect, test } from "vitest";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { CloudCall } from "../../src/drain/events.ts";
import type { Leadership } from "../../src/drain/leadership.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";

const ACTION = { name: "sqs:ReceiveMessage" };
const failing = (fields: object) => Object.assign(new Error("what AWS says"), fields);

function scene(leadership?: Pick<Leadership, "check">) {
  const clock = new VirtualClock(0, 1);
  const calls: Omit<CloudCall, "purpose">[] = [];
  const caller = new UnmeteredCaller({ clock, leadership, onCall: (call) => calls.push(call) });
  return { clock, caller, calls };
}

describe("a call that no quota is known of", () => {
  test.each([
    ["AWS throttles", failing({ name: "RequestThrottled" })],
    ["AWS fails", failing({ name: "InternalError", $metadata: { httpStatusCode: 500 }, $fault: "server" })],
    ["does not arrive", failing({ code: "ECONNRESET" })],
  ])("is repeated while it %s, and each attempt is counted", async (_, error) => {
    const { clock, caller, calls } = scene();
    let attempts = 0;
    const attempt = async () => {
      attempts += 1;
      if (attempts < 4) throw error;
      return { ok: true };
    };
    expect(await clock.run(caller.call(ACTION, attempt, never))).toEqual({ ok: true });
    expect(calls.map(({ result }) => result === "ok")).toEqual([false, false, false, true]);
    expect(clock.elapsedMs).toBe(1_400);
  });

  test("is given up after a quarter of a minute", async () => {
    const { clock, caller, calls } = scene();
    const call = caller.call(ACTION, () => Promise.reject(failing({ code: "ENOTFOUND" })), never);
    await expect(clock.run(call)).rejects.toMatchObject({ code: "unreachable" });
    expect(calls).toHaveLength(8);
    expect(clock.elapsedMs).toBeLessThan(20_000);
  });

  test("is not repeated where that would not help", async () => {
    const { clock, caller, calls } = scene();
    const call = caller.call(ACTION, () => Promise.reject(failing({ name: "AccessDenied" })), never);
    await expect(clock.run(call)).rejects.toMatchObject({ code: "access-denied" });
    const sent = { action: "sqs:ReceiveMessage", attempt: 1, wantedAt: 0, sentAt: 0, answeredAt: 0 };
    expect(calls).toEqual([{ ...sent, result: "AccessDenied", throttled: false }]);
  });

  test("is not believed where the answer lacks what every answer has", async () => {
    const { clock, caller, calls } = scene();
    const answers: object[] = [{}, { QueueUrl: "u" }];
    const call = caller.call({ ...ACTION, answersWith: "QueueUrl" }, async () => answers.shift(), never);
    expect(await clock.run(call)).toEqual({ QueueUrl: "u" });
    expect(calls.map(({ result }) => result)).toEqual(["UnusableAnswer", "ok"]);
  });

  test("waits while twenty others are under way, unless nobody wants it any more", async () => {
    const { clock, caller } = scene();
    let running = 0;
    let most = 0;
    const attempt = async () => {
      running += 1;
      most = Math.max(most, running);
      await clock.sleep(1_000, never);
      running -= 1;
      return {};
    };
    const left = newAbort();
    const all = Promise.all(Array.from({ length: 50 }, () => caller.call(ACTION, attempt, never)));
    const unwanted = caller.call(ACTION, attempt, left.signal);
    left.abort("left");
    await expect(unwanted).rejects.toBe("left");
    await clock.run(all);
    expect(most).toBe(20);
    expect(clock.elapsedMs).toBe(3_000);
  });
});

test("is not made, nor repeated, once the term of the process is over, and leaves its place to the next", async () => {
  let isOver = false;
  const check = () => {
    if (isOver) throw new DrainError("not-leader", "over");
  };
  const { clock, caller, calls } = scene({ check });
  const attempt = async () => {
    isOver = true;
    throw failing({ code: "ECONNRESET" });
  };
  await expect(clock.run(caller.call(ACTION, attempt, never))).rejects.toMatchObject({ code: "not-leader" });
  expect(calls).toHaveLength(1);
  for (let call = 0; call < 30; call += 1)
    await expect(caller.call(ACTION, attempt, never)).rejects.toMatchObject({ code: "not-leader" });
  expect(calls).toHaveLength(1);
});
