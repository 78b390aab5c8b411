import { describe, expect, test } from "vitest";
import type { Node, Registration } from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { DrainOutcome, RegistrationResult } from "../../src/drain/outcome.ts";
import { DrainNotices } from "../../src/notify/drain-notices.ts";
import type { Notification } from "../../src/notify/notification.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";

const MINUTE_MS = 60_000;
const node: Node = {
  id: "i-0123456789abcdef0",
  name: "ip-10-0-1-5",
  network: "vpc-1",
  addresses: ["10.0.1.5"],
  addressPrefixes: [],
  cluster: "blue",
};
const registration = (target: string): Registration => ({
  pool: { kind: "alb", id: `arn:${target}`, name: "web", loadBalancer: "shop" },
  target,
  state: "live",
  detail: "healthy",
  isHealthy: true,
});
const result = (state: RegistrationResult["state"], target = "i-0123456789abcdef0:80"): RegistrationResult => ({
  registration: registration(target),
  state,
  heldMs: 0,
  newTrafficStopped: state === "released",
  cameBack: 0,
});

/** Notices on a clock that moves by hand. `run` looks for drains that are stuck. */
function scene(results: readonly RegistrationResult[] = []) {
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00Z"));
  const told: Notification[] = [];
  const notices = new DrainNotices({ clock, stuckAfterMs: 5 * MINUTE_MS, notify: (one) => told.push(one) });
  const end = new AbortController();
  const running = notices.run(() => ({ registrations: results }), end.signal);
  const drain = (type: DrainEvent["type"], more: object = {}, drainId = "d-1") =>
    notices.observe({ type, drainId, node, ...more } as DrainEvent);
  const ended = (outcome: object, drainId = "d-1") =>
    drain("ended", { tookMs: 211_000, outcome: { drainId, node, ...outcome } }, drainId);
  const stop = async () => {
    end.abort();
    await running;
  };
  return { clock, told, notices, drain, ended, stop };
}

describe("the end of a drain", () => {
  const limit = { reason: "deadline", at: 0 } as const;
  const error = new DrainError("access-denied", "elasticloadbalancing:DeregisterTargets is denied");
  const refusal = { reason: "too-few-healthy", message: "too few healthy targets would remain", pools: [] } as const;
  const registrations = [result("released"), result("failed", "i-0123456789abcdef0:81")];
  test.each<[DrainOutcome["status"], object, Notification["event"], Notification["level"], RegExp]>([
    ["drained", { registrations, elsewhere: [] }, "done", "info", /1 target released, 1 failed/],
    ["nothing-registered", { elsewhere: [] }, "done", "info", /No load balancer/],
    ["instance-gone", { message: "it is terminated" }, "done", "info", /it is terminated/],
    ["cancelled", { registrations }, "done", "info", /cancelled/],
    ["superseded", { message: "it runs again", registrations }, "done", "info", /it runs again/],
    [
      "possibly-registered",
      { registrations, elsewhere: [{ ...registration("a"), doubt: "it has moved" }] },
      "failed",
      "warning",
      /These targets may be the node's and were not deregistered: a in web \(it has moved\)/,
    ],
    ["refused", { refusal }, "refused", "warning", /^Too few healthy targets would remain. Nothing was deregistered/],
    ["deadline-passed", { limit, searched: true, registrations }, "failed", "error", /requests may be lost/],
    [
      "deadline-passed",
      { limit: { ...limit, reason: "timeout" }, searched: false, registrations },
      "failed",
      "error",
      /may still send requests to the node. Not every load balancer/,
    ],
    ["failed", { error, registrations }, "failed", "error", /DeregisterTargets is denied. Load balancers may still/],
  ])("%s: %j is told as %s", async (status, more, event, level, text) => {
    const { told, drain, ended, stop } = scene();
    drain("accepted", { request: { reason: "spot-interruption" } });
    ended({ status, ...more });
    await stop();
    expect(told.map((one) => one.event)).toEqual(["started", event]);
    expect(told[1]).toMatchObject({
      level,
      result: status,
      drain: "d-1",
      cluster: "blue",
      reason: "spot-interruption",
    });
    expect(told[1]?.text).toMatch(text);
    expect(told[1]?.title).toMatch(/^Node ip-10-0-1-5 \(i-0123456789abcdef0\) .* \(3 min 31 s\)$/);
  });

  test.each([
    ["abandoned", { registrations: [] }],
    ["planned", { plan: {} }],
  ])("that is %s is not told: nothing has ended", async (status, more) => {
    const { told, drain, ended, stop } = scene();
    drain("accepted", { request: {} });
    ended({ status, ...more });
    await stop();
    expect(told.map((one) => one.event)).toEqual(["started"]);
  });

  test("is told once in ten minutes while a caller asks for the same again", async () => {
    const { clock, told, drain, ended, stop } = scene();
    for (let again = 0; again < 5; again++) {
      drain("accepted", { request: {} }, `d-${again}`);
      ended({ status: "refused", refusal }, `d-${again}`);
      await clock.advance(3 * MINUTE_MS);
    }
    await stop();
    expect(told.filter(({ event }) => event === "refused").map(({ drain: id }) => id)).toEqual(["d-0", "d-4"]);
  });

  test("has the targets that were not released first, and no more than fifty", async () => {
    const { told, drain, ended, stop } = scene();
    drain("accepted", { request: {} });
    const many = Array.from({ length: 60 }, (_, index) => result("released", `i-0123456789abcdef0:${index}`));
    ended({ status: "failed", error, registrations: [...many, result("failed", "i-0123456789abcdef0:99")] });
    await stop();
    expect(told[1]?.targets).toHaveLength(50);
    expect(told[1]?.targets[0]).toMatchObject({
      state: "failed",
      target: "i-0123456789abcdef0:99",
      loadBalancer: "shop",
    });
    expect(told[1]?.targetsLeftOut).toBe(11);
  });

  test("that an undo could not take back is told as a failure", async () => {
    const { told, drain, stop } = scene();
    const failed = {
      registration: registration("a"),
      state: "failed",
      error: new DrainError("not-registered", "gone"),
    };
    drain("undone", { outcome: { drainId: "d-1", node, registrations: [failed] } });
    drain("undone", { outcome: { drainId: "d-2", node, registrations: [{ ...failed, state: "registered" }] } });
    await stop();
    expect(told).toMatchObject([{ event: "failed", level: "error", text: /1 target was not registered again: gone/ }]);
  });
});

describe("a drain is stuck", () => {
  test("when nothing happens in it for as long as is configured, and is told of again after an hour", async () => {
    const { clock, told, drain, stop } = scene([result("registered"), result("released")]);
    drain("resumed");
    const error = new DrainError("throttled", "Rate exceeded");
    await clock.advance(4 * MINUTE_MS);
    drain("deregister-failed", { registration: registration("a"), error });
    expect(told).toEqual([]);
    await clock.advance(2 * MINUTE_MS);
    expect(told).toMatchObject([{ event: "stuck", level: "warning", drain: "d-1" }]);
    expect(told[0]?.text).toBe(
      "1 target has not been released. The last failure: Rate exceeded. See its steps with `hasta-la-vista drains d-1`.",
    );
    await clock.advance(58 * MINUTE_MS);
    expect(told).toHaveLength(1);
    await clock.advance(2 * MINUTE_MS);
    expect(told).toHaveLength(2);
    await stop();
  });

  test("not while a hold lasts, and not after a step", async () => {
    const { clock, told, drain, stop } = scene();
    drain("resumed");
    const holdUntil = clock.now() + 60 * MINUTE_MS;
    drain("deregistered", { registration: registration("a"), foundDraining: false, holdUntil });
    await clock.advance(64 * MINUTE_MS);
    drain("released", { registration: registration("a"), heldMs: 0 });
    await clock.advance(4 * MINUTE_MS);
    expect(told).toEqual([]);
    await clock.advance(2 * MINUTE_MS);
    expect(told).toHaveLength(1);
    await stop();
  });

  test("until its end, which takes the notification back", async () => {
    const { clock, told, drain, ended, stop } = scene();
    drain("resumed");
    await clock.advance(6 * MINUTE_MS);
    ended({ status: "drained", registrations: [result("released")], elsewhere: [] });
    await clock.advance(120 * MINUTE_MS);
    await stop();
    expect(told.map(({ event, resolves }) => ({ event, resolves }))).toEqual([
      { event: "stuck", resolves: [] },
      { event: "done", resolves: [{ event: "stuck", level: "warning" }] },
    ]);
  });
});

describe("a request that ends before its node was found", () => {
  const asked = { by: "id", value: node.id } as const;
  const failed = (code: "unreachable" | "node-not-found"): DrainOutcome => ({
    status: "failed",
    error: new DrainError(code, "no answer"),
    registrations: [],
  });

  test("is told of where AWS could not be asked", () => {
    const { told, notices } = scene();
    notices.withoutDrain(failed("unreachable"), asked);
    expect(told).toMatchObject([{ event: "failed", level: "error", node: { id: node.id }, text: /no answer/ }]);
  });

  test("is not told of where there is no such node: its caller knows", () => {
    const { told, notices } = scene();
    notices.withoutDrain(failed("node-not-found"), asked);
    notices.withoutDrain({ status: "instance-gone", message: "terminated" }, asked);
    expect(told).toEqual([]);
  });
});
