import { expect, test } from "vitest";
import { Pacer, shareOf } from "../../bench/pacer.ts";
import { sealed } from "../../bench/sealed.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { Throttle } from "../../src/simulator/quotas/throttle.ts";
import { never } from "../support/simulated-region.ts";

const read = { api: "elbv2", action: "DescribeTargetHealth", params: {} } as const;
const write = { api: "elbv2", action: "DeregisterTargets", params: {} } as const;

test("a pacer at all of AWS's quota is never refused, and leaves nothing of it", async () => {
  const clock = new VirtualClock();
  const pacer = new Pacer(clock, AWS_QUOTAS, never);
  const throttle = new Throttle(AWS_QUOTAS);
  const calls = Array.from({ length: 200 }, async (_, index) => {
    const call = index % 4 === 0 ? write : read;
    await pacer.take(call.api, call.action, call === write ? "urgent" : "other");
    throttle.admit(call, clock.now());
  });
  await clock.run(Promise.all(calls));
  // 40 at once, and 160 at ten a second.
  expect(clock.elapsedMs).toBe(16_000);
});

test("a pacer lets urgent calls go first, and others only where those must wait for another bucket", async () => {
  const clock = new VirtualClock();
  const pacer = new Pacer(clock, { ...AWS_QUOTAS, account: { tokens: 1, refillPerSecond: 1 } }, never);
  const order: string[] = [];
  const take = async (name: string, action: string, urgency: "urgent" | "other") => {
    await pacer.take("elbv2", action, urgency);
    order.push(`${name} at ${clock.elapsedMs}`);
  };
  const all = [
    take("first", read.action, "other"),
    take("second", read.action, "other"),
    take("urgent", write.action, "urgent"),
  ];
  await clock.run(Promise.all(all));
  expect(order).toEqual(["first at 0", "urgent at 1000", "second at 2000"]);
});

test("a share is taken of size and refill, and of no more than others leave", () => {
  const { account, registration, code } = shareOf(AWS_QUOTAS, 0.5, { account: 2 });
  expect(account).toEqual({ tokens: 20, refillPerSecond: 2 });
  expect(registration).toEqual({ tokens: 10, refillPerSecond: 2 });
  expect(code).toBe(AWS_QUOTAS.code);
});

test("within the seal timers, date and chance are the clock's and a seed's, and afterwards the process's again", async () => {
  const { setTimeout: timer, clearTimeout: clear } = globalThis;
  const run = async () => {
    const clock = new VirtualClock();
    const seen: unknown[] = [];
    await sealed(clock, async () => {
      const startedAt = Date.now();
      const cleared = setTimeout(() => seen.push("never"), 10);
      clearTimeout(cleared);
      setTimeout((text: string) => seen.push(text, Date.now() - startedAt), 3_600_000, "an hour");
      await clock.advance(3_600_000);
      seen.push(Math.random(), Math.random());
    });
    return seen;
  };
  const seen = await run();
  expect(seen.slice(0, 2)).toEqual(["an hour", 3_600_000]);
  expect(seen[2]).not.toBe(seen[3]);
  expect(await run()).toEqual(seen);
  expect([setTimeout, clearTimeout]).toEqual([timer, clear]);
});
