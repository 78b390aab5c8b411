import { expect, test } from "vitest";
import { SHORT, SHORT_SPARES } from "../support/departure-pools.ts";
import { DepartureScene, REQUESTS_MIN } from "../support/departure-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";

const NODES = 20;
const AT_ONCE = 5;

test("all 20 nodes are replaced under traffic, 5 at a time: no request is lost, and each hook is completed", async () => {
  const scene = await DepartureScene.open({ nodes: NODES, timing: SHORT, launchMs: 500 });
  await scene.start();
  for (let first = 0; first < NODES; first += AT_ONCE) {
    // As an instance refresh does, which does not wait for those that are on their way out.
    scene.scaleIn(scene.nodes.slice(first, first + AT_ONCE));
    await scene.until(() => scene.serving >= NODES);
  }
  await scene.untilOff(scene.nodes);
  const [{ sent, losses }] = await Promise.all([scene.endTraffic(), scene.untilQueueIsEmpty()]);

  expect(lostByTheProduct(losses, SHORT_SPARES)).toEqual([]);
  expect(sent).toBeGreaterThan(REQUESTS_MIN);
  const old = scene.nodes.map(({ id }) => id);
  const members = scene.workers.members(scene.world.clock.now()).map(({ instance }) => instance.id);
  expect(members).toHaveLength(NODES);
  expect(members.filter((id) => old.includes(id))).toEqual([]);
  expect(scene.hooks.map(({ instanceId, action }) => [instanceId, action.result]).sort()).toEqual(
    old.map((id) => [id, "CONTINUE"]),
  );
  expect(scene.simulator.calls.get("autoscaling:CompleteLifecycleAction")).toBe(NODES);
  expect(scene.books).toHaveLength(4 * NODES);
});
