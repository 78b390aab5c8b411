import { describe, expect, onTestFinished, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import type { Ledger } from "../../src/drain/ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { EntriesOf, registered } from "../support/ledger-entries.ts";
import { historyOf, SECRET, webApp } from "../support/web-app.ts";

const bearer = { authorization: `Bearer ${SECRET}` };
const node = { id: "i-0123456789abcdef0", name: "ip-10-0-0-1.internal", network: "vpc-1" };
const place = { kind: "alb", loadBalancer: "web-lb", pool: "web", target: "i-1:80" };
const found = { ...place, state: "healthy" };
const moment = (ms: number) => new Date(ms).toISOString();

/** The HTTP API before a ledger, in which one drain stands as `write` leaves it. */
function scene(write: (entries: EntriesOf, ledger: MemoryLedger) => void = () => {}) {
  const ledger = new MemoryLedger();
  const entries = new EntriesOf("d-1");
  write(entries, ledger);
  const web = webApp({ history: { ...historyOf(ledger), running: () => undefined } });
  const get = (path: string, headers = {}) => web.request(path, { headers: { ...bearer, ...headers } });
  return { ...web, ledger, entries, get };
}

describe("GET /drains", () => {
  test("lists the newest first: why they run, since when, and how they ended", async () => {
    const { get } = scene((entries, ledger) => {
      ledger.note(entries.accepted("upgrade"));
      ledger.note(entries.ended());
      ledger.note(new EntriesOf("d-2", 2_000).accepted());
    });
    expect(await (await get("/drains")).json()).toEqual({
      drains: [
        { drainId: "d-2", node, status: "running", startedAt: moment(2_000), reasons: [] },
        {
          ...{ drainId: "d-1", node, status: "ended", startedAt: moment(1_000), reasons: ["upgrade"] },
          ...{ endedAt: moment(1_002), outcome: "drained" },
        },
      ],
    });
    expect(await (await get("/drains?limit=1")).json()).toMatchObject({ drains: [{ drainId: "d-2" }] });
  });

  test("lists a hundred where nobody says how many", async () => {
    const { get } = scene((_, ledger) => {
      for (let number = 0; number < 150; number++) ledger.note(new EntriesOf(`d-${number}`).accepted());
    });
    expect(await (await get("/drains")).json()).toMatchObject({ drains: Array(100).fill({}) });
    expect(await (await get("/drains?limit=1000")).json()).toMatchObject({ drains: Array(150).fill({}) });
  });
});

describe("GET /drains with a filter", () => {
  /** `d-3` runs, of another node; `d-2` has ended, and `d-1` long ago. */
  function filtered() {
    const now = new VirtualClock().now();
    const made = scene((_, ledger) => {
      const [first, second] = [new EntriesOf("d-1", now - 900_000), new EntriesOf("d-2", now - 100_000)];
      const outcome = { status: "refused", registrations: [] } as const;
      for (const entry of [first.accepted(), first.ended()]) ledger.note(entry);
      for (const entry of [second.accepted(), second.next({ type: "ended", outcome })]) ledger.note(entry);
      ledger.note(new EntriesOf("d-3", now - 50_000, "i-0123456789abcdef1").accepted());
    });
    const ids = async (query: string) => {
      const { drains } = (await (await made.get(`/drains?${query}`)).json()) as {
        readonly drains: readonly { readonly drainId: string }[];
      };
      return drains.map(({ drainId }) => drainId);
    };
    return { ids };
  }

  test.each([
    ["node=i-0123456789abcdef0", ["d-2", "d-1"]],
    ["node=ip-10-0-0-1.internal&limit=1", ["d-3"]],
    ["node=10.0.0.1", []],
    ["status=running", ["d-3"]],
    ["status=ended", ["d-2", "d-1"]],
    ["status=drained", ["d-1"]],
    ["status=refused&node=i-0123456789abcdef1", []],
    ["since=60", ["d-3"]],
    ["since=100", ["d-3", "d-2"]],
    ["since=900&status=ended&limit=1", ["d-2"]],
  ])("%s", async (query, expected) => {
    expect(await filtered().ids(query)).toEqual(expected);
  });
});

describe("GET /drains, page by page", () => {
  /** Every third of a thousand has been refused. */
  function many() {
    const made = scene((_, ledger) => {
      for (let number = 1; number <= 1_000; number++) {
        const entries = new EntriesOf(`d-${number}`);
        ledger.note(entries.accepted());
        const status = number % 3 === 0 ? "refused" : "drained";
        ledger.note(entries.next({ type: "ended", outcome: { status, registrations: [] } }));
      }
    });
    const page = async (query: string) => {
      const { drains } = (await (await made.get(`/drains?${query}`)).json()) as {
        readonly drains: readonly { readonly drainId: string }[];
      };
      return drains.map(({ drainId }) => Number(drainId.slice(2)));
    };
    return { ...made, page };
  }

  test("has each drain once, the newest first, also with a filter", async () => {
    const { page } = many();
    const all: number[] = [];
    for (let next = await page("limit=300&status=refused"); next.length > 0; )
      next = await page(`limit=300&status=refused&before=d-${all.push(...next) && all.at(-1)}`);
    expect(all).toEqual(Array.from({ length: 333 }, (_, index) => 999 - 3 * index));
    expect(await page("limit=2&before=d-1000")).toEqual([999, 998]);
    expect(await page("limit=2&before=d-1")).toEqual([]);
  });

  test("says so where the drain to continue after is not known", async () => {
    const response = await many().get("/drains?before=d-1001");
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining("there is no drain 'd-1001'") });
  });
});

describe("GET /nodes", () => {
  test("lists the nodes of the cluster that have the labels, and which of them are no EC2 instances", async () => {
    const asked: string[] = [];
    const nodesWith = async (selector: string) => {
      asked.push(selector);
      return [{ name: "blue-1", instanceId: node.id, providerId: "aws:///a/i" }, { name: "blue-2" }];
    };
    const { request } = webApp({ nodesWith });
    const response = await request("/nodes?selector=pool%20in%20(blue)", { headers: bearer });
    expect(await response.json()).toEqual({
      nodes: [{ name: "blue-1", id: node.id, providerId: "aws:///a/i" }, { name: "blue-2" }],
    });
    expect(asked).toEqual(["pool in (blue)"]);
  });

  test("says what the API server refuses", async () => {
    const nodesWith = async () => {
      throw new DrainError("cloud-error", "the API server refuses the selector");
    };
    const response = await webApp({ nodesWith }).request("/nodes?selector=a%3D%3D%3D", { headers: bearer });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: "cloud-error", detail: "the API server refuses the selector" });
  });
});

describe("GET /drains/{drain}", () => {
  test("says who asked and why, what was registered before, each step with its time, and the outcome", async () => {
    const { get } = scene((entries, ledger) => {
      const asker = { via: "http", address: "10.0.0.9", agent: "curl/8" };
      const request = { askedAt: 1_000, reason: "upgrade", timeoutMs: 90_000, asker };
      const { id: _, ...rest } = node;
      const machine = { id: node.id, ...rest, addresses: ["10.0.0.1"], addressPrefixes: [] };
      ledger.note(entries.next({ type: "accepted", node: machine, startedAt: 1_000, request }));
      ledger.note(entries.found("i-1:80", "i-1:81"));
      ledger.note(entries.next({ type: "joined", request: { askedAt: 1_500, deadline: 60_000 } }));
      ledger.note(entries.deregistered(0));
      const error = { code: "access-denied", message: "AWS denies it" } as const;
      ledger.note(entries.next({ type: "failed", of: [1], error }));
      ledger.note(entries.next({ type: "released", of: [0] }));
      const result = { heldMs: 30_000, newTrafficStopped: true, cameBack: 0 };
      const results = [
        { of: 0, state: "released", holdMs: 30_000, ...result },
        { of: 1, state: "failed", ...result, heldMs: 0, newTrafficStopped: false, error },
      ] as const;
      ledger.note(entries.next({ type: "ended", outcome: { status: "failed", registrations: results, error } }));
    });
    const response = await get("/drains/d-1");
    const second = { ...found, target: "i-1:81" };
    const error = { code: "access-denied", message: "AWS denies it" };
    const settled = { ...place, poolId: "arn:web", deregistered: false };
    const outcome = {
      ...{ status: "failed", drainId: "d-1", node, error },
      registrations: [
        { ...settled, state: "released", heldSeconds: 30, holdSeconds: 30, newTrafficStopped: true, cameBack: 0 },
        { ...settled, target: "i-1:81", state: "failed", heldSeconds: 0, newTrafficStopped: false, cameBack: 0, error },
      ],
    };
    const asked = {
      ...{ askedAt: moment(1_000), timeoutSeconds: 90, reason: "upgrade" },
      asker: { via: "http", address: "10.0.0.9", agent: "curl/8" },
    };
    const joined = { askedAt: moment(1_500), deadline: moment(60_000) };
    const step = (id: number, type: string) => ({ id, at: moment(1_000 + id), type });
    expect(await response.json()).toEqual({
      ...{ drainId: "d-1", node, status: "ended", startedAt: moment(1_000), endedAt: moment(1_007) },
      requests: [asked, joined],
      registrations: [found, second].map((one) => ({ ...one, foundAt: moment(1_002) })),
      elsewhere: [],
      steps: [
        { ...step(1, "accepted"), request: asked },
        { ...step(2, "found"), registrations: [found, second], elsewhere: [] },
        { ...step(3, "joined"), request: joined },
        { ...step(4, "deregistered"), registrations: [found], foundDraining: false, heldSince: moment(1_004) },
        { ...step(5, "failed"), registrations: [second], error },
        { ...step(6, "released"), registrations: [found] },
        { ...step(7, "ended"), outcome },
      ],
      missingSteps: 0,
      outcome,
    });
  });

  test("says how a drain that runs stands now", async () => {
    const ledger = new MemoryLedger();
    ledger.note(new EntriesOf("d-1").accepted());
    const registration = registered("i-1:80");
    const result = { registration, state: "holding", heldMs: 5_000, newTrafficStopped: false, cameBack: 0 } as const;
    const now = { drainId: "d-1", startedAt: 1_000, reasons: [], registrations: [result] };
    const { request } = webApp({ history: { ...historyOf(ledger), running: () => now } });
    const body = await (await request("/drains/d-1", { headers: bearer })).json();
    expect(body).toMatchObject({
      status: "running",
      now: { registrations: [{ ...place, state: "holding", heldSeconds: 5 }] },
    });
  });

  test("says how many steps could not be kept", async () => {
    const { get } = scene((entries, ledger) => {
      ledger.note(entries.accepted());
      for (let lost = 0; lost < 3; lost++) entries.deregistered(0);
      ledger.note(entries.ended());
    });
    expect(await (await get("/drains/d-1")).json()).toMatchObject({ missingSteps: 3 });
  });

  test("answers 503 and when to come again where the ledger can't be read", async () => {
    const failing: Pick<Ledger, "read"> = {
      read: async () => {
        throw new DrainError("ledger-unavailable", "the ledger could not be read: EIO");
      },
    };
    const { request } = webApp({ history: { ...historyOf(new MemoryLedger()), ...failing, running: () => undefined } });
    for (const path of ["/drains/d-1", "/drains/d-1/events"]) {
      const response = await request(path, { headers: bearer });
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({
        code: "ledger-unavailable",
        detail: expect.stringContaining("EIO"),
      });
    }
  });
});

interface Received {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

describe("a drain of thousands of steps", () => {
  const STEPS = 5_000;
  const long = () =>
    scene((entries, ledger) => {
      ledger.note(entries.accepted());
      ledger.note(entries.found("i-1:80"));
      for (let step = 2; step < STEPS; step++) ledger.note(entries.deregistered(0));
    });
  /** Turns of the event loop until it is answered: others have their turn meanwhile. */
  const turnsOf = async ({ app }: ReturnType<typeof scene>, path: string) => {
    let isAnswered = false;
    const answered = Promise.resolve(app.request(path, { headers: bearer })).finally(() => {
      isAnswered = true;
    });
    let turns = 0;
    for (; !isAnswered; turns++) await new Promise((resolve) => setImmediate(resolve));
    return { turns, response: await answered };
  };

  test.each(["/drains/d-1", "/drains/d-1/events"])(
    "is put into words in parts, and once for all readers of %s",
    async (path) => {
      const drains = long();
      const first = await turnsOf(drains, path);
      expect(first.turns).toBeGreaterThan(STEPS / 500);
      const again = await turnsOf(drains, path);
      expect(again.turns).toBeLessThan(first.turns / 3);
      drains.ledger.note(drains.entries.next({ type: "released", of: [0] }));
      const later = await turnsOf(drains, path);
      expect(later.turns).toBeLessThan(first.turns / 3);
      for (const { response } of [first, again, later]) await response.body?.cancel();
      const report = (await (await drains.get("/drains/d-1")).json()) as { readonly steps: readonly unknown[] };
      expect(report.steps).toHaveLength(STEPS + 1);
      expect(report.steps.at(-1)).toMatchObject({ id: STEPS + 1, type: "released", registrations: [found] });
    },
  );
});

/** Reads a stream of events as they come. */
function reading(response: Response) {
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error("there is no body");
  onTestFinished(() => reader.cancel().catch(() => {}));
  const decoder = new TextDecoder();
  let text = "";
  const state = { isOver: false, failed: undefined as unknown };
  void (async () => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += decoder.decode(value, { stream: true });
      }
    } catch (error) {
      state.failed = error;
    }
    state.isOver = true;
  })();
  const events = (): readonly Received[] =>
    text
      .split("\n\n")
      .filter((part) => part.startsWith("id: "))
      .map((part) => {
        const [, id = "", event = "", data = ""] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(part) ?? [];
        return { id, event, data: JSON.parse(data) };
      });
  return { state, events, text: () => text, cancel: () => reader.cancel() };
}

describe("GET /drains/{drain}/events", () => {
  /** A drain that has come to its deregistration. */
  const begun = () =>
    scene((entries, ledger) => {
      ledger.note(entries.accepted());
      ledger.note(entries.found("i-1:80"));
      ledger.note(entries.deregistered(0));
    });
  type Scene = ReturnType<typeof begun>;
  const openAt = (remoteAddress: string, { app }: Scene) =>
    app.request("/drains/d-1/events", { headers: bearer }, { incoming: { socket: { remoteAddress } } });
  const open = ({ app }: Scene, headers = {}) =>
    app.request("/drains/d-1/events", { headers: { ...bearer, ...headers } });

  test("tells the steps so far, then each as it comes, and ends with the drain", async () => {
    const drains = begun();
    const response = await open(drains);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const stream = reading(response);
    await drains.clock.advance(1_000);
    expect(stream.events().map(({ id, event }) => [id, event])).toEqual([
      ["1", "accepted"],
      ["2", "found"],
      ["3", "deregistered"],
    ]);
    drains.ledger.note(drains.entries.next({ type: "released", of: [0] }));
    await drains.clock.advance(0);
    expect(stream.events().at(-1)).toEqual({
      id: "4",
      event: "released",
      data: { id: 4, at: moment(1_004), type: "released", registrations: [found] },
    });
    expect(stream.state.isOver).toBe(false);
    drains.ledger.note(drains.entries.ended());
    await drains.clock.advance(0);
    expect(stream.events().at(-1)).toMatchObject({ event: "ended", data: { outcome: { status: "drained" } } });
    expect(stream.state).toEqual({ isOver: true, failed: undefined });
    expect(drains.clock.sleeping).toBe(0);
  });

  test("goes on behind Last-Event-ID, and knows what a step is about all the same", async () => {
    const drains = begun();
    const stream = reading(await open(drains, { "last-event-id": "2" }));
    await drains.clock.advance(0);
    expect(stream.events()).toMatchObject([{ id: "3", data: { registrations: [found] } }]);
  });

  test("answers 204 to whoever has all of a drain that has ended, and would come again and again", async () => {
    const drains = begun();
    drains.ledger.note(drains.entries.ended());
    const again = await drains.get("/drains/d-1/events", { "last-event-id": "4" });
    expect(again.status).toBe(204);
    const late = reading(await open(drains, { "last-event-id": "3" }));
    await drains.clock.advance(0);
    expect(late.events().map(({ event }) => event)).toEqual(["ended"]);
    expect(late.state.isOver).toBe(true);
  });

  test("misses nothing that happens while it reads what was before, and tells nothing twice", async () => {
    const drains = begun();
    let read: () => void = () => {};
    const history = historyOf(drains.ledger);
    const { app, clock } = webApp({
      history: {
        ...history,
        running: () => undefined,
        read: async (drain, signal) => {
          await new Promise<void>((resolve) => {
            read = resolve;
          });
          return history.read(drain, signal);
        },
      },
    });
    const asked = app.request("/drains/d-1/events", { headers: bearer });
    await clock.advance(0);
    drains.ledger.note(drains.entries.next({ type: "released", of: [0] }));
    read();
    const stream = reading(await asked);
    await clock.advance(0);
    drains.ledger.note(drains.entries.ended());
    await clock.advance(0);
    expect(stream.events().map(({ id }) => id)).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("says every 15 s that it is still there", async () => {
    const drains = begun();
    const stream = reading(await open(drains));
    await drains.clock.advance(45_000);
    expect(stream.text().match(/^: still here$/gm)).toHaveLength(3);
    await stream.cancel();
    await drains.clock.advance(0);
    expect(drains.clock.sleeping).toBe(0);
  });

  test("ends when the service stops before the drain has ended: the next start tells more", async () => {
    const drains = begun();
    const stream = reading(await open(drains));
    drains.ledger.note(drains.entries.next({ type: "interrupted" }));
    await drains.clock.advance(0);
    expect(stream.events().at(-1)?.event).toBe("interrupted");
    expect(stream.state.isOver).toBe(true);
  });

  test.each<[string, (drains: Scene) => Promise<void>]>([
    [
      "to whom a thousand steps wait",
      async ({ ledger, entries, clock }) => {
        for (let step = 0; step < 1_100; step++) ledger.note(entries.deregistered(0));
        await clock.advance(0);
      },
    ],
    ["who takes nothing for two heartbeats", ({ clock }) => clock.advance(45_000)],
  ])("drops a reader %s", async (_, wait) => {
    const drains = begun();
    const response = await open(drains);
    await wait(drains);
    expect(drains.clock.sleeping).toBe(0);
    const stream = reading(response);
    await drains.clock.advance(0);
    expect(stream.state).toMatchObject({ isOver: true, failed: new Error("the reader is too slow") });
  });

  test("has a hundred readers at an address at most, and those who leave make room; who asks for the head alone needs none", async () => {
    const drains = begun();
    const streams = [];
    for (let reader = 0; reader < 100; reader++) streams.push(reading(await open(drains)));
    const refused = await drains.app.request("/drains/d-1/events", { headers: bearer });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({
      detail: "100 readers at this address already follow drains: try again later",
    });
    reading(await openAt("198.51.100.7", drains));
    reading(await openAt("2001:db8::1", drains));
    await streams[0]?.cancel();
    const head = await drains.app.request("/drains/d-1/events", { method: "HEAD", headers: bearer });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const room = await open(drains);
    expect(room.status).toBe(200);
    reading(room);
  });

  test("lets fewer steps wait for each of many readers, so that all together are never too many", async () => {
    const drains = begun();
    for (let address = 0; address < 10; address++)
      for (let reader = 0; reader < 100; reader++) await openAt(`198.51.100.${address}`, drains);
    expect(drains.clock.sleeping).toBe(1_000);
    for (let step = 0; step < 200; step++) drains.ledger.note(drains.entries.deregistered(0));
    // Each reader that stays has a heartbeat.
    expect(drains.clock.sleeping).toBeLessThanOrEqual(100_000 / 200);
    expect(drains.clock.sleeping).toBeGreaterThan(0);
  });
});
