import { expect, test } from "vitest";
import type { Node, Registration, RegistrationState } from "../../src/drain/cloud-provider.ts";
import type { XmlFields } from "../../src/simulator/api/xml.ts";
import { Instance } from "../../src/simulator/world/instance.ts";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { elbError, never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { elbAnswer, listed, onlyRegistrationOf, providerOf, registrationsOf, resolved } from "./support.ts";

const NOT_REGISTERED = "Instance is not currently registered with the LoadBalancer.";

async function observe(region: SimulatedRegion, registrations: readonly Registration[]) {
  const [first] = registrations;
  if (first === undefined) throw new Error("there is nothing to observe");
  const states = await providerOf(region).observe(first.pool, registrations, never);
  return registrations.map(({ target }) => states.get(target));
}

async function observeOne(region: SimulatedRegion, registration: Registration): Promise<RegistrationState | undefined> {
  return (await observe(region, [registration]))[0];
}

test.each<[string, LoadBalancerType, "instance" | "ip"]>([
  ["an ALB's group of instances", "application", "instance"],
  ["an ALB's group of addresses", "application", "ip"],
  ["an NLB's group of instances", "network", "instance"],
  ["an NLB's group of addresses", "network", "ip"],
  ["a GWLB's group of instances", "gateway", "instance"],
  ["a GWLB's group of addresses", "gateway", "ip"],
])("tells every state that a node goes through in %s", async (_, type, targetType) => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", type, targetType, nodes: [node], delaySeconds: 60 });
  const registration = await onlyRegistrationOf(region, node);
  expect(await observeOne(region, registration)).toBe("live");
  await providerOf(region).deregister(registration.pool, [registration], never);
  expect(await observeOne(region, registration)).toBe("draining");
  await region.clock.advance(60_000);
  expect(await observeOne(region, registration)).toBe("absent");
  region.world.registerTarget(group, { id: targetType === "ip" ? node.privateIp : node.id });
  expect(await observeOne(region, registration)).toBe("initial");
  await region.clock.advance(600_000);
  expect(await observeOne(region, registration)).toBe("live");
});

test("tells every state that a node goes through in a classic load balancer", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const classic = region.classic({ name: "old", nodes: [node], drainingSeconds: 60 });
  classic.requestStarted(node.id);
  const registration = await onlyRegistrationOf(region, node);
  expect(await observeOne(region, registration)).toBe("live");
  await providerOf(region).deregister(registration.pool, [registration], never);
  await region.clock.advance(59_000);
  expect(await observeOne(region, registration)).toBe("draining");
  await region.clock.advance(1_000);
  expect(await observeOne(region, registration)).toBe("absent");
  classic.register(node.id, region.clock.now());
  expect(await observeOne(region, registration)).toBe("initial");
  await region.clock.advance(600_000);
  expect(await observeOne(region, registration)).toBe("live");
});

test.each<[RegistrationState, string, string | undefined]>([
  ["live", "healthy", undefined],
  ["live", "unhealthy", "Target.Timeout"],
  ["live", "unhealthy.draining", undefined],
  ["live", "unavailable", "Elb.InternalError"],
  ["live", "unused", "Target.NotInUse"],
  ["live", "unused", "Target.InvalidState"],
  ["live", "unused", "Target.IpUnusable"],
  ["initial", "initial", "Elb.RegistrationInProgress"],
  ["initial", "initial", "Elb.InitialHealthChecking"],
  ["draining", "draining", "Target.DeregistrationInProgress"],
  ["absent", "unused", "Target.NotRegistered"],
])("a target is %s where AWS says %s (%s)", async (state, State, Reason) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  const registration = await onlyRegistrationOf(region, node);
  answerAlways(region, "DescribeTargetHealth", {
    TargetHealthDescriptions: { member: [{ Target: { Id: node.id, Port: 30080 }, TargetHealth: { State, Reason } }] },
  });
  expect(await observeOne(region, registration)).toBe(state);
});

test.each<[RegistrationState, string, string]>([
  ["live", "InService", "N/A"],
  ["live", "Unknown", "A transient error occurred. Please try again later."],
  [
    "live",
    "OutOfService",
    "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
  ],
  ["live", "OutOfService", "Instance is in stopped state."],
  ["initial", "OutOfService", "Instance registration is still in progress."],
  ["draining", "InService", "Instance deregistration currently in progress."],
  ["absent", "OutOfService", NOT_REGISTERED],
])("a classic load balancer's instance is %s where AWS says %s, '%s'", async (state, State, Description) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.classic({ name: "old", nodes: [node] });
  const registration = await onlyRegistrationOf(region, node);
  answerAlways(region, "DescribeInstanceHealth", {
    InstanceStates: { member: [{ InstanceId: node.id, State, Description }] },
  });
  expect(await observeOne(region, registration)).toBe(state);
});

test("an unattached group's target is live until it is deregistered, and then absent at once", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  region.world.loadBalancers.clear();
  const registration = await onlyRegistrationOf(region, node);
  expect(registration.pool.kind).toBe("unattached");
  expect(await observeOne(region, registration)).toBe("live");
  await providerOf(region).deregister(registration.pool, [registration], never);
  expect(await observeOne(region, registration)).toBe("absent");
});

test("tells the ports of one node apart", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node] });
  region.world.registerTarget(group, { id: node.id, port: 30081 });
  const registrations = await registrationsOf(region, node);
  expect(registrations.map(({ target }) => target)).toEqual([`${node.id}:30080`, `${node.id}:30081`]);
  region.world.deregisterTarget(group, { id: node.id, port: 30080 });
  expect(await observe(region, registrations)).toEqual(["draining", "initial"]);
});

test("one call tells about all nodes of a target group, and names none of them", async () => {
  const { region, registrations } = await threeNodesIn("target group");
  const before = region.callsOf("DescribeTargetHealth").length;
  expect(await observe(region, registrations)).toEqual(["live", "live", "live"]);
  const calls = region.callsOf("DescribeTargetHealth").slice(before);
  expect(calls).toHaveLength(1);
  expect(calls.flatMap((params) => listed(params, "Targets", "Id"))).toEqual([]);
});

test("one call tells about all nodes of a classic load balancer, and names them: its list may hide draining ones", async () => {
  const { region, nodes, registrations } = await threeNodesIn("classic load balancer");
  expect(await observe(region, registrations)).toEqual(["live", "live", "live"]);
  const calls = region.callsOf("DescribeInstanceHealth");
  expect(calls.map((params) => listed(params, "Instances", "InstanceId"))).toEqual([nodes.map(({ id }) => id)]);
});

test.each(["target group", "classic load balancer"] as const)("in a vanished %s all are absent", async (what) => {
  const { region, registrations } = await threeNodesIn(what);
  region.world.targetGroups.clear();
  region.world.classics.clear();
  expect(await observe(region, registrations)).toEqual(["absent", "absent", "absent"]);
});

test.each(["target group", "classic load balancer"] as const)("a terminated node is absent from a %s", async (what) => {
  const { region, nodes, registrations } = await threeNodesIn(what);
  region.world.terminateInstance(nodes[1]);
  await region.clock.advance(region.world.timing.shuttingDownMs + region.world.timing.terminatedDropMs);
  expect(await observe(region, registrations)).toEqual(["live", "absent", "live"]);
});

test("an instance that EC2 has forgotten is absent from a classic load balancer, and hides no other", async () => {
  const { region, nodes, registrations } = await threeNodesIn("classic load balancer");
  region.intercept = ({ action, params }) =>
    action === "DescribeInstanceHealth" && listed(params, "Instances", "InstanceId").includes(nodes[1].id)
      ? elbError("InvalidInstance", `Could not find EC2 instance ${nodes[1].id}.`)
      : undefined;
  expect(await observe(region, registrations)).toEqual(["live", "absent", "live"]);
});

test.each([
  ["target group", "DescribeTargetHealth"],
  ["classic load balancer", "DescribeInstanceHealth"],
] as const)("a denied look at a %s is a failure, not absence", async (what, denied) => {
  const { region, registrations } = await threeNodesIn(what);
  region.intercept = ({ action }) => (action === denied ? elbError("AccessDenied", "not authorized", 403) : undefined);
  await expect(observe(region, registrations)).rejects.toMatchObject({
    code: "access-denied",
    message: expect.stringContaining(`elasticloadbalancing:${denied}`),
  });
});

test("asks EC2 about at most 200 nodes in a call, and counts only what it says is terminated, not what its answer lacks", async () => {
  const region = new SimulatedRegion();
  const instances = Array.from({ length: 450 }, (_, index) =>
    region.node({ privateIp: `10.0.${1 + (index >> 8)}.${index & 255}` }),
  );
  const [terminated, forgotten, shuttingDown] = [instances[7], instances[449], instances[300]] as Instance[];
  const node = await resolved(region, instances[0] as Instance);
  const nodes: readonly Node[] = instances.map(({ id }) => ({ ...node, id }));
  region.world.terminateInstance(terminated as Instance);
  await region.clock.advance(region.world.timing.shuttingDownMs);
  region.world.terminateInstance(shuttingDown as Instance);
  region.world.instances.delete(forgotten?.id ?? "");
  const before = region.calls.length;
  expect(await providerOf(region).findTerminated(nodes, never)).toEqual(new Set([terminated?.id]));
  const sizes = region.calls
    .slice(before)
    .map(({ params }) => [...params.keys()].filter((key) => key.startsWith("Filter.1.Value.")).length);
  expect(sizes).toEqual([200, 200, 50]);
});

test("an address that has moved to another machine is not the node's any more, an instance id always is", async () => {
  const region = new SimulatedRegion();
  const moved = region.node({ privateIp: "10.0.0.7", secondaryIps: ["10.0.0.8"] });
  const pods = region.group({ name: "pods", targetType: "ip" });
  for (const id of ["10.0.0.7", "10.0.0.8"]) region.world.registerTarget(pods, { id }, { settled: true });
  region.group({ name: "web", nodes: [moved] });
  region.classic({ name: "legacy", nodes: [moved] });
  const node = await resolved(region, moved);
  const provider = providerOf(region);
  const { registrations } = await provider.findRegistrations(node, never);
  expect(await provider.stillOwned(node, registrations, never)).toEqual(registrations);

  region.world.instances.set(
    moved.id,
    new Instance({ id: moved.id, vpcId: VPC, privateIp: "10.0.0.7" }, "eu-west-1", 0),
  );
  const owned = await provider.stillOwned(node, registrations, never);
  expect(owned.map(({ target }) => target).sort()).toEqual(["10.0.0.7:30080", moved.id, `${moved.id}:30080`]);
  const reads = region.callsOf("DescribeInstances").length;
  await provider.stillOwned(
    node,
    owned.filter(({ pool }) => pool.name !== "pods"),
    never,
  );
  expect(region.callsOf("DescribeInstances")).toHaveLength(reads);
});

test("asks EC2 nothing where no node is watched", async () => {
  const region = new SimulatedRegion();
  expect(await providerOf(region).findTerminated([], never)).toEqual(new Set());
  expect(region.calls).toEqual([]);
});

async function threeNodesIn(what: "target group" | "classic load balancer") {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node(), region.node()] as const;
  if (what === "target group") region.group({ name: "web", nodes });
  else region.classic({ name: "old", nodes });
  const registrations: Registration[] = [];
  for (const node of nodes) registrations.push(await onlyRegistrationOf(region, node));
  return { region, nodes, registrations };
}

function answerAlways(region: SimulatedRegion, action: string, result: XmlFields): void {
  region.intercept = (call) => (call.action === action ? elbAnswer(action, result) : undefined);
}
