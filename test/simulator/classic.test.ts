import {
  ConfigureHealthCheckCommand,
  CreateLoadBalancerCommand,
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeInstanceHealthCommand,
  DescribeLoadBalancerAttributesCommand,
  DescribeLoadBalancersCommand,
  DescribeTagsCommand,
  RegisterInstancesWithLoadBalancerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import { describe, expect, test } from "vitest";
import { subnetIdOf } from "../../src/simulator/world/networks.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const STRANGER = "i-0123456789abcdef0";
const IN_SERVICE = { State: "InService", ReasonCode: "N/A", Description: "N/A" };
const DRAINING = {
  State: "InService",
  ReasonCode: "N/A",
  Description: "Instance deregistration currently in progress.",
};
const NOT_REGISTERED = {
  State: "OutOfService",
  ReasonCode: "Instance",
  Description: "Instance is not currently registered with the LoadBalancer.",
};
const REGISTERING = {
  State: "OutOfService",
  ReasonCode: "ELB",
  Description: "Instance registration is still in progress.",
};
const FAILING = {
  State: "OutOfService",
  ReasonCode: "Instance",
  Description: "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
};

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `lb-${index}`);

/** A classic load balancer with two healthy nodes, asked and changed as AWS's clients do it. */
function old(input: { readonly drainingSeconds?: number } = {}) {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()] as const;
  const loadBalancer = region.classic({ name: "old", nodes, ...input });
  const { classic } = region.clients();
  const LoadBalancerName = "old";
  const Instances = (ids: readonly string[]) => ids.map((InstanceId) => ({ InstanceId }));
  const health = async (...ids: string[]) => {
    const chosen = ids.length === 0 ? {} : { Instances: Instances(ids) };
    const answer = await classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName, ...chosen }));
    return answer.InstanceStates ?? [];
  };
  const deregister = async (...ids: string[]) => {
    const input = { LoadBalancerName, Instances: Instances(ids) };
    const answer = await classic.send(new DeregisterInstancesFromLoadBalancerCommand(input));
    return answer.Instances?.map(({ InstanceId }) => InstanceId);
  };
  const register = async (...ids: string[]) => {
    const input = { LoadBalancerName, Instances: Instances(ids) };
    const answer = await classic.send(new RegisterInstancesWithLoadBalancerCommand(input));
    return answer.Instances?.map(({ InstanceId }) => InstanceId);
  };
  return {
    region,
    leaving: nodes[0].id,
    staying: nodes[1].id,
    nodes,
    loadBalancer,
    classic,
    health,
    deregister,
    register,
  };
}

describe("connection draining", () => {
  test("is off unless somebody turns it on, with a timeout of 300 s", async () => {
    const { classic } = old();
    const command = new DescribeLoadBalancerAttributesCommand({ LoadBalancerName: "old" });
    expect(await classic.send(command)).toMatchObject({
      LoadBalancerAttributes: { ConnectionDraining: { Enabled: false, Timeout: 300 } },
    });
  });

  test("off: a deregistered instance is out at once, though it had requests", async () => {
    const { leaving, loadBalancer, health, deregister } = old();
    loadBalancer.requestStarted(leaving);
    await deregister(leaving);
    expect(await health(leaving)).toEqual([{ InstanceId: leaving, ...NOT_REGISTERED }]);
  });

  test("on: the instance stays InService until its last request has ended", async () => {
    const { region, leaving, loadBalancer, health, deregister } = old({ drainingSeconds: 300 });
    loadBalancer.requestStarted(leaving);
    loadBalancer.requestStarted(leaving);
    await deregister(leaving);
    await region.clock.advance(100_000);
    loadBalancer.requestEnded(leaving);
    expect(await health(leaving)).toEqual([{ InstanceId: leaving, ...DRAINING }]);
    loadBalancer.requestEnded(leaving);
    expect(await health(leaving)).toEqual([{ InstanceId: leaving, ...NOT_REGISTERED }]);
  });

  test("ends early for an idle instance, but not before every machine knows", async () => {
    const { region, leaving, health, deregister } = old({ drainingSeconds: 300 });
    await deregister(leaving);
    await region.clock.advance(1_999);
    expect(await health(leaving)).toMatchObject([DRAINING]);
    await region.clock.advance(1);
    expect(await health(leaving)).toMatchObject([NOT_REGISTERED]);
  });

  test("ends at the timeout, whatever is still in flight", async () => {
    const { region, leaving, loadBalancer, health, deregister } = old({ drainingSeconds: 300 });
    loadBalancer.requestStarted(leaving);
    await deregister(leaving);
    await region.clock.advance(299_999);
    expect(await health(leaving)).toMatchObject([DRAINING]);
    await region.clock.advance(1);
    expect(await health(leaving)).toMatchObject([NOT_REGISTERED]);
  });

  test("ends when the instance is registered again", async () => {
    const { region, leaving, staying, loadBalancer, health, deregister, register } = old({ drainingSeconds: 300 });
    loadBalancer.requestStarted(leaving);
    await deregister(leaving);
    expect(await register(leaving)).toEqual([leaving, staying]);
    expect(await health(leaving)).toMatchObject([REGISTERING]);
    await region.clock.advance(32_000);
    expect(await health(leaving)).toMatchObject([IN_SERVICE]);
  });
});

describe("deregistering", () => {
  test("answers with the instances that remain, and lists them alone", async () => {
    const { leaving, staying, classic, health, deregister } = old({ drainingSeconds: 300 });
    expect(await deregister(leaving)).toEqual([staying]);
    expect(await health()).toEqual([{ InstanceId: staying, ...IN_SERVICE }]);
    expect(await classic.send(new DescribeLoadBalancersCommand({}))).toMatchObject({
      LoadBalancerDescriptions: [{ VPCId: "vpc-0123456789abcdef0", Instances: [{ InstanceId: staying }] }],
    });
    expect(await deregister(staying)).toEqual([]);
  });

  test("again is no error and does not begin the draining again", async () => {
    const { region, leaving, loadBalancer, health, deregister } = old({ drainingSeconds: 60 });
    loadBalancer.requestStarted(leaving);
    await deregister(leaving);
    await region.clock.advance(59_999);
    await deregister(leaving);
    await region.clock.advance(1);
    expect(await health(leaving)).toMatchObject([NOT_REGISTERED]);
    await deregister(leaving);
  });

  test("an instance that was never here is InvalidInstance, and the others stay registered", async () => {
    const { region, leaving, staying, health, deregister } = old();
    for (const id of [STRANGER, region.node().id]) {
      await expect(deregister(leaving, id)).rejects.toMatchObject({
        name: "InvalidEndPointException",
        Code: "InvalidInstance",
        message: `Could not find EC2 instance ${id}.`,
      });
    }
    expect((await health()).map(({ InstanceId }) => InstanceId)).toEqual([leaving, staying]);
  });
});

describe("an instance's health", () => {
  test("goes from registration to service with its first good check, and out after two bad ones", async () => {
    const { region, health, register } = old();
    const node = region.node();
    await register(node.id);
    await region.clock.advance(31_999);
    expect(await health(node.id)).toMatchObject([REGISTERING]);
    await region.clock.advance(1);
    expect(await health(node.id)).toMatchObject([IN_SERVICE]);
    region.world.setAnswering(node, false);
    await region.clock.advance(60_000);
    expect(await health(node.id)).toMatchObject([FAILING]);
    region.world.setAnswering(node, true);
    await region.clock.advance(300_000);
    expect(await health(node.id)).toMatchObject([IN_SERVICE]);
  });

  test("stays what it was when the health check is configured anew", async () => {
    const { region, nodes, classic, leaving, health } = old();
    region.world.setAnswering(nodes[0], false);
    await region.clock.advance(60_000);
    const HealthCheck = { Target: "TCP:80", Interval: 300, Timeout: 5, UnhealthyThreshold: 10, HealthyThreshold: 10 };
    await classic.send(new ConfigureHealthCheckCommand({ LoadBalancerName: "old", HealthCheck }));
    expect(await health(leaving)).toMatchObject([FAILING]);
  });

  test("is that of no registration for an instance which never had one, and an error for no instance", async () => {
    const { region, health } = old();
    const node = region.node();
    expect(await health(node.id)).toEqual([{ InstanceId: node.id, ...NOT_REGISTERED }]);
    await expect(health(node.id, STRANGER)).rejects.toMatchObject({ Code: "InvalidInstance" });
  });

  test("is not told of a terminated instance, named or not", async () => {
    const { region, nodes, leaving, staying, health, deregister } = old();
    region.world.terminateInstance(nodes[0]);
    await region.clock.advance(5_000);
    expect((await health(leaving, staying)).map(({ InstanceId }) => InstanceId)).toEqual([staying]);
    await region.clock.advance(5_000);
    expect((await health()).map(({ InstanceId }) => InstanceId)).toEqual([staying]);
    expect(await deregister(leaving)).toEqual([staying]);
  });
});

describe("DescribeLoadBalancers", () => {
  test("shows the certificates of listeners, the name's hosted zone, and the first security group", async () => {
    const region = new SimulatedRegion();
    const { vpcId } = region.node();
    const group = region.world.securityGroups.create({ name: "of-old", description: "its own", vpcId });
    const SSLCertificateId = "arn:aws:iam::123456789012:server-certificate/c";
    const about = {
      Listeners: [
        { Protocol: "HTTP", LoadBalancerPort: 80, InstancePort: 80 },
        { Protocol: "HTTPS", LoadBalancerPort: 443, InstancePort: 80, SSLCertificateId },
      ],
      Subnets: [subnetIdOf(vpcId, "eu-west-1a")],
    };
    const { classic } = region.clients();
    await classic.send(
      new CreateLoadBalancerCommand({ LoadBalancerName: "own", SecurityGroups: [group.id], ...about }),
    );
    await classic.send(new CreateLoadBalancerCommand({ LoadBalancerName: "plain", ...about }));
    const { LoadBalancerDescriptions = [] } = await classic.send(new DescribeLoadBalancersCommand({}));
    const [own, plain] = LoadBalancerDescriptions;
    const certificates = own?.ListenerDescriptions?.map(({ Listener }) => Listener?.SSLCertificateId);
    expect(certificates).toEqual([undefined, SSLCertificateId]);
    expect(own?.CanonicalHostedZoneName).toBe(own?.DNSName);
    expect(own?.CanonicalHostedZoneNameID).toMatch(/^Z[0-9A-Z]+$/);
    expect(own?.SourceSecurityGroup).toEqual({ OwnerAlias: "123456789012", GroupName: "of-old" });
    expect(plain?.SourceSecurityGroup).toEqual({ OwnerAlias: "123456789012", GroupName: "default" });
  });

  test("gives 400 at a time, and an empty marker with the last page", async () => {
    const region = new SimulatedRegion();
    for (const name of numbered(401)) region.classic({ name });
    const { classic } = region.clients();
    const first = await classic.send(new DescribeLoadBalancersCommand({}));
    expect(first.LoadBalancerDescriptions).toHaveLength(400);
    const second = await classic.send(new DescribeLoadBalancersCommand({ Marker: first.NextMarker }));
    expect(second).toMatchObject({ LoadBalancerDescriptions: [{ LoadBalancerName: "lb-400" }], NextMarker: "" });
  });

  test.each([{ PageSize: 0 }, { PageSize: 401 }, { Marker: "x" }])("refuses %o", async (input) => {
    const { classic } = old();
    await expect(classic.send(new DescribeLoadBalancersCommand(input))).rejects.toMatchObject({
      name: "ValidationError",
    });
  });
});

describe("DescribeTags", () => {
  test("takes up to 20 names", async () => {
    const region = new SimulatedRegion();
    for (const name of numbered(21)) region.classic({ name, tags: { name } });
    const { classic } = region.clients();
    const answer = await classic.send(new DescribeTagsCommand({ LoadBalancerNames: numbered(20) }));
    expect(answer.TagDescriptions?.at(-1)).toEqual({
      LoadBalancerName: "lb-19",
      Tags: [{ Key: "name", Value: "lb-19" }],
    });
    await expect(classic.send(new DescribeTagsCommand({ LoadBalancerNames: numbered(21) }))).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining("Member must have length less than or equal to 20"),
    });
  });

  test("fails the whole batch for one vanished load balancer, and names it", async () => {
    const { classic } = old();
    await expect(classic.send(new DescribeTagsCommand({ LoadBalancerNames: ["old", "gone"] }))).rejects.toMatchObject({
      name: "AccessPointNotFoundException",
      Code: "LoadBalancerNotFound",
      message: "Cannot find Load Balancer gone",
    });
  });
});

test.each([
  new DescribeLoadBalancersCommand({ LoadBalancerNames: ["gone"] }),
  new DescribeInstanceHealthCommand({ LoadBalancerName: "gone" }),
  new DescribeLoadBalancerAttributesCommand({ LoadBalancerName: "gone" }),
  new DeregisterInstancesFromLoadBalancerCommand({ LoadBalancerName: "gone", Instances: [{ InstanceId: STRANGER }] }),
  new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName: "gone", Instances: [{ InstanceId: STRANGER }] }),
])("$constructor.name of a load balancer that does not exist is LoadBalancerNotFound", async (command) => {
  // The union of commands fits no single overload of `send`.
  await expect(old().classic.send(command as DescribeInstanceHealthCommand)).rejects.toMatchObject({
    name: "AccessPointNotFoundException",
    Code: "LoadBalancerNotFound",
    message: "There is no ACTIVE Load Balancer named 'gone'",
  });
});

test.each([
  { what: "DescribeInstanceHealth without a name", body: "Action=DescribeInstanceHealth" },
  { what: "DescribeTags without names", body: "Action=DescribeTags" },
  { what: "deregistering without instances", body: "Action=DeregisterInstancesFromLoadBalancer&LoadBalancerName=old" },
  {
    what: "deregistering an instance without an id",
    body: "Action=DeregisterInstancesFromLoadBalancer&LoadBalancerName=old&Instances.member.1.Id=x",
  },
  { what: "creating without a listener", body: "Action=CreateLoadBalancer&LoadBalancerName=new" },
])("$what is refused", ({ body }) => {
  const answer = old().region.simulator.answer({ body: `${body}&Version=2012-06-01` });
  expect(answer.status).toBe(400);
  expect(answer.body).toContain("Member must not be null");
});
