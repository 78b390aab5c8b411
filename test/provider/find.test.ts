import { expect, test } from "vitest";
import { keyOf } from "../../src/drain/cloud-provider.ts";
import type { Action } from "../../src/simulator/world/load-balancer.ts";
import type { Target, TargetGroup } from "../../src/simulator/world/target-group.ts";
import { awsProvider } from "../support/provider-calls.ts";
import { elbError, never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { elbAnswer, find, OTHER_VPC, onlyRegistrationOf, onlyTermsOf, registrationsOf, shown } from "./support.ts";

/** AWS gives at most this many target groups, or classic load balancers, at once. */
const PAGE = 400;
const FIRST_NODE = "i-00000000000000001";

test("a node that is registered nowhere has no registrations", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "web", nodes: [region.node()] });
  region.classic({ name: "old" });
  expect(await find(region, region.node())).toEqual({ registrations: [], elsewhere: [] });
});

test("reads every page of target groups (an older tool read only the first)", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  for (let i = 0; i <= 2 * PAGE; i++) plainGroup(region, `filler-${i}`, { vpcId: OTHER_VPC });
  region.group({ name: "web", nodes: [node] });
  expect(shown(await registrationsOf(region, node))).toEqual([`web ${node.id}:30080`]);
  expect(region.callsOf("DescribeTargetGroups")).toHaveLength(3);
});

test("reads every page of classic load balancers (an older tool read only the first)", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  for (let i = 0; i <= 2 * PAGE; i++) region.classic({ name: `filler-${i}`, vpcId: OTHER_VPC });
  region.classic({ name: "old", nodes: [node] });
  expect(shown(await registrationsOf(region, node))).toEqual([`old ${node.id}`]);
  expect(region.callsOf("DescribeLoadBalancers")).toHaveLength(3);
});

test("finds groups behind default actions, rules and weights alike (an older tool knew only default actions)", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = (name: string) => plainGroup(region, name, { nodes: [node] }).arn;
  const forward = (...names: readonly string[]): Action => ({
    type: "forward",
    groups: names.map((name) => ({ arn: group(name), weight: name === "weight-0" ? 0 : 1 })),
  });
  const balancer = region.world.addLoadBalancer({ name: "front", type: "application", vpcId: VPC });
  const listener = region.world.addListener(balancer, {
    protocol: "HTTP",
    port: 80,
    defaultActions: [forward("default", "weight-0")],
  });
  region.world.addRule(listener, {
    priority: 1,
    conditions: [{ field: "path-pattern", values: ["/api/*"] }],
    actions: [forward("by-rule", "by-weighted-rule")],
  });
  const registrations = await registrationsOf(region, node);
  expect(registrations.map(({ pool }) => pool.name).sort()).toEqual([
    "by-rule",
    "by-weighted-rule",
    "default",
    "weight-0",
  ]);
  expect(new Set(registrations.map(({ pool }) => `${pool.kind} ${pool.loadBalancer}`))).toEqual(new Set(["alb front"]));
});

test("a listener that only redirects does no harm (its nil target group crashed an older tool)", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  const balancer = region.world.addLoadBalancer({ name: "redirect", type: "application", vpcId: VPC });
  const defaultActions: readonly Action[] = [{ type: "redirect", statusCode: "HTTP_301" }];
  region.world.addListener(balancer, { protocol: "HTTP", port: 80, defaultActions });
  expect(shown(await registrationsOf(region, node))).toEqual([`web ${node.id}:30080`]);
});

test("finds every port of a node in one group", async () => {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const group = region.group({ name: "web", nodes: [node, other] });
  for (const port of [30081, 30082]) region.world.registerTarget(group, { id: node.id, port }, { settled: true });
  const registrations = await registrationsOf(region, node);
  expect(shown(registrations)).toEqual([30080, 30081, 30082].map((port) => `web ${node.id}:${port}`));
  expect(new Set(registrations.map(keyOf)).size).toBe(3);
});

test("in a group of addresses finds the node's own and its prefixes', and nobody else's", async () => {
  const region = new SimulatedRegion();
  const node = region.node({
    privateIp: "10.0.0.1",
    secondaryIps: ["10.0.3.7"],
    ipv6Addresses: ["2001:db8::5"],
    ipv4Prefixes: ["10.0.4.0/28"],
  });
  region.node({ privateIp: "10.0.0.10", secondaryIps: ["10.0.3.70"], ipv4Prefixes: ["10.0.4.16/28"] });
  const own = ["10.0.0.1", "10.0.3.7", "2001:db8::5", "10.0.4.0", "10.0.4.9", "10.0.4.15"];
  const others = ["10.0.0.10", "10.0.3.70", "2001:db8::50", "10.0.4.16", "10.0.3.255", "10.0.40.1"];
  const group = region.group({ name: "pods", targetType: "ip", port: 8080 });
  for (const id of [...own, ...others]) region.world.registerTarget(group, { id }, { settled: true });
  const targets = own.map((id) => (id.includes(":") ? `[${id}]` : id)).map((id) => `pods ${id}:8080`);
  expect(shown(await registrationsOf(region, node))).toEqual(targets.sort());
});

test("leaves out pools that cannot hold the node: of other VPCs, of functions, of load balancers", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "far", nodes: [node], vpcId: OTHER_VPC });
  plainGroup(region, "far-unattached", { nodes: [{ id: node.privateIp }], vpcId: OTHER_VPC, targetType: "ip" });
  region.classic({ name: "far-classic", nodes: [node], vpcId: OTHER_VPC });
  for (const targetType of ["lambda", "alb"] as const) {
    const { arn: id } = plainGroup(region, `of-${targetType}`, { targetType });
    region.world.registerTarget(region.world.targetGroup(id), { id }, { settled: true });
  }
  expect((await find(region, node)).registrations).toEqual([]);
  expect(region.callsOf("DescribeTargetHealth")).toEqual([]);
  expect(region.callsOf("DescribeInstanceHealth")).toEqual([]);
});

test("a group that no load balancer uses is found as unattached", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  plainGroup(region, "spare", { nodes: [node] });
  const { pool, state, detail } = await onlyRegistrationOf(region, node);
  expect(pool).toMatchObject({ kind: "unattached", name: "spare" });
  expect(pool).not.toHaveProperty("loadBalancer");
  expect({ state, detail }).toEqual({ state: "live", detail: "unused (Target.NotInUse)" });
});

test.each([
  { type: "application", kind: "alb" },
  { type: "network", kind: "nlb" },
  { type: "gateway", kind: "gwlb" },
] as const)("reads what matters of a group behind a load balancer of type $type", async ({ type, kind }) => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", type, nodes: [node], delaySeconds: 45 });
  expect(await onlyRegistrationOf(region, node)).toEqual({
    pool: { kind, id: group.arn, name: "web", loadBalancer: "web-lb" },
    target: `${node.id}:30080`,
    state: "live",
    detail: "healthy",
    isHealthy: true,
  });
  expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs: 45_000 });
});

test.each([
  [0, 0],
  [1, 1_000],
  [300, 300_000],
  [3_600, 3_600_000],
])("a deregistration delay of %i s drains for %i ms", async (delaySeconds, drainMs) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], delaySeconds });
  expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs });
});

test("where AWS names no deregistration delay, its default of 300 s holds", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] }).attributes.clear();
  expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs: 300_000 });
});

test.each([true, false])("reads connection termination: %s", async (connectionTermination) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "tcp", type: "network", nodes: [node], connectionTermination });
  const code = connectionTermination ? "terminated-connections" : "long-connections";
  expect(await onlyTermsOf(region, node)).toMatchObject({ unsaved: [{ code }] });
});

test.each([
  { drainingSeconds: 20, drainMs: 20_000 },
  { drainingSeconds: undefined, drainMs: 0 },
])("reads a classic load balancer's connection draining: $drainingSeconds", async ({ drainingSeconds, drainMs }) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.classic({ name: "old", nodes: [node], ...(drainingSeconds === undefined ? {} : { drainingSeconds }) });
  expect(await onlyRegistrationOf(region, node)).toMatchObject({
    pool: { kind: "classic", id: "old", name: "old", loadBalancer: "old" },
    target: node.id,
    state: "live",
  });
  expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs });
});

test("finds a node that somebody else is deregistering from a classic load balancer, though it is not listed", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const classic = region.classic({ name: "old", nodes: [node], drainingSeconds: 60 });
  classic.requestStarted(node.id);
  region.world.deregisterClassic(classic, node.id);
  expect(await onlyRegistrationOf(region, node)).toMatchObject({ target: node.id, state: "draining" });
});

test.each<{ readonly state: string; readonly change: (region: SimulatedRegion, group: TargetGroup) => void }>([
  { state: "initial", change: ({ world }, group) => world.registerTarget(group, { id: FIRST_NODE, port: 30081 }) },
  { state: "draining", change: ({ world }, group) => world.deregisterTarget(group, { id: FIRST_NODE, port: 30080 }) },
])("finds a registration that is $state", async ({ state, change }) => {
  const region = new SimulatedRegion();
  const group = region.group({ name: "web", nodes: [region.node()] });
  change(region, group);
  expect((await registrationsOf(region, { id: FIRST_NODE })).map((found) => found.state)).toContain(state);
});

test("does not take a target for registered that AWS lists only to say that it is not", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  const TargetHealth = { State: "unused", Reason: "Target.NotRegistered" };
  region.intercept = ({ action }) => {
    if (action !== "DescribeTargetHealth") return undefined;
    const member = [{ Target: { Id: node.id, Port: 30080 }, TargetHealth }];
    return elbAnswer(action, { TargetHealthDescriptions: { member } });
  };
  expect(await registrationsOf(region, node)).toEqual([]);
});

test("one denied call ends the whole search, and what is left of it is not asked any more", async () => {
  const region = new SimulatedRegion();
  const instance = region.node();
  for (let i = 0; i < 100; i++) region.group({ name: `web-${i}`, nodes: [instance] });
  region.classic({ name: "old", nodes: [instance] });
  region.intercept = ({ action, before }) =>
    action === "DescribeTargetHealth" && before === 5 ? elbError("AccessDenied", "no", 403) : undefined;
  const provider = awsProvider(region.clients(), {}, region.clock, 1);
  const node = await provider.resolve({ by: "id", value: instance.id }, never);
  await expect(provider.findRegistrations(node, never)).rejects.toMatchObject({ code: "access-denied" });
  for (let asked = -1; asked < region.calls.length; await region.clock.advance(0)) asked = region.calls.length;
  expect(region.calls.length).toBeLessThan(100);
});

/** A group that no load balancer uses yet. */
function plainGroup(
  region: SimulatedRegion,
  name: string,
  input: {
    readonly vpcId?: string;
    readonly nodes?: readonly Pick<Target, "id">[];
    readonly targetType?: "instance" | "ip" | "lambda" | "alb";
  },
): TargetGroup {
  const { vpcId = VPC, nodes = [], targetType = "instance" } = input;
  const group = region.world.addTargetGroup({ name, vpcId, protocol: "HTTP", port: 30080, targetType });
  for (const { id } of nodes) region.world.registerTarget(group, { id }, { settled: true });
  return group;
}
