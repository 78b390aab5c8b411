import { Hono } from "hono";
import { describe, expect, onTestFinished, test } from "vitest";
import { LeaderRoute } from "../../src/app/leader-route.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { type Clock, SystemClock } from "../../src/drain/clock.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { ROUTES } from "../../src/web/app.ts";
import { clientAddress } from "../../src/web/asker.ts";
import { Forwarder, fingerprintOf } from "../../src/web/forward.ts";
import { send, unavailable } from "../../src/web/problem.ts";
import { type AnsweringTerm, Relay, type RelayOptions } from "../../src/web/relay.ts";
import { knowReplicas, REPLICA_HEADER, readReplicaHeader, replicaHeader } from "../../src/web/replica.ts";
import { ALONE } from "../../src/web/replicas.ts";
import { listen, type TlsMaterial } from "../../src/web/server.ts";
import { Authority } from "../support/certificates.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";
import { webApp } from "../support/web-app.ts";

const SECRET = RANDOM_SECRET;
const CLIENT = "192.0.2.7";

const leading = (over = newAbort()) => ({ over: over.signal });

interface ReplicaOptions {
  readonly clock?: Clock;
  readonly tls?: TlsMaterial;
  readonly needsCertificate?: boolean;
  readonly relay?: Partial<RelayOptions>;
}

/** A replica whose paths `/who`, `/wait` and `/events` say which one it is. */
async function replica(name: string, { clock = new SystemClock(), tls, needsCertificate, relay }: ReplicaOptions = {}) {
  const route = new LeaderRoute<AnsweringTerm>(clock, name);
  const end = newAbort();
  const identities = tls === undefined ? [] : [tls];
  const forwarder = new Forwarder(() => identities);
  const failures: string[] = [];
  const options: RelayOptions = {
    ...{ route, forwarder, clock, end: end.signal, waitMs: 30_000 },
    markFor: (client) => replicaHeader({ from: name, node: `node-of-${name}`, client }, SECRET),
    onFailure: (_, error) => failures.push(error.message),
    ...relay,
  };
  const relayed = new Relay(options);
  const app = new Hono();
  const heard: object[] = [];
  const isOwn = (fingerprint: string) => identities.some(({ cert }) => fingerprintOf(cert) === fingerprint);
  app.use(
    knowReplicas({
      secrets: () => [SECRET],
      isOwnCertificate: needsCertificate === true ? isOwn : undefined,
      leads: () => route.term !== undefined,
      onRequest: (of) => heard.push(of),
    }),
  );
  const answer = { ends: (): void => {}, taken: 0 };
  app.get("/who", relayed.middleware, (context) =>
    context.json({ name, client: clientAddress(context), query: context.req.query("a") }),
  );
  app.post("/wait", relayed.middleware, async (context) => {
    const { term } = route;
    const body = await context.req.text();
    answer.taken += 1;
    await new Promise<void>((resolve) => {
      answer.ends = resolve;
    });
    return term?.over.aborted === true ? send(unavailable("the service is stopping")) : context.json({ name, body });
  });
  app.get("/events", relayed.middleware, () => {
    const stream = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(`data: ${name}\n\n`)),
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  });
  const server = await listen(app, { host: "127.0.0.1", port: 0, ...(tls && { tls }) });
  onTestFinished(async () => {
    end.abort();
    forwarder.close();
    await server.close(Promise.resolve());
  });
  const address = `${tls === undefined ? "http" : "https"}://127.0.0.1:${server.port}`;
  const record = { identity: name, address, ...(tls && { fingerprint: fingerprintOf(tls.cert) }) };
  const ask = async (path: string, init: RequestInit = {}) => app.fetch(new Request(`http://service${path}`, init));
  return { route, record, ask, heard, failures, answer, end, relayed, server, url: address };
}

describe("a replica that stands by", () => {
  test("has the leader answer, with the query, and tells it who asks", async () => {
    const [leader, other] = [await replica("leader"), await replica("other")];
    leader.route.lead(leading());
    other.route.heard(leader.record);
    const given = { headers: { [REPLICA_HEADER]: "of-the-caller" } };
    expect(await (await other.ask("/who?a=b%20c", given)).json()).toEqual({
      name: "leader",
      client: "unknown",
      query: "b c",
    });
    expect(leader.heard).toEqual([{ from: "other", node: "node-of-other", client: "unknown" }]);
  });

  test("waits until there is a leader, which may be itself, and answers 503 after half a minute without one", async () => {
    const clock = new VirtualClock();
    const one = await replica("one", { clock });
    const waiting = one.ask("/who");
    await clock.advance(20_000);
    one.route.lead(leading());
    expect(await (await clock.run(waiting)).json()).toMatchObject({ name: "one" });
    one.route.lead(undefined);
    const began = clock.now();
    const unanswered = await clock.run(one.ask("/who"));
    expect([unanswered.status, unanswered.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(clock.now() - began).toBeGreaterThanOrEqual(30_000);
    expect(clock.now() - began).toBeLessThan(32_000);
  });

  test("waits half a minute from the last leader on, if that one ends before it can be reached", async () => {
    const clock = new VirtualClock();
    const [one, last] = [await replica("one", { clock }), await replica("last")];
    last.route.lead(leading());
    const waiting = one.ask("/who");
    for (const identity of ["first", "second"]) {
      await clock.advance(20_000);
      one.route.heard({ identity, address: "http://127.0.0.1:1" });
    }
    await clock.advance(20_000);
    one.route.heard(last.record);
    expect(await (await clock.run(waiting)).json()).toMatchObject({ name: "last" });
    one.route.heard({ identity: "gone", address: "http://127.0.0.1:1" });
    const began = clock.now();
    expect((await clock.run(one.ask("/who"))).status).toBe(503);
    expect(clock.now() - began).toBeLessThan(32_000);
  });

  test("asks the next leader where the first one goes before it has answered, with the same body", async () => {
    const [first, next, other] = [await replica("first"), await replica("next"), await replica("other")];
    first.route.lead(leading());
    next.route.lead(leading());
    other.route.heard(first.record);
    const answer = other.ask("/wait", { method: "POST", body: "the body" });
    await expect.poll(() => first.answer.taken).toBe(1);
    other.route.heard(next.record);
    await expect.poll(() => next.answer.taken).toBe(1);
    next.answer.ends();
    first.answer.ends();
    expect(await (await answer).json()).toEqual({ name: "next", body: "the body" });
    expect(other.relayed.waiting).toBe(0);
  });

  test("asks again where the process that it takes for the leader does not lead, and never passes on what a replica has sent", async () => {
    const [first, next, other] = [await replica("first"), await replica("next"), await replica("other")];
    first.route.heard(next.record);
    next.route.lead(leading());
    other.route.heard(first.record);
    const answer = other.ask("/who");
    await expect.poll(() => first.heard.length).toBeGreaterThan(0);
    other.route.heard(next.record);
    expect(await (await answer).json()).toMatchObject({ name: "next" });
    expect(next.heard).toHaveLength(1);
  });

  test("gives up a request that three leaders have taken and not answered", async () => {
    const other = await replica("other");
    const leaders = [await replica("a"), await replica("b"), await replica("c")];
    for (const leader of leaders) leader.route.lead(leading());
    const [a, b, c] = leaders as [
      Awaited<ReturnType<typeof replica>>,
      Awaited<ReturnType<typeof replica>>,
      Awaited<ReturnType<typeof replica>>,
    ];
    other.route.heard(a.record);
    const answer = other.ask("/wait", { method: "POST", body: "poison" });
    await expect.poll(() => a.answer.taken).toBe(1);
    other.route.heard(b.record);
    await expect.poll(() => b.answer.taken).toBe(1);
    other.route.heard(c.record);
    await expect.poll(() => c.answer.taken).toBe(1);
    other.route.heard({ ...c.record, identity: "d", address: a.url });
    const { status } = await answer;
    for (const leader of leaders) leader.answer.ends();
    expect(status).toBe(503);
  });

  test("ends an event stream where its leader goes", async () => {
    const [leader, other] = [await replica("leader"), await replica("other")];
    leader.route.lead(leading());
    other.route.heard(leader.record);
    const reader = (await other.ask("/events")).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? "").toString()).toBe("data: leader\n\n");
    other.route.heard({ identity: "next", address: "http://127.0.0.1:1" });
    expect(await reader?.read()).toMatchObject({ done: true });
  });

  test("waits no more once it ends itself", async () => {
    const one = await replica("one");
    const answer = one.ask("/who");
    one.end.abort();
    expect((await answer).status).toBe(503);
  });
});

test("a leader whose term ends while a caller waits has the next one answer", async () => {
  const [first, next] = [await replica("first"), await replica("next")];
  const over = newAbort();
  first.route.lead(leading(over));
  next.route.lead(leading());
  const answer = first.ask("/wait", { method: "POST", body: "the body" });
  await expect.poll(() => first.answer.taken).toBe(1);
  over.abort();
  first.answer.ends();
  first.route.lead(undefined);
  first.route.heard(next.record);
  await expect.poll(() => next.answer.taken).toBe(1);
  next.answer.ends();
  expect(await (await answer).json()).toEqual({ name: "next", body: "the body" });
});

test("a leader that leads again asks a caller of its earlier term to repeat the request", async () => {
  const one = await replica("one");
  const over = newAbort();
  one.route.lead(leading(over));
  const answer = one.ask("/wait", { method: "POST", body: "the body" });
  await expect.poll(() => one.answer.taken).toBe(1);
  over.abort();
  one.route.lead(leading());
  one.answer.ends();
  const response = await answer;
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await response.json()).toMatchObject({ detail: "this replica leads again: repeat the request" });
});

test("an event stream of a leader ends with its term", async () => {
  const leader = await replica("leader");
  const over = newAbort();
  leader.route.lead(leading(over));
  const reader = (await leader.ask("/events")).body?.getReader();
  expect(Buffer.from((await reader?.read())?.value ?? "").toString()).toBe("data: leader\n\n");
  over.abort();
  expect(await reader?.read()).toMatchObject({ done: true });
});

/** What each replica answers by itself. */
const OWN_PATHS = ["/health", "/ready", "/metrics", "/openapi.json", "/", "/assets/{asset}"];
const METHODS = Object.entries(ROUTES).flatMap(([path, methods]) =>
  methods.split(", ").map((method) => [method, path] as const),
);

test.each(METHODS)("%s %s is answered by the leader, unless it is about the replica itself", async (method, path) => {
  const relayed = new Response(null, { status: 418 });
  const { app } = webApp({ replicas: { ...ALONE, relay: async () => relayed } });
  const headers = { authorization: `Bearer ${SECRET}` };
  const { status } = await app.request(path.replace(/\{\w+\}/g, "x"), { method, headers });
  expect(status === 418).toBe(!OWN_PATHS.includes(path));
});

describe("with TLS", () => {
  const authority = new Authority();

  test("a process that shows another certificate than the leader has published is sent nothing", async () => {
    const [leader, other] = [
      await replica("leader", { tls: authority.sign("leader") }),
      await replica("other", { relay: { waitMs: 300 } }),
    ];
    leader.route.lead(leading());
    const { cert } = authority.sign("leader");
    other.route.heard({ ...leader.record, fingerprint: fingerprintOf(cert) });
    expect((await other.ask("/who")).status).toBe(503);
    expect(leader.heard).toEqual([]);
    expect(other.failures[0]).toBe("it shows another certificate than the leader has published");
    other.route.heard(leader.record);
    expect(await (await other.ask("/who")).json()).toMatchObject({ name: "leader" });
  });

  test("a replica is known by the service's own certificate where client certificates are needed", async () => {
    const own = { ...authority.sign("service"), ca: new Authority("of clients").cert };
    const leader = await replica("leader", { tls: own, needsCertificate: true });
    leader.route.lead(leading());
    const same = await replica("same", { tls: own });
    same.route.heard(leader.record);
    await same.ask("/who");
    expect(leader.heard).toHaveLength(1);
    const another = await replica("another", { tls: { ...authority.sign("service"), ca: own.ca } });
    another.route.heard(leader.record);
    await another.ask("/who");
    expect(leader.heard).toHaveLength(1);
  });
});

describe("the header of a replica", () => {
  const of = { from: "pod-1_ab12", node: "node-1", client: CLIENT };

  test("is read by who has the secret, also one that is about to be replaced", () => {
    expect(readReplicaHeader(replicaHeader(of, SECRET), ["another-secret-than-that", SECRET])).toEqual(of);
  });

  test.each([
    ["made with another secret", replicaHeader(of, "another-secret-than-that")],
    [
      "of another text",
      `${Buffer.from(JSON.stringify({ ...of, client: "127.0.0.1" })).toString("base64url")}.${replicaHeader(of, SECRET).split(".")[1]}`,
    ],
    ["without a proof", replicaHeader(of, SECRET).split(".")[0] ?? ""],
    ["without a sender", replicaHeader({ from: "" }, SECRET)],
    ["empty", ""],
    ["endless", `${"a".repeat(100_000)}.${replicaHeader(of, SECRET).split(".")[1]}`],
  ])("%s is not believed", (_, header) => {
    expect(readReplicaHeader(header, [SECRET])).toBeUndefined();
  });
});
