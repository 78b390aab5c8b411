import { describe, expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { NodePods } from "../../src/kubernetes/node-pods.ts";
import type { WatchState } from "../../src/kubernetes/watch.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, type FakeRequest, refusal } from "../support/fake-api-server.ts";
import { pod } from "../support/fake-pods.ts";
import { never } from "../support/simulated-region.ts";

const PODS = "/api/v1/pods";

const node = (number: number) => `node-${number}`;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** So many nodes with two pods each, which a service watches. */
async function scene({ nodes = 3, isWatched = true } = {}) {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  for (const number of numbers(nodes))
    for (const name of ["a", "b"]) fake.put(PODS, pod(`${name}-${number}`, { node: node(number) }));
  const states: WatchState[] = [];
  const server = await clientOf(fake, clock);
  const pods = new NodePods({ server, clock, ...(isWatched && { onState: (state) => states.push(state) }) });
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  pods.run(stop.signal).catch(() => {});
  const begin = async () => {
    pods.needed();
    await clock.advance(5_000);
    fake.requests.length = 0;
  };
  const on = async (number: number) => (await pods.on(node(number), never)).map(({ name }) => name);
  const seenOn = async (number: number) => (await pods.seenOn(node(number), never)).map(({ name }) => name);
  /** Lists, of one node or of all. */
  const lists = () => fake.requests.filter(({ path, query }) => path === PODS && !query.has("watch"));
  return { clock, fake, pods, states, begin, on, seenOn, lists };
}

/** As a write to another collection does: the version of the server moves on, and no pod has changed. */
const somethingElse = (fake: FakeApiServer) => fake.put("/api/v1/leases", { metadata: { name: "lease" } });

test("the pods of a node are listed by its name, and nothing is watched before it is needed", async () => {
  const { clock, fake, pods, on, lists } = await scene();
  expect(await clock.run(on(2))).toEqual(["shop/a-2", "shop/b-2"]);
  expect(lists().map(({ query }) => query.get("fieldSelector"))).toEqual(["spec.nodeName=node-2"]);
  await clock.advance(60_000);
  expect(fake.watches).toBe(0);
  pods.needed();
  await clock.advance(5_000);
  expect(fake.watches).toBe(1);
  expect(pods.size).toBe(6);
});

test("a pod tells since when its containers are ready, and a finished one has no address any more", async () => {
  const { clock, fake, pods } = await scene({ nodes: 0 });
  const conditions = [
    { type: "Ready", status: "False" },
    { type: "ContainersReady", status: "True", lastTransitionTime: "2026-01-01T00:00:07Z" },
  ];
  const notReady = conditions.map((condition) => ({ ...condition, status: "False" }));
  for (const [name, ip, its] of [
    ["ready", "10.1.0.1", conditions] as const,
    ["starting", "10.1.0.2", notReady] as const,
  ]) {
    const made = pod(name, { ip, node: node(1) });
    fake.put(PODS, { ...made, status: { ...made.status, conditions: its } } as typeof made);
  }
  fake.put(PODS, pod("finished", { ip: "10.1.0.3", phase: "Succeeded", node: node(1) }));
  const read = await clock.run(pods.on(node(1), never));
  expect(read.map(({ name, addresses, readySince }) => ({ name, addresses, readySince }))).toEqual([
    { name: "shop/ready", addresses: ["10.1.0.1"], readySince: Date.parse("2026-01-01T00:00:07Z") },
    { name: "shop/starting", addresses: ["10.1.0.2"], readySince: undefined },
    { name: "shop/finished", addresses: [], readySince: undefined },
  ]);
});

test("a command, which watches nothing, lists the pods of each node", async () => {
  const { clock, begin, on, seenOn, lists, fake } = await scene({ isWatched: false });
  await begin();
  expect(await clock.run(Promise.all(numbers(3).map(on)))).toHaveLength(3);
  await clock.run(seenOn(1));
  await clock.advance(2_000);
  await clock.run(seenOn(1));
  expect(lists()).toHaveLength(5 - 1);
  expect(fake.watches).toBe(0);
});

test("callers who ask for the same node at the same time share one list, which ends when the last one leaves", async () => {
  const { clock, fake, pods, lists } = await scene();
  const [first, second] = [newAbort(), newAbort()];
  fake.intercept = () => "hang";
  const left = pods.on(node(1), first.signal).catch((error: unknown) => error);
  const stays = pods.on(node(1), second.signal).catch((error: unknown) => error);
  await clock.advance(100);
  first.abort("left");
  expect(await left).toBe("left");
  expect(lists()).toHaveLength(1);
  fake.intercept = () => undefined;
  // Who asks now joins the one that hangs.
  const third = newAbort();
  const joins = pods.on(node(1), third.signal).catch((error: unknown) => error);
  second.abort("left too");
  third.abort("left as well");
  expect([await stays, await joins]).toEqual(["left too", "left as well"]);
  // Another one is not given what was abandoned.
  expect(await clock.run(pods.on(node(1), never))).toHaveLength(2);
  expect(lists()).toHaveLength(2);
});

describe("when a thousand nodes leave at once", () => {
  test("a handful of lists answers for all, each with the pods of this moment", async () => {
    const { clock, fake, begin, on, lists } = await scene({ nodes: 1_000 });
    await begin();
    fake.put(PODS, pod("late", { node: node(700) }));
    fake.remove(PODS, "shop/a-900");
    const all = await clock.run(Promise.all(numbers(1_000).map(on)));
    expect(lists().length).toBeLessThanOrEqual(8);
    expect(all[0]).toEqual(["shop/a-1", "shop/b-1"]);
    expect(all[699]).toEqual(["shop/a-700", "shop/b-700", "shop/late"]);
    expect(all[899]).toEqual(["shop/b-900"]);
    // They ask again and again, until their pods have ended.
    const before = fake.requests.length;
    for (let second = 0; second < 8; second += 2) {
      await clock.run(Promise.all(numbers(1_000).map(on)));
      await clock.advance(2_000);
    }
    expect(fake.requests.length - before).toBeLessThanOrEqual(8 * 5);
  });

  test("a pod that no watch has shown is found: all are listed once, where that is less than one by one", async () => {
    const { clock, fake, begin, on, lists } = await scene({ nodes: 1_000 });
    await begin();
    fake.unseen(() => fake.put(PODS, pod("unseen", { node: node(700) })));
    const all = await clock.run(Promise.all(numbers(1_000).map(on)));
    expect(all[699]).toContain("shop/unseen");
    expect(all.every((names) => names.length >= 2)).toBe(true);
    const pages = lists().filter(({ query }) => !query.has("fieldSelector"));
    expect(pages).toHaveLength(Math.ceil(2_001 / 250));
    expect(lists().length - pages.length).toBeLessThanOrEqual(8);
  });

  test("a watch that has died unseen does not answer for any", async () => {
    const { clock, fake, begin, on } = await scene({ nodes: 40 });
    await begin();
    fake.loseWatches();
    for (const number of numbers(40)) fake.remove(PODS, `shop/a-${number}`);
    const all = await clock.run(Promise.all(numbers(40).map(on)));
    expect(all).toEqual(numbers(40).map((number) => [`shop/b-${number}`]));
  });

  test("the few that are fewer than the pages of all pods are listed one by one", async () => {
    const { clock, fake, begin, on, lists } = await scene({ nodes: 1_000 });
    await begin();
    somethingElse(fake);
    const all = await clock.run(Promise.all(numbers(9).map(on)));
    expect(all.every((names) => names.length === 2)).toBe(true);
    expect(lists().map(({ query }) => query.has("fieldSelector"))).toEqual(numbers(9).map(() => true));
  });

  test("an API server that went on from a backup does not make an old watch new", async () => {
    const { clock, fake, begin, on } = await scene({ nodes: 40 });
    await begin();
    fake.loseWatches();
    fake.restoreBackup();
    fake.put(PODS, pod("restored", { node: node(30) }));
    const all = await clock.run(Promise.all(numbers(40).map(on)));
    expect(all[29]).toContain("shop/restored");
  });
});

describe("a caller who asks again and again", () => {
  test("is answered by the watch, without a request", async () => {
    const { clock, fake, begin, seenOn, lists } = await scene();
    await begin();
    for (let second = 0; second < 60; second += 2) {
      if (second === 30) fake.remove(PODS, "shop/a-1");
      await clock.advance(2_000);
      expect(await clock.run(seenOn(1))).toEqual(second < 30 ? ["shop/a-1", "shop/b-1"] : ["shop/b-1"]);
    }
    expect(lists().filter(({ query }) => query.get("limit") !== "1")).toEqual([]);
  });

  test("is answered by lists once the watch has brought nothing for twelve seconds", async () => {
    const { clock, fake, begin, seenOn } = await scene();
    await begin();
    fake.loseWatches();
    fake.remove(PODS, "shop/a-1");
    await clock.advance(14_000);
    expect(await clock.run(seenOn(1))).toEqual(["shop/b-1"]);
  });
});

describe("lists answer where the watch can't:", () => {
  const isWatch = ({ path, query }: FakeRequest) => path === PODS && query.has("watch");

  test("the permission to watch pods is missing, which is named once with the role to apply", async () => {
    const { clock, fake, begin, on, states, lists } = await scene({ nodes: 20 });
    fake.intercept = (request) =>
      isWatch(request) ? refusal(403, "Forbidden", 'pods is forbidden: cannot watch resource "pods"') : undefined;
    await begin();
    await clock.advance(60_000);
    fake.put(PODS, pod("new", { node: node(20) }));
    const all = await clock.run(Promise.all(numbers(20).map(on)));
    expect(all[19]).toContain("shop/new");
    expect(lists().filter(({ query }) => query.has("fieldSelector"))).toHaveLength(20);
    expect(states).toHaveLength(1);
    expect(states[0]).toMatchObject({
      kind: "failing",
      error: { message: expect.stringMatching(/cannot watch resource "pods".*'hasta-la-vista rbac' prints the role/) },
    });
  });

  test("it fails: none waits for it to become as new as a list", async () => {
    const { clock, fake, begin, pods, lists } = await scene({ nodes: 10 });
    await begin();
    fake.intercept = (request) => (isWatch(request) ? refusal(503, "ServiceUnavailable") : undefined);
    fake.endWatches();
    await clock.advance(30_000);
    const before = lists().length;
    fake.intercept = () => "hang";
    for (const number of numbers(10)) pods.on(node(number), never).catch(() => {});
    await clock.advance(100);
    expect(lists().length - before).toBe(10);
  });

  test("it has not listed the pods yet", async () => {
    const { clock, fake, pods, on } = await scene({ nodes: 20 });
    fake.intercept = ({ query }) => (query.has("fieldSelector") ? undefined : "hang");
    pods.needed();
    await clock.advance(5_000);
    const all = await clock.run(Promise.all(numbers(20).map(on)));
    expect(all.every((names) => names.length === 2)).toBe(true);
  });

  test("its version was too old; it is right again afterwards", async () => {
    const { clock, fake, begin, on, lists, states } = await scene({ nodes: 20 });
    await begin();
    fake.unseen(() => fake.remove(PODS, "shop/a-20"));
    fake.compact();
    fake.endWatches();
    const all = await clock.run(Promise.all(numbers(20).map(on)));
    expect(all[19]).toEqual(["shop/b-20"]);
    await clock.advance(5_000);
    const before = lists().length;
    expect((await clock.run(Promise.all(numbers(20).map(on))))[19]).toEqual(["shop/b-20"]);
    expect(lists().length - before).toBeLessThanOrEqual(8);
    expect(states).toEqual([]);
  });

  test("the API server was killed, and its failure is the caller's; after its restart the watch answers again", async () => {
    const { clock, fake, begin, on, lists, states } = await scene({ nodes: 20 });
    await begin();
    fake.kill();
    await expect(clock.run(on(1))).rejects.toMatchObject({ reason: "Unreachable" });
    await clock.advance(60_000);
    fake.put(PODS, pod("new", { node: node(20) }));
    await fake.restart();
    await clock.advance(60_000);
    const before = lists().length;
    expect((await clock.run(Promise.all(numbers(20).map(on))))[19]).toContain("shop/new");
    expect(lists().length - before).toBeLessThanOrEqual(8);
    expect(states.map(({ kind }) => kind)).toEqual(["failing", "recovered"]);
  });
});

test("pods that are neither targets nor evicted are not kept", async () => {
  const { clock, fake, pods, begin, on } = await scene({ nodes: 1 });
  const owners = [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "proxy", uid: "d", controller: true }];
  fake.put(PODS, pod("proxy", { owners, hostNetwork: true, ip: "10.0.0.1" }));
  fake.put(PODS, pod("agent", { owners, ip: "10.0.0.2" }));
  fake.put(PODS, pod("pending", { node: "" }));
  await begin();
  expect(pods.size).toBe(3);
  expect(await clock.run(on(1))).toEqual(["shop/a-1", "shop/b-1", "shop/agent"]);
});
