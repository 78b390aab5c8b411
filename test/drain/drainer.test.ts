import { describe, expect, test } from "vitest";
import { keyOf } from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { ProviderCalls } from "../support/provider-calls.ts";
import { never } from "../support/simulated-region.ts";

describe("a drain", () => {
  test("deregisters everywhere, holds each pool by its kind, and ends when the last has let go", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const web = scene.cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    const tcp = scene.cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
    const legacy = scene.cloud.addPool("classic", "legacy", [node], { drainMs: 20_000 });

    const outcome = await scene.drain("i-1");

    expect(outcome).toMatchObject({
      status: "drained",
      registrations: [
        { state: "released", heldMs: 60_000, newTrafficStopped: true },
        { state: "released", heldMs: 210_000, newTrafficStopped: true },
        { state: "released", heldMs: 20_000, newTrafficStopped: true },
      ],
    });
    expect(scene.elapsedSeconds).toBe(210);
    expect(scene.secondsOf("deregister")).toEqual([0, 0, 0]);
    expect(scene.secondsOf("observe", web)).toEqual([7, 60]);
    expect(scene.secondsOf("observe", tcp)).toEqual([7, 67, 127, 187, 210]);
    expect(scene.secondsOf("observe", legacy)).toEqual([10, 15, 20]);
  });

  test("of a node that no load balancer knows ends at once", async () => {
    const scene = new DrainScene();
    scene.cloud.addNode("i-1");
    expect(await scene.drain("i-1")).toMatchObject({ status: "nothing-registered", node: { id: "i-1" } });
    expect(scene.elapsedSeconds).toBe(0);
  });

  test("in dry run answers with the plan at once and changes nothing", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);

    const outcome = await scene.drain("i-1", { dryRun: true });

    expect(outcome).toMatchObject({ status: "planned", plan: { longestHoldMs: 300_000 } });
    expect(scene.cloud.callsOf("deregister")).toEqual([]);
    expect(scene.elapsedSeconds).toBe(0);
  });

  test("does what the plan said", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("nlb", "tcp", [node]);
    const planned = await scene.clock.run(scene.drainer.plan(scene.request("i-1"), new AbortController().signal));

    await scene.drain("i-1");

    expect(scene.events.find(({ type }) => type === "planned")).toMatchObject({ plan: planned });
  });

  test("waits for no pool before it deregisters from the next", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const slow = scene.cloud.addPool("alb", "slow", [node]);
    const quick = scene.cloud.addPool("alb", "quick", [node]);
    scene.cloud.before = async (call, signal) => {
      if (call.method === "deregister" && call.pool === slow.id) await scene.clock.sleep(20_000, signal);
    };

    await scene.drain("i-1");

    expect(scene.secondsOf("deregister", quick)).toEqual([0]);
    expect(scene.elapsedSeconds).toBe(320);
  });

  test("answers that a terminated node is gone", async () => {
    const scene = new DrainScene();
    scene.cloud.addNode("i-1");
    scene.cloud.terminated.add("i-1");
    expect(await scene.drain("i-1")).toMatchObject({ status: "instance-gone" });
  });

  test("ends at once when the machine turns out to be terminated, for then nothing can reach it", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("nlb", "tcp", [node]);
    const drain = scene.ask("i-1");
    await scene.clock.advance(20_000);
    scene.cloud.terminated.add("i-1");

    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained", registrations: [{ state: "released" }] });
    expect(scene.elapsedSeconds).toBe(30);
  });

  test("goes on when nobody can say whether the machine is terminated", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    scene.cloud.before = ({ method }) => {
      if (method === "findTerminated") throw new DrainError("cloud-error", "no answer");
    };
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBe(300);
  });

  test("is the same drain whether somebody watches it or not, and whatever the watcher throws", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    scene.events.push = () => {
      throw new Error("the watcher is broken");
    };
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
  });
});

describe("a registration that somebody else has deregistered already", () => {
  test("is not deregistered again, but held as long as if it had been deregistered now", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const tcp = scene.cloud.addPool("nlb", "tcp", [node], { drainMs: 300_000 });
    scene.cloud.force(tcp, "draining");
    const drain = scene.ask("i-1");
    await scene.clock.advance(1);
    scene.cloud.force(tcp, "absent");

    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained" });
    expect(scene.cloud.callsOf("deregister")).toEqual([]);
    expect(scene.elapsedSeconds).toBe(300);
    expect(scene.events).toContainEqual(expect.objectContaining({ type: "deregistered", foundDraining: true }));
  });
});

describe("a deregistration is read back", () => {
  test("and an old read is repeated without a word", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const web = scene.cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    scene.cloud.force(web, "live");
    const drain = scene.ask("i-1");
    await scene.clock.advance(13_000);
    scene.cloud.force(web, undefined);

    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained", registrations: [{ cameBack: 0 }] });
    expect(scene.secondsOf("observe", web)).toEqual([7, 12, 17, 60]);
    expect(scene.cloud.callsOf("deregister")).toHaveLength(1);
  });

  test("and one that was accepted but did nothing is made again, and the hold begins anew", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const web = scene.cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    scene.cloud.force(web, "live");
    const drain = scene.ask("i-1");
    await scene.clock.advance(23_000);
    scene.cloud.force(web, undefined);

    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained", registrations: [{ cameBack: 0 }] });
    expect(scene.secondsOf("deregister")).toEqual([0, 22]);
    expect(scene.elapsedSeconds).toBe(82);
  });

  test("and a node that a controller puts back is taken out again", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const web = scene.cloud.addPool("alb", "web", [node], { drainMs: 120_000 });
    const drain = scene.ask("i-1");
    await scene.clock.advance(30_000);
    scene.cloud.force(web, "initial");
    await scene.clock.advance(40_000);
    scene.cloud.force(web, undefined);

    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained", registrations: [{ cameBack: 1 }] });
    expect(scene.secondsOf("deregister")).toEqual([0, 67]);
    expect(scene.events).toContainEqual(expect.objectContaining({ type: "deregistering-again", because: "back" }));
  });

  test("and whoever puts the node back for ever ends the drain as failed, never as drained", async () => {
    const scene = new DrainScene({ timeoutMs: 86_400_000 });
    const node = scene.cloud.addNode("i-1");
    const web = scene.cloud.addPool("alb", "web", [node]);
    scene.cloud.force(web, "initial");

    expect(await scene.drain("i-1")).toMatchObject({
      status: "failed",
      error: { code: "registered-again" },
      registrations: [{ state: "failed", cameBack: 6 }],
    });
    expect(scene.cloud.callsOf("deregister")).toHaveLength(6);
  });
});

describe("what changes while a node is held", () => {
  test("a registration that somebody has put back and taken out again unseen is held anew", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const tcp = scene.cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
    const drain = scene.ask("i-1");
    await scene.clock.advance(200_000);
    scene.cloud.force(tcp, "draining");
    await scene.clock.advance(20_000);
    scene.cloud.force(tcp, undefined);

    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained", registrations: [{ cameBack: 1 }] });
    expect(scene.elapsedSeconds).toBe(420);
  });

  test("it is held anew from the answer that tells of it, because it may have been taken out since the question", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const tcp = scene.cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
    const answeredAt: number[] = [];
    scene.cloud.before = async ({ method }, signal) => {
      if (method !== "observe") return;
      await scene.clock.sleep(5_000, signal);
      answeredAt.push(scene.elapsedSeconds);
    };
    const drain = scene.ask("i-1");
    await scene.clock.advance(200_000);
    scene.cloud.force(tcp, "draining");
    await scene.clock.advance(20_000);
    scene.cloud.force(tcp, undefined);
    const toldAt = answeredAt.at(-1) ?? Number.NaN;

    expect(await scene.clock.run(drain)).toMatchObject({
      status: "drained",
      registrations: [{ cameBack: 1, heldMs: (scene.elapsedSeconds - toldAt) * 1_000 }],
    });
    // The poll that ends the hold is sent after it, and answered as late.
    expect(scene.elapsedSeconds).toBe(toldAt + 210 + 5);
  });

  test("an address that another machine has taken over is not deregistered there", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const pods = scene.cloud.addPool("alb", "pods", [node], { drainMs: 60_000 });
    const [call] = (await new ProviderCalls(scene.cloud).findRegistrations(node, never)).registrations;
    const drain = scene.ask("i-1");
    await scene.clock.advance(10_000);
    scene.cloud.force(pods, "initial");
    if (call !== undefined) scene.cloud.movedAway.add(keyOf(call));

    expect(await scene.clock.run(drain)).toMatchObject({
      status: "drained",
      registrations: [{ state: "released", heldMs: 60_000, cameBack: 0 }],
    });
    expect(scene.cloud.callsOf("deregister")).toHaveLength(1);
  });

  test("a slow pool keeps no other from being read back and released", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const slow = scene.cloud.addPool("alb", "slow", [node], { drainMs: 30_000 });
    const quick = scene.cloud.addPool("alb", "quick", [node], { drainMs: 30_000 });
    scene.cloud.before = async (call, signal) => {
      if (call.method === "deregister" && call.pool === slow.id) await scene.clock.sleep(60_000, signal);
    };
    await scene.drain("i-1");
    expect(scene.secondsOf("observe", quick)).toEqual([7, 30]);
    expect(scene.elapsedSeconds).toBe(90);
  });

  test("a machine that is terminated needs no permission any more: what was denied is over too", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const denied = scene.cloud.addPool("alb", "denied", [node]);
    scene.cloud.addPool("alb", "web", [node]);
    scene.cloud.before = ({ method, pool }) => {
      if (method === "deregister" && pool === denied.id) throw new DrainError("access-denied", "allow it");
    };
    const drain = scene.ask("i-1");
    await scene.clock.advance(20_000);
    scene.cloud.terminated.add("i-1");
    expect(await scene.clock.run(drain)).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBe(30);
  });
});

describe("when the cloud refuses", () => {
  test("one port of a pool, the other that drains already is held all the same", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const pool = scene.cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    scene.cloud.force(pool, "draining");
    const second = scene.cloud.addRegistration(pool, node, 81);
    scene.cloud.before = ({ method, nodes }) => {
      if (method === "deregister" && nodes?.includes(second.target)) throw new DrainError("access-denied", "allow it");
    };
    expect(await scene.drain("i-1")).toMatchObject({
      status: "failed",
      registrations: [{ state: "released", heldMs: 60_000 }, { state: "failed" }],
    });
  });

  test("for a while to say how a pool stands, an outcome that is well does not repeat the refusal", async () => {
    const scene = new DrainScene({ timeoutMs: 60_000 });
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    let looks = 0;
    scene.cloud.before = ({ method }) => {
      if (method === "observe" && ++looks === 1) throw new DrainError("throttled", "too many");
    };
    const outcome = await scene.drain("i-1");
    expect(outcome).toMatchObject({ status: "deadline-passed", registrations: [{ newTrafficStopped: true }] });
    expect("registrations" in outcome && outcome.registrations[0]?.error).toBeUndefined();
  });

  test("for good to say how a pool stands, nobody claims that new traffic has stopped", async () => {
    const scene = new DrainScene({ timeoutMs: 60_000 });
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    scene.cloud.before = ({ method }) => {
      if (method === "observe") throw new DrainError("throttled", "too many");
    };
    expect(await scene.drain("i-1")).toMatchObject({
      status: "deadline-passed",
      registrations: [{ state: "holding", newTrafficStopped: false, error: { code: "throttled" } }],
    });
  });

  test("one pool, that registration fails by name and the others are drained all the same", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const denied = scene.cloud.addPool("alb", "denied", [node]);
    scene.cloud.addPool("alb", "web", [node]);
    scene.cloud.before = ({ method, pool }) => {
      if (method === "deregister" && pool === denied.id) throw new DrainError("access-denied", "allow it");
    };

    expect(await scene.drain("i-1")).toMatchObject({
      status: "failed",
      error: { code: "access-denied", message: "allow it" },
      registrations: [
        { state: "failed", registration: { pool: { name: "denied" } }, newTrafficStopped: false },
        { state: "released", registration: { pool: { name: "web" } }, heldMs: 300_000 },
      ],
    });
  });

  test("to find the node's registrations, nothing is deregistered and the drain fails", async () => {
    const scene = new DrainScene();
    scene.cloud.addNode("i-1");
    scene.cloud.before = ({ method }) => {
      if (method === "findRegistrations") throw new DrainError("throttled", "too many");
    };
    expect(await scene.drain("i-1")).toMatchObject({ status: "failed", error: { code: "throttled" } });
  });

  test("to say how a pool stands, it is asked again every five seconds, and released only on its word", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const web = scene.cloud.addPool("alb", "web", [node], { drainMs: 30_000 });
    scene.cloud.before = ({ method, at }) => {
      if (method === "observe" && at < scene.clock.now() - scene.clock.elapsedMs + 40_000)
        throw new DrainError("cloud-error", "no");
    };
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
    expect(scene.secondsOf("observe", web)).toEqual([7, 12, 17, 22, 27, 32, 37, 42]);
  });

  test("a fault of ours is an outcome with its message, not a crash", async () => {
    const scene = new DrainScene();
    scene.cloud.addNode("i-1");
    scene.cloud.before = () => {
      throw new TypeError("undefined is not a function");
    };
    expect(await scene.drain("i-1")).toMatchObject({ status: "failed", error: { code: "internal" } });
  });
});
