import { expect, test } from "vitest";
import type { Registration } from "../../src/drain/cloud-provider.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";
import { elbAnswer, listed, onlyRegistrationOf, providerOf, registrationsOf } from "./support.ts";

async function deregister(region: SimulatedRegion, registrations: readonly Registration[]): Promise<void> {
  const [first] = registrations;
  if (first === undefined) throw new Error("there is nothing to deregister");
  await providerOf(region).deregister(first.pool, registrations, never);
}

/** What the calls named, apart from what every call has. */
function named(region: SimulatedRegion, action: string): readonly Record<string, string>[] {
  return region
    .callsOf(action)
    .map((params) => Object.fromEntries([...params].filter(([key]) => key !== "Action" && key !== "Version")));
}

test("names an instance with its port, without which AWS would do nothing", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web" });
  region.world.registerTarget(group, { id: node.id, port: 31999 }, { settled: true });
  await deregister(region, [await onlyRegistrationOf(region, node)]);
  expect(named(region, "DeregisterTargets")).toEqual([
    { TargetGroupArn: group.arn, "Targets.member.1.Id": node.id, "Targets.member.1.Port": "31999" },
  ]);
  expect((await onlyRegistrationOf(region, node)).state).toBe("draining");
});

test("names an address with its port and the zone that AWS listed", async () => {
  const region = new SimulatedRegion();
  const node = region.node({ zone: "eu-west-1b" });
  const group = region.group({ name: "pods", targetType: "ip", port: 8080, nodes: [node] });
  await deregister(region, [await onlyRegistrationOf(region, node)]);
  expect(named(region, "DeregisterTargets")).toEqual([
    {
      TargetGroupArn: group.arn,
      "Targets.member.1.Id": node.privateIp,
      "Targets.member.1.Port": "8080",
      "Targets.member.1.AvailabilityZone": "eu-west-1b",
    },
  ]);
  expect((await onlyRegistrationOf(region, node)).state).toBe("draining");
});

test("gives back whatever else identifies a target, such as a QUIC server id", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "quic", type: "network", nodes: [node] });
  const Target = { Id: node.id, Port: 443, QuicServerId: "0xa1b2c3d4e5f65890" };
  region.intercept = ({ action }) =>
    action === "DescribeTargetHealth"
      ? elbAnswer(action, { TargetHealthDescriptions: { member: [{ Target, TargetHealth: { State: "healthy" } }] } })
      : undefined;
  await deregister(region, [await onlyRegistrationOf(region, node)]);
  expect(named(region, "DeregisterTargets")[0]).toMatchObject({
    "Targets.member.1.Id": node.id,
    "Targets.member.1.Port": "443",
    "Targets.member.1.QuicServerId": "0xa1b2c3d4e5f65890",
  });
});

test("names a classic load balancer's instance by its id", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.classic({ name: "old", nodes: [node] });
  await deregister(region, [await onlyRegistrationOf(region, node)]);
  expect(named(region, "DeregisterInstancesFromLoadBalancer")).toEqual([
    { LoadBalancerName: "old", "Instances.member.1.InstanceId": node.id },
  ]);
  expect(region.world.classics.get("old")?.registered(region.clock.now())).toEqual([]);
});

test("takes out only what it is asked for, and leaves a node's other ports and other nodes", async () => {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const group = region.group({ name: "web", nodes: [node, other] });
  region.world.registerTarget(group, { id: node.id, port: 30081 }, { settled: true });
  const registrations = await registrationsOf(region, node);
  await deregister(
    region,
    registrations.filter(({ target }) => target.endsWith(":30081")),
  );
  const after = [...(await registrationsOf(region, node)), ...(await registrationsOf(region, other))];
  expect(after.map(({ target, state }) => `${target} ${state}`).sort()).toEqual([
    `${node.id}:30080 live`,
    `${node.id}:30081 draining`,
    `${other.id}:30080 live`,
  ]);
});

test("names at most 100 targets in a call", async () => {
  const { region, node, registrations } = await manyPorts(250);
  await deregister(region, registrations);
  const sizes = region.callsOf("DeregisterTargets").map((params) => listed(params, "Targets", "Port").length);
  expect(sizes).toEqual([100, 100, 50]);
  const states = (await registrationsOf(region, node)).map(({ state }) => state);
  expect(states).toEqual(registrations.map(() => "draining"));
});

test("where AWS refuses a batch of targets for an unknown one, its halves get calls of their own", async () => {
  const { region, registrations } = await manyPorts(3);
  const unknown = "30001";
  region.intercept = ({ action, params }) =>
    action === "DeregisterTargets" && listed(params, "Targets", "Port").includes(unknown)
      ? elbError("InvalidTarget", "The following instances do not exist: 'i-00000000000000001'")
      : undefined;
  await deregister(region, registrations);
  expect(region.callsOf("DeregisterTargets").map((params) => listed(params, "Targets", "Port"))).toEqual([
    ["30000", "30001", "30002"],
    ["30000", "30001"],
    ["30000"],
    ["30001"],
    ["30002"],
  ]);
  const states = await providerOf(region).observe(poolOf(registrations), registrations, never);
  expect([...states.values()]).toEqual(["draining", "live", "draining"]);
});

test("what is no longer meant is left out of the parts of a batch that AWS refused, too", async () => {
  const { region, registrations } = await manyPorts(4);
  const still = new Set(registrations.map(({ target }) => target));
  region.intercept = ({ action, params }) => {
    if (action !== "DeregisterTargets" || listed(params, "Targets", "Port").length < 4) return undefined;
    // The drains of two are cancelled while AWS answers.
    for (const { target } of registrations.slice(1, 3)) still.delete(target);
    return elbError("InvalidTarget", "unknown");
  };
  const urgency = () => ({ purpose: "deregister", deadline: Number.POSITIVE_INFINITY }) as const;
  const by = { urgency, signal: never, stillIncluded: () => still };
  const waiting = [...registrations];
  await providerOf(region).provider.deregister(poolOf(registrations), (max) => waiting.splice(0, max), by);
  expect(region.callsOf("DeregisterTargets").map((params) => listed(params, "Targets", "Port"))).toEqual([
    ["30000", "30001", "30002", "30003"],
    ["30000"],
    ["30003"],
  ]);
});

test("where a classic load balancer refuses a batch for an unknown instance, the others are taken out by one call more", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node(), region.node()];
  region.classic({ name: "old", nodes });
  const registrations = await Promise.all(nodes.map((node) => onlyRegistrationOf(region, node)));
  // Made anew under the same name, it has never known the second one.
  region.classic({ name: "old", nodes: nodes.filter((_, index) => index !== 1) });
  await deregister(region, registrations);
  expect(region.world.classics.get("old")?.registered(region.clock.now())).toEqual([]);
  expect(
    region.callsOf("DeregisterInstancesFromLoadBalancer").map((params) => listed(params, "Instances", "InstanceId")),
  ).toEqual([nodes.map(({ id }) => id), [nodes[0]?.id, nodes[2]?.id]]);
});

test.each(["target group", "classic load balancer"])(
  "a target that is gone already is no failure: %s",
  async (what) => {
    const region = new SimulatedRegion();
    const node = region.node();
    if (what === "target group") region.group({ name: "web", nodes: [node], delaySeconds: 0 });
    else region.classic({ name: "old", nodes: [node] });
    const registration = await onlyRegistrationOf(region, node);
    await deregister(region, [registration]);
    await region.clock.advance(1_000);
    await expect(deregister(region, [registration])).resolves.toBeUndefined();
  },
);

test.each(["target group", "classic load balancer"])("a pool that has vanished is no failure: %s", async (what) => {
  const region = new SimulatedRegion();
  const node = region.node();
  if (what === "target group") region.group({ name: "web", nodes: [node] });
  else region.classic({ name: "old", nodes: [node] });
  const registration = await onlyRegistrationOf(region, node);
  region.world.targetGroups.clear();
  region.world.classics.clear();
  await expect(deregister(region, [registration])).resolves.toBeUndefined();
});

test("a group that vanishes between two batches is no failure", async () => {
  const { region, registrations } = await manyPorts(250);
  region.intercept = ({ action, before }) => {
    if (action === "DeregisterTargets" && before === 1) region.world.targetGroups.clear();
    return undefined;
  };
  await expect(deregister(region, registrations)).resolves.toBeUndefined();
  expect(region.callsOf("DeregisterTargets")).toHaveLength(3);
});

test.each([
  ["DeregisterTargets", "elasticloadbalancing:DeregisterTargets"],
  ["DeregisterInstancesFromLoadBalancer", "elasticloadbalancing:DeregisterInstancesFromLoadBalancer"],
])("a denied %s is a failure that names what to allow", async (action, permission) => {
  const region = new SimulatedRegion();
  const node = region.node();
  if (action === "DeregisterTargets") region.group({ name: "web", nodes: [node] });
  else region.classic({ name: "old", nodes: [node] });
  const registration = await onlyRegistrationOf(region, node);
  region.intercept = (call) => (call.action === action ? elbError("AccessDenied", "not authorized", 403) : undefined);
  await expect(deregister(region, [registration])).rejects.toMatchObject({
    code: "access-denied",
    message: expect.stringContaining(permission),
  });
});

test("a denied single call after a refused batch is a failure too", async () => {
  const { region, registrations } = await manyPorts(2);
  region.intercept = ({ action, before }) => {
    if (action !== "DeregisterTargets") return undefined;
    return before === 0 ? elbError("InvalidTarget", "unknown") : elbError("AccessDenied", "not authorized", 403);
  };
  await expect(deregister(region, registrations)).rejects.toMatchObject({ code: "access-denied" });
});

test("deregistering nothing calls nobody", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  region.classic({ name: "old", nodes: [node] });
  for (const { pool } of await registrationsOf(region, node)) await providerOf(region).deregister(pool, [], never);
  expect(region.callsOf("DeregisterTargets")).toEqual([]);
  expect(region.callsOf("DeregisterInstancesFromLoadBalancer")).toEqual([]);
});

/** One node on so many ports of one group, from 30000 on. */
async function manyPorts(count: number) {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web" });
  for (let port = 30_000; port < 30_000 + count; port++) {
    region.world.registerTarget(group, { id: node.id, port }, { settled: true });
  }
  return { region, node, registrations: await registrationsOf(region, node) };
}

function poolOf([registration]: readonly Registration[]) {
  if (registration === undefined) throw new Error("there is no registration");
  return registration.pool;
}
