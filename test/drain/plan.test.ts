import { describe, expect, test } from "vitest";
import {
  type FoundRegistrations,
  type Node,
  type Pool,
  type Registration,
  useOf,
} from "../../src/drain/cloud-provider.ts";
import type { LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";
import { type DrainTimes, makePlan } from "../../src/drain/plan.ts";
import type { ReleaseSettings } from "../../src/provider/release-terms.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud, RELEASES } from "../support/fake-cloud.ts";

const NODE: Node = { id: "i-1", name: "n", network: "vpc-1", addresses: [], addressPrefixes: [] };
const TIMES: DrainTimes = { deadlineMarginMs: 10_000 };

type PoolInput = Partial<Pool & ReleaseSettings>;

function registered(kind: LoadBalancerKind, pool: PoolInput = {}, state: Registration["state"] = "live"): Registration {
  const settings = { drainMs: 300_000 };
  return {
    pool: { kind, id: kind, name: "p", loadBalancer: "lb", ...settings, ...pool } as Pool,
    target: "i-1:80",
    state,
    detail: "healthy",
    isHealthy: true,
  };
}

function plan(
  registrations: readonly Registration[],
  more: {
    deadline?: number;
    times?: Partial<DrainTimes>;
    elsewhere?: FoundRegistrations["elsewhere"];
    msPerCall?: number;
    heldSince?: ReadonlyMap<Registration, number>;
  } = {},
) {
  const { deadline, times, elsewhere = [], msPerCall = 0, heldSince = new Map() } = more;
  return makePlan({
    node: NODE,
    found: { registrations, elsewhere, asOf: 0 },
    terms: new Map(
      registrations.map(({ pool }) => [useOf(pool), RELEASES.of(pool.kind, pool as Pool & ReleaseSettings)]),
    ),
    cloud: Object.assign(new FakeCloud(new VirtualClock()), { msPerDeregistration: msPerCall }),
    heldSince,
    startedAt: 0,
    now: 0,
    waiting: [{ askedAt: 0 }],
    ...(deadline === undefined ? {} : { deadline }),
    times: { ...TIMES, ...times },
  });
}

describe("the limit of a drain", () => {
  test("is the longest hold and a minute when nobody set one", () => {
    const { limit, longestHoldMs, warnings } = plan([registered("alb"), registered("nlb", { drainMs: 30_000 })]);
    expect(longestHoldMs).toBe(300_000);
    expect(limit).toEqual({ reason: "timeout", at: 360_000 });
    expect(warnings).toEqual([]);
  });

  test("is the deadline less its margin when that comes first", () => {
    expect(plan([registered("alb")], { deadline: 120_000 }).limit).toEqual({ reason: "deadline", at: 110_000 });
  });

  test("is TIMEOUT when that comes before the deadline", () => {
    const { limit } = plan([registered("alb")], { deadline: 120_000, times: { timeoutMs: 60_000 } });
    expect(limit).toEqual({ reason: "timeout", at: 60_000 });
  });
});

describe("what a plan says beforehand", () => {
  test("which holds do not fit before the deadline, and by how much", () => {
    const { registrations, warnings } = plan([registered("alb"), registered("classic", { drainMs: 0 })], {
      deadline: 120_000,
    });
    expect(registrations.map(({ shortByMs }) => shortByMs)).toEqual([190_000, 0]);
    expect(warnings).toEqual([
      "the deadline leaves 110 s (10 s are reserved by DEADLINE_MARGIN), the longest hold needs 300 s: traffic may be lost",
    ]);
  });

  test("how much of a short notice is kept to answer", () => {
    expect(plan([registered("alb")], { deadline: 8_000 }).warnings).toEqual([
      expect.stringContaining("the deadline leaves 4 s (4 s are reserved by DEADLINE_MARGIN)"),
    ]);
  });

  test("that TIMEOUT is below the longest hold", () => {
    expect(plan([registered("nlb")], { times: { timeoutMs: 60_000 } }).warnings).toEqual([
      "TIMEOUT leaves 60 s, the longest hold needs 300 s: set it higher, or leave it unset",
    ]);
  });

  test("what will be late because of the request quota: NLBs are told first, for they go on for longest", () => {
    const registrations = [registered("alb"), registered("classic"), registered("nlb")];
    const planned = plan(registrations, { deadline: 320_000, msPerCall: 6_000 });
    expect(planned.registrations.map(({ waitMs }) => waitMs / 1_000)).toEqual([12, 6, 18]);
    expect(planned.registrations.map(({ shortByMs }) => shortByMs / 1_000)).toEqual([2, 0, 8]);
    expect(planned.warnings).toEqual([
      expect.stringContaining("delays the last deregistration by 18 s"),
      "the deadline leaves 310 s (10 s are reserved by DEADLINE_MARGIN), 18 s of which may pass before the first call, the longest hold needs 300 s: traffic may be lost",
    ]);
  });

  test("of a drain that is under way, only what is still to be told as waiting", () => {
    const registrations = [registered("alb"), registered("classic"), registered("nlb")];
    const heldSince = new Map([[registrations[2] as Registration, -10_000]]);
    const planned = plan(registrations, { deadline: 320_000, msPerCall: 6_000, heldSince });
    expect(planned.registrations.map(({ waitMs }) => waitMs / 1_000)).toEqual([6, 0, 12]);
    expect(planned.registrations.map(({ shortByMs }) => shortByMs / 1_000)).toEqual([0, 0, 2]);
  });

  test("which pools the discovery by tag leaves alone", () => {
    const { registrations, elsewhere, warnings } = plan([], {
      elsewhere: [registered("alb", { name: "terraformed" })],
    });
    expect(registrations).toEqual([]);
    expect(elsewhere).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining("terraformed")]);
  });

  test("which pools may not be written, unless nothing is to be deregistered there", () => {
    const denied = { writable: false } as const;
    const { warnings } = plan([
      registered("alb", { ...denied, name: "web" }),
      registered("nlb", { ...denied, name: "tcp" }, "draining"),
      registered("classic", { name: "legacy" }),
    ]);
    expect(warnings).toEqual([
      "the IAM policy does not allow deregistering from these pools, and the drain will fail: web",
    ]);
  });

  test("that a registration which drains already is only held", () => {
    const actions = plan([registered("alb"), registered("nlb", {}, "draining")]).registrations.map(
      ({ action }) => action,
    );
    expect(actions).toEqual(["deregister", "hold"]);
  });

  test("what a pool's terms warn of, by the pool's name, and once for all of its registrations", () => {
    const pool = { warnings: ["its delay can't be used"] };
    const { warnings } = plan([registered("alb", pool), registered("alb", pool)]);
    expect(warnings).toEqual([expect.stringMatching(/: its delay can't be used$/)]);
  });
});
