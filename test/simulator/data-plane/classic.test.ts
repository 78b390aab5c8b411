import { expect, test } from "vitest";
import { carryInside } from "../../support/machine-inside.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import { allowIdle, carry } from "./carried.ts";
import { Connection, hold, holdMany, statusesOf, tally } from "./clients.ts";

const LAG = { classicDeregistration: [500, 2_000] } as const;
const IN_PROGRESS = "Instance deregistration currently in progress.";
const OUT = "Instance is not currently registered with the LoadBalancer.";

test("a classic load balancer shares its requests out evenly among its instances", async () => {
  const region = new SimulatedRegion();
  const [a, b] = [region.node(), region.node()];
  region.classic({ name: "legacy", nodes: [a, b] });
  const plane = await carryInside(region.world);
  expect(await tally(plane.url("legacy"), 20)).toEqual({ [a.id]: 10, [b.id]: 10 });
});

test("a classic load balancer sends new requests to a deregistered instance for a moment, and none after it", async () => {
  const region = new SimulatedRegion(LAG);
  const [leaving, staying] = [region.node(), region.node()];
  const classic = region.classic({ name: "legacy", nodes: [leaving, staying], drainingSeconds: 300 });
  const plane = await carryInside(region.world);
  region.world.deregisterClassic(classic, leaving.id);
  await region.clock.advance(499);
  expect(await tally(plane.url("legacy"), 20)).toEqual({ [leaving.id]: 10, [staying.id]: 10 });
  await region.clock.advance(1_501);
  expect(await tally(plane.url("legacy"), 20)).toEqual({ [staying.id]: 20 });
});

test("with draining off a classic load balancer cuts requests in flight as soon as it learns", async () => {
  const region = new SimulatedRegion(LAG);
  const [leaving, staying] = [region.node(), region.node()];
  const classic = region.classic({ name: "legacy", nodes: [leaving, staying] });
  const carried = await carry(region.world);
  for (const { id } of [leaving, staying]) carried.freeze(id);
  const held = await holdMany(carried.plane.url("legacy"), 12);

  region.world.deregisterClassic(classic, leaving.id);
  await region.clock.advance(499);
  expect(new Set(statusesOf(held))).toEqual(new Set([undefined]));
  await region.clock.advance(1_501);
  await expect.poll(() => statusesOf(held).filter((status) => status === 504).length).toBe(6);
  carried.thaw(staying.id);
  const servedBy = (await Promise.all(held.map(({ answer }) => answer))).map((answer) => answer.servedBy);
  expect(servedBy.filter((id) => id === staying.id)).toHaveLength(6);
});

test("with draining on requests in flight finish, and the end is reported as soon as the last one has", async () => {
  const region = new SimulatedRegion(LAG);
  const node = region.node();
  const classic = region.classic({ name: "legacy", nodes: [node], drainingSeconds: 300 });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  const description = () => classic.apiState(node.id, region.clock.now())?.description;
  carried.freeze(node.id);
  const held = await holdMany(carried.plane.url("legacy"), 3);

  region.world.deregisterClassic(classic, node.id);
  await region.clock.advance(60_000);
  held[0]?.leave();
  expect(description()).toBe(IN_PROGRESS);
  carried.thaw(node.id);
  for (const { answer } of held.slice(1)) expect(await answer).toMatchObject({ status: 200, servedBy: node.id });
  await expect.poll(description).toBe(OUT);
});

test("draining ends at once where no request is in flight", async () => {
  const region = new SimulatedRegion(LAG);
  const node = region.node();
  const classic = region.classic({ name: "legacy", nodes: [node], drainingSeconds: 300 });
  const plane = await carryInside(region.world);
  expect(await tally(plane.url("legacy"), 5)).toEqual({ [node.id]: 5 });
  region.world.deregisterClassic(classic, node.id);
  expect(classic.apiState(node.id, region.clock.now())?.description).toBe(IN_PROGRESS);
  await region.clock.advance(2_000);
  expect(classic.apiState(node.id, region.clock.now())?.description).toBe(OUT);
});

test("a client that goes away in the middle of its request doesn't hold draining up", async () => {
  const region = new SimulatedRegion(LAG);
  const node = region.node();
  const classic = region.classic({ name: "legacy", nodes: [node], drainingSeconds: 300 });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  carried.freeze(node.id);
  const held = await hold(carried.plane.url("legacy"));
  region.world.deregisterClassic(classic, node.id);
  await region.clock.advance(60_000);
  expect(classic.apiState(node.id, region.clock.now())?.description).toBe(IN_PROGRESS);
  held.leave();
  await expect.poll(() => classic.apiState(node.id, region.clock.now())?.description).toBe(OUT);
});

test("with draining on requests still in flight are cut at the timeout", async () => {
  const region = new SimulatedRegion(LAG);
  const [leaving, staying] = [region.node(), region.node()];
  const classic = region.classic({ name: "legacy", nodes: [leaving, staying], drainingSeconds: 60 });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  for (const { id } of [leaving, staying]) carried.freeze(id);
  const held = await holdMany(carried.plane.url("legacy"), 8);

  region.world.deregisterClassic(classic, leaving.id);
  await region.clock.advance(59_999);
  expect(new Set(statusesOf(held))).toEqual(new Set([undefined]));
  expect(classic.apiState(leaving.id, region.clock.now())?.description).toBe(IN_PROGRESS);
  await region.clock.advance(1);
  expect(classic.apiState(leaving.id, region.clock.now())?.description).toBe(OUT);
  await expect.poll(() => statusesOf(held).filter((status) => status === 504).length).toBe(4);
  carried.thaw(staying.id);
  const servedBy = (await Promise.all(held.map(({ answer }) => answer))).map((answer) => answer.servedBy);
  expect(servedBy.filter((id) => id === staying.id)).toHaveLength(4);
});

test("requests in flight on an instance that is registered again are not cut", async () => {
  const region = new SimulatedRegion(LAG);
  const node = region.node();
  const classic = region.classic({ name: "legacy", nodes: [node], drainingSeconds: 60 });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  carried.freeze(node.id);
  const held = await hold(carried.plane.url("legacy"));
  region.world.deregisterClassic(classic, node.id);
  await region.clock.advance(30_000);
  classic.register(node.id, region.clock.now());
  await region.clock.advance(600_000);
  carried.thaw(node.id);
  expect(await held.answer).toMatchObject({ status: 200, servedBy: node.id });
});

test("an instance that leaves a classic load balancer twice gives its requests the whole second timeout", async () => {
  const region = new SimulatedRegion(LAG);
  const node = region.node();
  const classic = region.classic({ name: "legacy", nodes: [node], drainingSeconds: 60 });
  const carried = await carry(region.world);
  allowIdle(region.world, 4_000);
  carried.freeze(node.id);
  const held = await hold(carried.plane.url("legacy"));
  region.world.deregisterClassic(classic, node.id);
  await region.clock.advance(30_000);
  classic.register(node.id, region.clock.now());
  region.world.deregisterClassic(classic, node.id);
  await region.clock.advance(59_999);
  expect(held.answered).toBeUndefined();
  await region.clock.advance(1);
  expect(await held.answer).toMatchObject({ status: 504 });
});

test("unhealthy instances of a classic load balancer get nothing, and when none is healthy it answers 503", async () => {
  const region = new SimulatedRegion();
  const [sick, well] = [region.node(), region.node()];
  region.classic({ name: "legacy", nodes: [sick, well] });
  const plane = await carryInside(region.world);
  region.world.setAnswering(sick, false);
  await region.clock.advance(60_000);
  expect(await tally(plane.url("legacy"), 10)).toEqual({ [well.id]: 10 });
  region.world.setAnswering(well, false);
  await region.clock.advance(60_000);
  expect(await tally(plane.url("legacy"), 10)).toEqual({ "503": 10 });
});

test("a classic load balancer without instances answers 503", async () => {
  const region = new SimulatedRegion();
  region.classic({ name: "legacy" });
  const plane = await carryInside(region.world);
  expect(await tally(plane.url("legacy"), 3)).toEqual({ "503": 3 });
});

test("a classic load balancer answers 504 when the instance is gone or ends in the middle of a request", async () => {
  const region = new SimulatedRegion({ connectTimeoutMs: 10_000 });
  const node = region.node();
  region.classic({ name: "legacy", nodes: [node] });
  const plane = await carryInside(region.world);
  const inFlight = await hold(`${plane.url("legacy")}/?delay=600000`);
  region.world.terminateInstance(node);
  expect(await inFlight.answer).toMatchObject({ status: 504 });
  const inVain = await hold(plane.url("legacy"));
  await region.clock.advance(9_999);
  expect(inVain.answered).toBeUndefined();
  await region.clock.advance(1);
  expect(await inVain.answer).toMatchObject({ status: 504 });
});

test("a classic load balancer's TCP listener leaves a connection with its instance until draining ends", async () => {
  const region = new SimulatedRegion(LAG);
  const { world, clock } = region;
  const [leaving, staying] = [region.node(), region.node()];
  const listeners = [{ protocol: "TCP", port: 80, instanceProtocol: "TCP", instancePort: 30080 }];
  const classic = world.addClassic({ name: "raw", vpcId: VPC, listeners });
  classic.draining = { enabled: true, timeoutSeconds: 300 };
  for (const { id } of [leaving, staying]) classic.register(id, clock.now(), { settled: true });
  const plane = await carryInside(world);
  const connections = await Connection.openMany(plane.url("raw"), 8);
  const flows = connections.filter(({ servedBy }) => servedBy === leaving.id);
  expect(flows).toHaveLength(4);

  world.deregisterClassic(classic, leaving.id);
  await clock.advance(2_000);
  expect(await tally(plane.url("raw"), 10)).toEqual({ [staying.id]: 10 });
  expect(await Promise.all(flows.map(async (flow) => (await flow.send()).servedBy))).toEqual(Array(4).fill(leaving.id));
  expect(classic.apiState(leaving.id, clock.now())?.description).toBe(IN_PROGRESS);
  await clock.advance(298_000);
  await Promise.all(flows.map((flow) => flow.untilClosed()));
  expect(classic.apiState(leaving.id, clock.now())?.description).toBe(OUT);
  for (const connection of connections) connection.leave();
});
