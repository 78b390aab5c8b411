import { expect, test } from "vitest";
import type { Node, Registration } from "../../src/drain/cloud-provider.ts";
import type { DrainError } from "../../src/drain/errors.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";
import {
  elbAnswer,
  listed,
  OTHER_VPC,
  onlyRegistrationOf,
  registrationsOf,
  resolved,
  undoingProviderOf,
} from "./support.ts";

const FOR_NOBODY = { urgency: () => ({ purpose: "register", deadline: 0 }) as const, signal: never };

/** Registers them again, in one call where AWS takes it. Returns those that it does not take, and why. */
async function register(region: SimulatedRegion, registrations: readonly Registration[]) {
  const [first] = registrations;
  if (first === undefined) throw new Error("there is nothing to register");
  const refused = new Map<string, DrainError | undefined>();
  const refuses = (targets: readonly string[], why?: DrainError) => {
    for (const target of targets) refused.set(target, why);
  };
  const waiting = [...registrations];
  const take = (max: number) => waiting.splice(0, max);
  const { provider } = undoingProviderOf(region);
  do await provider.register(first.pool, take, { ...FOR_NOBODY, refuses });
  while (waiting.length > 0);
  return refused;
}

function named(region: SimulatedRegion, action: string) {
  const common = new Set(["Action", "Version"]);
  return region.callsOf(action).map((params) => Object.fromEntries([...params].filter(([key]) => !common.has(key))));
}

test("names an instance with its port", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web" });
  region.world.registerTarget(group, { id: node.id, port: 31999 }, { settled: true });
  const found = await onlyRegistrationOf(region, node);
  region.world.deregisterTarget(group, { id: node.id, port: 31999 });
  await register(region, [found]);
  expect(named(region, "RegisterTargets")).toEqual([
    { TargetGroupArn: group.arn, "Targets.member.1.Id": node.id, "Targets.member.1.Port": "31999" },
  ]);
  expect(await onlyRegistrationOf(region, node)).toMatchObject({ target: found.target, state: "initial" });
});

test("names an address with the port and the zone that AWS had listed", async () => {
  const region = new SimulatedRegion();
  const node = region.node({ zone: "eu-west-1b" });
  const group = region.group({ name: "pods", targetType: "ip", port: 8080, nodes: [node], delaySeconds: 0 });
  const found = await onlyRegistrationOf(region, node);
  region.world.deregisterTarget(group, { id: node.privateIp, port: 8080 });
  await region.clock.advance(1_000);
  await register(region, [found]);
  expect(named(region, "RegisterTargets")).toEqual([
    {
      TargetGroupArn: group.arn,
      "Targets.member.1.Id": node.privateIp,
      "Targets.member.1.Port": "8080",
      "Targets.member.1.AvailabilityZone": "eu-west-1b",
    },
  ]);
  expect((await onlyRegistrationOf(region, node)).target).toBe(found.target);
});

test("gives back whatever else identifies a target, such as a QUIC server id", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "quic", type: "network", protocol: "QUIC", nodes: [node] });
  const Target = { Id: node.id, Port: 443, QuicServerId: "0xa1b2c3d4e5f65890" };
  region.intercept = ({ action }) =>
    action === "DescribeTargetHealth"
      ? elbAnswer(action, { TargetHealthDescriptions: { member: [{ Target, TargetHealth: { State: "healthy" } }] } })
      : undefined;
  await register(region, [await onlyRegistrationOf(region, node)]);
  expect(named(region, "RegisterTargets")[0]).toMatchObject({
    "Targets.member.1.Id": node.id,
    "Targets.member.1.Port": "443",
    "Targets.member.1.QuicServerId": "0xa1b2c3d4e5f65890",
  });
});

test("names a classic load balancer's instance by its id", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const classic = region.classic({ name: "old", nodes: [node] });
  const found = await onlyRegistrationOf(region, node);
  region.world.deregisterClassic(classic, node.id);
  await register(region, [found]);
  expect(named(region, "RegisterInstancesWithLoadBalancer")).toEqual([
    { LoadBalancerName: "old", "Instances.member.1.InstanceId": node.id },
  ]);
  expect(classic.registered(region.clock.now())).toEqual([node.id]);
});

test("names at most 100 targets in a call, and what is there already hurts nobody", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web" });
  for (let port = 30_000; port < 30_250; port++)
    region.world.registerTarget(group, { id: node.id, port }, { settled: true });
  await register(region, await registrationsOf(region, node));
  const sizes = region.callsOf("RegisterTargets").map((params) => listed(params, "Targets", "Port").length);
  expect(sizes).toEqual([100, 100, 50]);
});

test.each(["target group", "classic load balancer"])(
  "where AWS does not take one instance the others are registered, and that one is told with the reason: %s",
  async (what) => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node(), region.node()] as const;
    if (what === "target group") region.group({ name: "web", nodes });
    else region.classic({ name: "old", nodes });
    const found = await Promise.all(nodes.map((node) => onlyRegistrationOf(region, node)));
    region.world.terminateInstance(nodes[1]);
    await region.clock.advance(120_000);
    region.intercept = ({ action, params }) =>
      action === "RegisterInstancesWithLoadBalancer" && params.toString().includes(nodes[1].id)
        ? elbError("InvalidInstance", `Could not find EC2 instance ${nodes[1].id}.`)
        : undefined;
    const refused = await register(region, found);
    expect([...refused].map(([target, why]) => [target, why?.code])).toEqual([[found[1]?.target, "not-registered"]]);
    expect([...refused.values()][0]?.message).toMatch(/^AWS refused it: /);
  },
);

test.each([
  ["target group", "RegisterTargets", "Targets", "Id"],
  ["classic load balancer", "RegisterInstancesWithLoadBalancer", "Instances", "InstanceId"],
])(
  "a call that is made again takes along what has gathered meanwhile, and names each once: %s",
  async (what, action, list, field) => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    if (what === "target group") region.group({ name: "web", nodes });
    else region.classic({ name: "old", nodes });
    const found = await Promise.all(nodes.map((node) => onlyRegistrationOf(region, node)));
    const named: (readonly string[])[] = [];
    region.intercept = (call) => {
      if (call.action !== action) return undefined;
      named.push(listed(call.params, list, field));
      return named.length === 1 ? elbError("ServiceUnavailable", "later", 503) : undefined;
    };
    const gathering = found.map((one) => [one]);
    const { provider } = undoingProviderOf(region);
    const pool = found[0]?.pool as Registration["pool"];
    await region.clock.run(provider.register(pool, () => gathering.shift() ?? [], FOR_NOBODY));
    expect(named).toEqual([[nodes[0].id], nodes.map(({ id }) => id)]);
  },
);

test.each(["target group", "classic load balancer"])("a pool that has vanished is a failure: %s", async (what) => {
  const region = new SimulatedRegion();
  const node = region.node();
  if (what === "target group") region.group({ name: "web", nodes: [node] });
  else region.classic({ name: "old", nodes: [node] });
  const found = await onlyRegistrationOf(region, node);
  region.world.targetGroups.clear();
  region.world.classics.clear();
  await expect(register(region, [found])).rejects.toMatchObject({
    code: "not-registered",
    message: expect.stringContaining("no longer exists"),
  });
});

test.each(["RegisterTargets", "RegisterInstancesWithLoadBalancer"])(
  "a denied %s is a failure that names what to allow",
  async (action) => {
    const region = new SimulatedRegion();
    const node = region.node();
    if (action === "RegisterTargets") region.group({ name: "web", nodes: [node] });
    else region.classic({ name: "old", nodes: [node] });
    const found = await onlyRegistrationOf(region, node);
    region.intercept = (call) => (call.action === action ? elbError("AccessDenied", "not authorized", 403) : undefined);
    await expect(register(region, [found])).rejects.toMatchObject({
      code: "access-denied",
      message: expect.stringContaining(`elasticloadbalancing:${action}`),
    });
  },
);

test("what keeps a registration from being made again is known beforehand, each in words", async () => {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const own = region.group({ name: "web", nodes: [node, other] });
  region.group({ name: "pods", targetType: "ip", nodes: [node] });
  const foreign = region.group({ name: "foreign", vpcId: OTHER_VPC });
  region.classic({ name: "far", vpcId: OTHER_VPC });
  const machine: Node = await resolved(region, node);
  const inOwn = (await registrationsOf(region, node)).find(({ pool }) => pool.id === own.arn) as Registration;
  const inPods = (await registrationsOf(region, node)).find(({ pool }) => pool.name === "pods") as Registration;
  const wrong: readonly [Registration, RegExp][] = [
    [
      { ...inOwn, pool: { ...inOwn.pool, id: foreign.arn, name: "foreign" } },
      /foreign is in vpc-0fed\w+, and the node in/,
    ],
    [{ ...inOwn, pool: { kind: "classic", id: "far", name: "far" }, target: node.id }, /far is in vpc-0fed/],
    [{ ...inOwn, pool: { ...inOwn.pool, id: `${own.arn}0` } }, /web no longer exists/],
    [{ ...inOwn, target: `${other.id}:30080` }, /is another machine than/],
    [{ ...inPods, target: "10.0.0.99:30080" }, /10\.0\.0\.99 is no longer an address of i-\w+/],
  ];
  const { provider } = undoingProviderOf(region);
  const obstacles = await provider.obstacles(machine, [inOwn, inPods, ...wrong.map(([one]) => one)], FOR_NOBODY);
  expect([...obstacles.keys()]).toEqual(wrong.map(([one]) => one));
  for (const [one, says] of wrong) expect(obstacles.get(one)).toMatch(says);
});
