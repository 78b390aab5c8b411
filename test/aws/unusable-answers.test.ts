import { describe, expect, test } from "vitest";
import type { DrainPlan } from "../../src/drain/plan.ts";
import type { FaultEffect } from "../../src/simulator/faults/fault.ts";
import { awsProvider } from "../support/provider-calls.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

function scene() {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node] });
  region.classic({ name: "old", nodes: [node] });
  region.classic({ name: "other" });
  const plan = (): Promise<DrainPlan> =>
    region.clock.run(region.engine().plan({ node: { by: "id", value: node.id }, dryRun: true }, never));
  return { region, node, group, plan };
}

const READS = [
  ["ec2:DescribeInstances", "Reservations"],
  ["elasticloadbalancing:DescribeTargetGroups", "TargetGroups"],
  ["elasticloadbalancing:DescribeTargetHealth", "TargetHealthDescriptions"],
  ["elasticloadbalancing:DescribeTargetGroupAttributes", "Attributes"],
  ["elasticloadbalancing:DescribeLoadBalancers", "LoadBalancerDescriptions"],
  ["elasticloadbalancing:DescribeInstanceHealth", "InstanceStates"],
  ["elasticloadbalancing:DescribeLoadBalancerAttributes", "LoadBalancerAttributes"],
] as const;

/** What the SDK takes for an answer that has no fields. */
const EMPTY = {
  "an empty body": "",
  "another's page": "<html><body>Please sign in</body></html>",
  "an answer without a result": "<Response></Response>",
};

describe.each(READS)("%s", (action, list) => {
  const name = action.slice(action.indexOf(":") + 1);

  test.each(Object.entries(EMPTY))("answered by %s is a failure, never an empty list", async (_, body) => {
    const { region, plan } = scene();
    region.intercept = (call) => (call.action === name ? { body } : undefined);
    await expect(plan()).rejects.toMatchObject({
      code: "unavailable",
      message: `the answer to ${action} is not valid (it has no ${list})`,
    });
  });

  test.each<FaultEffect["type"]>(["empty", "malformed"])("is asked again after an %s answer", async (type) => {
    const { region, plan } = scene();
    region.simulator.faults.add({ action: name, when: { first: 1 }, effect: { type } as FaultEffect });
    const { registrations } = await plan();
    expect(registrations.map(({ registration }) => registration.pool.name)).toEqual(["web", "old"]);
  });
});

test("an answer with an empty list finds nothing", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web" });
  const plan = await region.engine().plan({ node: { by: "id", value: node.id }, dryRun: true }, never);
  expect(plan.registrations).toEqual([]);
});

test("half an answer is told of without the SDK's advice to programmers", async () => {
  const { region, plan } = scene();
  region.simulator.faults.add({ action: "DescribeTargetGroups", effect: { type: "malformed" } });
  await expect(plan()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(
      /^the answer to elasticloadbalancing:DescribeTargetGroups is not valid \(@aws-sdk XML parse error: [^()]*\)$/,
    ),
  });
});

test("half a refusal is no refusal: the call is made again", async () => {
  const { region, plan } = scene();
  const { body = "", ...refusal } = elbError("Throttling", "Rate exceeded");
  region.intercept = ({ action, before }) =>
    action === "DescribeTargetGroups" && before === 0 ? { ...refusal, body: body.slice(0, 60) } : undefined;
  expect((await plan()).registrations).toHaveLength(2);
});

describe("a pool that AWS says does not exist, and lists", () => {
  const NOT_FOUND = {
    DescribeTargetHealth: "TargetGroupNotFound",
    DescribeTargetGroupAttributes: "TargetGroupNotFound",
    DescribeInstanceHealth: "LoadBalancerNotFound",
    DescribeLoadBalancerAttributes: "LoadBalancerNotFound",
  };

  test.each(Object.entries(NOT_FOUND))("is asked about again (%s)", async (action, code) => {
    const { region, plan } = scene();
    region.simulator.faults.add({ action, when: { first: 1 }, effect: { type: "error", code } });
    const { registrations } = await plan();
    expect(registrations.map(({ registration, holdMs }) => [registration.pool.name, holdMs])).toEqual([
      ["web", 300_000],
      ["old", 10_000],
    ]);
  });

  test.each(Object.entries(NOT_FOUND))("is a failure in the end (%s)", async (action, code) => {
    const { region, plan } = scene();
    region.simulator.faults.add({ action, effect: { type: "error", code } });
    await expect(plan()).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/is not valid \(it says that .* does not exist, and AWS lists it\)$/),
    });
  });
});

test("an instance of which a classic load balancer tells no description is registered", async () => {
  const { region, node } = scene();
  const provider = awsProvider(region.restrictedClients());
  const found = await provider.findRegistrations(await provider.resolve({ by: "id", value: node.id }, never), never);
  const registration = found.registrations.find(({ pool }) => pool.name === "old");
  if (registration === undefined) throw new Error("it is not found");
  const member = `<member><InstanceId>${node.id}</InstanceId><State>InService</State></member>`;
  const result = `<DescribeInstanceHealthResult><InstanceStates>${member}</InstanceStates></DescribeInstanceHealthResult>`;
  region.intercept = ({ action }) =>
    action === "DescribeInstanceHealth"
      ? { body: `<DescribeInstanceHealthResponse>${result}</DescribeInstanceHealthResponse>` }
      : undefined;
  const states = await provider.observe(registration.pool, [registration], never);
  expect(states).toEqual(new Map([[node.id, "live"]]));
});
