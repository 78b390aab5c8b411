import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { printedFor } from "../support/printed-policy.ts";
import { CREDENTIALS, elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

/** A node behind each kind of load balancer, and an engine that has what the policy allows which is printed with UNDO. */
function scene(UNDO = "true") {
  const region = new SimulatedRegion();
  const node = region.node();
  const alb = region.group({ name: "alb" });
  for (const port of [30080, 30081]) region.world.registerTarget(alb, { id: node.id, port }, { settled: true });
  const pods = region.group({ name: "pods", targetType: "ip", port: 8080, nodes: [node] });
  region.group({ name: "nlb", type: "network", nodes: [node] });
  region.group({ name: "gwlb", type: "gateway", nodes: [node], port: 6081 });
  region.classic({ name: "old", nodes: [node], drainingSeconds: 60 });
  const environment = {
    CLOUDPROVIDER: "aws",
    SECRET: "s",
    AWS_REGION: region.world.region,
    QUOTA_SHARE: "100",
    MIN_HEALTHY: "0",
  };
  const accessKeyId = "undoing";
  region.simulator.access.restrict({ accessKeyId, document: printedFor({ AWS_REGION: region.world.region, UNDO }) });
  const events: DrainEvent[] = [];
  const ledger = new MemoryLedger();
  const { drainer } = createEngine(readConfig({ verb: "serve", environment: { ...environment, UNDO } }), {
    clock: region.clock,
    aws: region.aws({ ...CREDENTIALS, accessKeyId }),
    observers: [(event) => void events.push(event)],
    ledger,
  });
  const drain = () => drainer.drain({ node: { by: "id", value: node.id }, dryRun: false }, never);
  const cancel = () => drainer.cancel(ledger.list(1)[0]?.drain ?? "", undefined, never);
  return { region, node, alb, pods, drain, cancel, events };
}

/** Who is registered in the pools, whatever AWS shows: pool, id, port, zone. */
function registered(region: SimulatedRegion, { id, privateIp }: Instance): readonly string[] {
  const { world, clock } = region;
  const inGroups = [...world.targetGroups.values()].flatMap((group: TargetGroup) =>
    group
      .listed(clock.now())
      .filter((target) => [id, privateIp].includes(target.id) && target.deregisteredAt === undefined)
      .map(({ port, zone }) => `${group.name} ${port} ${zone ?? ""}`.trim()),
  );
  const inClassics = [...world.classics.values()].filter((classic) => classic.isRegistered(id)).map(({ name }) => name);
  return [...inGroups, ...inClassics].sort();
}

const ALL = ["alb 30080", "alb 30081", "gwlb 6081", "nlb 30080", "old", "pods 8080 eu-west-1a"];

describe("a drain of a node behind every kind of load balancer is undone: the same id, port and zone", () => {
  test.each([0, 2, 20, 90, 250, 320, 1_000])("cancelled after %s s", async (seconds) => {
    const { region, node, drain, cancel } = scene();
    expect(registered(region, node)).toEqual(ALL);
    const drained = drain();
    await region.clock.advance(seconds * 1_000);
    const undone = await region.clock.run(cancel());
    expect((await drained).status).toBe(seconds < 350 ? "cancelled" : "drained");
    expect(registered(region, node)).toEqual(ALL);
    expect(new Set(undone.registrations.map(({ state }) => state))).toEqual(new Set(["registered"]));
    await region.clock.advance(1_800_000);
    expect(registered(region, node)).toEqual(ALL);
    expect(region.clock.sleeping).toBe(0);
  });

  test("cancelled at any of the calls that it makes", async () => {
    const calls = 24;
    // The first call finds the node: before that there is no drain.
    for (let at = 2; at <= calls; at++) {
      const { region, node, drain, cancel } = scene();
      let undone: ReturnType<typeof cancel> | undefined;
      region.intercept = () => {
        if (region.calls.length === at) undone = cancel();
        return undefined;
      };
      const drained = drain();
      await region.clock.advance(8_000);
      const { registrations } = await region.clock.run(undone ?? cancel());
      expect((await drained).status).toBe("cancelled");
      expect(registered(region, node)).toEqual(ALL);
      expect(registrations.filter(({ state }) => state === "failed" || state === "left")).toEqual([]);
      expect(region.clock.sleeping).toBe(0);
    }
  });

  test("an ALB gets the address only once its deregistration delay has passed", async () => {
    const { region, pods, drain, cancel } = scene();
    void drain();
    await region.clock.advance(30_000);
    await region.clock.run(cancel());
    const secondsOf = (action: string) =>
      region.calls
        .filter((call) => call.action === action && call.params.get("TargetGroupArn") === pods.arn)
        .map(({ at }) => Math.floor(at / 1_000));
    const [out = 0] = secondsOf("DeregisterTargets");
    const [back = 0, ...more] = secondsOf("RegisterTargets");
    expect(more).toEqual([]);
    expect(back - out).toBeGreaterThanOrEqual(300);
  });

  test("what AWS shows late deceives nobody", async () => {
    const { region, node, drain, cancel } = scene();
    Object.assign(region.world.timing, { apiPropagationMs: 8_000 });
    void drain();
    await region.clock.advance(12_000);
    const undone = await region.clock.run(cancel());
    expect(new Set(undone.registrations.map(({ state }) => state))).toEqual(new Set(["registered"]));
    expect(registered(region, node)).toEqual(ALL);
  });
});

test("a call that is made again for others does not take a cancelled node along", async () => {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node()] as const;
  const group = region.group({ name: "web", nodes });
  const classic = region.classic({ name: "old", nodes });
  const ledger = new MemoryLedger();
  const environment = {
    CLOUDPROVIDER: "aws",
    SECRET: "s",
    AWS_REGION: region.world.region,
    UNDO: "true",
    MIN_HEALTHY: "0",
  };
  const config = readConfig({ verb: "serve", environment });
  const { drainer } = createEngine(config, { clock: region.clock, aws: region.aws(), ledger });
  let isThrottled = true;
  region.intercept = ({ action }) =>
    isThrottled && action.startsWith("Deregister") ? elbError("Throttling", "Rate exceeded") : undefined;
  const ask = ({ id }: Instance) => drainer.drain({ node: { by: "id", value: id }, dryRun: false }, never);
  const drains = nodes.map(ask);
  await region.clock.advance(5_000);
  const named = region.calls
    .filter(({ action }) => action.startsWith("Deregister"))
    .map(({ params }) => String(params));
  expect(named.some((params) => nodes.every(({ id }) => params.includes(id)))).toBe(true);
  const cancelled = ledger.list(9).find(({ node }) => node.id === nodes[0].id)?.drain ?? "";
  const undone = drainer.cancel(cancelled, undefined, never);
  isThrottled = false;
  const { registrations } = await region.clock.run(undone);
  expect(registrations.map(({ state }) => state)).toEqual(["untouched", "untouched"]);
  expect((await region.clock.run(Promise.all(drains))).map(({ status }) => status)).toEqual(["cancelled", "drained"]);
  expect(group.listed(region.clock.now()).map(({ id, deregisteredAt }) => [id, deregisteredAt])).toEqual([
    [nodes[0].id, undefined],
  ]);
  expect(classic.registered(region.clock.now())).toEqual([nodes[0].id]);
  expect(region.callsOf("RegisterTargets")).toEqual([]);
});

test("without UNDO the policy lets nothing be registered, and each that stays out is named", async () => {
  const { region, node, drain, cancel } = scene("false");
  await region.clock.run(drain());
  const undone = await region.clock.run(cancel());
  expect(undone.registrations.map(({ error }) => error?.code)).toEqual(ALL.map(() => "access-denied"));
  expect(registered(region, node)).toEqual([]);
});
