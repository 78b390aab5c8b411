import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { DrainScene } from "../support/drain-scene.ts";

/** Each way for a drain to end. */
const ENDINGS: Readonly<
  Record<string, (scene: DrainScene, signal: AbortSignal, abandon: () => void) => Promise<unknown>>
> = {
  drained: (scene, signal) => scene.drain("i-1", { signal }),
  "nothing registered": (scene, signal) => scene.drain("i-2", { signal }),
  "not found": (scene, signal) => scene.drain("i-3", { signal }),
  "dry run": (scene, signal) => scene.drain("i-1", { signal, dryRun: true }),
  deadline: (scene, signal) => scene.drain("i-1", { signal, deadlineSeconds: 60 }),
  joined: (scene, signal) => scene.clock.run(Promise.all([scene.ask("i-1", { signal }), scene.ask("i-1", { signal })])),
  async "joined with an earlier deadline"(scene, signal) {
    const first = scene.ask("i-1", { signal });
    await scene.clock.advance(10_000);
    await scene.clock.run(Promise.all([first, scene.ask("i-1", { signal, deadlineSeconds: 60 })]));
  },
  async terminated(scene, signal) {
    const drain = scene.ask("i-1", { signal });
    await scene.clock.advance(10_000);
    scene.cloud.terminated.add("i-1");
    await scene.clock.run(drain);
  },
  denied(scene, signal) {
    scene.cloud.before = ({ method }) => {
      if (method === "deregister") throw new DrainError("access-denied", "no");
    };
    return scene.drain("i-1", { signal });
  },
  async abandoned(scene, signal, abandon) {
    const drain = scene.ask("i-1", { signal });
    await scene.clock.advance(10_000);
    abandon();
    await drain;
  },
};

/** With a guard, where each pool would lose its last healthy target. */
const GUARDED: typeof ENDINGS = {
  refused: (scene, signal) => scene.drain("i-1", { signal, isVoluntary: true }),
  overridden: (scene, signal) => scene.drain("i-1", { signal }),
  kept: (scene, signal) => scene.drain("i-1", { signal, deadlineSeconds: 120 }),
  forced: (scene, signal) => scene.drain("i-1", { signal, isVoluntary: true, force: true }),
  "not read in time": (scene, signal) => {
    scene.cloud.before = ({ method }, within) =>
      method === "healthOf" ? scene.clock.sleep(3_600_000, within) : undefined;
    return scene.drain("i-1", { signal });
  },
  async "abandoned while it waits"(scene, signal, abandon) {
    const drain = scene.ask("i-1", { signal });
    await scene.clock.advance(12_000);
    abandon();
    await drain;
  },
  async "insisted upon while it decides"(scene, signal) {
    scene.cloud.before = ({ method }, within) => (method === "healthOf" ? scene.clock.sleep(3_000, within) : undefined);
    const drain = scene.ask("i-1", { signal, isVoluntary: true });
    await scene.clock.advance(1_000);
    await scene.clock.run(Promise.all([drain, scene.ask("i-1", { signal, force: true })]));
  },
};
const GUARD = { minHealthy: { count: 1 }, waitMs: 60_000, maxVoluntary: { count: 1 } };

test.each([
  ...Object.entries(ENDINGS).map(([name, end]) => [name, end, undefined] as const),
  ...Object.entries(GUARDED).map(([name, end]) => [name, end, GUARD] as const),
])("a drain leaves nothing behind: %s", async (_, end, guard) => {
  const scene = new DrainScene({}, guard);
  const nodes = [scene.cloud.addNode("i-1", "10.0.0.1"), scene.cloud.addNode("i-2", "10.0.0.2")];
  scene.cloud.addPool("alb", "web", nodes.slice(0, 1));
  scene.cloud.addPool("nlb", "tcp", nodes.slice(0, 1));
  scene.cloud.addPool("classic", "legacy", nodes.slice(0, 1), { drainMs: 20_000 });
  const shared = newAbort();

  await end(scene, shared.signal, () => shared.abort());

  await scene.clock.advance(0);
  expect(scene.clock.sleeping).toBe(0);
  expect(getEventListeners(shared.signal, "abort")).toEqual([]);
  const calls = scene.cloud.calls.length;
  await scene.clock.advance(3_600_000);
  expect(scene.cloud.calls).toHaveLength(calls);
});
