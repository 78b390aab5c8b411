import { describe, expect, test } from "vitest";
import { DrainScene } from "../support/drain-scene.ts";

describe("a drain ends in time", () => {
  test("at the deadline less its margin, and says of each registration whether new traffic had stopped", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node], { drainMs: 300_000 });
    scene.cloud.addPool("nlb", "tcp", [node]);
    scene.cloud.addPool("classic", "legacy", [node], { drainMs: 15_000 });

    expect(await scene.drain("i-1", { deadlineSeconds: 120 })).toMatchObject({
      status: "deadline-passed",
      limit: { reason: "deadline" },
      registrations: [
        { state: "holding", heldMs: 110_000, holdMs: 300_000, newTrafficStopped: true },
        { state: "holding", heldMs: 110_000, holdMs: 300_000, newTrafficStopped: false },
        { state: "released", heldMs: 15_000 },
      ],
    });
    expect(scene.elapsedSeconds).toBe(110);
  });

  test("and its plan knows the deadline, also one that came with a request that joined", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    const first = scene.ask("i-1", { deadlineSeconds: 200 });
    const second = scene.ask("i-1", { deadlineSeconds: 120 });
    await scene.clock.run(Promise.all([first, second]));
    expect(scene.events.find(({ type }) => type === "planned")).toMatchObject({
      plan: { limit: { reason: "deadline" }, warnings: [expect.stringContaining("the deadline leaves 110 s")] },
    });
  });

  test("at TIMEOUT", async () => {
    const scene = new DrainScene({ timeoutMs: 60_000 });
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    expect(await scene.drain("i-1")).toMatchObject({ status: "deadline-passed", limit: { reason: "timeout" } });
    expect(scene.elapsedSeconds).toBe(60);
  });

  test("a minute after the longest hold at the latest, when nobody set a limit", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    const legacy = scene.cloud.addPool("classic", "legacy", [node], { drainMs: 20_000 });
    const drain = scene.ask("i-1");
    await scene.clock.advance(1_000);
    scene.cloud.force(legacy, "draining");
    expect(await scene.clock.run(drain)).toMatchObject({ status: "deadline-passed" });
    expect(scene.elapsedSeconds).toBe(80);
  });

  test("not for a look that has to wait its turn, when nobody set a limit", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node], { drainMs: 30_000 });
    // The request quota lets nobody look for five minutes.
    scene.cloud.before = ({ method }, signal) =>
      method === "observe" ? scene.clock.sleep(300_000 - scene.clock.elapsedMs, signal) : undefined;
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBeGreaterThanOrEqual(300);
  });

  test.each(["resolve", "findRegistrations", "deregister", "observe"] as const)(
    "also when the cloud never answers %s",
    async (hanging) => {
      const scene = new DrainScene();
      const node = scene.cloud.addNode("i-1");
      scene.cloud.addPool("alb", "web", [node]);
      scene.cloud.before = ({ method }, signal) => {
        if (method !== hanging) return;
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      };
      expect(await scene.drain("i-1", { deadlineSeconds: 120 })).toMatchObject({ status: "deadline-passed" });
      expect(scene.elapsedSeconds).toBe(110);
    },
  );

  test("at once when the deadline has passed already", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    expect(await scene.drain("i-1", { deadlineSeconds: 0 })).toMatchObject({ status: "deadline-passed" });
    expect(scene.elapsedSeconds).toBe(0);
  });

  test("of a notice shorter than twice the margin it uses half: deregistering can still save requests", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    expect(await scene.drain("i-1", { deadlineSeconds: 8 })).toMatchObject({ registrations: [{ state: "holding" }] });
    expect(scene.elapsedSeconds).toBe(4);
  });

  test("even if the cloud neither answers nor heeds that it was told to stop, and the next request begins anew", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node], { drainMs: 30_000 });
    let deaf = true;
    scene.cloud.before = ({ method }) => (deaf && method === "deregister" ? new Promise(() => {}) : undefined);
    expect(await scene.drain("i-1", { deadlineSeconds: 120 })).toMatchObject({
      status: "deadline-passed",
      registrations: [{ state: "registered", newTrafficStopped: false }],
    });
    deaf = false;
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
  });

  test("counted from the plan when nobody set a limit: a slow search uses up none of it", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node], { drainMs: 30_000 });
    scene.cloud.before = async ({ method }, signal) => {
      if (method === "findRegistrations") await scene.clock.sleep(600_000, signal);
    };
    expect(await scene.drain("i-1")).toMatchObject({ status: "drained" });
    expect(scene.elapsedSeconds).toBe(630);
  });
});

describe("a drain that is abandoned", () => {
  test("says what stays deregistered and what was still held", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    const stop = new AbortController();
    const drain = scene.ask("i-1", { signal: stop.signal });
    await scene.clock.advance(20_000);
    stop.abort();
    expect(await drain).toMatchObject({
      status: "abandoned",
      node: { id: "i-1" },
      registrations: [{ state: "holding", heldMs: 20_000, newTrafficStopped: false }],
    });
  });

  test("before its node is known has nothing to say", async () => {
    const scene = new DrainScene();
    const stop = new AbortController();
    scene.cloud.before = (_, signal) =>
      new Promise((__, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const drain = scene.ask("i-1", { signal: stop.signal });
    stop.abort();
    expect(await drain).toEqual({ status: "abandoned", registrations: [] });
  });

  test("leaves no wait behind", async () => {
    const scene = new DrainScene();
    const node = scene.cloud.addNode("i-1");
    scene.cloud.addPool("alb", "web", [node]);
    scene.cloud.addPool("classic", "legacy", [node]);
    const stop = new AbortController();
    const drain = scene.ask("i-1", { signal: stop.signal });
    await scene.clock.advance(20_000);
    stop.abort();
    await drain;
    const before = scene.cloud.calls.length;
    await scene.clock.advance(600_000);
    expect(scene.cloud.calls).toHaveLength(before);
  });
});
