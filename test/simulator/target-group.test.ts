import { DescribeTargetHealthCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { DRAINING, HEALTHY, NOT_REGISTERED, one, pool } from "./pool.ts";

const STRANGER = "i-0123456789abcdef0";

describe("a target is an id on a port", () => {
  test("one id can be registered on several ports", async () => {
    const { node, register, list } = one({ port: 80 });
    await register({ Id: node.id, Port: 81 }, { Id: node.id, Port: 82 }, { Id: node.id });
    expect((await list()).map(({ Target, HealthCheckPort }) => [Target?.Port, HealthCheckPort])).toEqual([
      [80, "80"],
      [81, "81"],
      [82, "82"],
    ]);
  });

  test("deregistered without its overridden port it stays registered, and AWS says 200", async () => {
    const { node, register, deregister, name } = one({ nodes: [], port: 80 });
    await register({ Id: node.id, Port: 8080 });
    const answer = await deregister({ Id: node.id });
    expect(answer.$metadata.httpStatusCode).toBe(200);
    expect(await name({ Id: node.id, Port: 8080 }, { Id: node.id })).toMatchObject([
      { State: "initial" },
      NOT_REGISTERED,
    ]);
    await deregister({ Id: node.id, Port: 8080 });
    expect(await name({ Id: node.id, Port: 8080 })).toEqual([DRAINING]);
  });

  test("deregistering one port leaves the others", async () => {
    const { node, register, deregister, states } = one({ port: 80 });
    await register({ Id: node.id, Port: 81 });
    await deregister({ Id: node.id });
    expect(await states()).toEqual(["draining", "initial"]);
  });

  test("a target that was never registered is deregistered with success, beside one that was", async () => {
    const { node, deregister, states } = one();
    await deregister({ Id: STRANGER }, { Id: node.id }, { Id: node.id, Port: 1 });
    expect(await states()).toEqual(["draining"]);
  });

  test("an address gets the zone of its instance, and is found without it but not in another", async () => {
    const region = new SimulatedRegion();
    const node = region.node({ zone: "eu-west-1b" });
    const { list, name, deregister } = pool(region, region.group({ name: "web", nodes: [node], targetType: "ip" }));
    expect(await list()).toMatchObject([{ Target: { Id: "10.0.0.1", Port: 30080, AvailabilityZone: "eu-west-1b" } }]);
    const Id = node.privateIp;
    expect(await name({ Id }, { Id, AvailabilityZone: "eu-west-1b" })).toEqual([HEALTHY, HEALTHY]);
    expect(await name({ Id, AvailabilityZone: "eu-west-1a" })).toEqual([NOT_REGISTERED]);
    await deregister({ Id });
    expect(await name({ Id })).toEqual([DRAINING]);
  });

  test("an address outside the VPC keeps the zone that its caller gave", async () => {
    const { list, register } = one({ nodes: [], targetType: "ip" });
    await register({ Id: "192.168.1.1", AvailabilityZone: "all" });
    expect(await list()).toMatchObject([{ Target: { Id: "192.168.1.1", AvailabilityZone: "all" } }]);
  });
});

describe("draining", () => {
  test("is listed for the whole delay; then the list is without it, and whoever names it hears that it is not registered", async () => {
    const { region, node, deregister, states, name, list } = one({ delaySeconds: 300 });
    await deregister({ Id: node.id });
    await region.clock.advance(299_999);
    expect(await states()).toEqual(["draining"]);
    expect(await name({ Id: node.id })).toEqual([DRAINING]);
    await region.clock.advance(1);
    expect(await list()).toEqual([]);
    expect(await name({ Id: node.id })).toEqual([NOT_REGISTERED]);
  });

  test("ends at once when the delay is 0", async () => {
    const { node, deregister, list } = one({ delaySeconds: 0 });
    await deregister({ Id: node.id });
    expect(await list()).toEqual([]);
  });

  test("is not begun again by deregistering again", async () => {
    const { region, node, deregister, list } = one({ delaySeconds: 60 });
    await deregister({ Id: node.id });
    await region.clock.advance(59_999);
    await deregister({ Id: node.id });
    await region.clock.advance(1);
    expect(await list()).toEqual([]);
  });

  test("ends when the target is registered again: it is initial, and healthy after one good check", async () => {
    const { region, node, register, deregister, name } = one();
    await deregister({ Id: node.id });
    await region.clock.advance(10_000);
    await register({ Id: node.id });
    expect(await name({ Id: node.id })).toMatchObject([{ State: "initial" }]);
    await region.clock.advance(35_000);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
    await region.clock.advance(300_000);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
  });

  test("does not happen in a group that no load balancer uses", async () => {
    const { region, node, deregister, name, list } = one();
    region.world.loadBalancers.clear();
    await deregister({ Id: node.id });
    expect(await list()).toEqual([]);
    expect(await name({ Id: node.id })).toEqual([NOT_REGISTERED]);
  });
});

test("a well-formed id that was never registered is not an error, and gets the group's port", async () => {
  const region = new SimulatedRegion();
  const { arn } = region.group({ name: "web", port: 31_000 });
  const command = new DescribeTargetHealthCommand({ TargetGroupArn: arn, Targets: [{ Id: STRANGER }] });
  expect(await region.clients().v2.send(command)).toMatchObject({
    TargetHealthDescriptions: [
      { Target: { Id: STRANGER, Port: 31_000 }, HealthCheckPort: "31000", TargetHealth: NOT_REGISTERED },
    ],
  });
});

test("an empty group lists nothing", async () => {
  expect(await one({ nodes: [] }).list()).toEqual([]);
});

test("the targets of a group without a load balancer are unused, and still registered", async () => {
  const { region, node, name, states } = one();
  region.world.loadBalancers.clear();
  expect(await name({ Id: node.id })).toEqual([
    {
      State: "unused",
      Reason: "Target.NotInUse",
      Description: "Target group is not configured to receive traffic from the load balancer",
    },
  ]);
  expect(await states()).toEqual(["unused"]);
});

describe("a terminated instance", () => {
  test("drops off the list after a while, and named says draining for ten minutes and more", async () => {
    const { region, node, list, states, name } = one({ delaySeconds: 5 });
    region.world.terminateInstance(node);
    await region.clock.advance(9_999);
    expect(await states()).toEqual(["draining"]);
    await region.clock.advance(1);
    expect(await list()).toEqual([]);
    await region.clock.advance(600_000);
    expect(await name({ Id: node.id })).toEqual([DRAINING]);
  });

  test.each([
    { what: "during its drain", beforeMs: 10_000, named: DRAINING },
    { what: "after its drain", beforeMs: 60_000, named: NOT_REGISTERED },
  ])("that went $what is $named.State, named long after", async ({ beforeMs, named }) => {
    const { region, node, deregister, list, name } = one({ delaySeconds: 60 });
    await deregister({ Id: node.id });
    await region.clock.advance(beforeMs);
    region.world.terminateInstance(node);
    await region.clock.advance(600_000);
    expect(await list()).toEqual([]);
    expect(await name({ Id: node.id })).toEqual([named]);
  });

  test("leaves its address registered, which fails its checks", async () => {
    const { region, node, states, name } = one({ targetType: "ip" });
    region.world.terminateInstance(node);
    await region.clock.advance(600_000);
    expect(await states()).toEqual(["unhealthy"]);
    expect(await name({ Id: node.privateIp })).toMatchObject([{ State: "unhealthy" }]);
  });

  test("whose address a new one gets does not speak for it", async () => {
    const { region, node, states } = one({ targetType: "ip" });
    region.world.terminateInstance(node);
    region.node({ privateIp: node.privateIp });
    await region.clock.advance(600_000);
    expect(await states()).toEqual(["healthy"]);
  });
});

// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#registered-targets
describe("an ALB's address that drains", () => {
  test("stays draining when it is registered again, and can be registered once its delay has passed", async () => {
    const { region, node, register, deregister, states } = one({ targetType: "ip", delaySeconds: 60 });
    const Id = node.privateIp;
    await deregister({ Id });
    await register({ Id });
    expect(await states()).toEqual(["draining"]);
    await region.clock.advance(59_999);
    await register({ Id });
    expect(await states()).toEqual(["draining"]);
    await region.clock.advance(1);
    expect(await states()).toEqual([]);
    await register({ Id });
    expect(await states()).toEqual(["initial"]);
  });

  test("can be registered again on another port at once", async () => {
    const { node, register, deregister, states } = one({ targetType: "ip" });
    await deregister({ Id: node.privateIp });
    await register({ Id: node.privateIp, Port: 81 });
    expect(await states()).toEqual(["draining", "initial"]);
  });

  test("can be registered again at once where no load balancer uses the group", async () => {
    const { region, group, node, register, deregister } = one({ targetType: "ip" });
    region.world.loadBalancers.clear();
    await deregister({ Id: node.privateIp });
    await register({ Id: node.privateIp });
    expect(group.listed(region.clock.now()).map(({ deregisteredAt }) => deregisteredAt)).toEqual([undefined]);
  });
});

test.each([
  ["instance of an ALB", { targetType: "instance" }],
  ["instance of an NLB", { type: "network", targetType: "instance" }],
  ["address of an NLB", { type: "network", targetType: "ip" }],
] as const)("a draining %s is taken back at once", async (_, input) => {
  const { node, register, deregister, states } = one(input);
  const Id = input.targetType === "ip" ? node.privateIp : node.id;
  await deregister({ Id });
  await register({ Id });
  expect(await states()).toEqual(["initial"]);
});
