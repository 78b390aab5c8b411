import { describe, expect, onTestFinished, test } from "vitest";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";

const TAGGING = "ResourceGroupsTaggingAPI_20170126";
const signedFor = (service: string, key = "simulated") =>
  `AWS4-HMAC-SHA256 Credential=${key}/20260101/eu-west-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;

/** A call as the SDK puts it on the wire. */
function caller(region: SimulatedRegion) {
  return (target: string, input: unknown = {}, authorization = signedFor("tagging")) => {
    const body = typeof input === "string" ? input : JSON.stringify(input);
    const { status, headers, body: answered } = region.simulator.answer({ body, target, authorization });
    return { status, type: headers["content-type"], errorType: headers["x-amzn-errortype"], ...JSON.parse(answered) };
  };
}

/** A node with a tag, an ALB with a group, a listener and a rule that have it too, and a classic load balancer with another. */
function scene() {
  const region = new SimulatedRegion();
  const { world } = region;
  const node = region.node({ tags: { team: "web", stage: "prod" } });
  const group = region.group({ name: "web", nodes: [node], tags: { team: "web" } });
  region.group({ name: "bare" });
  const balancer = world.loadBalancerOf(group.arn);
  const [listener] = balancer?.listeners ?? [];
  if (balancer === undefined || listener === undefined) throw new Error("no load balancer");
  const rule = world.addRule(listener, { priority: 1, conditions: [], actions: [] });
  for (const { tags } of [balancer, listener, rule]) tags.set("team", "web");
  const classic = region.classic({ name: "old", tags: { team: "db" } });
  world.networks.tagsOf(VPC).set("stage", "prod");
  const call = caller(region);
  const resources = (input: unknown) => {
    const { ResourceTagMappingList: list } = call(`${TAGGING}.GetResources`, input);
    return list.map(({ ResourceARN }: { readonly ResourceARN: string }) => ResourceARN.split(":").slice(5).join(":"));
  };
  const idOf = (arn: string) => arn.split(":").slice(5).join(":");
  return { region, world, call, resources, node, group, balancer, listener, rule, classic, idOf };
}

// https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
describe("GetResources", () => {
  test("gives everything of EC2 and Elastic Load Balancing that has tags, with all of them", () => {
    const { call, node, group, balancer, listener, rule, idOf, resources } = scene();
    expect(resources({})).toEqual([
      `instance/${node.id}`,
      `vpc/${VPC}`,
      "loadbalancer/old",
      ...[balancer, listener, rule, group].map(({ arn }) => idOf(arn)),
    ]);
    expect(call(`${TAGGING}.GetResources`, {})).toMatchObject({
      status: 200,
      type: "application/x-amz-json-1.1",
      PaginationToken: "",
      ResourceTagMappingList: expect.arrayContaining([
        {
          ResourceARN: `arn:aws:ec2:eu-west-1:123456789012:instance/${node.id}`,
          Tags: [
            { Key: "team", Value: "web" },
            { Key: "stage", Value: "prod" },
          ],
        },
      ]),
    });
  });

  test("filters by every tag, and by any of its values", () => {
    const { resources, node, idOf, group } = scene();
    const Key = "team";
    expect(resources({ TagFilters: [{ Key, Values: ["db"] }] })).toEqual(["loadbalancer/old"]);
    expect(resources({ TagFilters: [{ Key, Values: ["db", "web"] }] })).toHaveLength(6);
    expect(resources({ TagFilters: [{ Key }, { Key: "stage", Values: ["prod"] }] })).toEqual([`instance/${node.id}`]);
    expect(resources({ TagFilters: [{ Key, Values: [] }] })).toHaveLength(6);
    expect(resources({ TagFilters: [{ Key: "none" }] })).toEqual([]);
    expect(resources({ ResourceARNList: [group.arn, "arn:aws:ec2:eu-west-1:123456789012:instance/i-0"] })).toEqual([
      idOf(group.arn),
    ]);
  });

  test.each([
    ["ec2", 2],
    ["ec2:instance", 1],
    ["elasticloadbalancing", 5],
    ["elasticloadbalancing:loadbalancer", 2],
    ["elasticloadbalancing:loadbalancer/app", 1],
    ["elasticloadbalancing:targetgroup", 1],
    ["elasticloadbalancing:listener", 1],
    ["s3", 0],
  ])("filters by the type %s", (type, count) => {
    expect(scene().resources({ ResourceTypeFilters: [type] })).toHaveLength(count);
  });

  test("gives them page by page, by their number or by that of their tags, and never splits one", () => {
    const { call, region } = scene();
    const pages = (input: object) => {
      const sizes: number[] = [];
      for (let token: string | undefined; token !== ""; ) {
        const answer = call(`${TAGGING}.GetResources`, { ...input, PaginationToken: token });
        sizes.push(answer.ResourceTagMappingList.length);
        token = answer.PaginationToken;
      }
      return sizes;
    };
    expect(pages({ ResourcesPerPage: 3 })).toEqual([3, 3, 1]);
    expect(pages({})).toEqual([7]);
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`tag${index}`, ""]));
    for (let count = 0; count < 5; count++) region.node({ tags: many });
    expect(pages({ TagsPerPage: 100, ResourceTypeFilters: ["ec2:instance"] })).toEqual([3, 2, 1]);
  });

  test.each([
    [{ ResourcesPerPage: 101 }, "InvalidParameterException"],
    [{ TagsPerPage: 99 }, "InvalidParameterException"],
    [{ PaginationToken: "mine" }, "InvalidParameterException"],
    [{ TagFilters: [{ Values: ["x"] }] }, "InvalidParameterException"],
    [{ ResourceARNList: ["arn"], TagFilters: [{ Key: "k" }] }, "InvalidParameterException"],
    [{ TagFilters: "team" }, "SerializationException"],
    ["{", "SerializationException"],
    ["[]", "SerializationException"],
  ])("refuses %j", (input, name) => {
    expect(caller(new SimulatedRegion())(`${TAGGING}.GetResources`, input)).toMatchObject({
      status: 400,
      __type: name,
      errorType: name,
      message: expect.any(String),
    });
  });

  test("says that tag policies are not simulated", () => {
    const call = caller(new SimulatedRegion());
    expect(call(`${TAGGING}.GetResources`, { IncludeComplianceDetails: true })).toMatchObject({ status: 501 });
  });

  test("needs tag:GetResources of a caller with a policy", () => {
    const { region, call } = scene();
    const allow = (Action: string) => ({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action, Resource: "*" }],
    });
    region.simulator.access.restrict({ accessKeyId: "reader", document: allow("ec2:*") });
    const ask = () => call(`${TAGGING}.GetResources`, {}, signedFor("tagging", "reader"));
    expect(ask()).toMatchObject({ status: 400, __type: "AccessDeniedException" });
    region.simulator.access.restrict({ accessKeyId: "reader", document: allow("tag:GetResources") });
    expect(ask()).toMatchObject({ status: 200 });
  });

  test("can be made to fail, and is counted", () => {
    const { region, call } = scene();
    const effect = { type: "error", code: "ThrottledException" } as const;
    region.simulator.faults.add({ api: "tagging", when: { first: 1 }, effect });
    expect(call(`${TAGGING}.GetResources`)).toMatchObject({ status: 400, __type: "ThrottledException" });
    expect(call(`${TAGGING}.GetResources`)).toMatchObject({ status: 200 });
    expect([...region.simulator.calls]).toEqual([["tag:GetResources", 2]]);
  });
});

describe("a call that is not simulated is refused in its own protocol's form", () => {
  test.each([
    [`${TAGGING}.TagResources`, 501, "NotSimulated", "The action TagResources is not simulated"],
    [`${TAGGING}.GetResource`, 400, "UnknownOperationException", "The operation GetResource is not known"],
    [TAGGING, 501, "NotSimulated", expect.stringContaining("is not simulated")],
    [`${TAGGING}.`, 400, "UnknownOperationException", expect.any(String)],
    ["AmazonSQS.ReceiveMessage", 501, "NotSimulated", "The API AmazonSQS is not simulated: ReceiveMessage was called"],
    ["AWSEvents.PutEvents", 501, "NotSimulated", "The API AWSEvents is not simulated: PutEvents was called"],
  ])("%s, of a JSON protocol", (target, status, name, message) => {
    expect(caller(new SimulatedRegion())(target)).toMatchObject({ status, __type: name, errorType: name, message });
  });

  test("another service's of the query protocol, in XML", () => {
    const { simulator } = new SimulatedRegion();
    const body = "Action=ListUsers&Version=2010-05-08";
    const answer = simulator.answer({ body, authorization: signedFor("iam"), path: "/" });
    expect(answer.status).toBe(501);
    expect(answer.body).toMatch(/^<ErrorResponse>.*<Code>NotSimulated<\/Code>/);
    expect(answer.body).toContain("The service iam is not simulated: ListUsers was called");
  });

  test("one of a REST protocol, over a socket", async () => {
    const { simulator } = new SimulatedRegion();
    const endpoint = await simulator.listen();
    onTestFinished(() => simulator.close());
    const response = await fetch(`${endpoint}/clusters?maxResults=1`, { headers: { authorization: signedFor("eks") } });
    expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([501, "NotSimulated"]);
    expect(await response.json()).toMatchObject({ message: "The service eks is not simulated: /clusters was called" });
  });

  test("a JSON call is read over a socket, too", async () => {
    const { region } = scene();
    const endpoint = await region.simulator.listen();
    onTestFinished(() => region.simulator.close());
    const headers = { "x-amz-target": `${TAGGING}.GetResources`, "content-type": "application/x-amz-json-1.1" };
    const response = await fetch(endpoint, { method: "POST", headers, body: `{"ResourceTypeFilters":["ec2:vpc"]}` });
    expect(await response.json()).toMatchObject({ ResourceTagMappingList: [{ Tags: [{ Key: "stage" }] }] });
  });
});
