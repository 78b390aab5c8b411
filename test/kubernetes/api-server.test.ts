import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { type ApiServer, segment } from "../../src/kubernetes/api-server.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import type { Turn } from "../../src/kubernetes/pace.ts";
import { Watch } from "../../src/kubernetes/watch.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf, failure } from "../support/api-client.ts";
import { FakeApiServer, refusal, TOKEN } from "../support/fake-api-server.ts";
import { never } from "../support/simulated-region.ts";

const NODES = "/api/v1/nodes";
const NODE = `${NODES}/node-1`;

async function scene(clock = new VirtualClock()) {
  const fake = await FakeApiServer.start(clock);
  fake.put(NODES, { metadata: { name: "node-1" } });
  return { clock, fake, server: await clientOf(fake, clock) };
}

/** Of the event loop, in which twenty connections are made and no time may pass. */
const busy = () => new VirtualClock(undefined, 150);

test("requests one after the other share a connection", async () => {
  const { fake, server } = await scene();
  for (let at = 0; at < 5; at++) await server.get(NODE, never);
  expect(fake.connections).toBe(1);
});

test("an apply names its field manager, and does not force unless it is asked to", async () => {
  const { fake, server } = await scene();
  const labels = { "node.kubernetes.io/exclude-from-external-load-balancers": "true" };
  const object = { apiVersion: "v1", kind: "Node", metadata: { name: "node-1", labels } };
  const applied = await server.apply<Node>(NODE, object, { fieldManager: "hasta-la-vista" }, never);
  expect(applied.metadata?.labels).toEqual(labels);
  await server.apply(NODE, object, { fieldManager: "hasta-la-vista", force: true }, never);
  expect(
    fake.requests.map(({ method, headers, query, body }) => [method, headers["content-type"], `${query}`, body]),
  ).toEqual([
    ["PATCH", "application/apply-patch+yaml", "fieldManager=hasta-la-vista&force=false", object],
    ["PATCH", "application/apply-patch+yaml", "fieldManager=hasta-la-vista&force=true", object],
  ]);
});

test("a merge patch removes fields by null, and objects are created and deleted", async () => {
  const { fake, server } = await scene();
  await server.mergePatch(NODE, { metadata: { annotations: { a: "1", b: "2" } } }, never);
  const patched = await server.mergePatch<Node>(NODE, { metadata: { annotations: { a: null } } }, never);
  expect(patched.metadata?.annotations).toEqual({ b: "2" });
  expect(fake.requests[0]?.headers["content-type"]).toBe("application/merge-patch+json");
  await server.create("/api/v1/namespaces/default/events", { metadata: { name: "event-1" } }, never);
  await server.delete(NODE, never);
  expect(await failure(server.get(NODE, never))).toMatchObject({ status: 404, reason: "NotFound" });
});

test("a name is one segment of a path, whatever characters it has", () => {
  expect(segment("../a?b#c/d")).toBe("..%2Fa%3Fb%23c%2Fd");
});

describe("a refusal is an error that has", () => {
  test("status, reason, message and causes of the Status object", async () => {
    const { fake, server } = await scene();
    const causes = [{ reason: "DisruptionBudget", message: "The disruption budget web needs 3 healthy pods" }];
    fake.intercept = () => refusal(429, "TooManyRequests", "Cannot evict pod", { causes });
    const error = await failure(server.create(`${NODE}/eviction`, {}, never));
    expect(error).toMatchObject({
      status: 429,
      reason: "TooManyRequests",
      causes,
      retryAfterMs: undefined,
      isPassing: true,
    });
    expect(error.message).toBe(
      "POST /api/v1/nodes/node-1/eviction: the API server answered 429 TooManyRequests: Cannot evict pod",
    );
  });

  test.each([
    ["a header", { ...refusal(429, "TooManyRequests"), headers: { "retry-after": "10" } }, 10_000],
    ["the details", refusal(429, "TooManyRequests", "later", { retryAfterSeconds: 7 }), 7_000],
    [
      "a header that is a date",
      { ...refusal(429, "TooManyRequests"), headers: { "retry-after": "Mon, 30 Nov 2026" } },
      undefined,
    ],
    ["a header of years", { ...refusal(503, ""), headers: { "retry-after": "99999999" } }, 600_000],
    ["details below zero", refusal(503, "", "", { retryAfterSeconds: -1 }), undefined],
  ])("the wait that the server asks for by %s", async (_, answer, retryAfterMs) => {
    const { fake, server } = await scene();
    fake.intercept = () => answer;
    expect(await failure(server.get(NODE, never))).toMatchObject({ retryAfterMs });
  });

  test.each([
    ["HTML", { status: 502, body: "<html>Bad Gateway</html>" }, 502],
    ["an array", { status: 500, body: "[1]" }, 500],
    ["nothing", { status: 504, body: "" }, 504],
    [
      "fields of other types",
      { status: 400, body: { code: "x", reason: 7, message: {}, details: { causes: [null, 3] } } },
      400,
    ],
  ])("the HTTP status where the body is %s", async (_, answer, status) => {
    const { fake, server } = await scene();
    fake.intercept = () => answer;
    expect(await failure(server.get(NODE, never))).toMatchObject({ status, reason: "" });
  });

  test("a message without control characters, and of bounded length", async () => {
    const { fake, server } = await scene();
    fake.intercept = () => refusal(409, "Conflict", `\u001b[31m${"x".repeat(100_000)}`);
    const { message } = await failure(server.get(NODE, never));
    expect(message).not.toContain("\u001b");
    expect(message.length).toBeLessThan(700);
  });
});

describe("an answer that no API server gives is an error:", () => {
  test.each([
    ["HTML", { status: 200, body: "<html>log in</html>" }, "Unreadable", "check that the address is an API server's"],
    ["a number", { status: 200, body: "7" }, "Unreadable", "check that the address is an API server's"],
    [
      "a redirect",
      { status: 302, body: "", headers: { location: "https://elsewhere.example/" } },
      "Unreadable",
      "answered 302",
    ],
    ["more than fits", { status: 200, body: "x".repeat(9 * 1_024 * 1_024) }, "TooLarge", "larger than 8388608 bytes"],
  ])("%s", async (_, answer, reason, text) => {
    const { fake, server } = await scene();
    fake.intercept = () => answer;
    const error = await failure(server.get(NODE, never));
    expect(error).toMatchObject({ status: 0, reason });
    expect(error.message).toContain(text);
  });

  test.each([
    ["without a resource version", { items: [] }],
    ["without items", { metadata: { resourceVersion: "1" } }],
    ["of a single object", { metadata: { resourceVersion: "1" }, items: {} }],
  ])("a list %s", async (_, body) => {
    const { fake, server } = await scene();
    fake.intercept = () => ({ status: 200, body });
    expect(await failure(server.list(NODES, never))).toMatchObject({ reason: "Unreadable" });
  });
});

test("an empty list may be null, as Go writes it", async () => {
  const { fake, server } = await scene();
  fake.intercept = () => ({ status: 200, body: { metadata: { resourceVersion: "5" }, items: null } });
  expect(await server.list(NODES, never)).toEqual({ items: [], resourceVersion: "5" });
});

test("a list has all pages of one moment, with its selectors in each request", async () => {
  const { fake, server } = await scene();
  const labels = { a: "b" };
  for (let at = 1; at <= 1_200; at++) fake.put(NODES, { metadata: { name: `node-${at}`, labels } });
  fake.put(NODES, { metadata: { name: "other" } });
  const { items, resourceVersion } = await server.list<Node>(NODES, never, { labelSelector: "a=b" });
  expect(items).toHaveLength(1_200);
  expect(resourceVersion).toBe(fake.version);
  expect(
    fake.requests.map(({ query }) => [query.get("limit"), query.get("labelSelector"), query.has("continue")]),
  ).toEqual([["250", "a=b", false], ...Array.from({ length: 4 }, () => ["250", "a=b", true])]);
});

test("a list whose moment is forgotten again and again fails after three tries", async () => {
  const { fake, server } = await scene();
  for (let at = 2; at <= 400; at++) fake.put(NODES, { metadata: { name: `node-${at}` } });
  fake.intercept = ({ query }) => (query.has("continue") ? refusal(410, "Expired") : undefined);
  expect(await failure(server.list(NODES, never))).toMatchObject({ status: 410, isExpired: true });
  expect(fake.requests).toHaveLength(6);
});

test("a request ends when its time is up, and frees its connection and its turn", async () => {
  const { clock, fake, server } = await scene();
  fake.intercept = () => "hang";
  const error = await clock.run(failure(server.apply(NODE, {}, { fieldManager: "m", timeoutMs: 3_000 }, never)));
  expect(error).toMatchObject({ status: 0, reason: "Timeout", isPassing: true });
  expect(error.message).toBe("PATCH /api/v1/nodes/node-1: no complete answer within 3 s");
  expect(clock.elapsedMs).toBe(3_000);
  fake.intercept = () => undefined;
  await server.get(NODE, never);
});

test("an abort ends a request with its reason, also one that waits for its turn", async () => {
  const { clock, fake, server } = await scene();
  fake.intercept = () => "hang";
  const stop = newAbort();
  const asked = Array.from({ length: 25 }, () => server.get(NODE, stop.signal).catch((error: unknown) => error));
  await clock.advance(10);
  expect(fake.requests).toHaveLength(20);
  const reason = new Error("stop");
  stop.abort(reason);
  expect(new Set(await Promise.all(asked))).toEqual(new Set([reason]));
  expect(await server.get(NODE, stop.signal).catch((error: unknown) => error)).toBe(reason);
  fake.intercept = () => undefined;
  await server.get(NODE, never);
});

test("a connection that the server has closed meanwhile is replaced, and the request sent again", async () => {
  const { fake, server } = await scene();
  await server.get(NODE, never);
  let asked = 0;
  fake.intercept = () => (asked++ === 0 ? "drop" : undefined);
  await server.mergePatch(NODE, {}, never);
  expect(asked).toBe(2);
  fake.intercept = () => "drop";
  expect(await failure(server.get(NODE, never))).toMatchObject({
    reason: "Unreachable",
    message: expect.stringContaining("ECONNRESET"),
  });
});

test("the request is sent again as often as the server has closed a kept connection, as at its restart", async () => {
  const { clock, fake, server } = await scene(busy());
  await clock.run(Promise.all(Array.from({ length: 3 }, () => server.get(NODE, never))));
  expect(fake.connections).toBe(3);
  let asked = 0;
  fake.intercept = () => (asked++ < 3 ? "drop" : undefined);
  await clock.run(server.mergePatch(NODE, {}, never));
  expect(asked).toBe(4);
  expect(fake.connections).toBe(4);
});

test("an answer that is cut off is an error, and is not repeated", async () => {
  const { fake, server } = await scene();
  fake.intercept = () => ({ status: 200, body: "{}", headers: { "content-length": "100" } });
  const asked = failure(server.get(NODE, never));
  await expect.poll(() => fake.requests.length).toBe(1);
  fake.kill();
  expect(await asked).toMatchObject({ status: 0, reason: "Unreachable" });
  expect(fake.requests).toHaveLength(1);
});

test("no more than fifty requests a second are sent after the first hundred", async () => {
  const { clock, fake, server } = await scene(busy());
  const asked = Promise.all(Array.from({ length: 400 }, () => server.get(NODE, never)));
  await clock.run(asked);
  expect(clock.elapsedMs).toBeGreaterThanOrEqual(5_900);
  expect(clock.elapsedMs).toBeLessThan(7_000);
  expect(fake.connections).toBeLessThanOrEqual(20);
});

test("background requests wait for all others", async () => {
  const { clock, fake, server } = await scene(busy());
  const get = (name: string, turn: Turn) =>
    server.request({ method: "GET", path: `${NODES}/${name}`, turn }, never).catch(() => {});
  const background = Array.from({ length: 200 }, (_, at) => get(`event-${at}`, "background"));
  const others = Array.from({ length: 50 }, (_, at) => get(`node-${at}`, "in-order"));
  await clock.run(Promise.all([...background, ...others]));
  const order = fake.requests.map(({ path }) => path);
  const last = Math.max(...others.map((_, at) => order.indexOf(`${NODES}/node-${at}`)));
  // Twenty ran when the others came.
  expect(last).toBeLessThan(20 + 50 + 20);
});

test("what many wait for, as the list of a watch, is sent before what waits already", async () => {
  const { clock, fake, server } = await scene(busy());
  fake.put("/api/v1/pods", { metadata: { name: "pod-1", namespace: "shop" } });
  const others = Array.from({ length: 1_000 }, () => server.get(NODE, never).catch(() => {}));
  const watch = new Watch({ server, clock, path: "/api/v1/pods", project: () => undefined, onState: () => {} });
  const stop = newAbort();
  const running = watch.run(stop.signal).catch(() => {});
  await clock.run(watch.listed(stop.signal));
  // Twenty ran, and a hundred were let go at once.
  expect(fake.requests.length).toBeLessThan(150);
  stop.abort();
  await clock.run(Promise.all([...others, running]));
});

describe("a server that refuses the token", () => {
  test("is asked again once, and no more", async () => {
    const { fake, server } = await scene();
    fake.token = "another-token";
    const error = await failure(server.get(NODE, never));
    expect(error).toMatchObject({ status: 401, isPassing: false });
    expect(error.message).toContain("Check the token or the client certificate");
    expect(error.message).not.toContain(TOKEN);
    expect(fake.requests).toHaveLength(2);
  });
});

test("an address that belongs to no API server is named without its credentials", async () => {
  const { clock, fake } = await scene();
  const server: ApiServer = await clientOf(fake, clock);
  fake.kill();
  const error = await failure(server.get(`${NODE}?continue=secret`, never));
  expect(error.message).toMatch(
    /^GET \/api\/v1\/nodes\/node-1: 127\.0\.0\.1:\d+ could not be reached \(ECONNREFUSED\)$/,
  );
});

/** The client of a process that leads until its term is over. */
async function termScene() {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  fake.put(NODES, { metadata: { name: "node-1" } });
  const term = { isOver: false };
  const check = () => {
    if (term.isOver) throw new DrainError("not-leader", "another replica leads");
  };
  return { fake, term, server: await clientOf(fake, clock, undefined, { leadership: { check } }) };
}

test("a process whose term is over changes no object, and still reads", async () => {
  const { fake, term, server } = await termScene();
  await server.mergePatch(NODE, { metadata: { annotations: { a: "1" } } }, never);
  term.isOver = true;
  const changes = [
    server.mergePatch(NODE, { metadata: { annotations: { a: "2" } } }, never),
    server.apply(NODE, { metadata: { name: "node-1" } }, { fieldManager: "hasta-la-vista" }, never),
    server.create(NODES, { metadata: { name: "node-2" } }, never),
    server.delete(NODE, never),
  ];
  for (const change of changes) await expect(change).rejects.toMatchObject({ code: "not-leader" });
  expect((await server.get<Node>(NODE, never)).metadata?.annotations).toEqual({ a: "1" });
  expect(fake.requests.map(({ method }) => method)).toEqual(["PATCH", "GET"]);
});

test("a change is not sent again on another connection when the term has ended meanwhile", async () => {
  const { fake, term, server } = await termScene();
  await server.get(NODE, never);
  fake.intercept = () => {
    term.isOver = true;
    return "drop";
  };
  await expect(server.mergePatch(NODE, {}, never)).rejects.toMatchObject({ code: "not-leader" });
  expect(fake.requests.map(({ method }) => method)).toEqual(["GET", "PATCH"]);
});
