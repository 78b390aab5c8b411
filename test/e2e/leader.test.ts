import { expect, test } from "vitest";
import { SPARES } from "../support/crash-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import { ReplicaScene } from "../support/replica-scene.ts";

test("a replica that does not lead answers as the leader does", async () => {
  const scene = await ReplicaScene.open();
  const first = await scene.start();
  await scene.leader();
  const second = await scene.start();
  await scene.standsBy(second);
  const told = await second.service.drain();
  expect(told).toMatchObject({ status: 200 });
  expect(await second.service.read("/drains")).toEqual(await first.service.read("/drains"));
  expect(await second.service.read(`/drains/${told.drainId}`)).toEqual(
    await first.service.read(`/drains/${told.drainId}`),
  );
  const { losses } = await scene.crash.letGo();
  expect(lostByTheProduct(losses, SPARES)).toEqual([]);
});

test("a leader that is asked to end hands over at once, and its waiting callers get their answers", async () => {
  const scene = await ReplicaScene.open();
  const first = await scene.start();
  await scene.leader();
  const second = await scene.start();
  await scene.standsBy(second);
  const told = [first.service.drain(), second.service.drain()];
  await scene.crash.until(() => scene.crash.books.length === 1);
  first.service.child.signal("SIGTERM");
  const [one, other] = await Promise.all(told);
  expect([one, other]).toMatchObject([{ status: 200 }, { status: 200, drainId: one?.drainId }]);
  expect((await first.service.child.finished).code).toBe(0);
  expect((await scene.leader()).name).toBe(second.name);
  const { losses } = await scene.crash.letGo();
  expect(lostByTheProduct(losses, SPARES)).toEqual([]);
});

test("a leader that is killed while it drains: the next one goes on with the drain, and its caller gets the answer", async () => {
  const scene = await ReplicaScene.open();
  const first = await scene.start();
  await scene.leader();
  const second = await scene.start();
  await scene.standsBy(second);
  const told = second.service.drain();
  await scene.crash.killWhen(first.service.child, () => scene.crash.books.length === 2);
  const answer = await told;
  expect(answer).toMatchObject({ status: 200 });
  const steps = await stepsOf(second, answer.drainId);
  expect(steps.filter((type) => ["accepted", "resumed", "ended"].includes(type))).toEqual([
    "accepted",
    "resumed",
    "ended",
  ]);
  const { losses } = await scene.crash.letGo();
  expect(lostByTheProduct(losses, SPARES)).toEqual([]);
});
