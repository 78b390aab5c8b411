import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import type { UndoneResult } from "../../src/drain/outcome.ts";
import type { UndoOutcome } from "../../src/drain/undo.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { EntriesOf, registered } from "../support/ledger-entries.ts";
import { historyOf, NODE, SECRET, webApp } from "../support/web-app.ts";

const bearer = { authorization: `Bearer ${SECRET}` };
const place = { kind: "alb", loadBalancer: "web-lb", pool: "web", target: "i-1:80" };
const error = new DrainError("not-registered", "web does not exist any more");

function undone(...states: readonly UndoneResult["state"][]): UndoOutcome {
  const registrations = states.map((state) => ({
    ...{ registration: registered("i-1:80"), state },
    ...(state === "failed" ? { error } : {}),
  }));
  return { drainId: "d-1", node: NODE, registrations };
}

describe("DELETE /drains/{drain}", () => {
  const cancel = (answer: () => Promise<UndoOutcome>, asked: unknown[] = []) =>
    webApp({
      cancel: (drainId, asker) => {
        asked.push({ drainId, asker });
        return answer();
      },
    }).request("/drains/d-1", { method: "DELETE", headers: { ...bearer, "user-agent": "curl/8" } });

  test("answers with each registration once all are registered again, and says who asked", async () => {
    const asked: unknown[] = [];
    const response = await cancel(async () => undone("registered", "untouched", "left"), asked);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      ...{ status: "undone", drainId: "d-1" },
      registrations: [
        { ...place, state: "registered" },
        { ...place, state: "untouched" },
        { ...place, state: "left" },
      ],
    });
    expect(asked).toEqual([{ drainId: "d-1", asker: { via: "http", address: expect.any(String), agent: "curl/8" } }]);
  });

  test("answers 502 where some can't be, and names them with the reason", async () => {
    const response = await cancel(async () => undone("registered", "failed"));
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({
      code: "not-registered",
      detail: "web does not exist any more",
      undo: {
        status: "not-undone",
        registrations: [{ state: "registered" }, { state: "failed", error: { code: "not-registered" } }],
      },
    });
  });

  test.each([
    ["undo-disabled", 409],
    ["another-drain", 409],
    ["drain-not-found", 404],
    ["ledger-unavailable", 503],
  ] as const)("answers what was not begun, because of %s, with %s", async (code, status) => {
    const response = await cancel(async () => {
      throw new DrainError(code, "no");
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, detail: "no" });
  });

  test("needs the secret", async () => {
    expect((await webApp().request("/drains/d-1", { method: "DELETE" })).status).toBe(401);
  });
});

test("whoever waits for a drain that is cancelled is told with 409 that the node must not be terminated", async () => {
  const result = { registration: registered("i-1:80"), heldMs: 5_000, newTrafficStopped: false, cameBack: 0 };
  const { post } = webApp({
    outcome: {
      ...{ status: "cancelled", drainId: "d-1", node: NODE },
      registrations: [{ ...result, state: "holding", deregistered: true }],
    },
  });
  const response = await post("/drain?id=i-0123456789abcdef0", { headers: bearer });
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({
    detail: expect.stringContaining("the node must not be terminated"),
    outcome: { status: "cancelled", registrations: [{ ...place, poolId: "arn:web", deregistered: true }] },
  });
});

describe("a drain that was cancelled", () => {
  function scene(write: (entries: EntriesOf) => readonly LedgerEntry[]) {
    const ledger = new MemoryLedger();
    const entries = new EntriesOf("d-1");
    const note = (...given: readonly LedgerEntry[]) => given.forEach((entry) => void ledger.note(entry));
    note(...write(entries));
    const web = webApp({ history: { ...historyOf(ledger), running: () => undefined } });
    const get = (path: string) => web.request(path, { headers: bearer });
    return { ...web, entries, note, get };
  }

  const running = (entries: EntriesOf) => [
    ...entries.whole(),
    entries.next({ type: "cancelled", asker: { via: "http", agent: "curl/8" } }),
    entries.next({ type: "registered", of: [0] }),
  ];

  test("shows in its record who cancelled it, each step, and what became of each registration", async () => {
    const { get, entries, note } = scene(running);
    expect(await (await get("/drains/d-1")).json()).toMatchObject({
      undo: { status: "running", asker: { via: "http" } },
    });
    expect(await (await get("/drains")).json()).toMatchObject({ drains: [{ status: "ended", undo: "running" }] });
    note(entries.next({ type: "undone", registrations: [{ of: 0, state: "registered" }] }));
    expect(await (await get("/drains/d-1")).json()).toMatchObject({
      undo: { status: "ended", registrations: [{ ...place, state: "registered" }] },
      steps: [{}, {}, {}, {}, {}, { type: "cancelled" }, { type: "registered" }, { type: "undone" }],
    });
  });

  test("is followed until it is undone, and not just to the drain's end", async () => {
    const { app, clock, entries, note } = scene(running);
    const response = await app.request("/drains/d-1/events", { headers: bearer });
    const text = response.text();
    await clock.advance(0);
    note(entries.next({ type: "undone", registrations: [{ of: 0, state: "registered" }] }));
    await clock.advance(0);
    expect([...(await text).matchAll(/^event: (.*)$/gm)].map(([, type]) => type).slice(-4)).toEqual([
      "ended",
      "cancelled",
      "registered",
      "undone",
    ]);
  });
});
