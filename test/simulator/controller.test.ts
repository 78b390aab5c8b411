import { describe, expect, onTestFinished, test } from "vitest";
import { Controller } from "../../src/simulator/controller.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const INTERVAL_MS = 10_000;

/** Two nodes in an NLB's group and in a classic load balancer, and a controller that wants them there. */
function controlled() {
  const region = new SimulatedRegion({ nlbRegistrationMs: 20_000 });
  const nodes = [region.node(), region.node()] as const;
  const group = region.group({ name: "web", type: "network", nodes });
  const loadBalancer = region.classic({ name: "old", nodes });
  const instanceIds = nodes.map(({ id }) => id);
  const controller = new Controller(region.world, {
    intervalMs: INTERVAL_MS,
    targetGroups: [{ group, targets: instanceIds.map((id) => ({ id })) }],
    classics: [{ loadBalancer, instanceIds }],
  });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const ended = controller.run(stop.signal);
  const states = () =>
    group.listed(region.clock.now()).map((target) => group.apiHealth(target, region.clock.now()).state);
  const deregister = () => {
    region.world.deregisterTarget(group, { id: nodes[0].id });
    region.world.deregisterClassic(loadBalancer, nodes[0].id);
  };
  const registered = () => loadBalancer.registered(region.clock.now());
  return { region, nodes, group, stop, ended, states, registered, deregister };
}

describe("a controller", () => {
  test("registers again at its interval what only drains", async () => {
    const { region, nodes, states, registered, deregister } = controlled();
    deregister();
    await region.clock.advance(INTERVAL_MS - 1);
    expect([states(), registered()]).toEqual([["draining", "healthy"], [nodes[1].id]]);
    await region.clock.advance(1);
    expect([states(), registered().length]).toEqual([["initial", "healthy"], 2]);
  });

  test("does so every time", async () => {
    const { region, states, deregister } = controlled();
    for (let time = 0; time < 3; time++) {
      deregister();
      expect(states()).toEqual(["draining", "healthy"]);
      await region.clock.advance(INTERVAL_MS);
      expect(states()).toEqual(["initial", "healthy"]);
    }
  });

  test("leaves an excluded node alone", async () => {
    const { region, nodes, states, registered, deregister } = controlled();
    region.world.excluded.add(nodes[0].id);
    deregister();
    await region.clock.advance(3 * INTERVAL_MS);
    expect([states(), registered()]).toEqual([["draining", "healthy"], [nodes[1].id]]);
  });

  test.each(["stopInstance", "terminateInstance"] as const)("leaves a machine alone after %s", async (change) => {
    const { region, nodes, group, states, deregister } = controlled();
    deregister();
    region.world[change](nodes[0]);
    await region.clock.advance(INTERVAL_MS);
    expect(states()[0]).not.toBe("initial");
    expect(group.named({ id: nodes[0].id }, region.clock.now())?.deregisteredAt).toBeDefined();
  });

  test("changes nothing where all is in place", async () => {
    const { region, states, group } = controlled();
    const before = group.listed(region.clock.now());
    await region.clock.advance(10 * INTERVAL_MS);
    expect(states()).toEqual(["healthy", "healthy"]);
    expect(group.listed(region.clock.now())).toEqual(before);
  });

  test("ends when it is stopped", async () => {
    const { region, stop, ended, states, deregister } = controlled();
    stop.abort();
    await ended;
    deregister();
    await region.clock.advance(INTERVAL_MS);
    expect(states()).toEqual(["draining", "healthy"]);
  });
});

describe("a target that is registered again", () => {
  test("gets traffic from a machine that has not learnt of its deregistration, without a break", async () => {
    const { region, nodes, group, deregister } = controlled();
    const senders = () =>
      [0, 1].filter((machine) => group.routable(region.clock.now(), machine, 2).some(({ id }) => id === nodes[0].id));
    deregister();
    await region.clock.advance(INTERVAL_MS);
    expect(senders()).toEqual([0, 1]);
    // Registered 10 s after it was deregistered, known 20 s later, and healthy after a check of 30 s.
    await region.clock.advance(110_000);
    expect(senders()).toEqual([0, 1]);
  });

  test("and deregistered at once gets it until the lags of both have passed", async () => {
    const { region, nodes, group, stop, deregister } = controlled();
    const isSender = (machine: number) =>
      group.routable(region.clock.now(), machine, 2).some(({ id }) => id === nodes[0].id);
    deregister();
    await region.clock.advance(INTERVAL_MS);
    stop.abort();
    deregister();
    await region.clock.advance(120_000 - INTERVAL_MS - 1);
    expect([isSender(0), isSender(1)]).toEqual([true, true]);
    // The first machine learns of the second deregistration 120 s after it, the last one 180 s after it.
    await region.clock.advance(INTERVAL_MS + 1);
    expect([isSender(0), isSender(1)]).toEqual([false, true]);
    await region.clock.advance(59_999);
    expect(isSender(1)).toBe(true);
    await region.clock.advance(1);
    expect(isSender(1)).toBe(false);
  });

  test("to a classic load balancer gets requests from a machine that has not learnt of its deregistration", async () => {
    const region = new SimulatedRegion({ classicDeregistration: [1_000, 4_000], classicRegistrationMs: 10_000 });
    const node = region.node();
    const classic = region.classic({ name: "old", nodes: [node] });
    const senders = () => [0, 1].filter((machine) => classic.routable(region.clock.now(), machine, 2).length > 0);
    region.world.deregisterClassic(classic, node.id);
    region.world.registerClassic(classic, node.id);
    expect(senders()).toEqual([0, 1]);
    await region.clock.advance(1_000);
    expect(senders()).toEqual([1]);
    await region.clock.advance(3_000);
    expect(senders()).toEqual([]);
  });
});
