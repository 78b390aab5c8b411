import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import { DrainScene } from "../support/drain-scene.ts";

function guardedScene(guard: Partial<GuardOptions> = {}): DrainScene {
  return new DrainScene({}, { minHealthy: { count: 1 }, waitMs: 120_000, maxVoluntary: { percent: 100 }, ...guard });
}

/** Nodes i-1, i-2 and so on. */
function nodesOf({ cloud }: DrainScene, count: number) {
  return Array.from({ length: count }, (_, index) => cloud.addNode(`i-${index + 1}`, `10.0.0.${index + 1}`));
}

const VOLUNTARY = { isVoluntary: true } as const;

describe("a voluntary drain", () => {
  test("that would leave a pool without a healthy target is refused, and nothing was deregistered anywhere", async () => {
    const scene = guardedScene();
    const [node, other] = nodesOf(scene, 2);
    if (node === undefined || other === undefined) throw new Error("two nodes");
    scene.cloud.addPool("alb", "web", [node, other]);
    scene.cloud.addPool("nlb", "tcp", [node]);

    const outcome = await scene.drain("i-1", VOLUNTARY);

    expect(outcome).toMatchObject({
      status: "refused",
      node: { id: "i-1" },
      refusal: {
        reason: "too-few-healthy",
        pools: [{ pool: { name: "tcp" }, healthyNow: 1, wouldStay: 0, needed: 1 }],
      },
    });
    expect(scene.cloud.callsOf("deregister")).toEqual([]);
    expect(scene.events.map(({ type }) => type)).toEqual(["accepted", "found", "ended"]);
  });

  test("says what is short in which zone, and what can be done", async () => {
    const scene = guardedScene({ names: { minHealthy: "--min-healthy", maxVoluntary: "MAX_VOLUNTARY" } });
    const nodes = nodesOf(scene, 3);
    scene.cloud.addPool("nlb", "tcp", nodes, { isZonal: true });
    for (const [index, { id }] of nodes.entries()) scene.cloud.zones.set(id, index === 0 ? "eu-west-1a" : "eu-west-1b");

    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({
      refusal: {
        message:
          "too few healthy targets would remain without i-1 (--min-healthy is 1): tcp-lb / tcp in eu-west-1a: 1 healthy now, 0 would remain, 1 needed. Cross-zone load balancing is off, or could not be read, so that each zone needs healthy targets of its own: turn it on, allow elasticloadbalancing:DescribeLoadBalancerAttributes, or add a node in that zone. Nothing was deregistered. Retry when more targets are healthy, or use force",
        pools: [{ zone: "eu-west-1a" }],
      },
    });
    expect(await scene.drain("i-2", VOLUNTARY)).toMatchObject({ status: "drained" });
  });

  test("goes everywhere where enough stay, once everything is known", async () => {
    const scene = guardedScene();
    const nodes = nodesOf(scene, 2);
    scene.cloud.addPool("alb", "web", nodes);
    scene.cloud.addPool("nlb", "tcp", nodes);
    scene.cloud.before = async ({ method }, signal) => {
      if (method === "healthOf") await scene.clock.sleep(3_000, signal);
    };
    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({
      status: "drained",
      registrations: [{ state: "released" }, { state: "released" }],
    });
    expect(scene.secondsOf("deregister")).toEqual([3, 3]);
  });

  test("of a node that is not healthy in the pool is not refused, for the pool loses nothing", async () => {
    const scene = guardedScene();
    const nodes = nodesOf(scene, 2);
    const web = scene.cloud.addPool("alb", "web", nodes);
    scene.cloud.unhealthy.add(`${web.id}|i-1:80`);
    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({ status: "drained" });
  });

  test("of the one node with a pod, where externalTrafficPolicy is Local, is refused; of the others it is not", async () => {
    const scene = guardedScene();
    const nodes = nodesOf(scene, 3);
    const web = scene.cloud.addPool("nlb", "web", nodes);
    for (const id of ["i-2", "i-3"]) scene.cloud.unhealthy.add(`${web.id}|${id}:80`);
    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({ status: "refused" });
    expect(await scene.drain("i-2", VOLUNTARY)).toMatchObject({ status: "drained" });
  });

  test("from a pool where none is healthy, scaled to zero or failing open, is not refused", async () => {
    const scene = guardedScene();
    const nodes = nodesOf(scene, 2);
    const web = scene.cloud.addPool("alb", "web", nodes);
    for (const { id } of nodes) scene.cloud.unhealthy.add(`${web.id}|${id}:80`);
    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({ status: "drained" });
  });

  test("from a group that no load balancer uses, or that it is leaving already, is not refused", async () => {
    const scene = guardedScene();
    const [node] = nodesOf(scene, 1);
    if (node === undefined) throw new Error("a node");
    scene.cloud.addPool("unattached", "spare", [node]);
    const leaving = scene.cloud.addPool("alb", "leaving", [node]);
    scene.cloud.force(leaving, "draining");
    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({ status: "drained" });
    expect(scene.cloud.callsOf("healthOf")).toEqual([]);
  });

  test("sees those that other drains take away: of two that each alone may go, one is refused", async () => {
    const scene = guardedScene();
    scene.cloud.addPool("alb", "web", nodesOf(scene, 2));
    const both = Promise.all([scene.ask("i-1", VOLUNTARY), scene.ask("i-2", VOLUNTARY)]);
    expect((await scene.clock.run(both)).map(({ status }) => status)).toEqual(["drained", "refused"]);
  });

  test("may go when an earlier one has ended and a replacement is healthy", async () => {
    const scene = guardedScene();
    const [, second, third] = nodesOf(scene, 3);
    const first = scene.cloud.addNode("i-1");
    const web = scene.cloud.addPool("alb", "web", [first, second as never]);
    await scene.drain("i-1", VOLUNTARY);
    expect(await scene.drain("i-2", VOLUNTARY)).toMatchObject({ status: "refused" });
    scene.cloud.addRegistration(web, third as never);
    expect(await scene.drain("i-2", VOLUNTARY)).toMatchObject({ status: "drained" });
  });

  test("takes nothing away when it is refused", async () => {
    const scene = guardedScene();
    const nodes = nodesOf(scene, 2);
    scene.cloud.addPool("alb", "web", nodes);
    scene.cloud.addPool("alb", "own", [nodes[0] as never]);
    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({ status: "refused" });
    expect(await scene.drain("i-2", VOLUNTARY)).toMatchObject({ status: "drained" });
  });

  test("fails after a minute, with nothing deregistered, where the health of the pools can't be read", async () => {
    const scene = guardedScene();
    scene.cloud.addPool("alb", "web", nodesOf(scene, 2));
    scene.cloud.before = ({ method }) => {
      if (method === "healthOf") throw new DrainError("unavailable", "no answer");
    };
    expect(await scene.drain("i-1", VOLUNTARY)).toMatchObject({ status: "failed", error: { code: "unavailable" } });
    expect(scene.cloud.callsOf("deregister")).toEqual([]);
    expect(scene.elapsedSeconds).toBe(55);
  });

  test("that is forced goes at once, asks nobody, and says so", async () => {
    const scene = guardedScene();
    const nodes = nodesOf(scene, 1);
    scene.cloud.addPool("alb", "web", nodes);
    expect(await scene.drain("i-1", { ...VOLUNTARY, force: true })).toMatchObject({
      status: "drained",
      registrations: [{ state: "released", guard: "forced" }],
    });
    expect(scene.events[0]).toMatchObject({ type: "accepted", request: { force: true } });
    expect(scene.cloud.callsOf("healthOf")).toEqual([]);
    expect(scene.secondsOf("deregister")).toEqual([0]);
  });

  test.each([
    ["by force", { ...VOLUNTARY, force: true }],
    ["by somebody whose machine goes", {}],
  ])("that is joined %s before it is decided is refused no more", async (_, joining) => {
    const scene = guardedScene({ waitMs: 0 });
    scene.cloud.addPool("alb", "web", nodesOf(scene, 1));
    scene.cloud.before = async ({ method }, signal) => {
      if (method === "healthOf") await scene.clock.sleep(3_000, signal);
    };
    const first = scene.ask("i-1", VOLUNTARY);
    await scene.clock.advance(1_000);
    const second = scene.ask("i-1", joining);
    const outcomes = await scene.clock.run(Promise.all([first, second]));
    expect(outcomes.map(({ status }) => status)).toEqual(["drained", "drained"]);
  });

  test("is told what it would be told by its plan", async () => {
    const scene = guardedScene();
    scene.cloud.addPool("alb", "web", nodesOf(scene, 1));
    const plan = { ...VOLUNTARY, dryRun: true } as const;
    const refused = await scene.drain("i-1", VOLUNTARY);
    if (refused.status !== "refused") throw new Error("it is refused");
    expect(await scene.drain("i-1", plan)).toMatchObject({
      plan: { guard: { refusal: refused.refusal, pools: refused.refusal.pools } },
    });
    const forced = await scene.drain("i-1", { ...plan, force: true });
    expect(forced).toMatchObject({ plan: { guard: { pools: [{ wouldStay: 0 }] } } });
    expect(JSON.stringify(forced)).not.toContain("refusal");
  });
});

describe("of many voluntary drains at once", () => {
  test("more than MAX_VOLUNTARY are refused until some have ended, and whoever insists is not counted", async () => {
    const scene = guardedScene({ maxVoluntary: { percent: 50 } });
    const nodes = nodesOf(scene, 6);
    scene.cloud.addPool("alb", "web", nodes);
    const asked = nodes.map(({ id }, index) => scene.ask(id, { ...VOLUNTARY, force: index === 5 }));
    const outcomes = await scene.clock.run(Promise.all(asked));
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 3 }, () => "drained"),
      ...Array.from({ length: 2 }, () => "refused"),
      "drained",
    ]);
    expect(outcomes[3]).toMatchObject({
      refusal: { reason: "too-many-drains", pools: [], message: expect.stringContaining("3 of 6 nodes") },
    });
    expect(await scene.drain("i-4", VOLUNTARY)).toMatchObject({ status: "drained" });
  });

  test("those of nodes that no load balancer knows count for nothing", async () => {
    const scene = guardedScene({ maxVoluntary: { count: 1 } });
    const nodes = nodesOf(scene, 3);
    const drains = Promise.all(nodes.map(({ id }) => scene.ask(id, VOLUNTARY)));
    expect((await scene.clock.run(drains)).map(({ status }) => status)).toEqual(
      Array.from({ length: 3 }, () => "nothing-registered"),
    );
  });
});

test("a drain that ends before it is decided leaves nothing reserved", async () => {
  const scene = guardedScene();
  const nodes = nodesOf(scene, 2);
  const web = scene.cloud.addPool("alb", "web", nodes);
  const left = new AbortController();
  scene.cloud.before = async ({ method }, signal) => {
    if (method === "healthOf" && scene.elapsedSeconds < 10) await scene.clock.sleep(5_000, signal);
  };
  const first = scene.ask("i-1", { ...VOLUNTARY, signal: left.signal });
  await scene.clock.advance(1_000);
  left.abort();
  expect(await scene.clock.run(first)).toMatchObject({
    status: "abandoned",
    registrations: [{ state: "registered", registration: { pool: { id: web.id } } }],
  });
  expect(await scene.drain("i-2", VOLUNTARY)).toMatchObject({ status: "drained" });
  expect(scene.cloud.callsOf("deregister").flatMap(({ nodes }) => nodes)).toEqual(["i-2:80"]);
});
