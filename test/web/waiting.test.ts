import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import type { Delivery } from "../../src/drain/event-source.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { DRAINED, ID, NODE, SECRET, type WebAppOptions, webApp } from "../support/web-app.ts";

const bearer = { authorization: `Bearer ${SECRET}` };

/** A web app whose drains are accepted at once and end when `end` is called. */
function slow({ begun, ...options }: WebAppOptions & { readonly begun?: Promise<void> } = {}) {
  const deliveries: Delivery[] = [];
  const app = webApp({
    answer: (delivery) => {
      deliveries.push(delivery);
      if (!delivery.request.dryRun) delivery.accepted({ id: "d-1", node: NODE }, begun);
    },
    ...options,
  });
  const end = (outcome: DrainOutcome = DRAINED) => deliveries[0]?.settle(outcome);
  const ask = (query = "", body?: object) =>
    app.post(`/drain?id=${ID}${query}`, { headers: bearer, ...(body && { body: JSON.stringify(body) }) });
  return { ...app, ask, end };
}

describe("wait", () => {
  test.each<[string, string, object | undefined]>([
    ["in the query", "&wait=false", undefined],
    ["as zero seconds", "&wait=0", undefined],
    ["in the body", "", { wait: false }],
  ])(
    "=false (%s) is answered with 202 as soon as the drain has begun: which one, and where to look",
    async (_, query, body) => {
      const { ask } = slow();
      const response = await ask(query, body);
      expect(response.status).toBe(202);
      expect(response.headers.get("location")).toBe("/drains/d-1");
      expect(await response.json()).toEqual({
        status: "accepted",
        drainId: "d-1",
        node: { id: ID, name: "n", network: "vpc-1" },
      });
    },
  );

  test("=false waits a moment for a guard that may refuse, and tells the refusal", async () => {
    const { ask, end, clock } = slow({ begun: new Promise(() => {}) });
    const asked = ask("&wait=false");
    await clock.advance(1_900);
    const refusal = { reason: "too-few-healthy", message: "too few healthy targets would remain", pools: [] } as const;
    await end({ status: "refused", drainId: "d-1", node: NODE, refusal });
    const response = await asked;
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: "too-few-healthy" });
    expect(clock.sleeping).toBe(0);
  });

  test.each(["false", "1", "60"])(
    "=%s says of a drain that was accepted that it has not begun, where that takes longer",
    async (wait) => {
      const { ask, clock } = slow({ begun: new Promise(() => {}) });
      const asked = ask(`&wait=${wait}`);
      await clock.advance(Math.max(2_000, Number(wait) * 1_000 || 0));
      const response = await asked;
      expect(response.status).toBe(202);
      expect(await response.json()).toMatchObject({ status: "accepted", drainId: "d-1", begun: false });
    },
  );

  test("=false is answered as soon as the guard has decided", async () => {
    let allow: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      allow = resolve;
    });
    const { ask, clock } = slow({ begun });
    const asked = ask("&wait=false");
    await clock.advance(500);
    allow();
    const response = await asked;
    expect(response.status).toBe(202);
    expect(await response.json()).not.toHaveProperty("begun");
  });

  test("=false costs nothing any more when the drain ends: hundreds may end at the same moment", async () => {
    const { ask, end, clock } = slow();
    expect((await ask("&wait=false")).status).toBe(202);
    let read = 0;
    const outcome = {
      ...DRAINED,
      get registrations() {
        read += 1;
        return [];
      },
    };
    read = 0;
    await end(outcome);
    await clock.advance(0);
    expect(read).toBe(0);
  });

  test("=false does not hide that the node was not found", async () => {
    const outcome: DrainOutcome = {
      status: "failed",
      error: new DrainError("node-not-found", "there is none"),
      registrations: [],
    };
    const { post } = webApp({ outcome });
    const response = await post(`/drain?id=${ID}&wait=false`, { headers: bearer });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "node-not-found" });
  });

  test.each<[string, object | undefined]>([
    ["&wait=30", undefined],
    ["", { wait: 30 }],
  ])("=<seconds> is answered with the outcome when it comes in time (%j, %j)", async (query, body) => {
    const { ask, end, clock } = slow();
    const asked = ask(query, body);
    await clock.advance(29_000);
    await end();
    expect((await asked).status).toBe(200);
    expect(clock.sleeping).toBe(0);
  });

  test("=<seconds> is answered with 202 when it doesn't, and not before", async () => {
    const { ask, clock } = slow();
    let status = 0;
    const asked = ask("&wait=30").then((response) => {
      status = response.status;
    });
    await clock.advance(29_999);
    expect(status).toBe(0);
    await clock.advance(1);
    await asked;
    expect(status).toBe(202);
  });

  test.each(["", "&wait=true"])("is true by default (%s)", async (query) => {
    const { ask, end, clock } = slow();
    const asked = ask(query);
    await clock.advance(3_600_000);
    await end();
    expect((await asked).status).toBe(200);
  });

  test("has no effect on a dry run, which has nothing to wait for", async () => {
    const { ask, end, clock } = slow();
    const asked = ask("&wait=false&dryRun=true");
    await clock.advance(1_000);
    await end({ status: "instance-gone", message: "terminated" });
    expect((await asked).status).toBe(200);
  });
});

describe("a drain that could not be written down", () => {
  const error = new DrainError("ledger-unavailable", "the ledger could not be written: ENOSPC");
  /** A web app whose drains begin, and are never written down. */
  const unrecorded = () => {
    const deliveries: Delivery[] = [];
    const app = webApp({
      answer: (delivery) => {
        deliveries.push(delivery);
        delivery.unrecorded({ id: "d-1", node: NODE }, error);
      },
    });
    const ask = (query: string) => app.post(`/drain?id=${ID}${query}`, { headers: bearer });
    return { ...app, ask, end: () => deliveries[0]?.settle(DRAINED) };
  };

  test.each([
    ["&wait=false", 0],
    ["&wait=30", 30_000],
  ])(
    "is no promise to whoever does not wait for it (%s): 503, which drain has begun, and when to come again",
    async (query, waitMs) => {
      const { ask, clock, errors } = unrecorded();
      const asked = ask(query);
      await clock.advance(waitMs);
      const response = await asked;
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("5");
      expect(await response.json()).toMatchObject({
        code: "ledger-unavailable",
        drainId: "d-1",
        node: { id: ID },
        detail: expect.stringMatching(
          /^the drain d-1 has begun, but would be lost .*ENOSPC\. Wait for its end, or request it again$/,
        ),
      });
      expect(errors).toEqual([]);
    },
  );

  test.each(["", "&wait=30"])("is answered with its outcome to whoever waits for that (%j)", async (query) => {
    const { ask, end, clock } = unrecorded();
    const asked = ask(query);
    await clock.advance(10_000);
    await end();
    expect((await asked).status).toBe(200);
  });
});

describe("who asks", () => {
  test("is what the connection and the User-Agent say", async () => {
    const { app, requests } = webApp();
    const incoming = { socket: { remoteAddress: "10.0.0.9" } };
    const headers = { ...bearer, "user-agent": "curl/8 \u00a0(x)" };
    await app.request(`/drain?id=${ID}`, { method: "POST", headers }, { incoming });
    expect(requests[0]?.asker).toEqual({ via: "http", address: "10.0.0.9", agent: expect.stringMatching(/^curl\/8/) });
  });

  test("is kept without the secret, where a caller has put it there", async () => {
    const { post, requests } = webApp();
    await post(`/drain?id=${ID}`, { headers: { ...bearer, "user-agent": `bot (${SECRET})` } });
    expect(requests[0]).toMatchObject({ asker: { agent: "bot (…)" } });
    expect(JSON.stringify(requests)).not.toContain(SECRET);
  });

  test("is kept without a secret so short that it may stand in a reason by chance, and so is the reason", async () => {
    const { post, requests } = webApp({ secrets: ["lettuce"] });
    const reason = encodeURIComponent("because of pw=lettuce, and so on");
    await post(`/drain?id=${ID}&reason=${reason}`, { headers: { authorization: "Bearer lettuce" } });
    expect(requests[0]).toMatchObject({ reason: "because of pw=…, and so on" });
  });

  test("has a name of 200 characters at most", async () => {
    const { post, requests } = webApp();
    await post(`/drain?id=${ID}`, { headers: { ...bearer, "user-agent": "x".repeat(1_000) } });
    expect(requests[0]?.asker?.agent).toBe(`${"x".repeat(200)}…`);
  });
});

describe("a deadline", () => {
  test.each<[string, string, object | undefined]>([
    ["in the query", "&deadline=90.5", undefined],
    ["in the body", "", { deadline: 90.5 }],
  ])("%s counts from the request, and nobody can say no to it", async (_, query, body) => {
    const { post, requests, clock } = webApp();
    await post(`/drain?id=${ID}${query}`, { headers: bearer, ...(body && { body: JSON.stringify(body) }) });
    expect(requests).toMatchObject([{ deadline: clock.now() + 90_500, isVoluntary: false }]);
  });
});

describe("timeout and reason", () => {
  test.each<[string, string, object | undefined]>([
    ["in the query", `&timeout=90.5&reason=${encodeURIComponent(" Kernel upgrade, ticket 7 ")}`, undefined],
    ["in the body", "", { timeout: 90.5, reason: "Kernel upgrade, ticket 7" }],
  ])("%s belong to the request", async (_, query, body) => {
    const { post, requests } = webApp();
    await post(`/drain?id=${ID}${query}`, { headers: bearer, ...(body && { body: JSON.stringify(body) }) });
    expect(requests).toEqual([
      {
        node: { by: "id", value: ID },
        dryRun: false,
        isVoluntary: true,
        timeoutMs: 90_500,
        reason: "Kernel upgrade, ticket 7",
        asker: { via: "http", address: "192.0.2.1" },
      },
    ]);
  });

  test.each<[string, object | undefined, boolean]>([
    ["timeout=1", undefined, true],
    ["timeout=0.9", undefined, false],
    ["timeout=86400", undefined, true],
    ["timeout=86400.1", undefined, false],
    ["", { timeout: 1 }, true],
    ["", { timeout: 0.9 }, false],
    ["", { timeout: 86_400 }, true],
    ["", { timeout: 86_401 }, false],
    ["deadline=0", undefined, true],
    ["deadline=86400", undefined, true],
    ["deadline=86400.1", undefined, false],
    ["", { deadline: 0 }, true],
    ["", { deadline: -1 }, false],
    ["", { deadline: 86_400 }, true],
    ["", { deadline: 86_401 }, false],
    ["wait=86400", undefined, true],
    ["wait=86401", undefined, false],
    ["", { wait: 0 }, true],
    ["", { wait: 86_400 }, true],
    ["", { wait: 86_401 }, false],
    [`reason=${"x".repeat(200)}`, undefined, true],
    [`reason=${"x".repeat(201)}`, undefined, false],
    ["", { reason: "x".repeat(200) }, true],
    ["", { reason: "x".repeat(201) }, false],
    ["reason=", undefined, true],
  ])("have bounds: %s %j is taken: %s", async (query, body, taken) => {
    const { post } = webApp();
    const response = await post(`/drain?id=${ID}&${query}`, {
      headers: bearer,
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(response.status).toBe(taken ? 200 : 400);
  });

  test.each<[string, object | undefined, string]>([
    ["wait=soon", undefined, "'wait' in the query: give true, false, or seconds from 0 to 86400"],
    ["wait=-1", undefined, "'wait' in the query: give true, false, or seconds from 0 to 86400"],
    ["", { wait: "false" }, "'wait' in the body: give true, false, or seconds from 0 to 86400"],
    ["timeout=soon", undefined, "'timeout' in the query: give seconds from 1 to 86400"],
    ["timeout=1e3", undefined, "'timeout' in the query: give seconds from 1 to 86400"],
    ["", { timeout: "60" }, "'timeout' in the body: give seconds from 1 to 86400"],
    ["deadline=2026-11-22T20:00:00Z", undefined, "'deadline' in the query: give seconds from 0 to 86400"],
    ["", { deadline: "60" }, "'deadline' in the body: give seconds from 0 to 86400"],
    [`reason=${"x".repeat(201)}`, undefined, "'reason' in the query: give at most 200 characters"],
    ["wait=1", { wait: true }, "'wait' is given in the query and in the body: give it once"],
    ["reason=a", { reason: "b" }, "'reason' is given in the query and in the body: give it once"],
  ])("that are wrong get a clear answer: %s %j", async (query, body, detail) => {
    const { post, requests } = webApp();
    const response = await post(`/drain?id=${ID}&${query}`, {
      headers: bearer,
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ detail });
    expect(requests).toEqual([]);
  });
});

describe("what is told to the log of a bad request", () => {
  /** Another service's secret, say. */
  const TYPED = "what-nobody-else-may-see";

  test.each([
    [`/drain?id=${TYPED}`, "id: malformed"],
    [
      `/drain?${TYPED}&id=x`,
      "the query takes id, ip, node, dryRun, wait, timeout, deadline, force, evict, gracePeriod, podSelector, deleteEmptydirData, evictUnmanaged, disableEviction, reason and pw",
    ],
    [`/drain?${TYPED}=1&${TYPED}=2`, "a parameter is given twice in the query"],
    [`/drain?id=${ID}&wait=${TYPED}`, "'wait' in the query: give true, false, or seconds from 0 to 86400"],
    [`/drain?id=${ID}&dryRun=${TYPED}`, "'dryRun' in the query: give true or false"],
    ["/drain", "no node is named: give 'id' (an instance id), 'ip' (a private address) or 'node' (a node name)"],
  ])("names what is wrong and nothing that the caller has sent: %s", async (path, problem) => {
    const { post, answered } = webApp();
    expect((await post(path, { headers: bearer })).status).toBe(400);
    expect(answered).toEqual([{ method: "POST", path: "/drain", status: 400, problem }]);
  });

  test("is also so of a body", async () => {
    const { post, answered } = webApp();
    await post("/drain", { headers: bearer, body: JSON.stringify({ [TYPED]: TYPED, id: 1 }) });
    await post("/drain", { headers: bearer, body: TYPED });
    expect(answered.map(({ problem }) => problem)).toEqual([
      "'id' in the body: give a string; the body takes id, ip, node, dryRun, wait, timeout, deadline, force, evict, gracePeriod, podSelector, deleteEmptydirData, evictUnmanaged, disableEviction and reason",
      'the body is not JSON: send an object such as {"id": "i-0123456789abcdef0"}',
    ]);
  });
});
