import {
  AddTagsCommand,
  DeregisterTargetsCommand,
  DescribeListenersCommand,
  DescribeLoadBalancersCommand,
  DescribeRulesCommand,
  DescribeTagsCommand,
  DescribeTargetGroupAttributesCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  paginateDescribeTargetGroups,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";

const GONE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0123456789abcdef";
const GONE_LOAD_BALANCER = GONE.replace("targetgroup/gone", "loadbalancer/app/gone");
const GONE_LISTENER = GONE.replace("targetgroup/gone", "listener/app/gone/0123456789abcdef");
const GONE_RULE = GONE.replace("targetgroup/gone", "listener-rule/app/gone/0123456789abcdef/0123456789abcdef");

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `group-${index}`);
const names = (groups: readonly { readonly TargetGroupName?: string }[] = []) =>
  groups.map(({ TargetGroupName }) => TargetGroupName);

function client(region: SimulatedRegion) {
  return region.clients().v2;
}

describe("pages", () => {
  test("hold 400 entries unless the caller asks for less", async () => {
    const region = new SimulatedRegion();
    for (const name of numbered(401)) region.group({ name });
    const v2 = client(region);
    const first = await v2.send(new DescribeTargetGroupsCommand({}));
    expect(names(first.TargetGroups)).toEqual(numbered(400));
    const { NextMarker: Marker } = first;
    const second = await v2.send(new DescribeTargetGroupsCommand({ Marker }));
    expect(names(second.TargetGroups)).toEqual(["group-400"]);
    expect(second.NextMarker).toBeUndefined();
  });

  test("of any size give every entry once, in order, to the SDK's paginator", async () => {
    const region = new SimulatedRegion();
    for (const name of numbered(7)) region.group({ name });
    const pages = [];
    for await (const page of paginateDescribeTargetGroups({ client: client(region) }, { PageSize: 3 }))
      pages.push(page);
    expect(pages.map(({ TargetGroups }) => TargetGroups?.length)).toEqual([3, 3, 1]);
    expect(pages.flatMap(({ TargetGroups }) => names(TargetGroups))).toEqual(numbered(7));
  });

  test("that end with the last entry have no successor", async () => {
    const region = new SimulatedRegion();
    for (const name of numbered(4)) region.group({ name });
    const answer = await client(region).send(new DescribeTargetGroupsCommand({ PageSize: 4 }));
    expect(answer).toMatchObject({ TargetGroups: { length: 4 } });
    expect(answer.NextMarker).toBeUndefined();
  });

  test.each([
    { PageSize: 0, constraint: "greater than or equal to 1" },
    { PageSize: -1, constraint: "greater than or equal to 1" },
    { PageSize: 401, constraint: "less than or equal to 400" },
  ])("of $PageSize entries are refused", async ({ PageSize, constraint }) => {
    await expect(
      client(new SimulatedRegion()).send(new DescribeLoadBalancersCommand({ PageSize })),
    ).rejects.toMatchObject({
      name: "ValidationError",
      message: `1 validation error detected: Value '${PageSize}' at 'pageSize' failed to satisfy constraint: Member must have value ${constraint}`,
    });
  });

  test.each(["x", "b2Zmc2V0Og", Buffer.from("offset:-1").toString("base64url")])(
    "after a marker that nobody gave (%s) are refused",
    async (Marker) => {
      await expect(
        client(new SimulatedRegion()).send(new DescribeTargetGroupsCommand({ Marker })),
      ).rejects.toMatchObject({ name: "ValidationError" });
    },
  );
});

describe("DescribeTargetGroups", () => {
  test("tells a group's load balancer, VPC, port and type", async () => {
    const region = new SimulatedRegion();
    const { arn } = region.group({ name: "web", type: "network", port: 31_000, targetType: "ip" });
    const [loadBalancer] = region.world.loadBalancers.keys();
    expect(await client(region).send(new DescribeTargetGroupsCommand({ Names: ["web"] }))).toMatchObject({
      TargetGroups: [
        {
          TargetGroupArn: arn,
          TargetGroupName: "web",
          Protocol: "TCP",
          Port: 31_000,
          VpcId: "vpc-0123456789abcdef0",
          TargetType: "ip",
          LoadBalancerArns: [loadBalancer],
        },
      ],
    });
  });

  test("finds the groups of one load balancer, those of rules and of weight 0 included", async () => {
    const region = new SimulatedRegion();
    for (const name of ["default", "rule", "weightless", "other"]) region.group({ name });
    const [arn = "", inRule = "", weightless = ""] = region.world.targetGroups.keys();
    const [loadBalancer, ...others] = region.world.loadBalancers.values();
    for (const other of others.slice(0, 2)) region.world.loadBalancers.delete(other.arn);
    const listener = loadBalancer?.listeners[0];
    if (listener === undefined) throw new Error("no listener");
    region.world.addRule(listener, {
      priority: 1,
      conditions: [{ field: "path-pattern", values: ["/*"] }],
      actions: [
        {
          type: "forward",
          groups: [
            { arn: inRule, weight: 1 },
            { arn: weightless, weight: 0 },
          ],
        },
      ],
    });
    const answer = await client(region).send(new DescribeTargetGroupsCommand({ LoadBalancerArn: loadBalancer?.arn }));
    expect(answer.TargetGroups?.map(({ TargetGroupArn }) => TargetGroupArn)).toEqual([arn, inRule, weightless]);
  });

  test("takes 20 ARNs and no more", async () => {
    const region = new SimulatedRegion();
    for (const name of numbered(20)) region.group({ name });
    const arns = [...region.world.targetGroups.keys()];
    const v2 = client(region);
    const answer = await v2.send(new DescribeTargetGroupsCommand({ TargetGroupArns: arns }));
    expect(names(answer.TargetGroups)).toEqual(numbered(20));
    await expect(v2.send(new DescribeTargetGroupsCommand({ TargetGroupArns: [...arns, GONE] }))).rejects.toMatchObject({
      name: "ValidationError",
      message: "You cannot describe more than '20' target groups at a time",
    });
  });

  test.each([
    { TargetGroupArns: [GONE], Names: ["web"] },
    { TargetGroupArns: [GONE], LoadBalancerArn: GONE_LOAD_BALANCER },
    { Names: ["web"], LoadBalancerArn: GONE_LOAD_BALANCER },
  ])("refuses two ways of choosing at once: %o", async (input) => {
    await expect(client(new SimulatedRegion()).send(new DescribeTargetGroupsCommand(input))).rejects.toMatchObject({
      name: "ValidationError",
      message: "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time",
    });
  });
});

describe("DescribeTags", () => {
  test("takes up to 20 ARNs, of load balancers and target groups together", async () => {
    const region = new SimulatedRegion();
    for (const name of numbered(10)) region.group({ name, tags: { name } });
    const arns = [...region.world.loadBalancers.keys(), ...region.world.targetGroups.keys()];
    const v2 = client(region);
    const { TagDescriptions = [] } = await v2.send(new DescribeTagsCommand({ ResourceArns: arns }));
    expect(TagDescriptions.map(({ ResourceArn }) => ResourceArn)).toEqual(arns);
    expect(TagDescriptions.at(-1)?.Tags).toEqual([{ Key: "name", Value: "group-9" }]);
    await expect(v2.send(new DescribeTagsCommand({ ResourceArns: [...arns, GONE] }))).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining("Member must have length less than or equal to 20"),
    });
  });

  test.each([
    { what: "target group", gone: GONE, name: "TargetGroupNotFoundException", Code: "TargetGroupNotFound" },
    {
      what: "load balancer",
      gone: GONE_LOAD_BALANCER,
      name: "LoadBalancerNotFoundException",
      Code: "LoadBalancerNotFound",
    },
    { what: "listener", gone: GONE_LISTENER, name: "ListenerNotFoundException", Code: "ListenerNotFound" },
    { what: "rule", gone: GONE_RULE, name: "RuleNotFoundException", Code: "RuleNotFound" },
    { what: "text that is no ARN", gone: "web", name: "ValidationError", Code: "ValidationError" },
  ])("fails the whole batch for one vanished $what", async ({ gone, name, Code }) => {
    const region = new SimulatedRegion();
    const { arn } = region.group({ name: "web" });
    await expect(client(region).send(new DescribeTagsCommand({ ResourceArns: [arn, gone] }))).rejects.toMatchObject({
      name,
      Code,
    });
  });
});

describe("what does not exist is an error with AWS's code", () => {
  const missing = {
    name: "TargetGroupNotFoundException",
    Code: "TargetGroupNotFound",
    message: "One or more target groups not found",
  };
  const Targets = [{ Id: "i-00000000000000001" }];
  test.each([
    new DescribeTargetGroupsCommand({ TargetGroupArns: [GONE] }),
    new DescribeTargetGroupsCommand({ Names: ["gone"] }),
    new DescribeTargetGroupAttributesCommand({ TargetGroupArn: GONE }),
    new DescribeTargetHealthCommand({ TargetGroupArn: GONE }),
    new DeregisterTargetsCommand({ TargetGroupArn: GONE, Targets }),
    new RegisterTargetsCommand({ TargetGroupArn: GONE, Targets }),
    new AddTagsCommand({ ResourceArns: [GONE], Tags: [] }),
  ])("TargetGroupNotFound from $constructor.name", async (command) => {
    // The union of commands fits no single overload of `send`.
    await expect(client(new SimulatedRegion()).send(command as DescribeTargetHealthCommand)).rejects.toMatchObject(
      missing,
    );
  });

  test.each([
    new DescribeLoadBalancersCommand({ LoadBalancerArns: [GONE_LOAD_BALANCER] }),
    new DescribeLoadBalancersCommand({ Names: ["gone"] }),
    new DescribeTargetGroupsCommand({ LoadBalancerArn: GONE_LOAD_BALANCER }),
    new DescribeListenersCommand({ LoadBalancerArn: GONE_LOAD_BALANCER }),
  ])("LoadBalancerNotFound from $constructor.name", async (command) => {
    await expect(client(new SimulatedRegion()).send(command as DescribeLoadBalancersCommand)).rejects.toMatchObject({
      name: "LoadBalancerNotFoundException",
      Code: "LoadBalancerNotFound",
    });
  });

  test.each([
    { command: new DescribeListenersCommand({ ListenerArns: [GONE_LISTENER] }), Code: "ListenerNotFound" },
    { command: new DescribeRulesCommand({ ListenerArn: GONE_LISTENER }), Code: "ListenerNotFound" },
    { command: new DescribeRulesCommand({ RuleArns: [GONE_RULE] }), Code: "RuleNotFound" },
  ])("$Code from $command.constructor.name", async ({ command, Code }) => {
    await expect(client(new SimulatedRegion()).send(command as DescribeRulesCommand)).rejects.toMatchObject({
      name: `${Code}Exception`,
      Code,
    });
  });
});

describe("a call without what it needs is refused", () => {
  test("DescribeListeners wants a load balancer or listeners", async () => {
    await expect(client(new SimulatedRegion()).send(new DescribeListenersCommand({}))).rejects.toMatchObject({
      name: "ValidationError",
      message: "You must specify either listener ARNs or a load balancer ARN",
    });
  });

  test.each([
    ["target group", new DescribeTargetHealthCommand({ TargetGroupArn: "web" })],
    ["target group", new DescribeTargetHealthCommand({ TargetGroupArn: GONE.replace("eu-west-1", "us-east-1") })],
    ["load balancer", new DescribeListenersCommand({ LoadBalancerArn: GONE })],
    ["listener", new DescribeListenersCommand({ ListenerArns: [GONE_LOAD_BALANCER] })],
    ["listener rule", new DescribeRulesCommand({ RuleArns: [GONE_LISTENER] })],
  ])("what is no ARN of a %s in this region is invalid, not missing", async (kind, command) => {
    await expect(client(new SimulatedRegion()).send(command as DescribeRulesCommand)).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringMatching(new RegExp(`^'.+' is not a valid ${kind} ARN$`)),
      $metadata: { httpStatusCode: 400 },
    });
  });

  test("DescribeRules wants a listener or rules", async () => {
    await expect(client(new SimulatedRegion()).send(new DescribeRulesCommand({}))).rejects.toMatchObject({
      name: "ValidationError",
      message: "You must specify either listener rule ARNs or a listener ARN",
    });
  });

  test.each([
    { what: "DescribeTargetHealth without a group", body: "Action=DescribeTargetHealth" },
    { what: "DescribeTargetGroupAttributes without a group", body: "Action=DescribeTargetGroupAttributes" },
    { what: "DescribeTags without resources", body: "Action=DescribeTags" },
    { what: "AddTags without resources", body: "Action=AddTags" },
    { what: "DeregisterTargets without a group", body: "Action=DeregisterTargets" },
    { what: "CreateTargetGroup without a name", body: "Action=CreateTargetGroup" },
    { what: "CreateLoadBalancer without a name", body: "Action=CreateLoadBalancer" },
  ])("$what", ({ body }) => {
    const answer = new SimulatedRegion().simulator.answer({ body: `${body}&Version=2015-12-01` });
    expect(answer.status).toBe(400);
    expect(answer.body).toContain("Member must not be null");
  });

  test.each([
    { version: "HTTP1", status: 200, text: "<ProtocolVersion>HTTP1</ProtocolVersion>" },
    { version: "HTTP2", status: 501, text: "The protocol version HTTP2 of target groups is not simulated" },
    { version: "GRPC", status: 501, text: "The protocol version GRPC of target groups is not simulated" },
    { version: "HTTP3", status: 400, text: "<Code>ValidationError</Code>" },
  ])("a target group with the protocol version $version is answered $status", ({ version, status, text }) => {
    const { simulator, world } = new SimulatedRegion();
    const fields = `Name=web&Protocol=HTTP&Port=80&VpcId=${VPC}&ProtocolVersion=${version}`;
    const answer = simulator.answer({ body: `Version=2015-12-01&Action=CreateTargetGroup&${fields}` });
    expect(answer.status).toBe(status);
    expect(answer.body).toContain(text);
    expect(world.targetGroups.size).toBe(status === 200 ? 1 : 0);
  });

  test.each([
    { what: "no id", target: "Port=80", text: "Value null at &#39;id&#39;" },
    { what: "the port 0", target: "Id=i-12345678&Port=0", text: "greater than or equal to 1" },
    { what: "the port 65536", target: "Id=i-12345678&Port=65536", text: "less than or equal to 65535" },
    { what: "a name for a port", target: "Id=i-12345678&Port=http", text: "is not a whole number" },
    { what: "no instance's id", target: "Id=i-xyz", text: "Instance ID &#39;i-xyz&#39; is not valid" },
  ])("a target with $what", ({ target, text }) => {
    const region = new SimulatedRegion();
    const { arn } = region.group({ name: "web" });
    const fields = target.split("&").map((field) => `Targets.member.1.${field}`);
    const body = `Version=2015-12-01&Action=DeregisterTargets&TargetGroupArn=${arn}&${fields.join("&")}`;
    expect(region.simulator.answer({ body }).body.replaceAll("'", "&#39;")).toContain(text);
  });
});
