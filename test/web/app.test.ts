import { describe, expect, test } from "vitest";
import type { Registration } from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { DRAINED, ID, NODE, SECRET, webApp } from "../support/web-app.ts";

const bearer = { authorization: `Bearer ${SECRET}` };

describe("POST /drain takes a node", () => {
  test.each<[string, string, RequestInit]>([
    ["as it always did: id and pw in the query", `/drain?id=${ID}&pw=${encodeURIComponent(SECRET)}`, {}],
    ["with a bearer token and the id in the query", `/drain?id=${ID}`, { headers: bearer }],
    ["with a bearer token and a JSON body", "/drain", { headers: bearer, body: JSON.stringify({ id: ID }) }],
    [
      "with an empty form as its body, as curl -d '' sends it",
      `/drain?id=${ID}&pw=${encodeURIComponent(SECRET)}`,
      { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "" },
    ],
  ])("%s", async (_, path, init) => {
    const { post, requests } = webApp();
    const response = await post(path, init);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: "drained", drainId: "d-1", node: { id: ID } });
    expect(requests).toEqual([
      { node: { by: "id", value: ID }, dryRun: false, isVoluntary: true, asker: { via: "http", address: "192.0.2.1" } },
    ]);
  });

  test.each([
    ["ip=10.0.1.5", { by: "ip", value: "10.0.1.5" }],
    ["node=ip-10-0-1-5.eu-west-1.compute.internal", { by: "name", value: "ip-10-0-1-5.eu-west-1.compute.internal" }],
  ])("named by %s", async (query, node) => {
    const { post, requests } = webApp();
    expect((await post(`/drain?${query}`, { headers: bearer })).status).toBe(200);
    expect(requests).toEqual([
      { node, dryRun: false, isVoluntary: true, asker: { via: "http", address: "192.0.2.1" } },
    ]);
  });

  test.each<[string, string, object | undefined, boolean, boolean]>([
    ["asked for in the query", `&dryRun=true`, undefined, false, true],
    ["asked for with 1", `&dryRun=1`, undefined, false, true],
    ["asked for in the body", "", { dryRun: true }, false, true],
    ["configured, whatever the caller asks for", "&dryRun=false", undefined, true, true],
    ["not asked for", "&dryRun=false", undefined, false, false],
  ])("in dry run when %s", async (_, query, body, configured, expected) => {
    const { post, requests } = webApp({ dryRun: configured });
    await post(`/drain?id=${ID}${query}`, { headers: bearer, ...(body && { body: JSON.stringify(body) }) });
    expect(requests).toMatchObject([{ dryRun: expected }]);
  });
});

describe("POST /drain with an eviction", () => {
  const ALL = { deletesEmptyDirData: true, evictsUnmanaged: true };

  test.each<[string, string, object | undefined, object | undefined]>([
    ["asked for in the query", "&evict=true", undefined, ALL],
    ["asked for in the body", "", { evict: true }, ALL],
    ["not wanted", "&evict=false", undefined, undefined],
    ["not mentioned", "", undefined, undefined],
    [
      "as the query says",
      "&evict=true&gracePeriod=0&podSelector=%20app%3Dweb&deleteEmptydirData=false&evictUnmanaged=0&disableEviction=1",
      undefined,
      { gracePeriodSeconds: 0, podSelector: "app=web", disablesEviction: true },
    ],
    [
      "as the body says, with a part in the query",
      "&evict=true",
      { gracePeriod: 86_400, podSelector: "app in (web)", deleteEmptydirData: true, evictUnmanaged: false },
      { gracePeriodSeconds: 86_400, podSelector: "app in (web)", deletesEmptyDirData: true },
    ],
  ])("%s", async (_, query, body, evict) => {
    const { post, requests } = webApp();
    await post(`/drain?id=${ID}${query}`, { headers: bearer, ...(body && { body: JSON.stringify(body) }) });
    expect(requests.map((request) => request.evict)).toEqual([evict]);
  });

  test("is refused, with the reason, where the service evicts nothing", async () => {
    const { post, requests } = webApp({ noEviction: "EVICT is never" });
    const response = await post(`/drain?id=${ID}&evict=true`, { headers: bearer });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      detail: expect.stringMatching(/^'evict' is given, and EVICT is never/),
    });
    expect(requests).toEqual([]);
  });
});

test("the secret never shows up in what is told to the log, nor does the query", async () => {
  const { post, answered } = webApp();
  await post(`/drain?id=${ID}&pw=${encodeURIComponent(SECRET)}`);
  expect(answered).toEqual([{ method: "POST", path: "/drain", status: 200 }]);
});

describe("every outcome has its status", () => {
  const failed = (error: DrainError): DrainOutcome => ({ status: "failed", error, registrations: [] });
  const ended = { drainId: "d-1", node: NODE };
  const DOUBTFUL: Registration = {
    ...{ pool: { kind: "alb", id: "arn", name: "hub" }, target: "10.0.0.1:8080", state: "live" },
    ...{ detail: "healthy", isHealthy: true, doubt: "AWS lists it with the zone eu-west-1a" },
  };
  const cases: [DrainOutcome, number][] = [
    [DRAINED, 200],
    [{ status: "nothing-registered", ...ended, elsewhere: [] }, 200],
    [{ status: "instance-gone", message: "terminated" }, 200],
    [{ status: "possibly-registered", ...ended, registrations: [], elsewhere: [DOUBTFUL] }, 409],
    [
      { status: "deadline-passed", searched: true, ...ended, limit: { reason: "timeout", at: 0 }, registrations: [] },
      504,
    ],
    [{ status: "abandoned", registrations: [] }, 503],
    [failed(new DrainError("node-not-found", "m")), 404],
    [failed(new DrainError("other-cluster", "m")), 404],
    [failed(new DrainError("ambiguous-node", "m")), 409],
    [failed(new DrainError("access-denied", "m")), 502],
    [failed(new DrainError("not-evicted", "m")), 502],
    [failed(new DrainError("no-credentials", "m")), 502],
    [failed(new DrainError("no-region", "m")), 502],
    [failed(new DrainError("unreachable", "m")), 502],
    [failed(new DrainError("throttled", "m")), 502],
    [failed(new DrainError("cloud-error", "m")), 502],
    [failed(new DrainError("registered-again", "m")), 502],
    [failed(new DrainError("internal", "m")), 500],
  ];
  test.each(
    cases.map(
      ([outcome, status]) =>
        [outcome.status === "failed" ? outcome.error.code : outcome.status, outcome, status] as const,
    ),
  )("%s", async (_, outcome, status) => {
    const response = await webApp({ outcome }).post(`/drain?id=${ID}`, { headers: bearer });
    expect(response.status).toBe(status);
    const body = await response.json();
    if (status === 200) expect(body).toMatchObject({ status: outcome.status });
    else expect(body).toMatchObject({ status, detail: expect.any(String), outcome: { status: outcome.status } });
    expect(response.headers.has("retry-after")).toBe(status === 503);
  });
});

describe("the service", () => {
  test("says that it is alive to anybody", async () => {
    const response = await webApp().request("/health");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "ok" });
  });

  test("shows its metrics to anybody, as Prometheus wants them", async () => {
    const response = await webApp().request("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4");
    expect(await response.text()).toBe("up 1\n");
  });

  test("takes no requests once it is stopping, and says when to come again", async () => {
    const { post, stop } = webApp();
    stop.abort();
    const response = await post(`/drain?id=${ID}`, { headers: bearer });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
  });

  test("answers a fault of its own without its details, and tells the log", async () => {
    const { post, source, errors } = webApp();
    source.submit = () => {
      throw new TypeError("secret internals");
    };
    const response = await post(`/drain?id=${ID}`, { headers: bearer });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("internals");
    expect(errors).toHaveLength(1);
  });
});

describe("GET /metrics", () => {
  test("is made at most ten times a second, however often it is asked for, and once for all who ask meanwhile", async () => {
    let made = 0;
    const { request, clock } = webApp({
      metrics: async () => {
        made += 1;
        return { contentType: "text/plain; version=0.0.4", body: `made ${made}\n` };
      },
    });
    const scrape = async () => await (await request("/metrics")).text();
    const bodies: string[] = [];
    for (let asked = 0; asked < 100; asked += 1) bodies.push(await scrape());
    expect(bodies[0]).toBe("made 1\n");
    expect(bodies.at(-1)).toBe("made 10\n");
    await clock.advance(1_000);
    expect(await scrape()).toBe("made 11\n");
    await Promise.all(Array.from({ length: 50 }, scrape));
    expect(made).toBe(12);
  });
});

test("takes no notification of SNS, whose signature it would have to verify", async () => {
  const notification = {
    Type: "Notification",
    MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    TopicArn: "arn:aws:sns:eu-west-1:123456789012:departures",
    Message: JSON.stringify({ "detail-type": "EC2 Spot Instance Interruption Warning", detail: { "instance-id": ID } }),
  };
  const app = webApp();
  const headers = { "x-amz-sns-message-type": "Notification", authorization: `Bearer ${SECRET}` };
  const send = (path: string) => app.post(path, { headers, body: JSON.stringify(notification) });
  expect([(await send("/")).status, (await send("/drain")).status]).toEqual([405, 400]);
  expect((await app.post("/drain", { body: JSON.stringify(notification) })).status).toBe(401);
  expect(app.requests).toEqual([]);
});
