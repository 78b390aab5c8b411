import { expect, test } from "vitest";
import type { Condition } from "../../../src/simulator/world/rule-conditions.ts";
import { carryInside } from "../../support/machine-inside.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import { allowIdle, carry } from "./carried.ts";
import { Connection, hold, holdMany, send, statusesOf, tally } from "./clients.ts";

test("an ALB shares its requests out evenly among its healthy targets", async () => {
  const region = new SimulatedRegion();
  const [a, b, c] = [region.node(), region.node(), region.node()];
  region.group({ name: "web", nodes: [a, b, c] });
  const plane = await carryInside(region.world);
  expect(await tally(plane.url("web-lb"), 30)).toEqual({ [a.id]: 10, [b.id]: 10, [c.id]: 10 });
});

test("an ALB sends nothing to an unhealthy target while another one is healthy", async () => {
  const region = new SimulatedRegion();
  const [sick, well] = [region.node(), region.node()];
  region.group({ name: "web", nodes: [sick, well] });
  const plane = await carryInside(region.world);
  region.world.setAnswering(sick, false);
  await region.clock.advance(59_999);
  expect(await tally(plane.url("web-lb"), 10)).toEqual({ [sick.id]: 5, [well.id]: 5 });
  await region.clock.advance(1);
  expect(await tally(plane.url("web-lb"), 10)).toEqual({ [well.id]: 10 });
});

test("an ALB whose targets are all unhealthy sends requests to all of them", async () => {
  const region = new SimulatedRegion();
  const [a, b] = [region.node(), region.node()];
  region.group({ name: "web", nodes: [a, b] });
  const plane = await carryInside(region.world);
  for (const node of [a, b]) region.world.setAnswering(node, false);
  await region.clock.advance(60_000);
  expect(await tally(plane.url("web-lb"), 10)).toEqual({ [a.id]: 5, [b.id]: 5 });
});

test("an ALB without targets answers 503", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "web" });
  const plane = await carryInside(region.world);
  expect(await tally(plane.url("web-lb"), 3)).toEqual({ "503": 3 });
});

test("an ALB chooses the group by the rules for path and host, the first by priority that fits", async () => {
  const region = new SimulatedRegion();
  const { world } = region;
  const [web, api, reports] = [region.node(), region.node(), region.node()];
  region.group({ name: "web", nodes: [web] });
  const groupOf = (name: string, id: string) => {
    const group = world.addTargetGroup({ name, vpcId: VPC, protocol: "HTTP", port: 80, targetType: "instance" });
    world.registerTarget(group, { id }, { settled: true });
    return { type: "forward", groups: [{ arn: group.arn, weight: 1 }] } as const;
  };
  const [listener] = [...world.loadBalancers.values()][0]?.listeners ?? [];
  if (listener === undefined) throw new Error("no listener");
  const toReports = groupOf("reports", reports.id);
  world.addRule(listener, {
    priority: 20,
    conditions: [{ field: "path-pattern", values: ["/api/*"] }],
    actions: [groupOf("api", api.id)],
  });
  world.addRule(listener, {
    priority: 10,
    conditions: [
      { field: "host-header", values: ["reports.example.com"] },
      { field: "path-pattern", values: ["/api/v?/daily"] },
    ],
    actions: [toReports],
  });
  world.addRule(listener, {
    priority: 30,
    conditions: [{ field: "path-pattern", values: ["/closed"] }],
    actions: [{ type: "fixed-response", statusCode: "410", body: "closed for good" }],
  });
  world.addRule(listener, {
    priority: 40,
    conditions: [{ field: "path-pattern", values: ["/style"] }],
    actions: [{ type: "fixed-response", statusCode: "200", body: "p {}", contentType: "text/css" }],
  });

  const plane = await carryInside(world);
  const servedBy = async (path: string, host?: string) => {
    const { servedBy } = await send(`${plane.url("web-lb")}${path}`, host === undefined ? {} : { headers: { host } });
    return servedBy;
  };
  expect(await servedBy("/")).toBe(web.id);
  expect(await servedBy("/api/v1/daily")).toBe(api.id);
  expect(await servedBy("/api/v1/daily?host=reports.example.com")).toBe(api.id);
  expect(await servedBy("/api/v1/daily", "Reports.example.com")).toBe(reports.id);
  // The port is the simulator's own: on AWS clients of port 80 name none.
  expect(await servedBy("/api/v1/daily", "reports.example.com:34567")).toBe(reports.id);
  expect(await servedBy("/api/v10/daily", "reports.example.com")).toBe(api.id);
  expect(await servedBy("/other", "reports.example.com")).toBe(web.id);
  expect(await send(`${plane.url("web-lb")}/closed`)).toMatchObject({ status: 410, body: "closed for good" });
  const style = await fetch(`${plane.url("web-lb")}/style`);
  expect([style.headers.get("content-type"), await style.text()]).toEqual(["text/css; charset=utf-8", "p {}"]);
});

test("an ALB shares requests out to several groups exactly by their weights", async () => {
  const region = new SimulatedRegion();
  const { world } = region;
  const groups = [3, 1, 0].map((weight) => {
    const group = world.addTargetGroup({
      name: `weight-${weight}`,
      vpcId: VPC,
      protocol: "HTTP",
      port: 80,
      targetType: "instance",
    });
    const nodes = [region.node(), region.node()];
    for (const { id } of nodes) world.registerTarget(group, { id }, { settled: true });
    return { arn: group.arn, weight, nodes };
  });
  const loadBalancer = world.addLoadBalancer({ name: "shop", type: "application", vpcId: VPC });
  world.addListener(loadBalancer, { protocol: "HTTP", port: 80, defaultActions: [{ type: "forward", groups }] });

  const plane = await carryInside(world);
  const [three, one] = groups.map(({ nodes }) => nodes.map(({ id }) => id));
  expect(await tally(plane.url("shop"), 16)).toEqual({
    [three?.[0] ?? ""]: 6,
    [three?.[1] ?? ""]: 6,
    [one?.[0] ?? ""]: 2,
    [one?.[1] ?? ""]: 2,
  });
});

test("a target that was deregistered from an ALB gets new requests during the lag, and none after it", async () => {
  const region = new SimulatedRegion({ albDeregistration: [4_000, 18_000] });
  const [leaving, staying] = [region.node(), region.node()];
  const group = region.group({ name: "web", nodes: [leaving, staying] });
  const plane = await carryInside(region.world);

  region.world.deregisterTarget(group, { id: leaving.id });
  await region.clock.advance(3_999);
  expect(await tally(plane.url("web-lb"), 20)).toEqual({ [leaving.id]: 10, [staying.id]: 10 });
  await region.clock.advance(14_001);
  expect(await tally(plane.url("web-lb"), 20)).toEqual({ [staying.id]: 20 });
});

test("the machines of an ALB learn of a deregistration one after the other", async () => {
  const region = new SimulatedRegion({ albDeregistration: [4_000, 18_000] });
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node] });
  const plane = await carryInside(region.world);
  const connections = await Connection.openMany(plane.url("web-lb"), 40);
  const statuses = async () =>
    (await Promise.all(connections.map((connection) => connection.send()))).map(({ status }) => status);

  region.world.deregisterTarget(group, { id: node.id });
  await region.clock.advance(4_000);
  const afterTheFirst = await statuses();
  expect(new Set(afterTheFirst)).toEqual(new Set([200, 503]));
  await region.clock.advance(13_999);
  expect(await statuses()).toEqual(afterTheFirst);
  await region.clock.advance(1);
  expect(new Set(await statuses())).toEqual(new Set([503]));
});

test("requests in flight on an ALB may finish until the deregistration delay is over", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  carried.freeze(node.id);
  const held = await holdMany(carried.plane.url("web-lb"), 4);

  region.world.deregisterTarget(group, { id: node.id });
  await region.clock.advance(59_999);
  carried.thaw(node.id);
  for (const { answer } of held) expect(await answer).toMatchObject({ status: 200, servedBy: node.id });
});

test("requests in flight on an ALB are cut when the deregistration delay is over, those of other targets are not", async () => {
  const region = new SimulatedRegion();
  const [leaving, staying] = [region.node(), region.node()];
  const group = region.group({ name: "web", nodes: [leaving, staying], delaySeconds: 60 });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  for (const { id } of [leaving, staying]) carried.freeze(id);
  const held = await holdMany(carried.plane.url("web-lb"), 8);

  region.world.deregisterTarget(group, { id: leaving.id });
  await region.clock.advance(59_999);
  expect(new Set(statusesOf(held))).toEqual(new Set([undefined]));
  await region.clock.advance(1);
  await expect.poll(() => statusesOf(held).filter((status) => status === 502).length).toBe(4);
  carried.thaw(staying.id);
  const servedBy = (await Promise.all(held.map(({ answer }) => answer))).map((answer) => answer.servedBy);
  expect(servedBy.filter((id) => id === staying.id)).toHaveLength(4);
});

test("an ALB group with a deregistration delay of 0 cuts requests in flight as soon as the machine learns", async () => {
  const region = new SimulatedRegion({ albDeregistration: [4_000, 18_000] });
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 0 });
  const carried = await carry(region.world);
  carried.freeze(node.id);
  const held = await holdMany(carried.plane.url("web-lb"), 40);

  region.world.deregisterTarget(group, { id: node.id });
  await region.clock.advance(3_999);
  expect(new Set(statusesOf(held))).toEqual(new Set([undefined]));
  await region.clock.advance(1);
  await expect.poll(() => new Set(statusesOf(held))).toEqual(new Set([undefined, 502]));
  await region.clock.advance(14_000);
  await expect.poll(() => new Set(statusesOf(held))).toEqual(new Set([502]));
});

test("requests in flight on a target that is registered again are not cut", async () => {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  const carried = await carry(world);
  allowIdle(world, 4_000);
  carried.freeze(node.id);
  const held = await holdMany(carried.plane.url("web-lb"), 4);

  world.deregisterTarget(group, { id: node.id });
  await clock.advance(30_000);
  world.registerTarget(group, { id: node.id });
  await clock.advance(600_000);
  carried.thaw(node.id);
  for (const { answer } of held) expect(await answer).toMatchObject({ status: 200, servedBy: node.id });
});

test("a target that leaves an ALB twice gives its requests the whole second delay", async () => {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  const carried = await carry(world);
  allowIdle(world, 4_000);
  carried.freeze(node.id);
  const held = await hold(carried.plane.url("web-lb"));

  world.deregisterTarget(group, { id: node.id });
  await clock.advance(30_000);
  world.registerTarget(group, { id: node.id });
  world.deregisterTarget(group, { id: node.id });
  await clock.advance(59_999);
  expect(held.answered).toBeUndefined();
  await clock.advance(1);
  expect(await held.answer).toMatchObject({ status: 502 });
});

test("an ALB answers 502 when the target's program ends in the middle of a request", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  const carried = await carry(region.world);
  carried.freeze(node.id);
  const held = await holdMany(carried.plane.url("web-lb"), 3);
  await carried.crash(node.id);
  for (const { answer } of held) expect(await answer).toMatchObject({ status: 502 });
});

test("an ALB answers 502 when nothing listens on the target's port", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  const carried = await carry(region.world);
  await carried.crash(node.id);
  expect(await tally(carried.plane.url("web-lb"), 3)).toEqual({ "502": 3 });
});

test("an ALB answers 504 after its connect timeout when the machine is gone", async () => {
  const region = new SimulatedRegion({ connectTimeoutMs: 10_000 });
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  const plane = await carryInside(region.world);
  region.world.terminateInstance(node);
  const held = await holdMany(plane.url("web-lb"), 3);
  await region.clock.advance(9_999);
  expect(new Set(statusesOf(held))).toEqual(new Set([undefined]));
  await region.clock.advance(1);
  for (const { answer } of held) expect(await answer).toMatchObject({ status: 504 });
});

test("an ALB goes on sending requests to a machine that is gone, until its health checks have failed", async () => {
  const region = new SimulatedRegion();
  const [gone, well] = [region.node(), region.node()];
  region.group({ name: "web", nodes: [gone, well] });
  const plane = await carryInside(region.world);
  region.world.terminateInstance(gone);
  const held = await holdMany(plane.url("web-lb"), 8);
  await region.clock.advance(10_000);
  const statuses = (await Promise.all(held.map(({ answer }) => answer))).map(({ status }) => status);
  expect(statuses.filter((status) => status === 504)).toHaveLength(4);
  await region.clock.advance(50_000);
  expect(await tally(plane.url("web-lb"), 8)).toEqual({ [well.id]: 8 });
});

test("an ALB's target that its Auto Scaling group terminates answers until its hook's timeout, and no longer", async () => {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const [leaving, other] = [region.node(), region.node()];
  const group = region.group({ name: "own", nodes: [leaving, other], delaySeconds: 30 });
  const transition = "autoscaling:EC2_INSTANCE_TERMINATING";
  const workers = world.addAutoScalingGroup({
    name: "workers",
    instanceIds: [leaving.id],
    targetGroups: [group],
    hooks: [{ name: "drain", transition, heartbeatTimeoutSeconds: 60, defaultResult: "CONTINUE" }],
  });
  const { plane, processes } = await carry(world);
  world.beginScaleIn(workers, leaving);
  await clock.advance(29_999);
  expect(await tally(plane.url("own-lb"), 10)).toEqual({ [other.id]: 10 });
  await clock.advance(60_000);
  expect(processes.get(leaving.id)?.killed).toBe(false);
  await clock.advance(1);
  expect(processes.get(leaving.id)?.killed).toBe(true);
});

test("an ALB chooses the group by method, header, query and address of a request", async () => {
  const region = new SimulatedRegion();
  const { world } = region;
  region.group({ name: "web", nodes: [region.node()] });
  const [listener] = [...world.loadBalancers.values()][0]?.listeners ?? [];
  if (listener === undefined) throw new Error("no listener");
  const conditions: readonly Condition[] = [
    { field: "http-request-method", values: ["PUT"] },
    { field: "http-header", name: "X-Team", values: ["web*"] },
    { field: "query-string", pairs: [{ key: "version", value: "v?" }] },
    { field: "source-ip", values: ["127.0.0.9/32"] },
  ];
  conditions.forEach((condition, index) => {
    const action = { type: "fixed-response", statusCode: String(410 + index) } as const;
    world.addRule(listener, { priority: index + 1, conditions: [condition], actions: [action] });
  });
  const url = (await carryInside(world)).url("web-lb");
  const statusOf = async (path: string, options: Parameters<typeof send>[1]) =>
    (await send(`${url}${path}`, options)).status;
  expect(await statusOf("/", { method: "PUT" })).toBe(410);
  expect(await statusOf("/", { headers: { "x-team": "Web-1" } })).toBe(411);
  expect(await statusOf("/?a=b&Version=V2", {})).toBe(412);
  expect(await statusOf("/", { localAddress: "127.0.0.9" })).toBe(413);
  expect(await statusOf("/?version=2", { headers: { "x-team": "api" } })).toBe(200);
});
