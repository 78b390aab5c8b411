import { expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import { REQUESTS_MIN, SPARES, type Told } from "../support/crash-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import type { Running } from "../support/program-run.ts";
import { type Replica, type ReplicaOptions, ReplicaScene } from "../support/replica-scene.ts";

/** Two replicas, of which the first leads and the second has been heard by it. */
async function pairOf<Program extends Running>(
  start: (scene: ReplicaScene, options: ReplicaOptions) => Promise<Replica<Program>>,
  options: ReplicaOptions,
) {
  const scene = await ReplicaScene.open();
  const first = await start(scene, options);
  await scene.leader();
  const { node: _, ...same } = options;
  const second = await start(scene, same);
  await scene.standsBy(second);
  return { scene, first, second, deregistered: (count: number) => () => scene.crash.books.length >= count };
}

/** Processes, which can be killed. */
function pair(options: ReplicaOptions = {}) {
  return pairOf((scene, each) => scene.start(each), options);
}

/** In this process, which is a tenth of the work. */
function pairInside(options: ReplicaOptions = {}) {
  return pairOf((scene, each) => scene.startInside(each), options);
}

interface Step {
  readonly type: string;
  readonly at: string;
}

async function stepsOf({ service }: Replica, { drainId }: Told): Promise<readonly Step[]> {
  return ((await service.read(`/drains/${drainId}`)) as { readonly steps: readonly Step[] }).steps;
}

/** One drain took the node out of each pool once, ended once, and no request of a client was lost. */
async function expectDrainedOnce(scene: ReplicaScene, leader: Replica, told: Told): Promise<void> {
  expect(told).toMatchObject({ status: 200 });
  const ends = async () =>
    (await stepsOf(leader, told)).map(({ type }) => type).filter((type) => type === "accepted" || type === "ended");
  // A leader that dies when it has answered may not have written it down: the next one ends the drain once more.
  await expect.poll(ends).toEqual(["accepted", "ended"]);
  const { drains } = (await leader.service.read("/drains")) as { readonly drains: readonly object[] };
  expect(drains).toHaveLength(1);
  const { losses, sent } = await scene.crash.letGo();
  expect(lostByTheProduct(losses, SPARES)).toEqual([]);
  expect(sent).toBeGreaterThan(REQUESTS_MIN);
  expect(scene.crash.books.map(({ pool }) => pool).sort()).toEqual(["legacy", "tcp", "web"]);
}

test("a replica that does not lead answers as the leader does, and knows who asked", async () => {
  const { scene, first, second } = await pairInside();
  const told = await second.service.drain();
  await expectDrainedOnce(scene, first, told);
  for (const path of ["/drains", `/drains/${told.drainId}`, `/nodes/${scene.crash.staying.id}`, "/drains/d-unknown"])
    expect(await second.service.read(path)).toEqual(await first.service.read(path));
  expect(JSON.stringify(await first.service.read(`/drains/${told.drainId}`))).toContain('"address":"127.0.0.1"');
});

/** Which replica leads, by each overview that the texts of a stream have. */
async function* leadersIn(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let text = "";
  for await (const more of texts) {
    text += more;
    const [whole, data = "{}"] = /^event: overview\ndata: (.*)\n\n/m.exec(text) ?? [];
    if (whole === undefined) continue;
    yield JSON.parse(data).settings.leader.split("_")[0];
    text = "";
  }
}

test("the overview comes through each replica, and its stream ends with the leader's term", async () => {
  const { scene, first, second } = await pairInside();
  const before = scene.holder;
  for (const { service } of [first, second])
    expect(await service.read("/overview")).toMatchObject({ running: [], settings: { leader: expect.anything() } });
  const leaders = leadersIn(second.service.follow("/overview/events"));
  expect((await leaders.next()).value).toBe(before);
  first.service.child.signal("SIGTERM");
  // It ends, and does not go on with the next leader: who reads begins again from everything.
  expect(await leaders.next()).toEqual({ done: true, value: undefined });
  const next = leadersIn(second.service.follow("/overview/events"));
  expect((await next.next()).value).toBe(second.name);
  await next.return(undefined);
  expect(before).not.toBe(second.name);
});

test("a leader that is asked to end hands over at once, and its waiting callers get their answers", async () => {
  const { scene, first, second, deregistered } = await pairInside();
  const told = [first.service.drain(), second.service.drain()];
  await scene.crash.until(deregistered(1));
  first.service.child.signal("SIGTERM");
  const [one, other] = await Promise.all(told);
  expect(other?.drainId).toBe(one?.drainId);
  expect((await first.service.child.finished).code).toBe(0);
  expect(first.service.child.output).toMatch(/"because":"stopping","msg":"leadership handed over"/);
  await expectDrainedOnce(scene, second, one as Told);
});

/** Pieces of the ledger that a drain of three pools has: the first one is the mark of the leader's takeover. */
const PIECES = ALL_CASES ? [2, 3, 4, 5, 6, 7, 8, 9] : [4];

test.each(PIECES)(
  "a leader that is killed when the ledger has %i pieces: the next one goes on with the drain, and its caller gets the answer",
  async (count) => {
    const { scene, first, second } = await pair();
    const told = second.service.drain();
    // Steps that come together are one piece: there may be fewer.
    const isOver = () => first.service.child.output.includes('"drain completed"');
    await scene.killWhen(first, () => scene.pieces >= count || isOver());
    await scene.crash.forgotten();
    await expectDrainedOnce(scene, second, await told);
  },
);

test.runIf(ALL_CASES)(
  "two leaders that are killed one after the other: the third replica goes on with the drain",
  async () => {
    const { scene, first, second, deregistered } = await pair({ NLB_PROPAGATION: "30" });
    const third = await scene.start({ NLB_PROPAGATION: "30" });
    await scene.standsBy(third);
    const told = third.service.drain();
    await scene.killWhen(first, deregistered(1));
    const next = await scene.leader([second, third]);
    if (next === second) await scene.killWhen(second, () => second.service.child.output.includes('"drain resumed"'));
    const answer = await told;
    expect(await scene.leader([third])).toBe(third);
    await expectDrainedOnce(scene, third, answer);
  },
);

test("a leader that is stopped for longer than its lease does nothing when it goes on, and stands by", async () => {
  const { scene, first, second, deregistered } = await pair();
  const told = second.service.drain();
  await scene.crash.until(deregistered(1));
  first.service.child.signal("SIGSTOP");
  const answer = await told;
  const before = await second.service.read(`/drains/${answer.drainId}`);
  first.service.child.signal("SIGCONT");
  await first.service.child.line(/"leadership lost"/);
  await scene.standsBy(first);
  expect(first.service.child.output.split('"leadership lost"')[1]).not.toMatch(/"(target|hook|node|pod) \w+"/);
  expect(await second.service.read(`/drains/${answer.drainId}`)).toEqual(before);
  expect(await first.service.read(`/drains/${answer.drainId}`)).toEqual(before);
  await expectDrainedOnce(scene, second, answer);
});

test("a leader that does not reach the API server gives up before another one leads, and its caller is told to come again", async () => {
  // Longer than the term lasts without a renewal.
  const { scene, first, second, deregistered } = await pairInside({ NLB_PROPAGATION: "15" });
  const told = first.service.drain();
  await scene.crash.until(deregistered(1));
  const joined = second.service.drain();
  await first.service.child.line(/"drain joined"/);
  scene.cutOff(first);
  const answer = await joined;
  const lost = await first.service.child.line(/"leadership lost"/);
  const acquired = await second.service.child.line(/"leadership acquired"/);
  expect(Date.parse(JSON.parse(lost).time)).toBeLessThan(Date.parse(JSON.parse(acquired).time));
  expect(await told).toMatchObject({ status: 503 });
  await expectDrainedOnce(scene, second, answer);
});

test("a leader whose own node is drained hands over first, and the drain goes on in the other replica", async () => {
  const { scene, first, second } = await pairInside({ node: "i-00000000000000001" });
  const answer = await first.service.drain();
  expect(first.service.child.output).toMatch(/"because":"own-node-leaves","msg":"leadership handed over"/);
  expect(scene.holder).toBe(second.name);
  await expectDrainedOnce(scene, second, answer);
});

test("a single replica drains its own node itself, and a leader does not hand over to a replica on a node that leaves", async () => {
  const scene = await ReplicaScene.open();
  const first = await scene.startInside({ node: scene.crash.leaving.id });
  await scene.leader();
  expect(await first.service.drain()).toMatchObject({ status: 200 });
  const second = await scene.startInside({ node: scene.crash.leaving.id });
  await scene.standsBy(second);
  expect(await second.service.drain()).toMatchObject({ status: 200 });
  expect(scene.holder).toBe(first.name);
  expect(first.service.child.output).not.toContain("handed over");
});
