import { expect, test } from "vitest";
import type { DrainEvent } from "../../src/drain/events.ts";
import { WorkTurns } from "../../src/drain/work-turns.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { DrainScene } from "../support/drain-scene.ts";

const PER_TURN_MAX = 250;

/** The largest number of such events between two turns of the event loop. */
function mostPerTurn(events: readonly DrainEvent[], turnsAt: readonly number[], type: DrainEvent["type"]): number {
  const bounds = [0, ...turnsAt, events.length];
  const counts = bounds.slice(1).map((end, at) => {
    const between = events.slice(bounds[at], end);
    return between.filter((event) => event.type === type).length;
  });
  return Math.max(...counts);
}

test.each([
  [60, 20],
  [600, 1],
])("what one read or one poll makes due for %i nodes in %i pools is divided over turns", async (size, pools) => {
  const scene = new DrainScene();
  const nodes = Array.from({ length: size }, (_, node) => scene.cloud.addNode(`i-${node}`));
  for (let pool = 0; pool < pools; pool += 1) scene.cloud.addPool("alb", `web-${pool}`, nodes);
  const turnsAt: number[] = [];
  scene.clock.turn = () => new Promise((resolve) => setImmediate(resolve));
  const watch = () => {
    turnsAt.push(scene.events.length);
    if (scene.events.filter(({ type }) => type === "ended").length < size) setImmediate(watch);
  };
  watch();

  const outcomes = await scene.clock.run(Promise.all(nodes.map(({ id }) => scene.ask(id))));

  expect(outcomes.map(({ status }) => status)).toEqual(nodes.map(() => "drained"));
  const drainsPerTurn = Math.ceil(PER_TURN_MAX / pools);
  for (const type of ["planned", "ended"] as const) {
    expect(scene.events.filter((event) => event.type === type)).toHaveLength(size);
    expect(mostPerTurn(scene.events, turnsAt, type)).toBeLessThanOrEqual(drainsPerTurn);
  }
  for (const type of ["deregistered", "released"] as const)
    expect(mostPerTurn(scene.events, turnsAt, type)).toBeLessThanOrEqual(PER_TURN_MAX);
});

function scene() {
  const clock = new VirtualClock();
  const turns: (() => void)[] = [];
  clock.turn = () => new Promise((resolve) => turns.push(resolve));
  const begun: string[] = [];
  const work = new WorkTurns(clock);
  return {
    begun,
    ask: (name: string, registrations: number) => void work.next(registrations).then(() => begun.push(name)),
    /** Lets the event loop turn once. */
    turn: async () => {
      for (const resolve of turns.splice(0)) resolve();
      await new Promise((resolve) => setImmediate(resolve));
    },
    get scheduled() {
      return turns.length;
    },
  };
}

test("work begins in the order in which it was asked for, a share of it in each turn", async () => {
  const { begun, ask, turn } = scene();
  for (const name of ["a", "b", "c", "d", "e", "f"]) ask(name, 100);
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "c"]);
  await turn();
  expect(begun).toEqual(["a", "b", "c", "d", "e"]);
  await turn();
  expect(begun).toEqual(["a", "b", "c", "d", "e", "f"]);
});

test("work that is larger than a share is done at once, and the next turns begin nothing", async () => {
  const { begun, ask, turn } = scene();
  ask("large", 3 * PER_TURN_MAX);
  ask("small", 1);
  await Promise.resolve();
  expect(begun).toEqual(["large"]);
  await turn();
  await turn();
  expect(begun).toEqual(["large"]);
  await turn();
  expect(begun).toEqual(["large", "small"]);
});

test("nothing is scheduled when nothing waits", async () => {
  const idle = scene();
  idle.ask("a", 1);
  await idle.turn();
  expect(idle.begun).toEqual(["a"]);
  expect(idle.scheduled).toBe(0);
});
