import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import type { DrainTimes } from "../../src/drain/plan.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCloud } from "../support/fake-cloud.ts";

/** Counts what grows with callers: limits that are computed, sleeps, lookups, listeners on the signal that all share. */
async function workOf(callers: number, timeoutMs: (caller: number) => number | undefined = () => undefined) {
  const count = { limits: 0, sleeps: 0, listeners: 0 };
  const clock = new (class extends VirtualClock {
    override sleep(ms: number, signal: AbortSignal): Promise<void> {
      count.sleeps += 1;
      return super.sleep(ms, signal);
    }
  })();
  const times: DrainTimes = {
    deadlineMarginMs: 10_000,
    get timeoutMs() {
      count.limits += 1;
      return 600_000;
    },
  };
  const cloud = new FakeCloud(clock);
  const node = cloud.addNode("i-1");
  for (const name of ["a", "b", "c"]) cloud.addPool("alb", name, [node], { drainMs: 30_000 });
  const drainer = new Drainer({ cloud, clock, times });
  const { signal } = newAbort();
  const listen = signal.addEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof listen>) => {
    count.listeners += 1;
    return listen(...args);
  };
  const ask = (caller: number) => {
    const own = timeoutMs(caller);
    const request = { node: { by: "id", value: "i-1" }, dryRun: false, ...(own && { timeoutMs: own }) } as const;
    return drainer.drain(request, signal);
  };
  const first = Array.from({ length: callers / 2 }, (_, caller) => ask(caller));
  await clock.advance(1_000);
  const later = Array.from({ length: callers / 2 }, (_, caller) => ask(callers / 2 + caller));
  const outcomes = await clock.run(Promise.all([...first, ...later]));
  return { ...count, lookups: cloud.callsOf("resolve").length, outcomes };
}

describe("thousands of callers ask for one node", () => {
  test("each costs the same, however many have asked before", async () => {
    const [few, many] = [await workOf(1_000), await workOf(4_000)];
    expect(many.outcomes.every(({ status }) => status === "drained")).toBe(true);
    expect(many.limits).toBeGreaterThan(4_000);
    // Four times as many callers: their order is a matter of a logarithm.
    expect(many.limits / few.limits).toBeLessThan(5.5);
    expect(many.sleeps).toBe(few.sleeps);
    expect(many.listeners).toBe(few.listeners);
    expect([few.lookups, many.lookups]).toEqual([1, 1]);
  });

  test("also where each has a timeout of its own, and leaves at another moment", async () => {
    const own = (caller: number) => 1_000 + ((caller * 7_919) % 20_000);
    const [few, many] = [await workOf(500, own), await workOf(2_000, own)];
    expect(many.outcomes.every(({ status }) => status === "deadline-passed")).toBe(true);
    expect(many.sleeps / few.sleeps).toBeLessThan(5.5);
  });
});

test("a caller whose timeout is the shortest of all leaves first, whenever it came", async () => {
  const scene = new DrainScene();
  scene.cloud.addPool("alb", "web", [scene.cloud.addNode("i-1")]);
  const left: number[] = [];
  const ask = (timeoutSeconds: number) =>
    scene.ask("i-1", { timeoutSeconds }).then(() => left.push(scene.elapsedSeconds));
  const asked = [60, 20, 100, 40, 20, 80].map(ask);
  await scene.clock.run(Promise.all(asked));
  expect(left).toEqual([20, 20, 40, 60, 80, 100]);
});

test("callers of one node share its lookup, and one with less patience does not wait for it any longer", async () => {
  const scene = new DrainScene();
  scene.cloud.addNode("i-1");
  scene.cloud.before = async ({ method }) => {
    if (method === "resolve") await scene.clock.sleep(50_000, newAbort().signal);
  };
  const asked = [30, 20, 90, undefined].map((timeoutSeconds) =>
    scene
      .ask("i-1", timeoutSeconds === undefined ? {} : { timeoutSeconds })
      .then(({ status }) => [status, scene.elapsedSeconds]),
  );
  const outcomes = await scene.clock.run(Promise.all(asked));
  expect(outcomes.slice(0, 2)).toEqual([
    ["deadline-passed", 30],
    ["deadline-passed", 20],
  ]);
  expect(outcomes.slice(2).map(([status]) => status)).toEqual(["nothing-registered", "nothing-registered"]);
});
