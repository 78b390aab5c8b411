import { describe, expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { Change } from "../../src/kubernetes/collection.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import { Watch, type WatchState } from "../../src/kubernetes/watch.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, refusal, TOKEN } from "../support/fake-api-server.ts";

const TAINT = "karpenter.sh/disrupted";
const NODES = "/api/v1/nodes";

interface Projected {
  readonly taints: readonly string[];
}

function node(name: string, ...taints: readonly string[]): Node {
  return { metadata: { name }, spec: { taints: taints.map((key) => ({ key, effect: "NoSchedule" })) } };
}

/** A watch of the fake server's nodes that runs until the test's end. */
async function watchedNodes(count = 2, clock = new VirtualClock()) {
  const fake = await FakeApiServer.start(clock);
  for (let at = 1; at <= count; at++) fake.put(NODES, node(`node-${at}`));
  const states: WatchState[] = [];
  const server = await clientOf(fake, clock);
  const watch = new Watch<Node, Projected>({
    server,
    clock,
    path: NODES,
    project: ({ spec }) => ({ taints: (spec?.taints ?? []).map(({ key }) => key) }),
    onState: (state) => states.push(state),
    random: () => 0.5,
  });
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const changes: Change<Projected>[] = [];
  const read = async () => {
    for await (const change of watch.changes(stop.signal)) changes.push(change);
  };
  watch.run(stop.signal).catch(() => {});
  read().catch(() => {});
  return { clock, fake, server, watch, states, changes, signal: stop.signal };
}

const seen = (changes: readonly Change<Projected>[]) =>
  changes.map(({ kind, key, value }) => [kind, key, ...value.taints].join(" "));

const told = (states: readonly WatchState[]) =>
  states.map((state) =>
    state.kind === "failing" ? `failing ${state.error.status} ${state.error.reason}` : state.kind,
  );
/** An end of a watch, a list and a pause of the longest back-off. */
const SOON_MS = 60_000;
/** Of the event loop, in which a large answer arrives and no time may pass. */
const TURNS_OF_A_PAGE = 150;
const TEN_MINUTES_MS = 600_000;

test("a watch lists a collection, and then reports each change that its projection shows", async () => {
  const { clock, fake, watch, states, changes, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  fake.put(NODES, node("node-1", TAINT));
  // A heartbeat.
  fake.put(NODES, { ...node("node-2"), status: { phase: "Running" } } as Node);
  fake.put(NODES, node("node-3"));
  fake.remove(NODES, "node-1");
  await clock.advance(1_000);
  expect(seen(changes)).toEqual([
    "added node-1",
    "added node-2",
    `changed node-1 ${TAINT}`,
    "added node-3",
    `deleted node-1 ${TAINT}`,
  ]);
  expect([...watch.entries()].map(([key]) => key)).toEqual(["node-2", "node-3"]);
  expect(states).toEqual([]);
  expect(fake.asked("list")).toHaveLength(1);
});

test("a watch that runs for an hour lists once, and watches on from the last bookmark", async () => {
  const { clock, fake, watch, states, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  for (let minute = 0; minute < 60; minute++) {
    fake.put("/api/v1/pods", { metadata: { name: `pod-${minute}` } });
    await clock.advance(60_000);
  }
  expect(fake.asked("list")).toHaveLength(1);
  expect(fake.asked("watch").at(-1)?.query.get("resourceVersion")).toBe(fake.version);
  expect(fake.asked("watch").length).toBeLessThanOrEqual(121);
  expect(states).toEqual([]);
  expect(fake.connections).toBeLessThanOrEqual(3);
});

test("a watch of a cluster in which nothing is written lists once: it asks for the version alone", async () => {
  const { clock, fake, watch, states, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  await clock.advance(TEN_MINUTES_MS);
  expect(fake.asked("list")).toHaveLength(1);
  expect(fake.asked("watch").length).toBeLessThanOrEqual(21);
  expect(states).toEqual([]);
});

describe("a watch finds what it has missed, and reports the trouble once, after", () => {
  test("the API server was killed and started again", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    await clock.advance(SOON_MS);
    fake.kill();
    await clock.advance(TEN_MINUTES_MS);
    fake.put(NODES, node("node-2", TAINT));
    fake.remove(NODES, "node-1");
    await fake.restart();
    await clock.advance(SOON_MS);
    expect(seen(changes).slice(2)).toEqual([`changed node-2 ${TAINT}`, "deleted node-1"]);
    expect(told(states)).toEqual(["failing 0 Unreachable", "recovered"]);
    expect(states[1]).toMatchObject({ path: NODES, failedForMs: expect.any(Number) });
    expect(fake.asked("list")).toHaveLength(1);
  });

  test("the API server was stopped for ten minutes, and continued", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    await clock.advance(SOON_MS);
    fake.isStopped = true;
    fake.put(NODES, node("node-2", TAINT));
    await clock.advance(TEN_MINUTES_MS);
    expect(watch.failure).toMatchObject({ reason: "Timeout" });
    fake.isStopped = false;
    await clock.advance(2 * SOON_MS);
    expect(seen(changes).slice(2)).toEqual([`changed node-2 ${TAINT}`]);
    expect(told(states)).toEqual(["failing 0 Timeout", "recovered"]);
    expect(watch.failure).toBeUndefined();
  });

  test("its connection was dead, and neither side had noticed", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    await clock.advance(1_000);
    fake.loseWatches();
    fake.put(NODES, node("node-2", TAINT));
    await clock.advance(50_000);
    expect(seen(changes).slice(2)).toEqual([`changed node-2 ${TAINT}`]);
    expect(told(states)).toEqual(["failing 0 Timeout", "recovered"]);
  });

  test("its version was too old", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    await clock.advance(1_000);
    fake.unseen(() => {
      fake.put(NODES, node("node-3", TAINT));
      fake.remove(NODES, "node-1");
    });
    fake.compact();
    fake.endWatches();
    await clock.advance(SOON_MS);
    expect(seen(changes).slice(2)).toEqual([`added node-3 ${TAINT}`, "deleted node-1"]);
    expect(states).toEqual([]);
    expect(fake.asked("list")).toHaveLength(2);
  });

  test("its version was refused with 410 before anything was sent", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    await clock.advance(1_000);
    let refused = 0;
    fake.intercept = ({ query }) => (query.has("watch") && refused++ === 0 ? refusal(410, "Expired") : undefined);
    fake.unseen(() => fake.put(NODES, node("node-2", TAINT)));
    fake.endWatches();
    await clock.advance(SOON_MS);
    expect(refused).toBeGreaterThan(1);
    expect(seen(changes).slice(2)).toEqual([`changed node-2 ${TAINT}`]);
    expect(states).toEqual([]);
  });

  test("the API server went on from a backup, so that the version is from its future", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    await clock.advance(1_000);
    fake.loseWatches();
    fake.restoreBackup();
    fake.put(NODES, node("node-1", TAINT));
    fake.kill();
    await fake.restart();
    await clock.advance(SOON_MS);
    expect(seen(changes).slice(2)).toEqual([`changed node-1 ${TAINT}`]);
    expect(states).toEqual([]);
  });

  test.each([
    [
      "an error that is not 410",
      `${JSON.stringify({ type: "ERROR", object: refusal(500, "InternalError").body })}\n`,
      "failing 500 InternalError",
    ],
    ["garbage", "<html>not json</html>\n", "failing 0 Unreadable"],
    ["an event without an object", `${JSON.stringify({ type: "ADDED" })}\n`, "failing 0 Unreadable"],
    [
      "an object without a version",
      `${JSON.stringify({ type: "ADDED", object: { metadata: { name: "a" } } })}\n`,
      "failing 0 Unreadable",
    ],
    ["a line that does not end", "x".repeat(9 * 1_024 * 1_024), "failing 0 TooLarge"],
  ])("it was sent %s", async (_, text, trouble) => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    await clock.advance(10_000);
    fake.unseen(() => fake.put(NODES, node("node-2", TAINT)));
    fake.writeToWatches(text);
    await clock.advance(SOON_MS);
    expect(seen(changes).slice(2)).toEqual([`changed node-2 ${TAINT}`]);
    expect(told(states)).toEqual([trouble, "recovered"]);
  });

  test("its permission was taken away, and given back", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    const message = 'nodes is forbidden: User "us" cannot watch resource "nodes"';
    fake.intercept = () => refusal(403, "Forbidden", message);
    await clock.advance(TEN_MINUTES_MS);
    fake.put(NODES, node("node-2", TAINT));
    fake.intercept = () => undefined;
    await clock.advance(SOON_MS);
    expect(seen(changes).slice(2)).toEqual([`changed node-2 ${TAINT}`]);
    expect(told(states)).toEqual(["failing 403 Forbidden", "recovered"]);
    expect(states[0]).toMatchObject({
      error: {
        message: `GET ${NODES}: the API server answered 403 Forbidden: ${message}. Grant the permission: 'hasta-la-vista rbac' prints the role`,
      },
    });
  });

  test("its token was wrong for a while", async () => {
    const { clock, fake, changes, states, signal, watch } = await watchedNodes();
    await clock.run(watch.listed(signal));
    fake.token = "another-token";
    await clock.advance(TEN_MINUTES_MS);
    fake.put(NODES, node("node-2", TAINT));
    fake.token = TOKEN;
    await clock.advance(SOON_MS);
    expect(seen(changes).slice(2)).toEqual([`changed node-2 ${TAINT}`]);
    expect(told(states)).toEqual(["failing 401 Unauthorized", "recovered"]);
  });
});

test("an object that was made again under its name while nothing watched is deleted, and then added", async () => {
  const { clock, fake, changes, signal, watch } = await watchedNodes();
  await clock.run(watch.listed(signal));
  await clock.advance(1_000);
  fake.unseen(() => {
    fake.remove(NODES, "node-1");
    fake.put(NODES, node("node-1", TAINT));
  });
  fake.compact();
  fake.endWatches();
  await clock.advance(SOON_MS);
  expect(seen(changes).slice(2)).toEqual(["deleted node-1", `added node-1 ${TAINT}`]);
});

test("an API server that is away at the start is waited for, with one report and ever longer pauses", async () => {
  const { clock, fake, changes, states, watch } = await watchedNodes();
  fake.kill();
  await clock.advance(TEN_MINUTES_MS);
  expect(told(states)).toEqual(["failing 0 Unreachable"]);
  expect(watch.isListed).toBe(false);
  await fake.restart();
  await clock.advance(SOON_MS);
  expect(seen(changes)).toEqual(["added node-1", "added node-2"]);
  expect(told(states)).toEqual(["failing 0 Unreachable", "recovered"]);
});

test("a server that refuses each request is asked at most every seven seconds in the end, as it asks itself or by back-off", async () => {
  const { clock, fake, states } = await watchedNodes();
  let asked = 0;
  fake.intercept = () => {
    asked++;
    return refusal(503, "ServiceUnavailable");
  };
  await clock.advance(TEN_MINUTES_MS);
  expect(asked).toBeGreaterThan(30);
  expect(asked).toBeLessThan(60);
  expect(told(states)).toEqual(["failing 503 ServiceUnavailable"]);
  asked = 0;
  fake.intercept = () => {
    asked++;
    return { ...refusal(429, "TooManyRequests"), headers: { "retry-after": "30" } };
  };
  await clock.advance(TEN_MINUTES_MS);
  expect(asked).toBeLessThanOrEqual(21);
  expect(told(states)).toEqual(["failing 503 ServiceUnavailable", "failing 429 TooManyRequests"]);
});

test("a server that ends each watch at once is not asked in a loop", async () => {
  const { clock, fake, watch, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  fake.intercept = ({ query }) => (query.has("watch") ? { status: 200, body: "" } : undefined);
  fake.endWatches();
  await clock.advance(TEN_MINUTES_MS);
  expect(fake.asked("watch").length).toBeLessThan(60);
});

test("a server that accepts each watch and drops it is reported once", async () => {
  const { clock, fake, states, watch, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  for (let at = 0; at < 600; at++) {
    await clock.advance(1_000);
    fake.dropWatches();
  }
  expect(told(states)).toEqual(["failing 0 Unreachable"]);
  expect(fake.asked("watch").length).toBeLessThan(100);
  expect(fake.asked("list")).toHaveLength(1);
});

test("an outage with two faces is reported once for each", async () => {
  const { clock, fake, states, watch, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  let asked = 0;
  fake.intercept = () => (asked++ % 4 < 2 ? refusal(503, "ServiceUnavailable") : "drop");
  await clock.advance(TEN_MINUTES_MS);
  expect(told(states)).toEqual(["failing 503 ServiceUnavailable", "failing 0 Unreachable"]);
});

test("five thousand nodes are listed by pages, and a list that expires half-way begins again and removes nothing", async () => {
  const { clock, fake, watch, changes, states, signal } = await watchedNodes(
    5_000,
    new VirtualClock(undefined, TURNS_OF_A_PAGE),
  );
  let pages = 0;
  fake.intercept = ({ query }) => {
    if (!query.has("limit")) return undefined;
    pages++;
    return pages === 7 ? refusal(410, "Expired") : undefined;
  };
  await clock.run(watch.listed(signal));
  await clock.advance(1_000);
  expect(pages).toBe(7 + 20);
  expect(watch.size).toBe(5_000);
  expect(changes).toHaveLength(5_000);
  expect(states).toEqual([]);
});

test("a reader that comes late gets what there is, and one that is slow the last state of each object", async () => {
  const { clock, fake, watch, signal } = await watchedNodes(1);
  await clock.run(watch.listed(signal));
  await clock.advance(1_000);
  const reader = watch.changes(signal);
  expect((await reader.next()).value).toMatchObject({ kind: "added", key: "node-1" });
  for (let at = 0; at < 100; at++) fake.put(NODES, node("node-1", `taint-${at}`));
  fake.put(NODES, node("node-2"));
  fake.put(NODES, node("node-3"));
  fake.remove(NODES, "node-3");
  await clock.advance(1_000);
  expect((await reader.next()).value).toEqual({
    kind: "changed",
    key: "node-1",
    value: { taints: ["taint-99"] },
    before: { taints: [] },
  });
  expect((await reader.next()).value).toMatchObject({ kind: "added", key: "node-2" });
  fake.put(NODES, node("node-1"));
  await clock.advance(1_000);
  expect((await reader.next()).value).toMatchObject({ kind: "changed", key: "node-1", value: { taints: [] } });
});

test("an object that a projection can't read is reported, and the watch goes on", async () => {
  const { clock, fake, watch, states, changes, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  await clock.advance(10_000);
  fake.put(NODES, { metadata: { name: "odd" }, spec: { taints: "none" } } as unknown as Node);
  await clock.advance(SOON_MS);
  expect(states[0]).toMatchObject({
    kind: "failing",
    error: { reason: "Unreadable", message: expect.stringContaining("'odd'") },
  });
  fake.remove(NODES, "odd");
  fake.put(NODES, node("node-3"));
  await clock.advance(SOON_MS);
  expect(seen(changes).slice(2)).toEqual(["added node-3"]);
  expect(told(states)).toEqual(["failing 0 Unreadable", "recovered"]);
});

test("an abort ends the watch and its readers with its reason, and leaves no request behind", async () => {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  fake.put(NODES, node("node-1"));
  const server = await clientOf(fake, clock);
  const watch = new Watch<Node, object>({ server, clock, path: NODES, project: () => ({}), onState: () => {} });
  const stop = newAbort();
  const running = watch.run(stop.signal);
  const reader = watch.changes(stop.signal);
  await clock.run(watch.listed(stop.signal));
  await clock.advance(1_000);
  await reader.next();
  const waiting = reader.next();
  const reason = new Error("stop");
  stop.abort(reason);
  await Promise.all([expect(running).rejects.toBe(reason), expect(waiting).rejects.toBe(reason)]);
  await clock.advance(1_000);
  expect(fake.watches).toBe(0);
});
