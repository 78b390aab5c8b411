import { expect, test } from "vitest";
import { SHORT, SHORT_HOLDS_MS, SHORT_SPARES } from "../support/departure-pools.ts";
import { DepartureScene, linesOf, REQUESTS_MIN } from "../support/departure-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";

test("Auto Scaling takes 5 of 20 nodes away under traffic: no request is lost, and each hook is completed when its holds have ended", async () => {
  const scene = await DepartureScene.open({ nodes: 20, timing: SHORT });
  const child = await scene.start();
  const leaving = scene.nodes.slice(0, 5);
  const ids = leaving.map(({ id }) => id);
  scene.scaleIn(leaving);
  await scene.untilOff(leaving);
  await scene.untilQueueIsEmpty();
  const { sent, losses } = await scene.endTraffic();

  expect(lostByTheProduct(losses, SHORT_SPARES)).toEqual([]);
  expect(sent).toBeGreaterThan(REQUESTS_MIN);
  expect(
    linesOf(child, "hook completed")
      .map(({ node }) => node)
      .sort(),
  ).toEqual(ids);
  expect(scene.hooks.map(({ instanceId, action }) => [instanceId, action.result]).sort()).toEqual(
    ids.map((id) => [id, "CONTINUE"]),
  );
  expect(scene.simulator.calls.get("autoscaling:CompleteLifecycleAction")).toBe(5);
  // Without them the machines would have gone before their holds had ended.
  expect(scene.simulator.calls.get("autoscaling:RecordLifecycleActionHeartbeat")).toBeGreaterThanOrEqual(5);
  const deregistered = scene.books.map(({ pool, target }) => `${target} ${pool}`).sort();
  expect(deregistered).toEqual(ids.flatMap((id) => ["legacy", "reports", "tcp", "web"].map((pool) => `${id} ${pool}`)));
  for (const { pool, target, at } of scene.books) {
    const aliveMs = (scene.world.instance(target)?.terminatedAt ?? 0) - at;
    expect(aliveMs, `${target} alive after ${pool} was asked`).toBeGreaterThanOrEqual(SHORT_HOLDS_MS[pool] ?? 0);
  }
  expect(scene.simulator.access.recordOf("simulated")?.denied).toEqual(new Set());
});
