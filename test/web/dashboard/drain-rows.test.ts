import { describe, expect, test } from "vitest";
import { drainRows } from "../../../src/web/dashboard/drain-rows.ts";
import type { LiveDrain, LiveRegistration } from "../../../src/web/dashboard/reports.ts";
import { drain, momentAfter, NOW, registration } from "./reports.ts";

function rowOf(registrations: readonly LiveRegistration[], more: Partial<LiveDrain> = {}) {
  const [row] = drainRows([drain("d-1", registrations, more)], NOW);
  if (row === undefined) throw new Error("no row");
  return row;
}

function poolOf(more: Partial<LiveRegistration>, ofDrain: Partial<LiveDrain> = {}) {
  const [pool] = rowOf([registration(more)], ofDrain).pools;
  if (pool === undefined) throw new Error("no pool");
  return pool;
}

describe("the bar of a pool", () => {
  test("goes from the deregistration to the release", () => {
    expect(poolOf({})).toMatchObject({ name: "web-lb / web", kind: "ALB", target: ":80", done: 0.2, leftMs: 240_000 });
    expect(poolOf({ heldSince: momentAfter(-300) })).toMatchObject({ done: 1, leftMs: 0 });
    const { heldSince: _, ...waiting } = registration({ state: "registered" });
    const [pool] = rowOf([waiting]).pools;
    expect(pool).toMatchObject({ done: 0, leftMs: 300_000 });
    expect(poolOf({ state: "released", heldSeconds: 301 })).toMatchObject({ done: 1, leftMs: undefined });
  });

  test("shows what does not fit before the limit of the drain", () => {
    const limit = { reason: "deadline", at: momentAfter(90) } as const;
    expect(poolOf({}, { limit })).toMatchObject({ shortMs: 150_000, limitAt: 0.5, isAttention: true });
    expect(poolOf({}, { limit }).reason).toContain("2 min 30 s of the hold do not fit before the deadline.");
    expect(rowOf([registration()], { limit })).toMatchObject({ shortMs: 150_000, cutAt: 0.5, isAttention: true });
    const enough = { reason: "deadline", at: momentAfter(241) } as const;
    expect(poolOf({}, { limit: enough })).toMatchObject({ shortMs: 0, limitAt: undefined, isAttention: false });
  });
});

describe("the reason that a pool waits", () => {
  const { heldSince: _, ...registered } = registration({ state: "registered" });
  const error = { code: "access-denied", message: "AWS denied it" };
  const standing = { healthyNow: 1, wouldStay: 0, needed: 1 };

  test.each<[what: string, given: LiveRegistration, reason: RegExp, isAttention: boolean]>([
    ["new requests", registration({ newTrafficStopped: false }), /^Held: new requests may still arrive\.$/, false],
    ["requests in flight", registration(), /^Held: requests in flight may run until the deregistration delay/, false],
    ["an NLB", registration({ kind: "nlb", newTrafficStopped: false }), /the NLB may still open connections/, false],
    ["AWS's word", registration({ heldSince: momentAfter(-301) }), /^The hold is over\. Waiting for AWS/, false],
    ["a permit", registered, /^Waits for its deregistration\.$/, false],
    ["a call that fails", { ...registered, error }, /^Not deregistered yet: AWS denied it \(access-denied\)/, true],
    [
      "the guard",
      { ...registered, waitsForGuard: standing },
      /^The guard waits for healthy targets: 1 healthy now, 0 would remain, 1 needed\.$/,
      true,
    ],
    ["the guard, which is blind", { ...registered, waitsForGuard: {} }, /their health could not be read/, true],
    ["a read that fails", registration({ error }), /^Held, and AWS cannot be asked: AWS denied it/, true],
    ["another program", registration({ cameBack: 2 }), /Registered again by another program 2 times\.$/, false],
    [
      "nothing: released",
      registration({ state: "released", heldSeconds: 301 }),
      /^Released after 5 min 01 s\.$/,
      false,
    ],
    ["nothing: failed", registration({ state: "failed", error }), /^Failed: AWS denied it/, true],
    ["nothing: kept", registration({ state: "kept" }), /^Kept: the last healthy target/, false],
  ])("%s", (_, given, reason, isAttention) => {
    const [pool] = rowOf([given]).pools;
    expect(pool?.reason).toMatch(reason);
    expect(pool?.isAttention).toBe(isAttention);
  });
});

describe("the rows of all drains", () => {
  test("begin with those that need attention, then go by age and by the numbers in the names", () => {
    const failing = { what: "registrations", code: "throttled", message: "AWS throttles" } as const;
    const rows = drainRows(
      [
        drain("d-10", [registration()]),
        drain("d-9", [registration()]),
        drain("d-1", [registration()], { startedAt: momentAfter(-90) }),
        drain("d-2", [], { trouble: failing, searched: false }),
      ],
      NOW,
    );
    expect(rows.map(({ drain: { drainId } }) => drainId)).toEqual(["d-2", "d-1", "d-9", "d-10"]);
    expect(rows[0]?.summary).toBe("Its registrations could not be read, retrying: AWS throttles (throttled)");
  });

  test("count all registrations, also those that are not shown", () => {
    const row = rowOf([registration()], { counts: { holding: 400, released: 50 } });
    expect(row).toMatchObject({ total: 450, released: 50, hidden: 449 });
    expect(row.summary).toBe("400 held, 50 of 450 targets released.");
  });

  test("say what is looked for, and that a drain is being cancelled", () => {
    expect(rowOf([], { searched: false }).summary).toBe("Looking for its load balancers.");
    expect(rowOf([registration()], { cancelled: true }).summary).toMatch(/^Being cancelled/);
  });
});
