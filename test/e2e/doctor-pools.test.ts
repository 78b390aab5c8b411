import { afterAll, describe, expect, test } from "vitest";
import type { FindingCode } from "../../src/doctor/finding.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { Connection, holdMany, statusesOf, tally } from "../simulator/data-plane/clients.ts";
import { codesOf, doctorOf, mendAll } from "../support/doctor.ts";
import { CarriedInside } from "../support/machine-inside.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

/** Enough that some come to each target. */
const CLIENTS = 60;
const CUT: ReadonlySet<unknown> = new Set([502, 503, 504, "broken"]);

/** Drains of nodes that nobody waits for. */
const over = newAbort();
afterAll(() => over.abort());

interface Scene {
  readonly region: SimulatedRegion;
  readonly nodes: readonly Instance[];
  /** The load balancer's name. */
  readonly through: string;
}

/**
 * Doctor's finding, and what it costs: `lost` requests of clients while a node leaves. The same once the finding's
 * own commands have been run.
 */
async function beforeAndAfter(
  code: FindingCode,
  build: () => Scene,
  lost: (scene: Scene, carried: CarriedInside) => Promise<number>,
  /** Until the region is as doctor finds it, in milliseconds. */
  settlesMs = 0,
) {
  const results = [];
  for (const isMended of [false, true]) {
    const scene = build();
    await scene.region.clock.advance(settlesMs);
    const report = await doctorOf(scene.region);
    expect(codesOf(report)).toContain(code);
    if (isMended) await mendAll(scene.region, report, code);
    const isFound = codesOf(await doctorOf(scene.region)).includes(code);
    results.push({ isFound, lost: await lost(scene, await CarriedInside.open(scene.region.world)) });
  }
  const [before, after] = results;
  return { before, after };
}

/** Begins to drain the first node, and lets `ms` pass. The drain goes on. */
async function beginDrain({ region, nodes }: Scene, ms: number): Promise<void> {
  const node = { by: "id", value: nodes[0]?.id ?? "" } as const;
  region
    .engine()
    .drain({ node, dryRun: false }, over.signal)
    .catch(() => {});
  await region.clock.advance(ms);
}

/** How many requests that are in flight when the first node begins to leave are cut. */
async function cutInFlight(scene: Scene, carried: CarriedInside): Promise<number> {
  const { nodes, through } = scene;
  for (const { id } of nodes) carried.freeze(id);
  const held = await holdMany(carried.plane.url(through), 14);
  await beginDrain(scene, 25_000);
  for (const { id } of nodes) carried.thaw(id);
  await Promise.all(held.map(({ answer }) => answer));
  return statusesOf(held).filter((status) => CUT.has(status)).length;
}

/** How many of as many new clients get no answer. */
async function refusedClients({ through }: Scene, { plane }: CarriedInside): Promise<number> {
  const counts = Object.entries(await tally(plane.url(through), CLIENTS));
  return counts.filter(([by]) => !by.startsWith("i-")).reduce((sum, [, count]) => sum + count, 0);
}

const LOST = {
  before: { isFound: true, lost: expect.toSatisfy((lost: number) => lost > 0) },
  after: { isFound: false, lost: 0 },
};
const TERMINATES = "target_health_state.unhealthy.connection_termination.enabled";
const KUBE_PROXY = { protocol: "HTTP", port: "10256", path: "/healthz", timeoutSeconds: 6, matcher: "200-399" };

describe("doctor finds, and its commands mend", () => {
  test("a classic load balancer with connection draining off, which cuts requests in flight", async () => {
    const build = () => {
      const region = new SimulatedRegion({ classicDeregistration: [500, 2_000] });
      const nodes = [region.node(), region.node()];
      region.classic({ name: "legacy", nodes });
      return { region, nodes, through: "legacy" };
    };
    expect(await beforeAndAfter("classic-draining-off", build, cutInFlight)).toEqual(LOST);
  });

  test("an ALB's deregistration delay of 0, which cuts requests in flight", async () => {
    const build = () => {
      const region = new SimulatedRegion();
      const nodes = [region.node(), region.node()];
      region.group({ name: "web", nodes, delaySeconds: 0 });
      return { region, nodes, through: "web-lb" };
    };
    expect(await beforeAndAfter("deregistration-delay-zero", build, cutInFlight)).toEqual(LOST);
  });

  test("a minimum of healthy targets that makes an ALB send to unhealthy ones while a node leaves", async () => {
    const build = () => {
      const region = new SimulatedRegion();
      const nodes = [region.node(), region.node(), region.node()];
      const group = region.group({ name: "web", nodes, delaySeconds: 30 });
      group.attributes.set("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "2");
      region.world.setAnswering(nodes[2] as Instance, false);
      return { region, nodes, through: "web-lb" };
    };
    const lost = async (scene: Scene, carried: CarriedInside) => {
      await carried.crash(scene.nodes[2]?.id ?? "");
      await scene.region.clock.advance(120_000);
      expect(await refusedClients(scene, carried)).toBe(0);
      await beginDrain(scene, 60_000);
      return refusedClients(scene, carried);
    };
    expect(await beforeAndAfter("fails-open", build, lost, 120_000)).toEqual(LOST);
  });

  test("an NLB with one node in a zone, whose clients lose it while that node leaves", async () => {
    const build = () => {
      const region = new SimulatedRegion();
      const nodes = ["a", "b", "c"].map((letter) => region.node({ zone: `eu-west-1${letter}` }));
      const group = region.group({ name: "tcp", type: "network", nodes, delaySeconds: 5 });
      group.attributes.set("load_balancing.cross_zone.enabled", "false");
      return { region, nodes, through: "tcp-lb" };
    };
    const lost = async (scene: Scene, carried: CarriedInside) => {
      await beginDrain(scene, 181_000);
      return refusedClients(scene, carried);
    };
    expect(await beforeAndAfter("one-node-in-zone", build, lost)).toEqual(LOST);
  });

  test("an NLB that closes the connections of unhealthy targets, which cuts those through a node that cluster-autoscaler removes", async () => {
    const build = () => {
      const region = new SimulatedRegion();
      const nodes = [region.node(), region.node()];
      const group = region.group({ name: "tcp", type: "network", nodes });
      group.probe = KUBE_PROXY;
      group.attributes.set(TERMINATES, "true");
      return { region, nodes, through: "tcp-lb" };
    };
    const lost = async ({ region, nodes, through }: Scene, { plane }: CarriedInside) => {
      const connections = await Connection.openMany(plane.url(through), 40);
      region.world.setEligible(nodes[0] as Instance, false);
      await region.clock.advance(120_000);
      const answers = await Promise.all(connections.map((connection) => connection.send()));
      for (const connection of connections) connection.leave();
      return answers.filter(({ status }) => status !== 200).length;
    };
    expect(await beforeAndAfter("unhealthy-cuts-flows", build, lost)).toEqual(LOST);
  });

  test("an NLB for spot nodes whose health check does not ask kube-proxy, so that it sends to a node that is gone", async () => {
    const build = () => {
      // So late that it still sends connections when the test has seen enough, however busy the machine is.
      const region = new SimulatedRegion({ nlbDeregistration: [600_000, 900_000] });
      const nodes = [region.node({ isSpot: true }), region.node({ isSpot: true })];
      region.group({ name: "tcp", type: "network", nodes, delaySeconds: 5 });
      return { region, nodes, through: "tcp-lb" };
    };
    const lost = async (scene: Scene, { plane }: CarriedInside) => {
      const { region, nodes, through } = scene;
      const [leaving] = nodes as readonly [Instance, ...Instance[]];
      await beginDrain(scene, 0);
      // What the taint of the fast path does to kube-proxy.
      region.world.setEligible(leaving, false);
      await region.clock.advance(119_000);
      const connections = await Connection.openMany(plane.url(through), 40);
      const onLeaving = connections.filter(({ servedBy }) => servedBy === leaving.id);
      region.world.terminateInstance(leaving);
      await Promise.all(onLeaving.map((connection) => connection.untilClosed()));
      const broken = connections.filter(({ isBroken }) => isBroken).length;
      for (const connection of connections) connection.leave();
      return broken;
    };
    expect(await beforeAndAfter("nlb-slower-than-notice", build, lost)).toEqual(LOST);
  });
});
