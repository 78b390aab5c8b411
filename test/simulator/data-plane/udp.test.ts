import { expect, test } from "vitest";
import { carryInside } from "../../support/machine-inside.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { carry } from "./carried.ts";
import { Connection } from "./clients.ts";
import { DatagramClient, served } from "./datagrams.ts";

const LAG = { nlbDeregistration: [120_000, 180_000] } as const;
const CLIENTS = 24;
/** Less than the idle timeout. */
const SENT_EVERY_MS = 60_000;

/** An NLB whose listener takes datagrams, two nodes behind it, and clients of both. */
async function scene({ protocol = "UDP", delaySeconds = 300, connectionTermination = true } = {}) {
  const region = new SimulatedRegion(LAG);
  const [leaving, staying] = [region.node(), region.node()];
  const nodes = [leaving, staying];
  const group = region.group({ name: "dns", type: "network", nodes, protocol, delaySeconds, connectionTermination });
  const plane = await carryInside(region.world);
  const url = plane.url("dns-lb");
  const clients = await DatagramClient.openMany(url, CLIENTS);
  const before = await served(clients);
  const deregister = () => region.world.deregisterTarget(group, { id: leaving.id });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += SENT_EVERY_MS) {
      await region.clock.advance(Math.min(SENT_EVERY_MS, ms - passed));
      await served(clients);
    }
  };
  return { region, group, leaving, staying, plane, url, clients, before, deregister, pass };
}

test("a real process answers datagrams through an NLB", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "dns", type: "network", nodes: [node], protocol: "UDP" });
  const { plane } = await carry(region.world);
  expect(plane.url("dns-lb")).toMatch(/^udp:\/\/127\.0\.0\.1:\d+$/);
  const client = await DatagramClient.open(plane.url("dns-lb"));
  expect(await client.ask()).toBe(node.id);
});

test("an NLB spreads flows of datagrams over its targets, and each flow stays with its own", async () => {
  const { leaving, staying, clients, before } = await scene();
  expect(new Set(before)).toEqual(new Set([leaving.id, staying.id]));
  for (let time = 0; time < 3; time++) expect(await served(clients)).toEqual(before);
});

test("a TCP_UDP listener takes connections and datagrams on one port", async () => {
  const { plane, clients, before } = await scene({ protocol: "TCP_UDP" });
  const [tcp = "", udp = ""] = plane.urls("dns-lb", 80);
  expect([new URL(tcp).protocol, new URL(udp).protocol]).toEqual(["http:", "udp:"]);
  expect(new URL(tcp).port).toBe(new URL(udp).port);
  const flow = await Connection.open(tcp);
  expect(before).toContain(flow.servedBy);
  expect(await served(clients)).toEqual(before);
});

test("a flow stays with a target that is deregistered until the delay ends, and then moves: no datagram is lost", async () => {
  const { region, leaving, staying, clients, before, deregister, pass } = await scene();
  deregister();
  await pass(299_999);
  expect(await served(clients)).toEqual(before);
  await region.clock.advance(1);
  expect(new Set(await served(clients))).toEqual(new Set([staying.id]));
  region.world.terminateInstance(leaving);
  expect(new Set(await served(clients))).toEqual(new Set([staying.id]));
});

test("with a delay that is shorter than the lag a flow moves when its NLB has learnt of the deregistration", async () => {
  const { region, leaving, staying, clients, before, deregister, pass } = await scene({ delaySeconds: 0 });
  deregister();
  await pass(119_999);
  expect(await served(clients)).toEqual(before);
  await region.clock.advance(1);
  // The last of the load balancer's machines has a minute left.
  expect(new Set(await served(clients))).toEqual(new Set([leaving.id, staying.id]));
  await pass(60_000);
  expect(new Set(await served(clients))).toEqual(new Set([staying.id]));
});

test("without connection termination a flow stays with its target for as long as it is used, and no longer", async () => {
  const { region, staying, clients, before, deregister, pass } = await scene({ connectionTermination: false });
  deregister();
  await pass(3_600_000);
  expect(await served(clients)).toEqual(before);
  await region.clock.advance(119_999);
  expect(await served(clients)).toEqual(before);
  await region.clock.advance(120_000);
  expect(new Set(await served(clients))).toEqual(new Set([staying.id]));
});

test.each([{ skipOsShutdown: false }, { skipOsShutdown: true }])(
  "datagrams of a flow whose machine is gone are lost until it was idle: %o",
  async (how) => {
    const { region, leaving, staying, clients, before } = await scene();
    region.world.terminateInstance(leaving, undefined, how);
    const others = clients.filter((_, at) => before[at] === staying.id);
    const bereaved = clients.filter((_, at) => before[at] === leaving.id);
    const allLost = bereaved.map(() => true);
    expect(await DatagramClient.lost(bereaved, () => served(others))).toEqual(allLost);
    // Nothing has moved the flows: each datagram that vanishes keeps its flow alive.
    await region.clock.advance(119_999);
    expect(await DatagramClient.lost(bereaved, () => served(others))).toEqual(allLost);
    await region.clock.advance(120_000);
    expect(new Set(await served(bereaved))).toEqual(new Set([staying.id]));
  },
);

test("an NLB without targets drops datagrams, and serves the next one once it has a target", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "dns", type: "network", protocol: "UDP" });
  const plane = await carryInside(region.world);
  const client = await DatagramClient.open(plane.url("dns-lb"));
  expect(await DatagramClient.lost([client], () => region.clock.advance(1))).toEqual([true]);
  region.world.registerTarget(group, { id: node.id }, { settled: true });
  expect(await client.ask()).toBe(node.id);
});

test("closing the data plane closes its ports for datagrams", async () => {
  const { region, plane, clients } = await scene();
  plane.close();
  plane.close();
  expect(await DatagramClient.lost(clients, () => region.clock.advance(1))).toEqual(clients.map(() => true));
});
