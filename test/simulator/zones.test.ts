import { DescribeInstanceHealthCommand } from "@aws-sdk/client-elastic-load-balancing";
import { describe, expect, test } from "vitest";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { HEALTHY, pool } from "./pool.ts";

const CROSS_ZONE = "load_balancing.cross_zone.enabled";
const NOT_ENABLED = {
  State: "unused",
  Reason: "Target.NotInUse",
  Description: "Target is in an Availability Zone that is not enabled for the load balancer",
};
const zoneOf = (letter: string) => `eu-west-1${letter}`;

/** A group with a node in each of these zones, behind a load balancer that is enabled in some of them. */
function zonal(
  letters: readonly string[],
  input: { readonly type?: LoadBalancerType; readonly enabled?: readonly string[]; readonly addresses?: boolean } = {},
) {
  const { type = "network", enabled = ["a", "b", "c"], addresses = false } = input;
  const region = new SimulatedRegion();
  const nodes = letters.map((letter) => region.node({ zone: zoneOf(letter) }));
  const protocol = { application: "HTTP", network: "TCP", gateway: "GENEVE" }[type];
  const targetType = addresses ? "ip" : "instance";
  const group = region.world.addTargetGroup({ name: "web", vpcId: VPC, protocol, port: 80, targetType });
  const zones = enabled.map(zoneOf);
  const loadBalancer = region.world.addLoadBalancer({ name: "web", type, vpcId: VPC, zones });
  const defaultActions = [{ type: "forward" as const, groups: [{ arn: group.arn, weight: 1 }] }];
  region.world.addListener(loadBalancer, { protocol, port: 80, defaultActions });
  for (const { id, privateIp } of nodes)
    region.world.registerTarget(group, { id: addresses ? privateIp : id }, { settled: true });
  const receivers = (letter?: string) =>
    group
      .routable(region.clock.now(), 1, 2, letter && zoneOf(letter))
      .map(({ id }) => nodes.findIndex((node) => node.id === id || node.privateIp === id));
  const entries = () => group.entryZones(region.clock.now())?.map((zone) => zone.at(-1));
  return { region, nodes, group, loadBalancer, receivers, entries, ...pool(region, group) };
}

// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html
describe("a target in a zone that its load balancer is not enabled in", () => {
  test.each<[LoadBalancerType, boolean]>([
    ["application", false],
    ["application", true],
    ["network", false],
    ["network", true],
    ["gateway", false],
  ])("of type %s is unused, says why, and gets nothing (by its address: %s)", async (type, addresses) => {
    const { list, receivers, loadBalancer } = zonal(["a", "c"], { type, addresses, enabled: ["a", "b"] });
    expect((await list()).map(({ TargetHealth }) => TargetHealth)).toEqual([HEALTHY, NOT_ENABLED]);
    expect(receivers()).toEqual([0]);
    loadBalancer.attributes.set(CROSS_ZONE, "true");
    expect(receivers()).toEqual([0]);
  });

  test("gets nothing when no other target is healthy either", async () => {
    const { region, nodes, receivers } = zonal(["a", "c"], { enabled: ["a"] });
    for (const node of nodes) region.world.setAnswering(node, false);
    await region.clock.advance(60_000);
    expect(receivers()).toEqual([0]);
  });

  test("is drained like any other", async () => {
    const { region, nodes, deregister, states } = zonal(["c"], { enabled: ["a"] });
    await deregister({ Id: nodes[0]?.id ?? "" });
    expect(await states()).toEqual(["draining"]);
    await region.clock.advance(300_000);
    expect(await states()).toEqual([]);
  });

  test("is none where it is registered for all zones", async () => {
    const { region, group, list } = zonal([]);
    region.world.registerTarget(group, { id: "192.168.7.7", zone: "all" }, { settled: true });
    expect((await list()).map(({ TargetHealth }) => TargetHealth)).toEqual([HEALTHY]);
  });
});

// https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
test("an instance in a zone that its classic load balancer is not enabled in is out of service and gets nothing", async () => {
  const region = new SimulatedRegion();
  const [here, away] = [region.node(), region.node({ zone: zoneOf("b") })];
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 80 }];
  const classic = region.world.addClassic({ name: "old", vpcId: VPC, zones: [zoneOf("a")], listeners });
  for (const { id } of [here, away]) region.world.registerClassic(classic, id, { settled: true });
  const { InstanceStates } = await region
    .clients()
    .classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName: "old" }));
  expect(InstanceStates).toMatchObject([
    { State: "InService" },
    {
      State: "OutOfService",
      Description:
        "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
    },
  ]);
  expect(classic.routable(region.clock.now(), 0, 2)).toEqual([here.id]);
});

// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
describe("without cross-zone load balancing", () => {
  test("the node of a zone sends to the targets of its zone alone", () => {
    const { receivers, entries } = zonal(["a", "b", "b"]);
    expect(entries()).toEqual(["a", "b"]);
    expect([receivers("a"), receivers("b")]).toEqual([[0], [1, 2]]);
  });

  test.each<[LoadBalancerType, string, string, boolean]>([
    ["network", "use_load_balancer_configuration", "false", true],
    ["network", "use_load_balancer_configuration", "true", false],
    ["network", "false", "true", true],
    ["network", "true", "false", false],
    ["gateway", "use_load_balancer_configuration", "false", true],
    ["application", "use_load_balancer_configuration", "true", false],
    ["application", "false", "true", true],
  ])("of type %s, which is set by the group: %s, and else by the load balancer: %s", (type, own, above, isZonal) => {
    const { group, loadBalancer, entries } = zonal(["a", "b"], { type });
    group.attributes.set(CROSS_ZONE, own);
    loadBalancer.attributes.set(CROSS_ZONE, above);
    expect(entries()).toEqual(isZonal ? ["a", "b"] : undefined);
  });

  test("a zone whose targets are all unhealthy sends to them, until DNS has taken it out", async () => {
    const { region, nodes, receivers, entries } = zonal(["a", "b"]);
    region.world.setAnswering(nodes[0] as (typeof nodes)[0], false);
    await region.clock.advance(60_000 + 59_999);
    expect([entries(), receivers("a")]).toEqual([["a", "b"], [0]]);
    await region.clock.advance(1);
    expect(entries()).toEqual(["b"]);
  });

  test("all zones with a target take part where no zone has a healthy one", async () => {
    const { region, nodes, entries } = zonal(["a", "b"]);
    for (const node of nodes) region.world.setAnswering(node, false);
    await region.clock.advance(3_600_000);
    expect(entries()).toEqual(["a", "b"]);
  });

  test("a zone begins to take part with its first healthy target", async () => {
    const { region, group, entries } = zonal(["a"]);
    region.world.registerTarget(group, { id: region.node({ zone: zoneOf("c") }).id });
    await region.clock.advance(90_000 + 29_999);
    expect(entries()).toEqual(["a"]);
    await region.clock.advance(1);
    expect(entries()).toEqual(["a", "c"]);
  });

  test("clients use the addresses of a zone that traffic is shifted away from until they ask DNS again", async () => {
    const { region, loadBalancer, receivers, entries } = zonal(["a", "b"]);
    const { clock } = region;
    loadBalancer.zonalShifts.begin(zoneOf("a"), clock.now());
    await clock.advance(59_999);
    expect([entries(), receivers("a"), receivers()]).toEqual([["a", "b"], [0], [0, 1]]);
    await clock.advance(1);
    expect([entries(), receivers()]).toEqual([["b"], [1]]);
    loadBalancer.zonalShifts.end(clock.now());
    await clock.advance(59_999);
    expect(entries()).toEqual(["b"]);
    await clock.advance(1);
    expect([entries(), receivers("a")]).toEqual([["a", "b"], [0]]);
  });

  test("with cross-zone load balancing the targets of such a zone get nothing from the begin of the shift to its end", () => {
    const { region, loadBalancer, receivers } = zonal(["a", "b"]);
    const now = region.clock.now();
    loadBalancer.attributes.set(CROSS_ZONE, "true");
    loadBalancer.zonalShifts.begin(zoneOf("a"), now);
    expect(receivers()).toEqual([1]);
    loadBalancer.zonalShifts.end(now);
    expect(receivers()).toEqual([0, 1]);
  });

  test("a target that is registered for all zones gets from each of them", () => {
    const { region, group, receivers } = zonal(["a"]);
    region.world.registerTarget(group, { id: "192.168.7.7", zone: "all" }, { settled: true });
    expect([receivers("a").length, receivers("b").length]).toEqual([2, 1]);
  });
});
