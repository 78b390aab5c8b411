import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import {
  DescribeLoadBalancersCommand as DescribeClassicsCommand,
  DescribeTagsCommand as DescribeClassicTagsCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  AddTagsCommand,
  DeregisterTargetsCommand,
  DescribeLoadBalancersCommand,
  DescribeTagsCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../src/aws/clients.ts";
import { CREDENTIALS, SimulatedRegion } from "../support/simulated-region.ts";

const GONE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0123456789abcdef";

const CLASSIC = "Version=2012-06-01";
const V2 = "Version=2015-12-01";
const EC2 = "Version=2016-11-15";

/** The answer's status, and the code and message in it, to a body that no SDK would send. */
function raw(region: SimulatedRegion, body: string) {
  const answer = region.simulator.answer({ body });
  const inside = (element: string) => answer.body.match(new RegExp(`<${element}>(.*?)</${element}>`, "s"))?.[1];
  return { status: answer.status, code: inside("Code"), message: inside("Message"), body: answer.body };
}

async function listening(region: SimulatedRegion): Promise<string> {
  const endpoint = await region.simulator.listen();
  onTestFinished(() => region.simulator.close());
  return endpoint;
}

test("the version alone tells the two load balancing APIs apart", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "web" });
  region.classic({ name: "old" });
  const { classic, v2 } = region.clients();
  const classics = await classic.send(new DescribeClassicsCommand({}));
  expect(classics.LoadBalancerDescriptions?.map(({ LoadBalancerName }) => LoadBalancerName)).toEqual(["old"]);
  const loadBalancers = await v2.send(new DescribeLoadBalancersCommand({}));
  expect(loadBalancers.LoadBalancers?.map(({ LoadBalancerName }) => LoadBalancerName)).toEqual(["web-lb"]);
});

test("every answer carries its request's id where the SDK looks for it", async () => {
  const { ec2, classic, v2 } = new SimulatedRegion().clients();
  const answers = await Promise.all([
    ec2.send(new DescribeInstancesCommand({})),
    classic.send(new DescribeClassicsCommand({})),
    v2.send(new DescribeLoadBalancersCommand({})),
  ]);
  for (const { $metadata } of answers)
    expect($metadata).toMatchObject({ requestId: expect.stringMatching(/^[-\w]+$/) });
});

test("an empty list is a list, not an absent one", async () => {
  const { ec2, classic, v2 } = new SimulatedRegion().clients();
  expect((await ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
  expect((await classic.send(new DescribeClassicsCommand({}))).LoadBalancerDescriptions).toEqual([]);
  expect((await v2.send(new DescribeTargetGroupsCommand({}))).TargetGroups).toEqual([]);
});

test("the simulator counts calls by action, and both load balancing APIs under one name, as IAM does", async () => {
  const region = new SimulatedRegion();
  const { ec2, classic, v2 } = region.clients();
  await classic.send(new DescribeClassicsCommand({}));
  await v2.send(new DescribeLoadBalancersCommand({}));
  await ec2.send(new DescribeInstancesCommand({}));
  expect([...region.simulator.calls]).toEqual([
    ["elasticloadbalancing:DescribeLoadBalancers", 2],
    ["ec2:DescribeInstances", 1],
  ]);
});

describe("a call that AWS would not understand is answered with an error", () => {
  test.each([
    { what: "an empty body", body: "", code: "InvalidAction" },
    { what: "something that is no form", body: "\u0000%%%&&==;;{", code: "InvalidAction" },
    { what: "no version", body: "Action=DescribeTags", code: "InvalidAction" },
    { what: "an unknown version", body: "Action=DescribeTags&Version=2010-01-01", code: "InvalidAction" },
    { what: "no action", body: V2, code: "MissingAction" },
    { what: "an unknown action", body: `${V2}&Action=Dance`, code: "InvalidAction" },
    { what: "a misspelt action", body: `${V2}&Action=DescribeTargetHeath`, code: "InvalidAction" },
    { what: "an unknown EC2 action", body: `${EC2}&Action=Dance`, code: "InvalidAction" },
    { what: "the other API's action", body: `${CLASSIC}&Action=DescribeTargetHealth`, code: "InvalidAction" },
    { what: "a structure for a version", body: "Action=DescribeTags&Version.1=2015-12-01", code: "InvalidAction" },
    { what: "__proto__ for a version", body: "Action=DescribeTags&Version=__proto__", code: "InvalidAction" },
    { what: "constructor for a version", body: "Action=name&Version=constructor", code: "InvalidAction" },
    { what: "__proto__ for an action", body: `${V2}&Action=__proto__`, code: "InvalidAction" },
    { what: "constructor for an action", body: `${CLASSIC}&Action=constructor`, code: "InvalidAction" },
    { what: "toString for an EC2 action", body: `${EC2}&Action=toString`, code: "InvalidAction" },
    { what: "a text for a list", body: `${V2}&Action=DescribeTags&ResourceArns=x`, code: "MalformedInput" },
    { what: "a text inside the list", body: `${V2}&Action=DescribeTags&ResourceArns.member=x`, code: "MalformedInput" },
    { what: "a list with names", body: `${V2}&Action=DescribeTags&ResourceArns.member.x=y`, code: "MalformedInput" },
    {
      what: "a list of structures for texts",
      body: `${V2}&Action=DescribeTags&ResourceArns.member.1.Id=x`,
      code: "MalformedInput",
    },
    {
      what: "a list of texts for structures",
      body: `${EC2}&Action=DescribeInstances&Filter.1=instance-id`,
      code: "MalformedInput",
    },
  ])("$what", ({ body, code }) => {
    expect(raw(new SimulatedRegion(), body)).toMatchObject({ status: 400, code });
  });

  test.each([
    `${V2}&Action=CreateTrustStore`,
    `${CLASSIC}&Action=DescribeLoadBalancerPolicyTypes`,
    `${EC2}&Action=RunInstances`,
    `${V2}&Action=GetTrustStoreCaCertificatesBundle`,
    `${EC2}&Action=ModifyVerifiedAccessTrustProvider`,
    "Version=2011-01-01&Action=PutWarmPool",
    "Version=2011-06-15&Action=AssumeRole",
  ])("an action that AWS has and the simulator has not: %s", (body) => {
    const [, action] = body.split("Action=");
    const message = `The action ${action} is not simulated`;
    expect(raw(new SimulatedRegion(), body)).toMatchObject({ status: 501, code: "NotSimulated", message });
  });

  test("an error in each service's own form", () => {
    const region = new SimulatedRegion();
    expect(raw(region, `${V2}&Action=Dance`).body).toMatch(
      /^<ErrorResponse xmlns="http:\/\/elasticloadbalancing\.amazonaws\.com\/doc\/2015-12-01\/"><Error><Type>Sender<\/Type>/,
    );
    expect(raw(region, `${EC2}&Action=Dance`).body).toMatch(/<Response><Errors><Error><Code>.*<RequestID>/s);
  });
});

test("a GET carries its parameters in the URL", async () => {
  const endpoint = await listening(new SimulatedRegion());
  const response = await fetch(`${endpoint}/?${EC2}&Action=DescribeVpcs`);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("<DescribeVpcsResponse");
});

test("parameters with the names of JavaScript's own properties do no harm", () => {
  const region = new SimulatedRegion();
  region.group({ name: "web" });
  const names = ["__proto__.polluted", "constructor.prototype.polluted", "Names.__proto__.polluted", "a..b", ".", "=x"];
  const body = `${V2}&Action=DescribeTargetGroups&${names.map((name) => `${name}=yes`).join("&")}`;
  expect(raw(region, body)).toMatchObject({ status: 400, code: "MalformedInput" });
  expect(raw(region, body.replace(/Names\.__proto__[^&]*&/, "")).status).toBe(200);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});

test("a list's order is that of its numbers, with gaps and more than nine of them", () => {
  const region = new SimulatedRegion();
  for (const name of ["a", "b", "c"]) region.classic({ name });
  const body = `${CLASSIC}&Action=DescribeTags&LoadBalancerNames.member.10=c&LoadBalancerNames.member.9=b&LoadBalancerNames.member.2=a`;
  expect([...raw(region, body).body.matchAll(/<LoadBalancerName>(.)</g)].map(([, name]) => name)).toEqual([
    "a",
    "b",
    "c",
  ]);
});

describe("the empty list that an SDK sends means no list at all", () => {
  test("so a Describe with one describes everything", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    region.classic({ name: "old" });
    const { ec2, classic, v2 } = region.clients();
    expect(await v2.send(new DescribeTargetGroupsCommand({ TargetGroupArns: [] }))).toMatchObject({
      TargetGroups: [{ TargetGroupName: "web" }],
    });
    expect(await v2.send(new DescribeLoadBalancersCommand({ Names: [] }))).toMatchObject({
      LoadBalancers: [{ LoadBalancerName: "web-lb" }],
    });
    const health = await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: group.arn, Targets: [] }));
    expect(health.TargetHealthDescriptions).toHaveLength(1);
    expect(await classic.send(new DescribeClassicsCommand({ LoadBalancerNames: [] }))).toMatchObject({
      LoadBalancerDescriptions: [{ LoadBalancerName: "old" }],
    });
    expect((await ec2.send(new DescribeInstancesCommand({ InstanceIds: [] }))).Reservations).toHaveLength(1);
  });

  test("and a required one is missing", async () => {
    const region = new SimulatedRegion();
    const { arn } = region.group({ name: "web" });
    const { classic, v2 } = region.clients();
    const missing = (name: string) => ({
      name: "ValidationError",
      message: `1 validation error detected: Value null at '${name}' failed to satisfy constraint: Member must not be null`,
    });
    await expect(classic.send(new DescribeClassicTagsCommand({ LoadBalancerNames: [] }))).rejects.toMatchObject(
      missing("loadBalancerNames"),
    );
    await expect(v2.send(new DescribeTagsCommand({ ResourceArns: [] }))).rejects.toMatchObject(missing("resourceArns"));
    await expect(v2.send(new DeregisterTargetsCommand({ TargetGroupArn: arn, Targets: [] }))).rejects.toMatchObject(
      missing("targets"),
    );
  });
});

test.each([
  { what: "markup", value: `<b a="1">&amp;'</b>`, read: `<b a="1">&amp;'</b>` },
  { what: "letters of all the world", value: "Grüße, 世界 🌍", read: "Grüße, 世界 🌍" },
  { what: "white space", value: " a\tb\nc\r\nd\re ", read: " a\tb\nc\r\nd\re " },
  { what: "characters that XML can't hold", value: "a\u0000\u001f\ufffe\uffffb", read: "a\ufffd\ufffd\ufffd\ufffdb" },
])("a tag's value survives the way there and back: $what", async ({ value, read }) => {
  const region = new SimulatedRegion();
  const { arn } = region.group({ name: "web" });
  const { v2 } = region.clients();
  await v2.send(new AddTagsCommand({ ResourceArns: [arn], Tags: [{ Key: "key", Value: value }] }));
  const { TagDescriptions } = await v2.send(new DescribeTagsCommand({ ResourceArns: [arn] }));
  expect(TagDescriptions).toEqual([{ ResourceArn: arn, Tags: [{ Key: "key", Value: read }] }]);
});

describe("over a real socket", () => {
  test("all three services answer on one port", async () => {
    const region = new SimulatedRegion();
    region.group({ name: "wéb", nodes: [region.node()] });
    region.classic({ name: "old" });
    const endpoint = await listening(region);
    const { ec2, classic, v2 } = createAwsClients({ region: "eu-west-1", endpoint, credentials: CREDENTIALS });
    expect(await ec2.send(new DescribeInstancesCommand({}))).toMatchObject({
      Reservations: [{ Instances: [{ InstanceId: "i-00000000000000001" }] }],
    });
    expect(await classic.send(new DescribeClassicsCommand({}))).toMatchObject({
      LoadBalancerDescriptions: [{ LoadBalancerName: "old" }],
    });
    expect(await v2.send(new DescribeTargetGroupsCommand({}))).toMatchObject({
      TargetGroups: [{ TargetGroupName: "wéb" }],
    });
    await expect(v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: GONE }))).rejects.toMatchObject({
      name: "TargetGroupNotFoundException",
      $metadata: { httpStatusCode: 400 },
    });
  });

  test("a body larger than any client's is cut off, and the next call is answered", async () => {
    const endpoint = await listening(new SimulatedRegion());
    await expect(fetch(endpoint, { method: "POST", body: "x".repeat(1_000_001) })).rejects.toThrow("fetch failed");
    const answer = await fetch(endpoint, { method: "POST", body: `${V2}&Action=DescribeLoadBalancers` });
    expect(answer.status).toBe(200);
  });

  test("a port that is taken is refused, and a closed simulator can listen again", async () => {
    const region = new SimulatedRegion();
    const endpoint = await listening(region);
    const port = Number(new URL(endpoint).port);
    await expect(new SimulatedRegion().simulator.listen(port)).rejects.toMatchObject({ code: "EADDRINUSE" });
    await region.simulator.close();
    await region.simulator.close();
    expect(new URL(await region.simulator.listen()).hostname).toBe("127.0.0.1");
  });
});
