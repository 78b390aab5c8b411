import { describe, expect, test } from "vitest";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const MACHINES = 3;

/** A group with two healthy nodes, and who gets new traffic from each of its load balancer's machines. */
function pair(type: LoadBalancerType, delaySeconds = 300) {
  const region = new SimulatedRegion();
  const leaving = region.node();
  const staying = region.node();
  const group = region.group({ name: "web", type, nodes: [leaving, staying], delaySeconds });
  const receivers = () =>
    Array.from({ length: MACHINES }, (_, machine) =>
      group.routable(region.clock.now(), machine, MACHINES).map(({ id }) => id),
    );
  /** The machines that still send new traffic to the node that leaves. */
  const senders = () => receivers().flatMap((ids, machine) => (ids.includes(leaving.id) ? [machine] : []));
  const deregister = () => region.world.deregisterTarget(group, { id: leaving.id });
  return { region, group, leaving, staying, receivers, senders, deregister };
}

describe("new traffic to a deregistered target goes on until every machine has learned of it", () => {
  test.each([
    { type: "application" as const, first: 4_000, second: 11_000, last: 18_000 },
    { type: "network" as const, first: 120_000, second: 150_000, last: 180_000 },
    { type: "gateway" as const, first: 120_000, second: 150_000, last: 180_000 },
  ])("on a load balancer of type $type for $last ms", async ({ type, first, second, last }) => {
    const { region, senders, deregister } = pair(type);
    deregister();
    const seen: number[][] = [];
    let passed = 0;
    for (const at of [0, first - 1, first, second - 1, second, last - 1, last]) {
      await region.clock.advance(at - passed);
      passed = at;
      seen.push(senders());
    }
    expect(seen).toEqual([[0, 1, 2], [0, 1, 2], [1, 2], [1, 2], [2], [2], []]);
  });

  test.each([0, 5, 3_600])("on an NLB for as long, with a deregistration delay of %d s", async (delaySeconds) => {
    const { region, group, senders, deregister } = pair("network", delaySeconds);
    deregister();
    await region.clock.advance(179_999);
    expect(senders()).toEqual([2]);
    expect(group.listed(region.clock.now())).toHaveLength(delaySeconds < 180 ? 1 : 2);
    await region.clock.advance(1);
    expect(senders()).toEqual([]);
  });

  test("trafficUntil says when, and that a registered target's has no end", () => {
    const { region, group, leaving, deregister } = pair("application");
    const target = group.named({ id: leaving.id }, region.clock.now());
    if (target === undefined) throw new Error("not registered");
    expect(group.trafficUntil(target, 0, MACHINES)).toBe(Number.POSITIVE_INFINITY);
    deregister();
    const lags = [0, 1, 2].map((machine) => group.trafficUntil(target, machine, MACHINES) - region.clock.now());
    expect(lags).toEqual([4_000, 11_000, 18_000]);
    expect(group.trafficUntil(target, 0, 1) - region.clock.now()).toBe(18_000);
  });

  test("the lags can be set", async () => {
    const region = new SimulatedRegion({ nlbDeregistration: [1_000, 1_000] });
    const node = region.node();
    const group = region.group({ name: "web", type: "network", nodes: [node] });
    region.world.deregisterTarget(group, { id: node.id });
    expect(group.routable(region.clock.now() + 999, 0, MACHINES)).toHaveLength(1);
    expect(group.routable(region.clock.now() + 1_000, 0, MACHINES)).toEqual([]);
  });
});

describe("new traffic to a new target", () => {
  test.each([
    { type: "application" as const, registrationMs: 5_000 },
    { type: "network" as const, registrationMs: 90_000 },
  ])("begins on a load balancer of type $type with its first good check", async ({ type, registrationMs }) => {
    const { region, group, receivers, leaving, staying } = pair(type);
    const added = region.node();
    region.world.registerTarget(group, { id: added.id });
    await region.clock.advance(registrationMs + 29_999);
    expect(receivers()[0]).toEqual([leaving.id, staying.id]);
    await region.clock.advance(1);
    expect(receivers()[0]).toEqual([leaving.id, staying.id, added.id]);
  });
});

describe("a target that fails its checks", () => {
  test("gets nothing while another one is healthy", async () => {
    const { region, receivers, leaving, staying } = pair("application");
    region.world.setAnswering(leaving, false);
    await region.clock.advance(60_000);
    expect(receivers()).toEqual([[staying.id], [staying.id], [staying.id]]);
  });

  test.each(["application", "network"] as const)(
    "gets its share once none is healthy: a load balancer of type %s fails open",
    async (type) => {
      const { region, receivers, leaving, staying } = pair(type);
      region.world.setAnswering(leaving, false);
      region.world.setAnswering(staying, false);
      await region.clock.advance(60_000);
      expect(receivers()[0]).toEqual([leaving.id, staying.id]);
    },
  );

  test("is the only one left when the last healthy one has gone", async () => {
    const { region, receivers, staying, deregister } = pair("application");
    region.world.setAnswering(staying, false);
    deregister();
    await region.clock.advance(60_000);
    expect(receivers()).toEqual([[staying.id], [staying.id], [staying.id]]);
  });
});

test("a terminated instance gets traffic until its load balancer has noticed", async () => {
  const { region, receivers, leaving, staying } = pair("application");
  region.world.terminateInstance(leaving);
  await region.clock.advance(10_000 + 3_999);
  expect(receivers()[0]).toEqual([leaving.id, staying.id]);
  await region.clock.advance(1);
  expect(receivers()[0]).toEqual([staying.id]);
});

describe("a classic load balancer", () => {
  function classicPair() {
    const region = new SimulatedRegion();
    const leaving = region.node();
    const staying = region.node();
    const classic = region.classic({ name: "old", nodes: [leaving, staying], drainingSeconds: 300 });
    const receivers = (machine: number) => classic.routable(region.clock.now(), machine, MACHINES);
    return { region, classic, leaving, staying, receivers };
  }

  test("goes on for two seconds at most after deregistering", async () => {
    const { region, classic, leaving, staying, receivers } = classicPair();
    region.world.deregisterClassic(classic, leaving.id);
    await region.clock.advance(499);
    expect([0, 2].map(receivers)).toEqual([
      [leaving.id, staying.id],
      [leaving.id, staying.id],
    ]);
    await region.clock.advance(1);
    expect([0, 2].map(receivers)).toEqual([[staying.id], [leaving.id, staying.id]]);
    await region.clock.advance(1_500);
    expect([0, 2].map(receivers)).toEqual([[staying.id], [staying.id]]);
  });

  test("never falls back on unhealthy instances", async () => {
    const { region, leaving, staying, receivers } = classicPair();
    region.world.setAnswering(leaving, false);
    await region.clock.advance(60_000);
    expect(receivers(0)).toEqual([staying.id]);
    region.world.setAnswering(staying, false);
    await region.clock.advance(60_000);
    expect(receivers(0)).toEqual([]);
  });

  test("sends a new instance nothing before its first good check", async () => {
    const { region, classic, receivers } = classicPair();
    const added = region.node();
    classic.register(added.id, region.clock.now());
    await region.clock.advance(31_999);
    expect(receivers(0)).not.toContain(added.id);
    await region.clock.advance(1);
    expect(receivers(0)).toContain(added.id);
  });

  test("lets go of a terminated instance by itself", async () => {
    const { region, leaving, staying, receivers } = classicPair();
    region.world.terminateInstance(leaving);
    await region.clock.advance(11_999);
    expect(receivers(2)).toEqual([leaving.id, staying.id]);
    await region.clock.advance(1);
    expect(receivers(2)).toEqual([staying.id]);
  });
});
