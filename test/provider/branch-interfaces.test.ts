import { describe, expect, test } from "vitest";
import { elbError, never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { warmEngine } from "../support/warm-engine.ts";
import { find, OTHER_VPC, providerOf, shown } from "./support.ts";

/** Two nodes with a trunk each, and a group with the address of a pod behind each of them. */
function scene() {
  const region = new SimulatedRegion();
  const nodeWith = (trunk: string, pod: string) =>
    region.node({ interfaces: [{ privateIps: [trunk], branches: [{ privateIps: [pod] }] }] });
  const nodes = [nodeWith("10.0.0.200", "10.0.39.1"), nodeWith("10.0.0.201", "10.0.39.2")] as const;
  const group = region.group({ name: "pods", targetType: "ip", port: 8080 });
  for (const id of ["10.0.39.1", "10.0.39.2"]) region.world.registerTarget(group, { id }, { settled: true });
  return { region, nodes };
}

test("finds the addresses of a node's branch interfaces, which DescribeInstances leaves out, and no other node's", async () => {
  const { region, nodes } = scene();
  for (const [index, node] of nodes.entries()) {
    const found = await find(region, node);
    expect(shown(found.registrations)).toEqual([`pods 10.0.39.${index + 1}:8080`]);
    expect(found).not.toHaveProperty("warning");
  }
});

test("a branch interface in another VPC counts there", async () => {
  const region = new SimulatedRegion();
  const branches = [{ privateIps: ["10.0.39.1"], vpcId: OTHER_VPC }];
  const node = region.node({ interfaces: [{ privateIps: ["10.0.0.200"], branches }] });
  for (const vpcId of [VPC, OTHER_VPC]) {
    const group = region.group({ name: vpcId, targetType: "ip", vpcId, port: 8080 });
    region.world.registerTarget(group, { id: "10.0.39.1", zone: "eu-west-1a" }, { settled: true });
  }
  expect(shown((await find(region, node)).registrations)).toEqual([`${OTHER_VPC} 10.0.39.1:8080`]);
});

test("nodes without a trunk interface cost no call more, and many with one share a call", async () => {
  const { region, nodes } = scene();
  await find(region, region.node());
  expect(region.callsOf("DescribeNetworkInterfaces")).toHaveLength(0);
  const provider = providerOf(region);
  await Promise.all(nodes.map(({ id }) => provider.resolve({ by: "id", value: id }, never)));
  expect(region.callsOf("DescribeNetworkInterfaces")).toHaveLength(1);
});

test.each([
  ["denied", elbError("UnauthorizedOperation", "no", 403), "AWS denied ec2:DescribeNetworkInterfaces"],
  ["not known", elbError("InvalidAction", "no such action"), "ec2:DescribeNetworkInterfaces failed"],
])("where the call is %s a warning names the limit, and everything else is found", async (_, answer, why) => {
  const { region, nodes } = scene();
  const [node] = nodes;
  region.group({ name: "web", nodes: [node] });
  region.intercept = ({ action }) => (action === "DescribeNetworkInterfaces" ? answer : undefined);
  const found = await find(region, node);
  expect(shown(found.registrations)).toEqual([`web ${node.id}:30080`]);
  expect(found.warning).toMatch(
    new RegExp(`^${node.id} has a trunk interface, .*${why}.*pods with security groups of their own stay registered$`),
  );
});

test("a plan and a drain show the warning", async () => {
  const { region, nodes } = scene();
  const [{ id }] = nodes;
  const answer = elbError("UnauthorizedOperation", "no", 403);
  region.intercept = ({ action }) => (action === "DescribeNetworkInterfaces" ? answer : undefined);
  const events: Parameters<typeof region.engine>[1] = [];
  const engine = region.engine({}, events);
  const request = { node: { by: "id", value: id }, dryRun: false } as const;
  const warnings = [expect.stringContaining("has a trunk interface")];
  expect((await region.clock.run(engine.plan(request, never))).warnings).toEqual(warnings);
  expect(await region.clock.run(engine.drain(request, never))).toMatchObject({
    status: "nothing-registered",
    warnings,
  });
  expect(events).toContainEqual(
    expect.objectContaining({ type: "planned", plan: expect.objectContaining({ warnings }) }),
  );
});

describe("a failure that may pass", () => {
  /** A node with a trunk that is also registered by its id and by its own address. */
  function mixed(failsFor: number) {
    const { region, nodes } = scene();
    const [node] = nodes;
    region.group({ name: "web", nodes: [node], delaySeconds: 5 });
    region.group({ name: "own", nodes: [node], targetType: "ip", delaySeconds: 5 });
    const answer = elbError("InternalError", "an internal error", 500);
    region.intercept = ({ action }) =>
      action === "DescribeNetworkInterfaces" && region.clock.elapsedMs < failsFor ? answer : undefined;
    const engine = region.engine({ NLB_PROPAGATION: "5", ALB_PROPAGATION: "5" });
    const drain = engine.drain(
      { node: { by: "id", value: node.id }, dryRun: false, deadline: region.clock.now() + 900_000 },
      never,
    );
    const deregistered = () =>
      region.callsOf("DeregisterTargets").map((params) => params.get("Targets.member.1.Id") ?? "");
    return { region, node, drain, deregistered };
  }

  test("delays no target by instance id or by an address that is known, and the pods' are found once AWS answers", async () => {
    const { region, node, drain, deregistered } = mixed(60_000);
    await region.clock.advance(5_000);
    expect(deregistered().sort()).toEqual(["10.0.0.1", node.id]);
    const outcome = await region.clock.run(drain);
    expect(deregistered()).toContain("10.0.39.1");
    expect(new Set(deregistered()).size).toBe(deregistered().length);
    expect(outcome).toMatchObject({ status: "drained" });
    expect("registrations" in outcome && outcome.registrations).toHaveLength(3);
  });

  test("delays them by two seconds at most where AWS does not answer", async () => {
    const { region, node, deregistered } = mixed(0);
    region.simulator.faults.add({ action: "DescribeNetworkInterfaces", effect: { type: "hang" } });
    await region.clock.advance(5_000);
    expect(deregistered().sort()).toEqual(["10.0.0.1", node.id]);
  });

  test("that never passes is never the end of a search: the node can't go", async () => {
    const { region, drain } = mixed(Number.POSITIVE_INFINITY);
    expect(await region.clock.run(drain)).toMatchObject({
      status: expect.stringMatching(/^(deadline-passed|failed)$/),
      error: { code: "unavailable" },
    });
  });

  test("fails a plan and a status, from memory too", async () => {
    const { region, nodes } = scene();
    const engine = await warmEngine(region);
    region.simulator.faults.add({
      action: "DescribeNetworkInterfaces",
      effect: { type: "error", code: "InternalError", status: 500 },
    });
    const request = { node: { by: "id", value: nodes[0].id }, dryRun: true } as const;
    const plan = engine.drainer.plan(request, never).catch((error: unknown) => error);
    expect(await region.clock.run(plan)).toMatchObject({ code: "unavailable" });
  });
});
