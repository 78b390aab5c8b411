import { expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import type { Child } from "../support/child-process.ts";
import { SHORT, SHORT_SPARES } from "../support/departure-pools.ts";
import { DepartureScene, linesOf, REQUESTS_MIN } from "../support/departure-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";

const POOLS = ["legacy", "reports", "tcp", "web"];

/** Two services on one queue, and 5 of 20 nodes that Auto Scaling takes away. */
async function scaleIn({ duplicateEvery }: { readonly duplicateEvery?: number } = {}) {
  const scene = await DepartureScene.open({
    nodes: 20,
    timing: SHORT,
    ...(duplicateEvery === undefined ? {} : { duplicateEvery }),
  });
  const replicas = await Promise.all([scene.start(), scene.start()]);
  const leaving = scene.nodes.slice(0, 5);
  scene.scaleIn(leaving);
  return { scene, replicas, leaving };
}

/** Nothing was lost, and each node was taken out and let go once. */
async function expectAllWell({ scene, replicas, leaving }: Awaited<ReturnType<typeof scaleIn>>): Promise<void> {
  await scene.untilOff(leaving);
  const [{ sent, losses }] = await Promise.all([scene.endTraffic(), scene.untilQueueIsEmpty()]);
  const ids = leaving.map(({ id }) => id);
  expect(lostByTheProduct(losses, SHORT_SPARES)).toEqual([]);
  expect(sent).toBeGreaterThan(REQUESTS_MIN);
  const completed = replicas.flatMap((child) => nodesOf(child, "hook completed"));
  expect(completed.sort(), "hooks, each completed once").toEqual(ids);
  expect(scene.hooks.map(({ instanceId, action }) => [instanceId, action.result]).sort()).toEqual(
    ids.map((id) => [id, "CONTINUE"]),
  );
  expect(scene.books.map(({ pool, target }) => `${target} ${pool}`).sort()).toEqual(
    ids.flatMap((id) => POOLS.map((pool) => `${id} ${pool}`)),
  );
}

function nodesOf(child: Child, message: string): readonly string[] {
  return linesOf(child, message).map(({ node = "" }) => node);
}

test.runIf(ALL_CASES)(
  "two replicas on one queue: of what each event asks, delivered twice, there is one effect, and no request is lost",
  async () => {
    const running = await scaleIn({ duplicateEvery: 1 });
    await expectAllWell(running);
    for (const replica of running.replicas) expect(nodesOf(replica, "termination announced")).not.toEqual([]);
  },
);

test("one of two replicas is killed in the middle of a scale-in: the other goes on, and no request is lost", async () => {
  const running = await scaleIn();
  const { scene, replicas, leaving } = running;
  const heard = (child: Child) => linesOf(child, "termination announced");
  const holding = (child: Child) => nodesOf(child, '"target deregistered"').length;
  await scene.until(
    () => replicas.flatMap(heard).length === leaving.length && replicas.some((child) => holding(child) > 0),
  );
  // From then on nothing but the message's age says that the NLB still opens connections to them.
  await scene.until(() => leaving.every((instance) => !scene.isListed("tcp", instance)));
  const [doomed] = replicas.toSorted((a, b) => holding(b) - holding(a));
  doomed?.signal("SIGKILL");
  await doomed?.finished;
  const orphans = doomed === undefined ? [] : heard(doomed);
  expect(orphans).not.toEqual([]);
  expect(leaving.filter(({ terminatedAt }) => terminatedAt !== undefined)).toEqual([]);
  await scene.queue.timeOut(orphans.map(({ messageId = "" }) => messageId));
  await expectAllWell(running);
});
