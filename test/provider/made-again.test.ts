import { describe, expect, test } from "vitest";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { OTHER_VPC, onlyRegistrationOf, providerOf } from "./support.ts";

const asking = (region: SimulatedRegion, options: Readonly<Record<string, string>>) => {
  const { drainer } = region.wholeEngine(options);
  return ({ id }: Instance, dryRun = false) =>
    region.clock.run(drainer.drain({ node: { by: "id", value: id }, dryRun, isVoluntary: true }, never));
};

describe.each(["0", "1"])("a classic load balancer is deleted and made again under its name, INDEX_RATE=%s", (rate) => {
  test("in another VPC, whose nodes are drained from it", async () => {
    const region = new SimulatedRegion();
    const [here, there] = [region.node(), region.node({ vpcId: OTHER_VPC })];
    region.classic({ name: "front", nodes: [here] });
    const drain = asking(region, { INDEX_RATE: rate });
    expect((await drain(here)).status).toBe("drained");
    region.world.classics.delete("front");
    await region.clock.advance(5_000);
    const again = region.classic({ name: "front", nodes: [there], vpcId: OTHER_VPC });
    expect((await drain(there)).status).toBe("drained");
    expect(again.isRegistered(there.id)).toBe(false);
    expect((await drain(here)).status).toBe("nothing-registered");
  });

  test("with other draining, which counts for the next drain", async () => {
    const region = new SimulatedRegion();
    const [one, two] = [region.node(), region.node()];
    region.classic({ name: "front", nodes: [one] });
    const drain = asking(region, { INDEX_RATE: rate });
    expect((await drain(one)).status).toBe("drained");
    region.world.classics.delete("front");
    await region.clock.advance(5_000);
    region.classic({ name: "front", nodes: [two], drainingSeconds: 120 });
    expect(await drain(two)).toMatchObject({ status: "drained", registrations: [{ holdMs: 120_000 }] });
  });

  test("with other tags, which decide by themselves whose it is", async () => {
    const region = new SimulatedRegion();
    const [one, two] = [region.node(), region.node()];
    region.classic({ name: "front", nodes: [one] });
    const drain = asking(region, { INDEX_RATE: rate, DISCOVERY: "tag", CLUSTERNAME: "demo" });
    expect(await drain(one)).toMatchObject({ status: "nothing-registered", elsewhere: [{ pool: { id: "front" } }] });
    region.world.classics.delete("front");
    await region.clock.advance(5_000);
    region.classic({ name: "front", nodes: [two], tags: { "kubernetes.io/cluster/demo": "owned" } });
    expect((await drain(two)).status).toBe("drained");
  });
});

test("what was known of a target group's zones is forgotten when another kind of load balancer takes it into use", async () => {
  const region = new SimulatedRegion();
  const nodes = ["eu-west-1a", "eu-west-1b"].map((zone) => region.node({ zone }));
  const settings = { vpcId: VPC, protocol: "TCP", port: 80, targetType: "instance" } as const;
  const group = region.world.addTargetGroup({ name: "web", ...settings });
  for (const { id } of nodes) region.world.registerTarget(group, { id }, { settled: true });
  const [first] = nodes;
  if (first === undefined) throw new Error("no node");
  const plan = asking(region, { MIN_HEALTHY: "1" });
  // Nobody uses it: no zone counts alone.
  await plan(first, true);
  const balancer = region.world.addLoadBalancer({ name: "net", type: "network", vpcId: first.vpcId });
  region.world.addListener(balancer, {
    protocol: "TCP",
    port: 80,
    defaultActions: [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }],
  });
  await region.clock.advance(200_000);
  expect(await plan(first)).toMatchObject({ status: "refused", refusal: { pools: [{ zone: "eu-west-1a" }] } });
});

test("what was known of a target group from a ledger is forgotten when AWS lists it with another kind of load balancer", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "firewall", type: "gateway", nodes: [node], idleTimeoutSeconds: 6_000 });
  const { pool } = await onlyRegistrationOf(region, node);
  const provider = providerOf(region);
  // As an earlier process knew it: then it was an Application Load Balancer's.
  const then = await provider.describe({ ...pool, kind: "alb" }, never);
  expect(then?.holdMs).toBe(300_000);
  await provider.findRegistrations(await provider.resolve({ by: "id", value: node.id }, never), never);
  expect(await provider.describe(pool, never)).toMatchObject({ holdMs: 6_000_000 });
});
