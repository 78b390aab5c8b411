import { expect, onTestFinished, test } from "vitest";
import { createEngine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import { Traffic } from "../../src/demo/traffic.ts";
import type { Drainer } from "../../src/drain/drainer.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Timing } from "../../src/simulator/timing.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { World } from "../../src/simulator/world/world.ts";
import { allowIdle, type Carried, carry } from "../simulator/data-plane/carried.ts";
import { Connection, holdMany, send, statusesOf } from "../simulator/data-plane/clients.ts";
import { printedFor } from "../support/printed-policy.ts";
import { CREDENTIALS, never, VPC } from "../support/simulated-region.ts";

/** A request that nobody will ever see the end of: ten real minutes. */
const ENDLESS = "/?delay=600000";

interface SceneInput {
  /** So many simulated seconds pass in one. */
  readonly speed?: number;
  readonly timing: Partial<Timing>;
  /** By their variables' names. */
  readonly options: Readonly<Record<string, string>>;
  readonly build: (world: World) => void;
}

/** Two nodes under real traffic, and the real engine that drains one of them. One clock for all. */
interface Scene {
  readonly clock: ScaledClock;
  readonly world: World;
  readonly carried: Carried;
  readonly engine: Drainer;
  readonly leaving: Instance;
  readonly staying: Instance;
  readonly events: readonly DrainEvent[];
}

async function open({ speed = 20, timing, options, build }: SceneInput): Promise<Scene> {
  const clock = new ScaledClock(speed);
  const world = new World({ clock, timing });
  const node = (number: number) =>
    world.addInstance({ id: `i-0000000000000000${number}`, vpcId: VPC, privateIp: `10.0.0.${number}` });
  const [leaving, staying] = [node(1), node(2)];
  build(world);
  const document = printedFor({ AWS_REGION: world.region });
  const simulator = new Simulator(world, { policies: [{ accessKeyId: CREDENTIALS.accessKeyId, document }] });
  const endpoint = await simulator.listen();
  onTestFinished(() => simulator.close());
  const carried = await carry(world);
  const events: DrainEvent[] = [];
  const config = readConfig({ verb: "drain", environment: { AWS_REGION: world.region, ...options } });
  const { drainer: engine } = createEngine(config, {
    clock,
    aws: { endpoint, credentials: CREDENTIALS },
    observers: [(event) => events.push(event)],
  });
  return { clock, world, carried, engine, leaving, staying, events };
}

/** Both nodes behind a classic load balancer named `legacy`, with draining off, as AWS creates them. */
function addClassic(world: World): void {
  const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30080 }];
  const classic = world.addClassic({ name: "legacy", vpcId: VPC, listeners });
  for (const id of world.instances.keys()) classic.register(id, world.clock.now(), { settled: true });
}

/** Both nodes behind an ALB or NLB named `front`. */
function addFront(world: World, type: LoadBalancerType, delaySeconds: number, terminatesConnections = false): void {
  const protocol = type === "application" ? "HTTP" : "TCP";
  const group = world.addTargetGroup({ name: "front", vpcId: VPC, protocol, port: 30080, targetType: "instance" });
  group.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
  if (type === "network")
    group.attributes.set("deregistration_delay.connection_termination.enabled", String(terminatesConnections));
  for (const id of world.instances.keys()) world.registerTarget(group, { id }, { settled: true });
  const loadBalancer = world.addLoadBalancer({ name: "front", type, vpcId: VPC });
  const groups = [{ arn: group.arn, weight: 1 }];
  world.addListener(loadBalancer, { protocol, port: 80, defaultActions: [{ type: "forward", groups }] });
}

function requestFor({ id }: Instance, deadline?: number) {
  return { node: { by: "id", value: id }, dryRun: false, ...(deadline === undefined ? {} : { deadline }) } as const;
}

/** What the plan says that a drain can't save. */
async function unsavedBy({ engine, leaving }: Scene): Promise<readonly string[]> {
  const plan = await engine.plan(requestFor(leaving), never);
  return plan.registrations.flatMap(({ unsaved }) => unsaved.map(({ code, message }) => `${code}: ${message}`));
}

async function drain({ engine, leaving }: Scene): Promise<void> {
  expect(await engine.drain(requestFor(leaving), never)).toMatchObject({ status: "drained" });
}

test("a classic load balancer with draining off loses every request in flight, as the plan says", async () => {
  const scene = await open({
    timing: { classicDeregistration: [500, 2_000] },
    options: { CLASSIC_MINIMUM: "4" },
    build: addClassic,
  });
  const { world, carried, leaving, staying } = scene;
  const url = carried.plane.url("legacy");
  expect(await unsavedBy(scene)).toEqual([
    "requests-in-flight: connection draining is off: requests in flight are cut at once",
  ]);
  // The load balancer takes turns: half of them are on each node.
  const held = await holdMany(`${url}${ENDLESS}`, 14);

  await drain(scene);
  await expect.poll(() => statusesOf(held).filter((status) => status === 504).length).toBe(7);
  world.terminateInstance(leaving);
  expect(await send(url)).toMatchObject({ status: 200, servedBy: staying.id });
  expect(statusesOf(held).filter((status) => status === undefined)).toHaveLength(7);
});

test("an ALB loses exactly the requests that take longer than the deregistration delay, as the plan says", async () => {
  const scene = await open({
    timing: {},
    options: {},
    build: (world) => addFront(world, "application", 60),
  });
  const { world, carried, leaving, staying, events } = scene;
  allowIdle(world, 4_000);
  const url = carried.plane.url("front");
  expect(await unsavedBy(scene)).toEqual(["long-requests: requests that take longer than 60 s are cut"]);
  for (const { id } of [leaving, staying]) carried.freeze(id);
  const [short, long] = [await holdMany(url, 10), await holdMany(`${url}${ENDLESS}`, 6)];

  const drained = drain(scene);
  await expect.poll(() => events.some(({ type }) => type === "deregistered"), { interval: 10 }).toBe(true);
  expect(statusesOf(short)).toEqual(Array.from({ length: 10 }));
  for (const { id } of [leaving, staying]) carried.thaw(id);
  const answers = await Promise.all(short.map(({ answer }) => answer));
  expect(answers.map(({ servedBy }) => servedBy).sort()).toEqual([
    ...Array.from({ length: 5 }, () => leaving.id),
    ...Array.from({ length: 5 }, () => staying.id),
  ]);
  await drained;
  await expect.poll(() => statusesOf(long).filter((status) => status === 502).length).toBe(3);
  world.terminateInstance(leaving);
  expect(await send(url)).toMatchObject({ status: 200, servedBy: staying.id });
  expect(statusesOf(long).filter((status) => status === undefined)).toHaveLength(3);
});

test("an ALB with a deregistration delay of 0 loses every request in flight, as the plan says", async () => {
  const scene = await open({
    timing: { albDeregistration: [1_000, 3_000] },
    options: { ALB_PROPAGATION: "5" },
    build: (world) => addFront(world, "application", 0),
  });
  const { world, carried, leaving, staying } = scene;
  const url = carried.plane.url("front");
  expect(await unsavedBy(scene)).toEqual(["requests-in-flight: deregistration delay is 0: requests in flight are cut"]);
  const held = await holdMany(`${url}${ENDLESS}`, 14);

  await drain(scene);
  await expect.poll(() => statusesOf(held).filter((status) => status === 502).length).toBe(7);
  world.terminateInstance(leaving);
  expect(await send(url)).toMatchObject({ status: 200, servedBy: staying.id });
  expect(statusesOf(held).filter((status) => status === undefined)).toHaveLength(7);
});

test("an NLB's connections that are kept longer than the hold break when the node goes, as the plan says", async () => {
  const scene = await open({
    timing: { nlbDeregistration: [8_000, 12_000] },
    options: { NLB_PROPAGATION: "20" },
    build: (world) => addFront(world, "network", 10),
  });
  const { world, carried, leaving, staying, events } = scene;
  expect(await unsavedBy(scene)).toEqual([
    "long-connections: connections still open after 20 s break when the node goes",
  ]);
  const connections = await Connection.openMany(carried.plane.url("front"), 60);
  const onLeaving = connections.filter(({ servedBy }) => servedBy === leaving.id);
  const [kept, closedInTime] = [onLeaving.slice(0, 5), onLeaving.slice(5)];
  expect([kept.length, closedInTime.length > 0]).toEqual([5, true]);

  const drained = drain(scene);
  await expect.poll(() => events.some(({ type }) => type === "deregistered"), { interval: 10 }).toBe(true);
  for (const connection of closedInTime) connection.leave();
  await drained;
  for (const connection of kept) expect(await connection.send()).toMatchObject({ status: 200, servedBy: leaving.id });

  world.terminateInstance(leaving);
  await Promise.all(kept.map((connection) => connection.untilClosed()));
  for (const connection of connections.filter(({ servedBy }) => servedBy === staying.id))
    expect(await connection.send()).toMatchObject({ status: 200 });
  expect(connections.filter(({ isBroken }) => isBroken)).toEqual(kept);
});

test("an NLB with connection termination closes what is still open at the delay, as the plan says", async () => {
  const scene = await open({
    timing: { nlbDeregistration: [10_000, 20_000] },
    options: { NLB_PROPAGATION: "50" },
    build: (world) => addFront(world, "network", 40, true),
  });
  const { clock, world, carried, leaving, staying, events } = scene;
  expect(await unsavedBy(scene)).toEqual([
    "terminated-connections: connection termination is on: connections still open after 40 s are closed",
  ]);
  let deregisteredAt = 0;
  // In AWS's own books: a busy machine's clock has gone on when this is called.
  world.watch((change) => {
    if (change.type === "target-deregistered") deregisteredAt = change.target.deregisteredAt ?? Number.NaN;
  });
  const connections = await Connection.openMany(carried.plane.url("front"), 60);
  const onLeaving = connections.filter(({ servedBy }) => servedBy === leaving.id);
  const [kept, closedInTime] = [onLeaving.slice(0, 5), onLeaving.slice(5)];
  expect([kept.length, closedInTime.length > 0]).toEqual([5, true]);
  const closedAt = Promise.all(kept.map((connection) => connection.untilClosed().then(() => clock.now())));

  const drained = drain(scene);
  await expect.poll(() => events.some(({ type }) => type === "deregistered"), { interval: 10 }).toBe(true);
  for (const connection of closedInTime) connection.leave();
  await drained;
  for (const at of await closedAt) expect(at - deregisteredAt).toBeGreaterThanOrEqual(40_000);
  for (const connection of connections.filter(({ servedBy }) => servedBy === staying.id))
    expect(await connection.send()).toMatchObject({ status: 200 });
  expect(connections.filter(({ isBroken }) => isBroken)).toEqual(kept);
});

test("a deadline before an NLB has stopped loses requests on the dead node, and the plan says by how much", async () => {
  const scene = await open({
    speed: 10,
    // So late that it still sends connections when the test has seen enough, however busy the machine is.
    timing: { nlbDeregistration: [600_000, 900_000], classicDeregistration: [500, 2_000] },
    options: { NLB_PROPAGATION: "1000", CLASSIC_MINIMUM: "4", DEADLINE_MARGIN: "5" },
    build: (world) => {
      addFront(world, "network", 10);
      addClassic(world);
    },
  });
  const { clock, world, carried, engine, leaving } = scene;
  const askedAt = clock.now();
  const plan = await engine.plan(requestFor(leaving, askedAt + 30_000), never);
  const tookMs = clock.now() - askedAt;
  expect(plan.limit).toEqual({ reason: "deadline", at: askedAt + 25_000 });
  const shortByMs = new Map(
    plan.registrations.map(({ registration, shortByMs }) => [registration.pool.kind, shortByMs]),
  );
  expect(shortByMs.get("classic")).toBe(0);
  expect(shortByMs.get("nlb")).toBeGreaterThanOrEqual(975_000);
  expect(shortByMs.get("nlb")).toBeLessThanOrEqual(975_000 + tookMs);

  const traffic = new Traffic({
    destinations: [{ name: "front", url: carried.plane.url("front") }],
    clock,
    intervalMs: 160,
    timeoutMs: 30_000,
    waitingMax: 8,
    connectionLifetimeMs: 20_000,
  });
  onTestFinished(() => void traffic.stop());
  const outcome = await engine.drain(requestFor(leaving, clock.now() + 30_000), never);
  if (outcome.status !== "deadline-passed") throw new Error(`the drain ended ${outcome.status}`);
  const results = new Map(outcome.registrations.map((result) => [result.registration.pool.kind, result]));
  expect(results.get("classic")).toMatchObject({ state: "released", newTrafficStopped: true });
  expect(results.get("nlb")).toMatchObject({ state: "holding", newTrafficStopped: false });
  expect(traffic.lost).toBe(0);

  const terminatedAt = clock.now();
  world.terminateInstance(leaving);
  const enough = traffic.sent + 40;
  await expect.poll(() => traffic.sent, { interval: 10 }).toBeGreaterThanOrEqual(enough);
  const { losses } = await traffic.stop();
  // New connections that the NLB still sends there: nobody answers, nobody refuses.
  expect(losses.filter(({ at, cause }) => at >= terminatedAt && cause === "timeout")).not.toHaveLength(0);
});
