import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { carryInside } from "../../support/machine-inside.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import { carry } from "./carried.ts";
import { Connection, send, tally } from "./clients.ts";

/** Less than the idle timeout. */
const USED_EVERY_MS = 300_000;
const LAG = { nlbDeregistration: [120_000, 180_000] } as const;

test("an NLB spreads flows over every healthy target, and each flow stays with its own", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node(), region.node()];
  region.group({ name: "tcp", type: "network", nodes });
  const plane = await carryInside(region.world);
  const flows = await Connection.openMany(plane.url("tcp-lb"), 60);
  expect(new Set(flows.map(({ servedBy }) => servedBy))).toEqual(new Set(nodes.map(({ id }) => id)));
  for (let time = 0; time < 3; time++)
    for (const flow of flows) expect(await flow.send()).toMatchObject({ status: 200, servedBy: flow.servedBy });
});

test("an NLB chooses the target by the client's address and port", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "tcp", type: "network", nodes: [region.node(), region.node(), region.node()] });
  const plane = await carryInside(region.world);
  let compared = 0;
  for (const flow of await Connection.openMany(plane.url("tcp-lb"), 20)) {
    const { localPort, servedBy } = flow;
    flow.reset();
    const again = await send(plane.url("tcp-lb"), { localPort });
    // Somebody else may have got the port meanwhile.
    if (again.status === "broken") continue;
    expect(again.servedBy).toBe(servedBy);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(0);
});

test("an NLB that forwards to several groups reaches every target of each", async () => {
  const region = new SimulatedRegion();
  const { world } = region;
  const nodes = [region.node(), region.node(), region.node(), region.node()];
  const groups = [nodes.slice(0, 2), nodes.slice(2)].map((targets, index) => {
    const input = { name: `tcp-${index}`, vpcId: VPC, protocol: "TCP", port: 80, targetType: "instance" } as const;
    const group = world.addTargetGroup(input);
    for (const { id } of targets) world.registerTarget(group, { id }, { settled: true });
    return { arn: group.arn, weight: 1 };
  });
  const loadBalancer = world.addLoadBalancer({ name: "tcp", type: "network", vpcId: VPC });
  world.addListener(loadBalancer, { protocol: "TCP", port: 80, defaultActions: [{ type: "forward", groups }] });
  const plane = await carryInside(world);
  expect(Object.keys(await tally(plane.url("tcp"), 100)).sort()).toEqual(nodes.map(({ id }) => id));
});

test("flows that exist outlive the deregistration delay and the lag of an NLB", async () => {
  const region = new SimulatedRegion(LAG);
  const [leaving, staying] = [region.node(), region.node()];
  const group = region.group({ name: "tcp", type: "network", nodes: [leaving, staying], delaySeconds: 30 });
  const plane = await carryInside(region.world);
  const flows = await Connection.openMany(plane.url("tcp-lb"), 40);
  expect(new Set(flows.map(({ servedBy }) => servedBy))).toEqual(new Set([leaving.id, staying.id]));

  region.world.deregisterTarget(group, { id: leaving.id });
  for (let waited = 0; waited < 3_600_000; waited += USED_EVERY_MS) {
    await region.clock.advance(USED_EVERY_MS);
    for (const flow of flows) expect(await flow.send()).toMatchObject({ status: 200, servedBy: flow.servedBy });
  }
});

test.each([
  [undefined, 350_000],
  [60, 60_000],
])("a flow that was idle for the listener's timeout (%s s) is reset when it is used again", async (seconds, idleMs) => {
  const region = new SimulatedRegion();
  const idle = seconds === undefined ? {} : { idleTimeoutSeconds: seconds };
  region.group({ name: "tcp", type: "network", nodes: [region.node()], ...idle });
  const plane = await carryInside(region.world);
  const [used, unused] = await Connection.openMany(plane.url("tcp-lb"), 2);
  await region.clock.advance(idleMs - 1);
  expect(await used?.send()).toMatchObject({ status: 200 });
  await region.clock.advance(1);
  expect(unused?.isBroken).toBe(false);
  expect(await unused?.send()).toMatchObject({ status: "broken", error: "ECONNRESET" });
  expect(await used?.send()).toMatchObject({ status: 200 });
});

test("stickiness sends all flows of a client's address to one target", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node(), region.node()];
  const group = region.group({ name: "tcp", type: "network", nodes });
  group.attributes.set("stickiness.enabled", "true");
  const plane = await carryInside(region.world);
  expect(Object.values(await tally(plane.url("tcp-lb"), 30))).toEqual([30]);
});

test("with connection termination an NLB closes the target's flows at the deregistration delay, and no others", async () => {
  const region = new SimulatedRegion(LAG);
  const [leaving, staying] = [region.node(), region.node()];
  const nodes = [leaving, staying];
  const group = region.group({ name: "tcp", type: "network", nodes, delaySeconds: 300, connectionTermination: true });
  const plane = await carryInside(region.world);
  const flows = await Connection.openMany(plane.url("tcp-lb"), 40);
  const doomed = flows.filter(({ servedBy }) => servedBy === leaving.id);
  expect(doomed).not.toHaveLength(0);

  region.world.deregisterTarget(group, { id: leaving.id });
  await region.clock.advance(299_999);
  for (const flow of flows) expect(await flow.send()).toMatchObject({ status: 200, servedBy: flow.servedBy });
  await region.clock.advance(1);
  await expect.poll(() => flows.filter(({ isBroken }) => isBroken)).toEqual(doomed);
  for (const flow of flows)
    expect(await flow.send()).toMatchObject({ status: flow.servedBy === leaving.id ? "broken" : 200 });
});

test("with connection termination the flows of a target that is registered again are not closed", async () => {
  const region = new SimulatedRegion(LAG);
  const node = region.node();
  const input = {
    name: "tcp",
    type: "network",
    nodes: [node],
    delaySeconds: 200,
    connectionTermination: true,
  } as const;
  const group = region.group(input);
  const plane = await carryInside(region.world);
  const flow = await Connection.open(plane.url("tcp-lb"));
  region.world.deregisterTarget(group, { id: node.id });
  await region.clock.advance(100_000);
  region.world.registerTarget(group, { id: node.id });
  await flow.send();
  await region.clock.advance(USED_EVERY_MS);
  expect(await flow.send()).toMatchObject({ status: 200, servedBy: node.id });
});

test.for([0, 10, 120, 300])(
  "new flows come to a deregistered NLB target for the lag, also with a delay of %i s, and not after it",
  async (delaySeconds) => {
    const region = new SimulatedRegion(LAG);
    const [leaving, staying] = [region.node(), region.node()];
    const group = region.group({ name: "tcp", type: "network", nodes: [leaving, staying], delaySeconds });
    const plane = await carryInside(region.world);
    region.world.deregisterTarget(group, { id: leaving.id });
    await region.clock.advance(119_999);
    expect(Object.keys(await tally(plane.url("tcp-lb"), 60)).sort()).toEqual([leaving.id, staying.id]);
    await region.clock.advance(60_000);
    // The last of the load balancer's machines has a millisecond left.
    expect(Object.keys(await tally(plane.url("tcp-lb"), 60)).sort()).toEqual([leaving.id, staying.id]);
    await region.clock.advance(1);
    expect(await tally(plane.url("tcp-lb"), 60)).toEqual({ [staying.id]: 60 });
  },
);

test("a new flow to a machine that is gone gets no answer at all", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "tcp", type: "network", nodes: [node] });
  const plane = await carryInside(region.world);
  region.world.terminateInstance(node);
  const gaveUp = new AbortController();
  const answer = send(plane.url("tcp-lb"), { signal: gaveUp.signal });
  await region.clock.advance(9_000);
  // Real time, as a client has it.
  expect(await Promise.race([answer, sleep(300, "nothing")])).toBe("nothing");
  gaveUp.abort();
  expect(await answer).toMatchObject({ status: "broken", error: "ABORT_ERR" });
});

test("an NLB without targets resets new flows", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "tcp", type: "network" });
  const plane = await carryInside(region.world);
  expect(await send(plane.url("tcp-lb"))).toMatchObject({ status: "broken", error: "ECONNRESET" });
});

test("an NLB whose targets are all unhealthy sends flows to all of them", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()];
  region.group({ name: "tcp", type: "network", nodes });
  const plane = await carryInside(region.world);
  for (const node of nodes) region.world.setAnswering(node, false);
  await region.clock.advance(60_000);
  expect(Object.keys(await tally(plane.url("tcp-lb"), 60)).sort()).toEqual(nodes.map(({ id }) => id));
});

test("a flow breaks when its target's program ends", async () => {
  const region = new SimulatedRegion();
  const [ending, staying] = [region.node(), region.node()];
  region.group({ name: "tcp", type: "network", nodes: [ending, staying] });
  const carried = await carry(region.world);
  const flows = await Connection.openMany(carried.plane.url("tcp-lb"), 40);
  carried.freeze(ending.id);
  const held = flows.filter(({ servedBy }) => servedBy === ending.id).map((flow) => flow.send());
  expect(held).not.toHaveLength(0);
  await carried.crash(ending.id);
  for (const answer of held) expect(await answer).toMatchObject({ status: "broken" });
  for (const flow of flows.filter(({ servedBy }) => servedBy === staying.id))
    expect(await flow.send()).toMatchObject({ status: 200 });
});
