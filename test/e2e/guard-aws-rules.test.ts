import { describe, expect, test } from "vitest";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { elbAnswer } from "../provider/support.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

const ROUTING = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";

function guarded(region: SimulatedRegion, options: Readonly<Record<string, string>> = {}) {
  const events: DrainEvent[] = [];
  const engine = region.engine({ MIN_HEALTHY: "1", MAX_VOLUNTARY: "100%", ...options }, events);
  const ask = ({ id: value }: Instance, more: object = {}) =>
    region.clock.run(engine.drain({ node: { by: "id", value }, dryRun: false, isVoluntary: true, ...more }, never));
  return { engine, events, ask };
}

function loadBalancerOf(region: SimulatedRegion, group: TargetGroup) {
  const loadBalancer = region.world.loadBalancerOf(group.arn);
  if (loadBalancer === undefined) throw new Error("the group has a load balancer");
  return loadBalancer;
}

const deregistered = (region: SimulatedRegion) =>
  region.calls.filter(({ action }) => action.startsWith("Deregister")).length;

function refusalOf(outcome: DrainOutcome): string {
  return outcome.status === "refused" ? outcome.refusal.message : outcome.status;
}

describe("during a zonal shift", () => {
  function shiftedRegion() {
    const region = new SimulatedRegion();
    const [here, away, away2] = ["a", "b", "b"].map((zone) => region.node({ zone: `eu-west-1${zone}` }));
    if (here === undefined || away === undefined || away2 === undefined) throw new Error("three nodes");
    const group = region.group({ name: "web", nodes: [here, away, away2], delaySeconds: 5 });
    loadBalancerOf(region, group).zonalShifts.begin("eu-west-1b");
    return { region, here, away };
  }

  test("the only node whose zone still gets traffic is refused, though AWS calls the others healthy", async () => {
    const { region, here } = shiftedRegion();
    expect(await guarded(region).ask(here)).toMatchObject({
      status: "refused",
      refusal: { pools: [{ healthyNow: 1, wouldStay: 0 }] },
    });
    expect(deregistered(region)).toBe(0);
  });

  test("a node in the zone that traffic was shifted away from is drained", async () => {
    const { region, away } = shiftedRegion();
    expect(await guarded(region).ask(away)).toMatchObject({ status: "drained" });
  });
});

describe("where AWS does not say whether a target gets traffic (an administrative override that is unknown)", () => {
  /** A group of three nodes, and those whose override AWS does not know. */
  function unsure(...unknown: readonly number[]) {
    const region = new SimulatedRegion();
    const nodes = [0, 1, 2].map(() => region.node());
    region.group({ name: "web", nodes, delaySeconds: 5 });
    const member = nodes.map(({ id: Id }, index) => ({
      Target: { Id, Port: 30080 },
      TargetHealth: { State: "healthy" },
      AdministrativeOverride: { State: unknown.includes(index) ? "unknown" : "no_override" },
    }));
    region.intercept = ({ action }) =>
      action === "DescribeTargetHealth" ? elbAnswer(action, { TargetHealthDescriptions: { member } }) : undefined;
    return { region, node: nodes[0] as Instance };
  }

  test.each([
    ["the others", [1, 2], 1],
    ["all of them", [0, 1, 2], 1],
  ])("of %s, they do not count as healthy, and a node is refused", async (_, unknown, healthyNow) => {
    const { region, node } = unsure(...unknown);
    const outcome = await guarded(region).ask(node);
    expect(outcome).toMatchObject({ status: "refused", refusal: { pools: [{ healthyNow, wouldStay: 0, needed: 1 }] } });
    expect(deregistered(region)).toBe(0);
  });

  test("of the node alone, it counts as leaving, and the others are enough", async () => {
    const { region, node } = unsure(0);
    const { engine } = guarded(region);
    const request = { node: { by: "id", value: node.id }, dryRun: true, isVoluntary: true } as const;
    const { guard, registrations } = await region.clock.run(engine.plan(request, never));
    expect(guard).toEqual({ pools: [expect.objectContaining({ healthyNow: 3, wouldStay: 2, needed: 1 })] });
    expect(registrations[0]?.registration.detail).toBe("healthy (administrative override: unknown)");
  });

  test("a machine that goes in any case is judged by it too, and kept as the last that may be healthy", async () => {
    const { region, node } = unsure(0, 1, 2);
    const { events, ask } = guarded(region, { GUARD_WAIT: "10" });
    await ask(node, { isVoluntary: false, deadline: region.clock.now() + 120_000 });
    expect(events.map((event) => (event.type === "guarded" ? event.verdict : ""))).toContain("waiting");
  });
});

describe("behind an NLB with one node in each of three zones", () => {
  function threeZones(crossZone: "true" | "false") {
    const region = new SimulatedRegion();
    const nodes = ["a", "b", "c"].map((zone) => region.node({ zone: `eu-west-1${zone}` }));
    const group = region.group({ name: "tcp", type: "network", nodes, delaySeconds: 5 });
    const loadBalancer = loadBalancerOf(region, group);
    loadBalancer.attributes.set("load_balancing.cross_zone.enabled", crossZone);
    return { region, group, node: nodes[0] as Instance };
  }

  test("a node is drained where cross-zone load balancing is on at the load balancer", async () => {
    const { region, node } = threeZones("true");
    expect(await guarded(region).ask(node)).toMatchObject({ status: "drained" });
    expect(region.callsOf("DescribeLoadBalancerAttributes")).toHaveLength(1);
  });

  test("it is refused where it is off, and the refusal says why and what to do", async () => {
    const { region, node } = threeZones("false");
    const message = refusalOf(await guarded(region).ask(node));
    expect(message).toContain("tcp in eu-west-1a: 1 healthy now, 0 would remain, 1 needed");
    expect(message).toMatch(
      /Cross-zone load balancing is off, or could not be read, so that each zone needs healthy targets of its own/,
    );
    expect(message).toMatch(/turn it on, .*or add a node in that zone/);
  });

  test("it is refused where AWS denies the question about the load balancer", async () => {
    const { region, node } = threeZones("true");
    region.intercept = ({ action }) =>
      action === "DescribeLoadBalancerAttributes" ? elbError("AccessDenied", "no", 403) : undefined;
    const message = refusalOf(await guarded(region).ask(node));
    expect(message).toMatch(/could not be read.*allow elasticloadbalancing:DescribeLoadBalancerAttributes/);
  });

  test.each([
    ["true", "false", "drained"],
    ["false", "true", "refused"],
  ])("the group's own setting %s wins over the load balancer's %s", async (own, ofLoadBalancer, status) => {
    const { region, group, node } = threeZones(ofLoadBalancer as "true" | "false");
    group.attributes.set("load_balancing.cross_zone.enabled", own);
    expect(await guarded(region).ask(node)).toMatchObject({ status });
  });
});

describe("a target group with a minimum of its own", () => {
  function threeOfFour(attributes: Readonly<Record<string, string>>) {
    const region = new SimulatedRegion();
    const nodes = [1, 2, 3].map(() => region.node());
    const group = region.group({ name: "web", nodes, delaySeconds: 5 });
    for (const [key, value] of Object.entries(attributes)) group.attributes.set(key, value);
    return { region, node: nodes[0] as Instance };
  }

  test("refuses a node where fewer would remain, though MIN_HEALTHY is lower", async () => {
    const { region, node } = threeOfFour({ [`${ROUTING}.count`]: "3" });
    const outcome = await guarded(region).ask(node);
    expect(outcome).toMatchObject({ refusal: { pools: [{ healthyNow: 3, wouldStay: 2, needed: 3 }] } });
    expect(refusalOf(outcome)).toContain("The target group's own minimum of healthy targets (target_group_health)");
  });

  test("has as little say as AWS gives it where MIN_HEALTHY is higher", async () => {
    const { region, node } = threeOfFour({ [`${ROUTING}.count`]: "2" });
    const outcome = await guarded(region, { MIN_HEALTHY: "3" }).ask(node);
    expect(outcome).toMatchObject({ refusal: { pools: [{ needed: 3 }] } });
    expect(refusalOf(outcome)).not.toContain("own minimum");
  });

  test.each([
    ["100", "drained"],
    ["off", "drained"],
    ["no number", "drained"],
  ])(
    "of %s percent counts those that remain registered: a drain is %s where all are healthy",
    async (percent, status) => {
      const { region, node } = threeOfFour({ [`${ROUTING}.percentage`]: percent });
      expect(await guarded(region).ask(node)).toMatchObject({ status });
    },
  );

  test("of 100 percent refuses a node where another target is unhealthy", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node(), region.node()] as const;
    const group = region.group({ name: "web", nodes, delaySeconds: 5 });
    group.attributes.set("target_group_health.dns_failover.minimum_healthy_targets.percentage", "100");
    region.world.setAnswering(nodes[2], false);
    await region.clock.advance(600_000);
    expect(await guarded(region).ask(nodes[0])).toMatchObject({ refusal: { pools: [{ wouldStay: 1, needed: 2 }] } });
  });
});

describe("health that was read before a deregistration of this process", () => {
  test.each([
    [
      "a classic load balancer",
      (region: SimulatedRegion, nodes: readonly Instance[]) => region.classic({ name: "old", nodes }),
    ],
    ["a target group", (region: SimulatedRegion, nodes: readonly Instance[]) => region.group({ name: "web", nodes })],
  ])("does not let the last healthy target of %s go when the first drain has ended early", async (_, make) => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    make(region, nodes);
    const { ask } = guarded(region);
    expect(await ask(nodes[0], { timeoutMs: 2_000 })).toMatchObject({ status: "deadline-passed" });
    expect(await ask(nodes[1])).toMatchObject({ status: "refused" });
    expect(deregistered(region)).toBe(1);
  });

  test("does not count when it arrives after the deregistration", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.classic({ name: "old", nodes });
    region.latencyMs = 400;
    const { ask } = guarded(region, { CLASSIC_MINIMUM: "1" });
    const both = await Promise.all([ask(nodes[0], { timeoutMs: 3_000 }), ask(nodes[1], { timeoutMs: 3_000 })]);
    expect(both.filter(({ status }) => status === "refused")).toHaveLength(1);
    expect(deregistered(region)).toBe(1);
  });
});
