import { expect, test } from "vitest";
import { carryInside } from "../../support/machine-inside.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { Connection, send } from "./clients.ts";
import { DatagramClient, served } from "./datagrams.ts";

const LAG = { nlbDeregistration: [120_000, 180_000], gatewayFailover: [30_000, 60_000] } as const;
const FLOWS = 16;
/** Less than any idle timeout. */
const USED_EVERY_MS = 50_000;
const REBALANCE = { "target_failover.on_deregistration": "rebalance", "target_failover.on_unhealthy": "rebalance" };
const RESET = { "send_tcp_reset.on_deregistration.enabled": "true", "send_tcp_reset.on_unhealthy.enabled": "true" };

interface Input {
  readonly attributes?: Readonly<Record<string, string>>;
  readonly delaySeconds?: number;
  readonly idleTimeoutSeconds?: number;
}

/** A GWLB with two appliances, and flows of both protocols through it. */
async function scene({ attributes = {}, delaySeconds = 300, ...idle }: Input = {}) {
  const region = new SimulatedRegion(LAG);
  const [leaving, staying] = [region.node(), region.node()];
  const group = region.group({ name: "inspect", type: "gateway", nodes: [leaving, staying], delaySeconds, ...idle });
  for (const [key, value] of Object.entries(attributes)) group.attributes.set(key, value);
  const plane = await carryInside(region.world);
  const [tcp = "", udp = ""] = plane.urls("inspect-lb", 80);
  const connections = await Connection.openMany(tcp, FLOWS);
  const clients = await DatagramClient.openMany(udp, FLOWS);
  const before = await served(clients);
  const deregister = () => region.world.deregisterTarget(group, { id: leaving.id });
  /** Lets time pass with every flow in use. Returns how many connections of the leaving node's were broken. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += USED_EVERY_MS) {
      await region.clock.advance(Math.min(USED_EVERY_MS, ms - passed));
      await served(clients);
      for (const connection of connections) if (!connection.isBroken) await connection.send();
    }
    return connections.filter(({ isBroken }) => isBroken).length;
  };
  const ofLeaving = connections.filter(({ servedBy }) => servedBy === leaving.id);
  return {
    region,
    group,
    leaving,
    staying,
    plane,
    tcp,
    udp,
    connections,
    ofLeaving,
    clients,
    before,
    deregister,
    pass,
  };
}

test("a GWLB spreads flows over healthy appliances by protocol, addresses and ports, and each stays with its own", async () => {
  const { region, leaving, staying, connections, clients, before, tcp } = await scene();
  const both = new Set([leaving.id, staying.id]);
  expect(new Set(before)).toEqual(both);
  expect(new Set(connections.map(({ servedBy }) => servedBy))).toEqual(both);
  for (const connection of connections)
    expect(await connection.send()).toMatchObject({ status: 200, servedBy: connection.servedBy });
  region.world.setAnswering(leaving, false);
  await region.clock.advance(60_000);
  for (let time = 0; time < FLOWS; time++) expect(await send(tcp)).toMatchObject({ servedBy: staying.id });
  // Flows that exist stay with it, whatever its health.
  expect(await served(clients)).toEqual(before);
});

test.each([
  ["source_ip_dest_ip", true],
  ["source_ip_dest_ip_proto", false],
])(
  "with stickiness of type %s all flows between two addresses have one appliance, of all protocols: %s",
  async (type, isForAll) => {
    const region = new SimulatedRegion();
    const group = region.group({
      name: "inspect",
      type: "gateway",
      nodes: Array.from({ length: 8 }, () => region.node()),
    });
    group.attributes.set("stickiness.enabled", "true");
    group.attributes.set("stickiness.type", type);
    const plane = await carryInside(region.world);
    const [tcp = "", udp = ""] = plane.urls("inspect-lb", 80);
    const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
    const byTcp = [];
    const byUdp = [];
    for (const localAddress of addresses) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => send(tcp, { localAddress })));
      const appliances = new Set(answers.map(({ servedBy }) => servedBy));
      expect(appliances.size).toBe(1);
      byTcp.push(...appliances);
      byUdp.push(await (await DatagramClient.open(udp, localAddress)).ask());
    }
    expect(new Set(byTcp).size).toBeGreaterThan(1);
    if (isForAll) expect(byUdp).toEqual(byTcp);
    else expect(byUdp).not.toEqual(byTcp);
  },
);

test("a new connection of a sticky flow goes to its appliance though that is deregistered, until the flow was idle", async () => {
  const { region, group, leaving, staying, tcp } = await scene();
  group.attributes.set("stickiness.enabled", "true");
  group.attributes.set("stickiness.type", "source_ip_dest_ip");
  const { servedBy = "" } = await send(tcp);
  region.world.deregisterTarget(group, { id: servedBy });
  await region.clock.advance(349_999);
  expect(await send(tcp)).toMatchObject({ servedBy });
  await region.clock.advance(350_000);
  const other = servedBy === leaving.id ? staying.id : leaving.id;
  expect(await send(tcp)).toMatchObject({ servedBy: other });
});

test("new flows come to a deregistered appliance for the lag, and flows that exist stay for as long as they are used", async () => {
  const { region, staying, tcp, clients, before, deregister, pass, connections } = await scene({ delaySeconds: 60 });
  deregister();
  expect(await pass(180_000)).toBe(0);
  for (let time = 0; time < FLOWS; time++) expect(await send(tcp)).toMatchObject({ servedBy: staying.id });
  expect(await pass(3_600_000)).toBe(0);
  expect(await served(clients)).toEqual(before);
  for (const connection of connections)
    expect(await connection.send()).toMatchObject({ servedBy: connection.servedBy });
  // A flow of datagrams that was idle for two minutes is another flow.
  await region.clock.advance(120_000);
  expect(new Set(await served(clients))).toEqual(new Set([staying.id]));
});

test.each([
  [undefined, {}, 350_000],
  [600, {}, 600_000],
  [60, { "stickiness.enabled": "true" }, 350_000],
] as const)("a TCP flow may be idle for the listener's timeout: %s s with %o", async (seconds, attributes, idleMs) => {
  const timeout = seconds === undefined ? {} : { idleTimeoutSeconds: seconds };
  const { region, connections } = await scene({ attributes, ...timeout });
  const [used, unused] = connections;
  await region.clock.advance(idleMs - 1);
  expect(await used?.send()).toMatchObject({ status: 200 });
  await region.clock.advance(1);
  // It is dropped: nothing says so.
  const answer = unused?.send();
  expect(await used?.send()).toMatchObject({ status: 200 });
  expect(unused?.isBroken).toBe(false);
  unused?.leave();
  expect(await answer).toMatchObject({ status: "broken" });
});

test("a GWLB resets idle TCP flows when they are used again, where its listener says so", async () => {
  const { region, plane, connections } = await scene();
  const [loadBalancer] = region.world.loadBalancers.values();
  loadBalancer?.listeners[0]?.attributes.set("send_tcp_reset.on_idle_timeout.enabled", "true");
  await region.clock.advance(350_000);
  expect(connections[0]?.isBroken).toBe(false);
  expect(await connections[0]?.send()).toMatchObject({ status: "broken", error: "ECONNRESET" });
  plane.close();
});

test("with rebalance flows move a minute after the delay: datagrams go on, and TCP meets an appliance that does not know it", async () => {
  const { region, leaving, staying, clients, before, deregister, pass, ofLeaving } = await scene({
    attributes: REBALANCE,
    delaySeconds: 240,
  });
  deregister();
  expect(await pass(269_999)).toBe(0);
  expect(await served(clients)).toEqual(before);
  await region.clock.advance(1);
  // One of the load balancer's machines has moved what it carries.
  expect(new Set(await served(clients))).toEqual(new Set([leaving.id, staying.id]));
  expect(await served(clients)).not.toEqual(before);
  expect(await pass(30_000)).toBe(ofLeaving.length);
  expect(new Set(await served(clients))).toEqual(new Set([staying.id]));
  region.world.terminateInstance(leaving, undefined, { skipOsShutdown: true });
  expect(await pass(USED_EVERY_MS)).toBe(ofLeaving.length);
});

test("with TCP reset flows of TCP are reset after the delay, and datagrams stay", async () => {
  const { clients, before, deregister, pass, ofLeaving } = await scene({ attributes: RESET, delaySeconds: 240 });
  deregister();
  expect(await pass(269_999)).toBe(0);
  expect(await pass(30_001)).toBe(ofLeaving.length);
  expect(await served(clients)).toEqual(before);
});

test.each([
  [REBALANCE, true],
  [RESET, false],
])(
  "flows of an appliance that becomes unhealthy leave it after the checks and a minute, with %o",
  async (attributes, move) => {
    const { region, staying, leaving, clients, before, pass, ofLeaving } = await scene({ attributes });
    region.world.setAnswering(leaving, false);
    // Two checks, 30 s apart.
    expect(await pass(60_000 + 29_999)).toBe(0);
    expect(await served(clients)).toEqual(before);
    expect(await pass(30_001)).toBe(ofLeaving.length);
    const after = await served(clients);
    if (move) expect(new Set(after)).toEqual(new Set([staying.id]));
    else expect(after).toEqual(before);
  },
);
