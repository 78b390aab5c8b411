import { describe, expect, test } from "vitest";
import { type HoldProgress, judge } from "../../src/drain/hold.ts";
import { LOAD_BALANCER_KINDS, type LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";
import { type ReleaseSettings, ReleaseTerms } from "../../src/provider/release-terms.ts";
import { targetGroupXml } from "../../src/simulator/api/elbv2-read.ts";
import { ALLOWANCES, RELEASES } from "../support/fake-cloud.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { elbAnswer, onlyTermsOf } from "./support.ts";

function holdMs(kind: LoadBalancerKind, settings: ReleaseSettings, allowances = ALLOWANCES): number {
  return new ReleaseTerms(allowances).of(kind, settings).holdMs;
}

describe("how long a node is held", () => {
  test.each<[LoadBalancerKind, number, number]>([
    ["alb", 300, 300],
    ["alb", 5, 30],
    ["alb", 0, 30],
    ["nlb", 0, 210],
    ["nlb", 30, 210],
    ["nlb", 300, 300],
    ["gwlb", 300, 350],
    ["gwlb", 3_600, 3_600],
    ["classic", 0, 10],
    ["classic", 300, 300],
    ["unknown", 0, 350],
    ["unknown", 3_600, 3_600],
    ["unattached", 300, 0],
  ])("%s with a delay of %i s: %i s", (kind, delay, expected) => {
    expect(holdMs(kind, { drainMs: delay * 1_000 })).toBe(expected * 1_000);
  });

  test.each<[string, Partial<ReleaseSettings>, number]>([
    ["whose flows may be idle for 6000 s", { flowsIdleMs: 6_000_000 }, 6_000],
    ["whose flows may be idle for 120 s, though new ones come for longer", { flowsIdleMs: 120_000 }, 210],
    [
      "whose flows may be idle for 120 s by one listener, and for longer by another one",
      { flowsIdleMs: 120_000, othersMayIdleLonger: true },
      350,
    ],
    [
      "whose flows may be idle for 6000 s by one listener, and for an unknown time by another one",
      { flowsIdleMs: 6_000_000, othersMayIdleLonger: true },
      6_000,
    ],
    ["whose flows move to another target", { movesFlows: true }, 210],
    [
      "whose flows move to another target after a long delay, and some time",
      { movesFlows: true, drainMs: 600_000 },
      690,
    ],
  ])("gwlb %s", (_, flows, expected) => {
    expect(holdMs("gwlb", { drainMs: 0, ...flows })).toBe(expected * 1_000);
  });

  test("a Gateway Load Balancer among several keeps its flows until they were idle as its listener says", () => {
    expect(holdMs("unknown", { drainMs: 0, flowsIdleMs: 6_000_000 })).toBe(6_000_000);
    expect(holdMs("unknown", { drainMs: 0, flowsIdleMs: 120_000 })).toBe(350_000);
  });

  test("a load balancer of an unknown kind is held by the longest rule there is, whatever is configured", () => {
    for (const longest of ["albPropagationMs", "nlbPropagationMs", "gwlbIdleMs"])
      expect(holdMs("unknown", { drainMs: 0 }, { ...ALLOWANCES, [longest]: 7_200_000 })).toBe(7_200_000);
  });

  test.each<[LoadBalancerKind, number]>([
    ["alb", 30],
    ["nlb", 210],
    ["gwlb", 210],
    ["classic", 10],
    ["unknown", 210],
    ["unattached", 0],
  ])("new traffic from %s may come for %i s", (kind, expected) => {
    expect(RELEASES.afterDelay(kind).newTrafficMs).toBe(expected * 1_000);
  });
});

describe("once the delay of a pool has passed", () => {
  test.each<[LoadBalancerKind, number]>([
    ["alb", 30],
    ["nlb", 210],
    ["gwlb", 350],
    ["classic", 10],
    ["unknown", 350],
    ["unattached", 0],
  ])("%s may go on sending for %i s, whether its settings are known or not", (kind, expected) => {
    expect(RELEASES.afterDelay(kind).holdMs).toBe(expected * 1_000);
    expect(RELEASES.of(kind, { drainMs: 3_600_000 }).holdAfterDelayMs).toBe(expected * 1_000);
  });

  test("flows that move do so some time after the delay, so that its end shortens no hold", () => {
    const terms = RELEASES.of("gwlb", { drainMs: 300_000, movesFlows: true });
    // An earlier try has deregistered the target 10 s before it was found, so that its delay ends 10 s early.
    const found: HoldProgress = { since: 0, seenLeaving: true, isEarlier: true };
    expect(judge(terms, found, { state: "absent", at: 300_000 })).toBe("wait");
    expect(judge(terms, found, { state: "absent", at: 290_000 + ALLOWANCES.gwlbFailoverMs })).toBe("wait");
    expect(judge(terms, found, { state: "absent", at: 390_000 })).toBe("over");
  });

  test("flows may move for as long as is configured, where it is not known whether they do", () => {
    const slow = new ReleaseTerms({ ...ALLOWANCES, gwlbFailoverMs: 3_600_000 });
    expect(slow.afterDelay("gwlb").holdMs).toBe(3_600_000);
    expect(slow.afterDelay("unknown").holdMs).toBe(3_600_000);
  });
});

test("only a classic load balancer reports the end, and not before its own machines have learnt", () => {
  const reporting = LOAD_BALANCER_KINDS.filter((kind) => RELEASES.afterDelay(kind).endsWhenAbsentMs !== undefined);
  expect(reporting).toEqual(["classic"]);
  expect(RELEASES.of("classic", { drainMs: 300_000 }).endsWhenAbsentMs).toBe(10_000);
});

test("NLBs are called first, for they go on for longest, and last what sends nothing", () => {
  const rank = (kind: LoadBalancerKind) => RELEASES.afterDelay(kind).callRank;
  const inOrder = [...LOAD_BALANCER_KINDS].sort((a, b) => rank(a) - rank(b));
  expect(inOrder).toEqual(["nlb", "gwlb", "unknown", "alb", "classic", "unattached"]);
  expect(LOAD_BALANCER_KINDS.filter((kind) => RELEASES.afterDelay(kind).isUnused)).toEqual(["unattached"]);
});

test("only an ALB locks addresses until its delay has passed", () => {
  expect(LOAD_BALANCER_KINDS.filter((kind) => RELEASES.afterDelay(kind).locksAddresses)).toEqual(["alb"]);
});

describe("what a plan says beforehand", () => {
  const unsaved = (kind: LoadBalancerKind, settings: Partial<ReleaseSettings>) =>
    RELEASES.of(kind, { drainMs: 300_000, ...settings }).unsaved;

  test.each<[string, LoadBalancerKind, Partial<ReleaseSettings>, string, string]>([
    ["an ALB cuts long requests", "alb", { drainMs: 60_000 }, "long-requests", "60 s"],
    ["an ALB without a delay cuts requests in flight", "alb", { drainMs: 0 }, "requests-in-flight", "in flight"],
    [
      "a classic load balancer without draining cuts requests in flight",
      "classic",
      { drainMs: 0 },
      "requests-in-flight",
      "draining is off",
    ],
    ["a classic load balancer cuts long requests", "classic", { drainMs: 30_000 }, "long-requests", "30 s"],
    ["an NLB's old connections break with the node", "nlb", { drainMs: 30_000 }, "long-connections", "210 s"],
    [
      "an NLB with connection termination closes them",
      "nlb",
      { drainMs: 30_000, terminatesConnections: true },
      "terminated-connections",
      "30 s",
    ],
    ["a GWLB's active flows break with the node", "gwlb", {}, "long-connections", "350 s"],
    ["a GWLB's flows move on", "gwlb", { drainMs: 5_000, movesFlows: true }, "moved-connections", "after 5 s move"],
    ["a load balancer of an unknown kind may break anything", "unknown", {}, "long-connections", "350 s"],
  ])("what nobody can save: %s", (_, kind, pool, code, words) => {
    expect(unsaved(kind, pool)).toEqual([{ code, message: expect.stringContaining(words) }]);
  });

  test("that a GWLB which resets TCP flows does so at the end of the delay, and what becomes of the others", () => {
    expect(unsaved("gwlb", { drainMs: 60_000, resetsFlows: true, movesFlows: true })).toEqual([
      { code: "terminated-connections", message: "TCP flows still open after 60 s are reset" },
      { code: "moved-connections", message: "other flows still open after 60 s move to another target" },
    ]);
    expect(unsaved("gwlb", { drainMs: 60_000, resetsFlows: true })).toEqual([
      { code: "terminated-connections", message: "TCP flows still open after 60 s are reset" },
      { code: "long-connections", message: "other flows still active after 350 s break when the node goes" },
    ]);
  });
});

test.each([
  ["ends when the agent counts no connection, by default", "instance", "ipv4", true],
  ["does not where it sends to the IPv6 address of instances, which no agent counts", "instance", "ipv6", undefined],
  ["does where the address is registered", "ip", "ipv6", true],
] as const)("the hold of an Application Load Balancer %s", async (_, targetType, addresses, endsWhenIdle) => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], targetType });
  region.intercept = ({ action }) => {
    if (action !== "DescribeTargetGroups") return undefined;
    const listed = { ...targetGroupXml(group, region.world), IpAddressType: addresses };
    return elbAnswer(action, { TargetGroups: { member: [listed] } });
  };
  expect((await onlyTermsOf(region, node))?.endsWhenIdle).toBe(endsWhenIdle);
});
