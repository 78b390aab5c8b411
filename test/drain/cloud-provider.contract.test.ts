import { describe, expect, test } from "vitest";
import { keyOf, type Node, type Pool, type Registration } from "../../src/drain/cloud-provider.ts";
import type { AwsProvider, Machines } from "../../src/provider/aws-provider.ts";
import { PlacesProvider } from "../../src/provider/places-provider.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { NO_INSTANCES } from "../support/places-endpoint.ts";
import { awsProvider, ProviderCalls } from "../support/provider-calls.ts";
import { never, SimulatedRegion, VPC } from "../support/simulated-region.ts";

/** One cloud with two nodes, both in an ALB's pool with a delay of 60 s; the first also in a classic load balancer. */
interface Scene {
  readonly provider: ProviderCalls;
  readonly clock: VirtualClock;
  readonly ids: readonly [string, string];
  terminate(id: string): void;
}

const IMPLEMENTATIONS: Readonly<Record<string, () => Scene>> = {
  AWS() {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "web", nodes, delaySeconds: 60 });
    region.classic({ name: "legacy", nodes: [nodes[0]], drainingSeconds: 60 }).requestStarted(nodes[0].id);
    return {
      provider: awsProvider(region.restrictedClients({ UNDO: "true" }), {}, region.clock),
      clock: region.clock,
      ids: [nodes[0].id, nodes[1].id],
      terminate: (id) => region.world.terminateInstance(region.world.instances.get(id) as never),
    };
  },
  "AWS in two accounts, with the nodes in one and their pools in the other"() {
    const clock = new VirtualClock();
    const [home, hub] = ["123456789012", "444455556666"].map(
      (accountId) => new SimulatedRegion({}, { accountId, clock }),
    );
    if (home === undefined || hub === undefined) throw new Error("there are two");
    const nodes = [home.node(), home.node()] as const;
    // Of another account's machines a load balancer of the shared VPC knows the ids.
    for (const { id, privateIp } of nodes) hub.world.addInstance({ id, vpcId: VPC, privateIp });
    hub.group({ name: "web", nodes, delaySeconds: 60 });
    hub.classic({ name: "legacy", nodes: [nodes[0]], drainingSeconds: 60 }).requestStarted(nodes[0].id);
    hub.intercept = ({ action }) => (action === "DescribeInstances" ? { body: NO_INSTANCES } : undefined);
    const places = (machines: Machines) =>
      [home, hub].map((region) => ({
        name: `${region.world.accountId}/eu-west-1`,
        region: "eu-west-1",
        accountId: region.world.accountId,
        provider: awsProvider(region.clients(), { place: `${region.world.accountId}/eu-west-1`, machines }, clock)
          .provider as AwsProvider,
      }));
    return {
      provider: new ProviderCalls(new PlacesProvider(places, "eu-west-1")),
      clock,
      ids: [nodes[0].id, nodes[1].id],
      terminate(id) {
        for (const region of [home, hub]) region.world.terminateInstance(region.world.instances.get(id) as never);
      },
    };
  },
  "a cloud in memory"() {
    const clock = new VirtualClock();
    const cloud = new FakeCloud(clock);
    const nodes = [cloud.addNode("i-1", "10.0.0.1"), cloud.addNode("i-2", "10.0.0.2")] as const;
    cloud.addPool("alb", "web", nodes, { drainMs: 60_000 });
    cloud.addPool("classic", "legacy", [nodes[0]], { drainMs: 60_000 });
    const provider = new ProviderCalls(cloud);
    return { provider, clock, ids: ["i-1", "i-2"], terminate: (id) => cloud.terminated.add(id) };
  },
};

describe.each(Object.entries(IMPLEMENTATIONS))("CloudProvider: %s", (_, makeScene) => {
  const resolve = ({ provider }: Scene, value: string): Promise<Node> => provider.resolve({ by: "id", value }, never);
  const found = async (scene: Scene, id: string): Promise<readonly Registration[]> =>
    (await scene.provider.findRegistrations(await resolve(scene, id), never)).registrations;
  const statesIn = async ({ provider }: Scene, pool: Pool, registrations: readonly Registration[]) => [
    ...(await provider.observe(pool, registrations, never)).values(),
  ];

  test("resolves a node by its id and by its address to the same one", async () => {
    const scene = makeScene();
    const byId = await resolve(scene, scene.ids[0]);
    expect(byId.id).toBe(scene.ids[0]);
    expect(await scene.provider.resolve({ by: "ip", value: byId.addresses[0] ?? "" }, never)).toEqual(byId);
  });

  test("refuses a node that there is not, and one that is terminated, each with its code", async () => {
    const scene = makeScene();
    await expect(resolve(scene, "i-0fffffffffffffff0")).rejects.toMatchObject({ code: "node-not-found" });
    scene.terminate(scene.ids[0]);
    await scene.clock.advance(60_000);
    await expect(resolve(scene, scene.ids[0])).rejects.toMatchObject({ code: "instance-gone" });
  });

  test("finds every registration of the node and of no other, each with a key of its own", async () => {
    const scene = makeScene();
    const registrations = await found(scene, scene.ids[0]);
    const terms = registrations.map(async ({ pool }) => [
      pool.kind,
      (await scene.provider.describe(pool, never))?.drainMs,
    ]);
    expect((await Promise.all(terms)).sort()).toEqual([
      ["alb", 60_000],
      ["classic", 60_000],
    ]);
    expect(registrations.every(({ state, target }) => state === "live" && target.includes(scene.ids[0]))).toBe(true);
    expect(new Set(registrations.map(keyOf)).size).toBe(2);
    expect(await found(scene, scene.ids[1])).toHaveLength(1);
  });

  test("says how long each pool goes on sending and what ends that, and without a call what is left after its delay", async () => {
    const scene = makeScene();
    const { provider } = scene.provider;
    const registrations = await found(scene, scene.ids[0]);
    const terms = await Promise.all(registrations.map(({ pool }) => scene.provider.describe(pool, never)));
    const shown = new Map(registrations.map(({ pool }, index) => [pool.kind, terms[index]]));
    const [short, rank] = [30_000, expect.any(Number)];
    expect(shown.get("alb")).toEqual({
      drainMs: 60_000,
      endsWhenIdle: true,
      ...{ holdMs: 60_000, holdAfterDelayMs: short, newTrafficMs: short, callRank: rank, locksAddresses: true },
      unsaved: [{ code: "long-requests", message: "requests that take longer than 60 s are cut" }],
    });
    expect(shown.get("classic")).toMatchObject({ holdMs: 60_000, holdAfterDelayMs: 10_000, endsWhenAbsentMs: 10_000 });
    for (const { pool } of registrations) {
      const { holdAfterDelayMs, newTrafficMs, callRank } = shown.get(pool.kind) ?? {};
      const after = { drainMs: 0, holdMs: holdAfterDelayMs, holdAfterDelayMs, newTrafficMs, callRank };
      expect(provider.termsAfterDelay(pool)).toMatchObject(after);
    }
    expect(provider.holdOfUnlistedMs(await resolve(scene, scene.ids[0]))).toBe(short);
  });

  test("deregisters: draining for the delay, then absent, and the other node stays live", async () => {
    const scene = makeScene();
    for (const registration of await found(scene, scene.ids[0])) {
      const { pool } = registration;
      await scene.provider.deregister(pool, [registration], never);
      expect(await statesIn(scene, pool, [registration])).toEqual(["draining"]);
    }
    const [other] = await found(scene, scene.ids[1]);
    if (other === undefined) throw new Error("the other node is registered");
    expect(await statesIn(scene, other.pool, [other])).toEqual(["live"]);
    expect((await found(scene, scene.ids[0])).map(({ state }) => state)).toEqual(["draining", "draining"]);

    await scene.clock.advance(60_000);
    expect(await found(scene, scene.ids[0])).toEqual([]);
  });

  test("may be told to deregister again, also what is gone already", async () => {
    const scene = makeScene();
    const registrations = await found(scene, scene.ids[0]);
    for (const pass of ["first", "while draining", "when gone"]) {
      for (const registration of registrations)
        await scene.provider.deregister(registration.pool, [registration], never);
      if (pass === "while draining") await scene.clock.advance(60_000);
    }
    for (const registration of registrations) {
      expect(await statesIn(scene, registration.pool, [registration])).toEqual(["absent"]);
    }
  });

  test("tells how a pool's targets fare, who is deregistered not being healthy any more", async () => {
    const scene = makeScene();
    for (const registration of await found(scene, scene.ids[0])) {
      const { pool, target } = registration;
      const healthyIn = async () => {
        const { targets, at, countNodes } = await scene.provider.healthOf(pool, scene.clock.now(), never);
        expect(at).toBe(scene.clock.now());
        expect(countNodes()).toBe(targets.length);
        return targets.filter(({ isHealthy }) => isHealthy).map((healthy) => healthy.target);
      };
      const before = await healthyIn();
      expect(before).toContain(target);
      await scene.provider.deregister(pool, [registration], never);
      await scene.clock.advance(1);
      expect(await healthyIn()).toEqual(before.filter((other) => other !== target));
    }
  });

  test("tells the same list as long as nothing has changed", async () => {
    const scene = makeScene();
    const [registration] = await found(scene, scene.ids[0]);
    if (registration === undefined) throw new Error("the node is registered");
    const first = await scene.provider.healthOf(registration.pool, 0, never);
    const known = scene.provider.knownHealth(registration.pool);
    if (known !== undefined) expect(known.targets).toBe(first.targets);
  });

  test("registers again exactly what was deregistered, while it drains and when it is gone, and may be told to twice", async () => {
    for (const waitMs of [1_000, 60_000]) {
      const scene = makeScene();
      const registrations = await found(scene, scene.ids[0]);
      const node = await resolve(scene, scene.ids[0]);
      for (const { pool } of registrations) {
        const own = registrations.filter((one) => one.pool === pool);
        await scene.provider.deregister(pool, own, never);
      }
      await scene.clock.advance(waitMs);
      expect((await scene.provider.obstacles(node, registrations, never)).size).toBe(0);
      for (const registration of registrations) {
        await scene.provider.register(registration.pool, [registration], never);
        await scene.provider.register(registration.pool, [registration], never);
        expect(["initial", "live"]).toContain((await statesIn(scene, registration.pool, [registration]))[0]);
      }
      expect((await found(scene, scene.ids[0])).map(keyOf).sort()).toEqual(registrations.map(keyOf).sort());
    }
  });

  test("tells which machines are terminated or unknown", async () => {
    const scene = makeScene();
    const nodes = await Promise.all(scene.ids.map((id) => resolve(scene, id)));
    expect(await scene.provider.findTerminated(nodes, never)).toEqual(new Set());
    scene.terminate(scene.ids[1]);
    await scene.clock.advance(60_000);
    expect(await scene.provider.findTerminated(nodes, never)).toEqual(new Set([scene.ids[1]]));
    expect(await scene.provider.findRunning(nodes, never)).toEqual(
      new Set(scene.ids.filter((id) => id !== scene.ids[1])),
    );
  });

  test("stops with the signal's own reason", async () => {
    const scene = makeScene();
    const node = await resolve(scene, scene.ids[0]);
    const reason = new Error("stop");
    const aborted = AbortSignal.abort(reason);
    await expect(scene.provider.resolve({ by: "id", value: node.id }, aborted)).rejects.toBe(reason);
    await expect(scene.provider.findRegistrations(node, aborted)).rejects.toBe(reason);
  });
});
