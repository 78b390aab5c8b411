import { describe, expect, test } from "vitest";
import type { Pool, PoolHealth } from "../../src/drain/cloud-provider.ts";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { elbAnswer, isClassic, listed, onlyRegistrationOf, providerOf } from "./support.ts";

/** `a healthy, b not`, and each with its zone where zones count. */
function shown({ targets, zoneOf }: PoolHealth): readonly string[] {
  return targets.map(({ target, isHealthy }) =>
    [target, isHealthy ? "healthy" : "not", zoneOf === undefined ? [] : (zoneOf(target) ?? "nowhere")].flat().join(" "),
  );
}

async function poolOf(region: SimulatedRegion, node: { readonly id: string }): Promise<Pool> {
  return (await onlyRegistrationOf(region, node)).pool;
}

/** As a drain of the node knows it once its search has ended. */
async function searched(region: SimulatedRegion, node: { readonly id: string }) {
  const provider = providerOf(region, { isGuarded: true });
  const found = await provider.resolve({ by: "id", value: node.id }, never);
  const { registrations } = await provider.findRegistrations(found, never);
  return { provider, pool: registrations[0]?.pool as Pool };
}

describe("how a pool's targets fare", () => {
  test.each<[string, LoadBalancerType, "instance" | "ip", readonly string[]]>([
    ["an ALB's group", "application", "instance", ["i-0…1:30080 healthy", "i-0…2:30080 not"]],
    ["an ALB's group of addresses", "application", "ip", ["10.0.0.1:30080 healthy", "10.0.0.2:30080 not"]],
    ["an NLB's group", "network", "instance", ["i-0…1:30080 healthy eu-west-1b", "i-0…2:30080 not eu-west-1c"]],
    [
      "an NLB's group of addresses",
      "network",
      "ip",
      ["10.0.0.1:30080 healthy eu-west-1b", "10.0.0.2:30080 not eu-west-1c"],
    ],
    ["a GWLB's group", "gateway", "instance", ["i-0…1:30080 healthy eu-west-1b", "i-0…2:30080 not eu-west-1c"]],
  ])("in %s, with their zones where each zone sends to its own", async (_, type, targetType, expected) => {
    const region = new SimulatedRegion();
    const nodes = [region.node({ zone: "eu-west-1b" }), region.node({ zone: "eu-west-1c" })] as const;
    region.group({ name: "web", type, targetType, nodes });
    region.world.setAnswering(nodes[1], false);
    await region.clock.advance(600_000);
    const pool = await poolOf(region, nodes[0]);
    const health = await providerOf(region).healthOf(pool, region.clock.now(), never);
    expect(shown(health).map((text) => text.replace(/i-0+/, "i-0…"))).toEqual(expected);
    expect(health.countNodes()).toBe(2);
  });

  test("in a classic load balancer, where one that is being deregistered is not healthy though AWS says InService", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node(), region.node()] as const;
    const classic = region.classic({ name: "old", nodes, drainingSeconds: 60 });
    classic.requestStarted(nodes[0].id);
    region.world.setAnswering(nodes[1], false);
    await region.clock.advance(600_000);
    const provider = providerOf(region);
    const registration = await onlyRegistrationOf(region, nodes[0]);
    const healthy = async () => {
      const { targets } = await provider.healthOf(registration.pool, region.clock.now(), never);
      return targets.filter(({ isHealthy }) => isHealthy).map(({ target }) => target);
    };
    expect(await healthy()).toEqual([nodes[0].id, nodes[2].id]);
    await provider.deregister(registration.pool, [registration], never);
    await region.clock.advance(1);
    expect(await healthy()).toEqual([nodes[2].id]);
  });

  test("in a classic load balancer has zones where cross-zone load balancing is off", async () => {
    const region = new SimulatedRegion();
    const node = region.node({ zone: "eu-west-1b" });
    region.classic({ name: "old", nodes: [node] });
    const pool = await poolOf(region, node);
    region.intercept = (call) =>
      call.action === "DescribeLoadBalancerAttributes" && isClassic(call)
        ? elbAnswer(call.action, {
            LoadBalancerAttributes: {
              ConnectionDraining: { Enabled: false },
              CrossZoneLoadBalancing: { Enabled: false },
            },
          })
        : undefined;
    expect(shown(await providerOf(region).healthOf(pool, 0, never))).toEqual([`${node.id} healthy eu-west-1b`]);
  });

  test.each<[LoadBalancerType, string, boolean]>([
    ["application", "use_load_balancer_configuration", false],
    ["application", "false", true],
    ["network", "use_load_balancer_configuration", true],
    ["network", "true", false],
    ["network", "false", true],
    ["gateway", "use_load_balancer_configuration", true],
  ])("in a group of type %s with cross-zone %s counts by zones: %s", async (type, value, isZonal) => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", type, nodes: [node] });
    group.attributes.set("load_balancing.cross_zone.enabled", value);
    const pool = await poolOf(region, node);
    const { zoneOf } = await providerOf(region).healthOf(pool, 0, never);
    expect(zoneOf !== undefined).toBe(isZonal);
  });

  test("in a pool that has vanished is that there are none", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    const pool = await poolOf(region, node);
    region.world.targetGroups.delete(group.arn);
    const health = await providerOf(region).healthOf(pool, region.clock.now(), never);
    expect({ targets: health.targets, nodes: health.countNodes() }).toEqual({ targets: [], nodes: 0 });
  });
});

describe("AWS is asked how a pool's targets fare", () => {
  test("by the search alone, where that was a moment ago", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "web", nodes });
    const { provider, pool } = await searched(region, nodes[0]);
    const health = await provider.healthOf(pool, region.clock.now(), never);
    expect(health.targets).toHaveLength(2);
    expect(provider.knownHealth(pool)?.targets).toBe(health.targets);
    expect(region.callsOf("DescribeTargetHealth")).toHaveLength(1);
    expect(region.callsOf("DescribeTargetGroupAttributes")).toHaveLength(1);
  });

  test("if what was read is more than an hour old, so that no guard decides by it", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    const { provider, pool } = await searched(region, node);
    await provider.healthOf(pool, 0, never);
    await region.clock.advance(3_599_000);
    expect(provider.knownStrictHealth(pool)?.targets).toHaveLength(1);
    await region.clock.advance(2_000);
    await provider.describe(pool, never);
    expect([provider.knownHealth(pool), provider.knownStrictHealth(pool)]).toEqual([undefined, undefined]);
  });

  test("not about the minimum of its own that a pool is known to have: the strict count has it, too", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "tcp", type: "network", nodes: [node] });
    group.attributes.set("target_group_health.dns_failover.minimum_healthy_targets.count", "3");
    const { provider, pool } = await searched(region, node);
    await provider.describe(pool, never);
    expect((await provider.strictHealthOf(pool, 0, never)).minimum).toEqual({ count: 3, percent: 0 });
    expect(provider.knownStrictHealth(pool)?.minimum).toEqual({ count: 3, percent: 0 });
  });

  test("anew, where that was too long ago", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "web", nodes });
    const { provider, pool } = await searched(region, nodes[0]);
    await region.clock.advance(11_000);
    region.world.setAnswering(nodes[1], false);
    await region.clock.advance(600_000);
    const health = await provider.healthOf(pool, region.clock.now() - 10_000, never);
    expect(health.targets.map(({ isHealthy }) => isHealthy)).toEqual([true, false]);
    expect(provider.knownHealth(pool)?.targets).toBe(health.targets);
    expect(region.callsOf("DescribeTargetHealth")).toHaveLength(2);
  });

  test("once for all who ask at the same time, in a classic load balancer too, and for the zones of all", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "tcp", type: "network", nodes });
    region.classic({ name: "old", nodes });
    const provider = providerOf(region);
    const node = await provider.resolve({ by: "id", value: nodes[0].id }, never);
    const { registrations } = await provider.findRegistrations(node, never);
    region.calls.length = 0;
    const asked = [1, 2, 3].flatMap(() =>
      registrations.map(({ pool }) => provider.healthOf(pool, region.clock.now(), never)),
    );
    await Promise.all(asked);
    expect(region.calls.map(({ action }) => action).sort()).toEqual([
      "DescribeInstanceHealth",
      "DescribeInstances",
      // The classic one's, and the NLB's.
      "DescribeLoadBalancerAttributes",
      "DescribeLoadBalancerAttributes",
      "DescribeTargetGroupAttributes",
      "DescribeTargetHealth",
    ]);
    expect(listed(region.callsOf("DescribeInstanceHealth")[0] ?? new URLSearchParams(), "Instances")).toEqual([]);
    // Zones never change.
    await provider.healthOf(registrations[0]?.pool as Pool, region.clock.now(), never);
    expect(region.callsOf("DescribeInstances")).toHaveLength(1);
  });
});
