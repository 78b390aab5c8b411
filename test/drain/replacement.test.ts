import { describe, expect, test } from "vitest";
import type { Node } from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import { DrainScene } from "../support/drain-scene.ts";

/** Nodes i-1, i-2 and so on, and what every pool keeps: one healthy target. */
function sceneOf(count: number, guard: Partial<GuardOptions> = {}) {
  const scene = new DrainScene({}, { minHealthy: { count: 1 }, waitMs: 120_000, maxVoluntary: { count: 1 }, ...guard });
  const nodes = Array.from({ length: count }, (_, at) => scene.cloud.addNode(`i-${at + 1}`, `10.0.0.${at + 1}`));
  return { scene, cloud: scene.cloud, nodes, node: nodes[0] as Node, other: nodes[1] as Node };
}

/** What was told of the guard: its verdicts, and when, in seconds. */
function verdictsOf({ events }: DrainScene): readonly string[] {
  return events.flatMap((event) => (event.type === "guarded" ? [event.verdict] : []));
}

describe("a drain whose machine goes anyway", () => {
  test("deregisters at once, without asking anybody, where enough stay by what is known", async () => {
    const { scene, cloud, nodes } = sceneOf(2);
    cloud.addPool("alb", "web", nodes);
    cloud.knowsHealth = true;
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
    expect(scene.secondsOf("deregister")).toEqual([0]);
    expect(cloud.callsOf("healthOf")).toEqual([]);
    expect(scene.events.map(({ type }) => type)).not.toContain("guarded");
  });

  test("deregisters at once by a strict count that is known, where how the pool works is not, unless that is old", async () => {
    for (const [secondsAgo, asked] of [
      [5, 0],
      [11, 1],
    ] as const) {
      const { scene, cloud, nodes } = sceneOf(2);
      cloud.addPool("alb", "web", nodes);
      const targets = ["i-1:80", "i-2:80"].map((target) => ({ target, state: "live", isHealthy: true }) as const);
      const at = scene.clock.now() - secondsAgo * 1_000;
      cloud.knownStrictHealth = () => ({ at, targets, countNodes: () => 2 });
      expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
      expect(scene.secondsOf("deregister")).toEqual([0]);
      expect(cloud.callsOf("healthOf")).toHaveLength(asked);
    }
  });

  test("asks first where nothing is known, and deregisters at once where enough stay", async () => {
    const { scene, cloud, nodes } = sceneOf(2);
    cloud.addPool("alb", "web", nodes);
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
    expect(scene.secondsOf("healthOf")).toEqual([0]);
    expect(scene.secondsOf("deregister")).toEqual([0]);
  });

  test("waits for a replacement where too few would stay, in that pool alone, and deregisters once it is healthy", async () => {
    const { scene, cloud, nodes, node, other } = sceneOf(2);
    const web = cloud.addPool("alb", "web", [node]);
    const tcp = cloud.addPool("nlb", "tcp", nodes);
    const drain = scene.ask("i-1");
    await scene.clock.advance(31_000);
    cloud.addRegistration(web, other);

    const outcome = await scene.clock.run(drain);

    expect(outcome).toMatchObject({
      status: "drained",
      registrations: [
        { state: "released", guard: "waited", registration: { pool: { name: "web" } } },
        { state: "released", registration: { pool: { name: "tcp" } } },
      ],
    });
    expect(outcome).not.toMatchObject({ registrations: [{}, { guard: expect.anything() }] });
    expect(scene.secondsOf("deregister", tcp)).toEqual([0]);
    expect(scene.secondsOf("deregister", web)).toEqual([35]);
    expect(verdictsOf(scene)).toEqual(["waiting", "waited"]);
  });

  test("waits GUARD_WAIT at most, then goes on, and says so", async () => {
    const { scene, cloud, nodes } = sceneOf(2, { minHealthy: { count: 2 } });
    const web = cloud.addPool("alb", "web", nodes);
    expect(await scene.drain("i-1")).toMatchObject({
      status: "drained",
      registrations: [{ state: "released", guard: "overridden" }],
    });
    expect(scene.secondsOf("deregister", web)).toEqual([120]);
    expect(verdictsOf(scene)).toEqual(["waiting", "overridden"]);
  });

  test("reads a pool for all that wait in it at the same moments", async () => {
    const { scene, cloud, nodes } = sceneOf(2, { minHealthy: { count: 2 }, waitMs: 21_000 });
    cloud.addPool("alb", "web", nodes);
    const first = scene.ask("i-1");
    await scene.clock.advance(2_000);
    await scene.clock.run(Promise.all([first, scene.ask("i-2")]));
    expect(scene.secondsOf("healthOf")).toEqual([0, 2, 5, 5, 10, 10, 15, 15, 20, 20, 21, 23]);
  });

  test("waits no longer than its hold leaves before the deadline, less its margin", async () => {
    const { scene, cloud, nodes } = sceneOf(3, { minHealthy: { count: 3 } });
    const web = cloud.addPool("alb", "web", nodes, { drainMs: 60_000 });
    expect(await scene.drain("i-1", { deadlineSeconds: 130 })).toMatchObject({
      status: "drained",
      registrations: [{ state: "released", guard: "overridden", heldMs: 60_000 }],
    });
    expect(scene.secondsOf("deregister", web)).toEqual([55]);
  });

  test("waits not at all where its hold does not even fit by now", async () => {
    const { scene, cloud, nodes } = sceneOf(3, { minHealthy: { count: 3 } });
    const web = cloud.addPool("alb", "web", nodes);
    expect(await scene.drain("i-1", { deadlineSeconds: 120 })).toMatchObject({
      status: "deadline-passed",
      registrations: [{ state: "holding", guard: "overridden" }],
    });
    expect(scene.secondsOf("deregister", web)).toEqual([0]);
    expect(verdictsOf(scene)).toEqual(["overridden"]);
  });

  test("leaves time for its hold before a timeout, too", async () => {
    const { scene, cloud, nodes } = sceneOf(2, { minHealthy: { count: 2 } });
    const web = cloud.addPool("alb", "web", nodes, { drainMs: 30_000 });
    expect(await scene.drain("i-1", { timeoutSeconds: 60 })).toMatchObject({ status: "drained" });
    expect(scene.secondsOf("deregister", web)).toEqual([25]);
  });

  test("keeps the last healthy target to the end where the machine goes at a fixed time, and ends by the others", async () => {
    const { scene, cloud, nodes, node } = sceneOf(2);
    const web = cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    cloud.addPool("alb", "api", nodes, { drainMs: 30_000 });
    expect(await scene.drain("i-1", { deadlineSeconds: 120 })).toMatchObject({
      status: "drained",
      registrations: [
        { state: "kept", heldMs: 0, newTrafficStopped: false },
        { state: "released", heldMs: 30_000 },
      ],
    });
    expect(cloud.callsOf("deregister", web)).toEqual([]);
    expect(verdictsOf(scene)).toEqual(["waiting", "kept"]);
    expect(scene.elapsedSeconds).toBe(45);
  });

  test("keeps the last healthy target where nobody has said when the machine goes, too", async () => {
    const { scene, cloud, node } = sceneOf(1);
    const web = cloud.addPool("alb", "web", [node]);
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained", registrations: [{ state: "kept" }] });
    expect(cloud.callsOf("deregister", web)).toEqual([]);
    expect(verdictsOf(scene)).toEqual(["waiting", "kept"]);
    expect(scene.elapsedSeconds).toBe(120);
  });

  test("of two that die together keeps one alone: the first may go", async () => {
    const { scene, cloud, nodes } = sceneOf(2);
    cloud.addPool("alb", "web", nodes, { drainMs: 30_000 });
    const both = nodes.map(({ id }) => scene.ask(id, { deadlineSeconds: 120 }));
    expect(await scene.clock.run(Promise.all(both))).toMatchObject([
      { registrations: [{ state: "released" }] },
      { registrations: [{ state: "kept" }] },
    ]);
  });

  test("of those whose time is up together keeps one alone, whatever they saw when they last looked", async () => {
    const { scene, cloud, nodes } = sceneOf(3, { minHealthy: { count: 3 } });
    cloud.addPool("alb", "web", nodes, { drainMs: 30_000 });
    const all = nodes.map(({ id }) => scene.ask(id, { deadlineSeconds: 120 }));
    expect(await scene.clock.run(Promise.all(all))).toMatchObject([
      { registrations: [{ state: "released", guard: "overridden" }] },
      { registrations: [{ state: "released", guard: "overridden" }] },
      { registrations: [{ state: "kept" }] },
    ]);
  });

  test("counts each zone for itself where its load balancer does", async () => {
    const { scene, cloud, nodes } = sceneOf(3, { waitMs: 5_000 });
    const tcp = cloud.addPool("nlb", "tcp", nodes, { isZonal: true });
    for (const { id } of nodes) cloud.zones.set(id, id === "i-1" ? "a" : "b");
    const outcomes = await scene.clock.run(Promise.all([scene.ask("i-2"), scene.ask("i-1")]));
    expect(cloud.callsOf("deregister", tcp).flatMap((call) => call.nodes)).toEqual(["i-2:80"]);
    expect(outcomes).toMatchObject([{ status: "drained" }, { registrations: [{ state: "kept" }] }]);
  });

  test("stops waiting when somebody wants no guard", async () => {
    const { scene, cloud, node } = sceneOf(1);
    const web = cloud.addPool("alb", "web", [node]);
    const first = scene.ask("i-1");
    await scene.clock.advance(12_000);
    const forced = scene.ask("i-1", { isVoluntary: true, force: true });
    expect(await scene.clock.run(Promise.all([first, forced]))).toMatchObject([
      { registrations: [{ guard: "forced" }] },
      { registrations: [{ guard: "forced" }] },
    ]);
    expect(scene.secondsOf("deregister", web)).toEqual([15]);
  });

  test("makes those wait in vain who can be told no: its targets count as gone for them while it waits", async () => {
    const { scene, cloud, nodes } = sceneOf(2, { minHealthy: { count: 2 } });
    const web = cloud.addPool("alb", "web", nodes);
    cloud.addRegistration(web, nodes[0] as Node, 81);
    const dying = scene.ask("i-1");
    await scene.clock.advance(1_000);
    expect(await scene.drain("i-2", { isVoluntary: true })).toMatchObject({
      status: "refused",
      refusal: { pools: [{ healthyNow: 3, wouldStay: 0 }] },
    });
    await scene.clock.run(dying);
  });

  test.each([
    ["denied", () => Promise.reject(new DrainError("access-denied", "no")), 0],
    ["not answered", (scene: DrainScene, signal: AbortSignal) => scene.clock.sleep(600_000, signal), 10],
  ])("goes on where what the guard reads is %s: nobody keeps a machine that goes", async (_, answer, seconds) => {
    const { scene, cloud, nodes } = sceneOf(2);
    const web = cloud.addPool("alb", "web", nodes);
    cloud.before = ({ method }, signal) => (method === "healthOf" ? answer(scene, signal) : undefined);
    expect(await scene.drain("i-1", { deadlineSeconds: 600 })).toMatchObject({
      status: "drained",
      registrations: [{ state: "released", guard: "overridden" }],
    });
    expect(scene.secondsOf("deregister", web)).toEqual([seconds]);
  });

  test("goes on at GUARD_WAIT where the pool can't be read any more while it waits", async () => {
    const { scene, cloud, nodes } = sceneOf(2, { minHealthy: { count: 2 }, waitMs: 42_000 });
    const web = cloud.addPool("alb", "web", nodes);
    cloud.before = ({ method }, signal) =>
      method === "healthOf" && scene.elapsedSeconds > 0 ? scene.clock.sleep(600_000, signal) : undefined;
    expect(await scene.drain("i-1")).toMatchObject({ registrations: [{ guard: "overridden" }] });
    expect(scene.secondsOf("deregister", web)).toEqual([42]);
  });

  test("ends at once when the machine is terminated while it waits", async () => {
    const { scene, cloud, node } = sceneOf(1);
    const web = cloud.addPool("alb", "web", [node]);
    const drain = scene.ask("i-1");
    await scene.clock.advance(20_000);
    cloud.terminated.add("i-1");
    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBe(30);
    expect(cloud.callsOf("deregister", web)).toEqual([]);
  });

  test("that is abandoned while it waits deregisters nothing afterwards", async () => {
    const { scene, cloud, nodes, node } = sceneOf(2);
    const web = cloud.addPool("alb", "web", [node]);
    const left = new AbortController();
    const drain = scene.ask("i-1", { signal: left.signal });
    await scene.clock.advance(7_000);
    left.abort();
    expect(await scene.clock.run(drain)).toMatchObject({
      status: "abandoned",
      registrations: [{ state: "registered" }],
    });
    cloud.addRegistration(web, nodes[1] as Node);
    await scene.clock.advance(300_000);
    expect(cloud.callsOf("deregister")).toEqual([]);
    expect(cloud.callsOf("healthOf", web).length).toBe(2);
  });

  test("says beforehand that it would wait", async () => {
    const { scene, cloud, node } = sceneOf(1);
    cloud.addPool("alb", "web", [node]);
    expect(await scene.drain("i-1", { dryRun: true })).toMatchObject({
      plan: {
        guard: { pools: [{ wouldStay: 0, needed: 1 }] },
        warnings: [
          expect.stringMatching(/^it would wait for a replacement, at most 120 s .*: web-lb \/ web: 1 healthy now/),
        ],
      },
    });
  });
});
