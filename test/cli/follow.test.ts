import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readDrainReports } from "../../src/cli/drain-file.ts";
import { RemoteService } from "../../src/cli/remote-service.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { RunningDrain } from "../../src/drain/outcome.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { Child } from "../support/child-process.ts";
import { timesAsFast } from "../support/fast-clock.ts";
import { EntriesOf, registered } from "../support/ledger-entries.ts";
import { other, proxyOf, service } from "../support/remote-scene.ts";
import { startHere } from "../support/run-here.ts";
import { never } from "../support/simulated-region.ts";
import { DRAINED, historyOf, ID, NODE, SECRET, type WebAppOptions } from "../support/web-app.ts";

const TARGET = `${ID}:80`;
const PROBLEM = { "content-type": "application/problem+json", "retry-after": "5" };
const RESULT = {
  of: 0,
  state: "released",
  heldMs: 30_000,
  holdMs: 30_000,
  newTrafficStopped: true,
  cameBack: 0,
} as const;
const LIMIT = { reason: "timeout", at: 90_000 } as const;

/** A service whose drain takes the steps that the test has it take. */
async function scene(options: WebAppOptions = {}) {
  const ledger = new MemoryLedger();
  const entries = new EntriesOf("d-1", 1_000, ID);
  const running: { now?: RunningDrain } = {};
  const accept = () => {
    if (ledger.list(1).length === 0) ledger.note(entries.accepted());
  };
  const web = await service({
    history: { ...historyOf(ledger), running: () => running.now },
    answer: ({ accepted }) => {
      accept();
      accepted({ id: "d-1", node: NODE });
    },
    ...options,
  });
  const start = (args: readonly string[] = [], url = web.url) =>
    startHere(["drain", ID, "--server", url, ...args], { SECRET }, { clock: timesAsFast(100) });
  return {
    ...web,
    ledger,
    entries,
    running,
    start,
    begin: () => {
      accept();
      ledger.note(entries.found(TARGET));
      ledger.note(entries.next({ type: "planned", longestHoldMs: 30_000, limit: LIMIT, warnings: [] }));
      ledger.note(entries.deregistered(0));
    },
    end: () => {
      ledger.note(entries.next({ type: "released", of: [0] }));
      const outcome = { status: "drained", registrations: [{ ...RESULT, deregistered: true }] } as const;
      ledger.note(entries.next({ type: "ended", outcome }));
    },
  };
}

const count = (text: string, pattern: RegExp) => text.split("\n").filter((line) => pattern.test(line)).length;

describe("drain --server", () => {
  test("names the drain at once and at the end, and prints each step when it happens", async () => {
    const { url, start, begin, end } = await scene();
    const child = start();
    await child.line(/^drain d-1 accepted by the service$/);
    begin();
    await child.line(/^ +\d+ s deregistered {2}alb web-lb \/ web i-\w+:80$/);
    expect(child.output).not.toContain("released");
    end();
    const { code, stdout, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^ +\d+ s i-\w+ has 1 registration; longest hold 30 s\n/m);
    expect(stdout).toMatch(
      /released after \d+ s {2}alb .*\ni-\w+ is drained: 1 registration deregistered and held, in 0 s\./,
    );
    expect(stdout).toMatch(new RegExp(`Drain d-1 of ${ID}. See it: hasta-la-vista status d-1 --server ${url}\n$`));
  });

  test("prints the outcome for programs, and the steps beside it", async () => {
    const { start, begin, end } = await scene();
    const child = start(["-o", "json"]);
    begin();
    end();
    const { code, stdout, stderr } = await child.finished;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "drained",
      drainId: "d-1",
      registrations: [{ state: "released" }],
    });
    expect(stderr).toMatch(/^drain d-1 accepted by the service\n.*\n.*deregistered/);
  });

  test("says every half a minute what it waits for: the service tells how long each is held", async () => {
    const { start, begin, end, running } = await scene();
    const hold = { registration: registered(TARGET), state: "holding", newTrafficStopped: false, cameBack: 0 } as const;
    const registrations = [{ ...hold, heldMs: 5_000, holdMs: 600_000 }];
    running.now = { drainId: "d-1", startedAt: 1_000, reasons: [], registrations };
    const child = start();
    begin();
    await child.line(/ s holding 1 registration, \d+ s left$/);
    end();
    expect((await child.finished).code).toBe(0);
  });

  test("goes on from the last step where the connection breaks, and prints no step twice", async () => {
    const { url, start, begin, end } = await scene();
    const asked: unknown[] = [];
    const proxy = await proxyOf(url, ({ path, headers, pass }) => {
      if (!path.endsWith("/events")) return pass();
      asked.push(headers["last-event-id"]);
      return pass(asked.length === 1 ? /event: deregistered/ : undefined);
    });
    const child = start([], proxy);
    await child.line(/accepted/);
    begin();
    await child.line(/deregistered/);
    end();
    const { code, stdout, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(count(stdout, /s deregistered /)).toBe(1);
    expect(count(stdout, /s released /)).toBe(1);
    expect(asked[0]).toBe("0");
    expect(asked.slice(1)).toEqual(asked.slice(1).map(() => expect.stringMatching(/^[4-6]$/)));
  });

  test("takes the steps from the drain's record where the service has no room for another stream", async () => {
    const { url, start, begin, end } = await scene();
    const proxy = await proxyOf(url, ({ path, response, pass }) => {
      if (!path.endsWith("/events")) return pass();
      return response
        .writeHead(503, PROBLEM)
        .end('{"status":503,"detail":"100 readers at this address already follow drains"}');
    });
    const child = start([], proxy);
    begin();
    await child.line(/deregistered/);
    end();
    const { code, stdout, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(count(stdout, /s deregistered /)).toBe(1);
    expect(stdout).not.toMatch(/reconnect/);
  });

  test("waits for a service that is gone, and says so once", async () => {
    const { url, start, begin, end } = await scene();
    let isGone = false;
    let refused = 0;
    const proxy = await proxyOf(url, ({ path, response, pass }) => {
      if (!isGone) return pass(path.endsWith("/events") ? /event: deregistered/ : undefined);
      refused += 1;
      return response.destroy();
    });
    const child = start([], proxy);
    await child.line(/accepted/);
    isGone = true;
    begin();
    // The stream was open, and breaks with the step that it brings.
    await child.line(/could not reach the service at http:\S+: the connection was closed before .*; reconnecting$/);
    isGone = false;
    end();
    const { code, stdout } = await child.finished;
    expect(code).toBe(0);
    expect(refused).toBeGreaterThan(0);
    expect(count(stdout, /reconnecting/)).toBe(1);
    expect(count(stdout, /s reconnected to the service$/)).toBe(1);
    expect(stdout).toMatch(/is drained/);
  });

  test("ends where the service has forgotten the drain", async () => {
    const { url, start } = await scene();
    const proxy = await proxyOf(url, ({ path, response, pass }) => {
      if (!path.startsWith("/drains/")) return pass();
      return response.writeHead(404, PROBLEM).end('{"status":404,"detail":"there is no drain"}');
    });
    const { code, stderr } = await start([], proxy).finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^hasta-la-vista: the service does not know the drain d-1: .* restarted without STATE_DIR\. /,
    );
  });

  test("at Ctrl-C names the drain that goes on, how to see it and how to cancel it", async () => {
    const { url, start, begin } = await scene();
    const child = start();
    begin();
    await child.line(/deregistered/);
    child.signal("SIGINT");
    const { code, stderr } = await child.finished;
    expect(code).toBe(1);
    expect(stderr).toBe(
      `hasta-la-vista: stopped waiting: the drain d-1 of ${ID} continues in the service. See it: hasta-la-vista status ${ID} --server ${url}. Cancel it: hasta-la-vista cancel d-1 --server ${url}\n`,
    );
  });

  test("leaves a drain that others keep running when its own time is over", async () => {
    const { start, begin } = await scene();
    begin();
    const { code, stdout } = await start(["--timeout", "1"]).finished;
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^Not drained: the timeout came first\. The drain d-1 has begun and continues in the service/m,
    );
  });

  test("repeats a request for which there is no leader now, and says so once", async () => {
    const { url, start, begin, end } = await scene();
    let tries = 0;
    const proxy = await proxyOf(url, ({ path, response, pass }) => {
      if (path !== "/drain" || ++tries > 3) return pass();
      return response.writeHead(503, PROBLEM).end('{"status":503,"detail":"no replica leads now"}');
    });
    begin();
    end();
    const { code, stderr } = await start([], proxy).finished;
    expect({ code, tries }).toEqual({ code: 0, tries: 4 });
    expect(stderr).toBe(
      "hasta-la-vista: the service answered 503: no replica leads now. Repeating the request for up to 60 s\n",
    );
  });

  test("gives up after a minute without a leader", async () => {
    const url = await other((_, response) => {
      response.writeHead(503, { "content-type": "application/problem+json", "retry-after": "20" });
      response.end('{"status":503,"detail":"no replica leads now"}');
    });
    const { start } = await scene();
    const { code, stderr } = await start([], url).finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/Repeating .*\nhasta-la-vista: the service answered 503: no replica leads now\n$/);
  });

  test("waits without steps where the service can't record the drain", async () => {
    const unrecorded = new DrainError("ledger-unavailable", "the ledger could not be written: ENOSPC");
    const answer: WebAppOptions["answer"] = (delivery) => {
      if (requests.length > 1) return delivery.settle(DRAINED);
      return delivery.unrecorded?.({ id: "d-1", node: NODE }, unrecorded);
    };
    const { start, requests } = await scene({ answer });
    const { code, stdout, stderr } = await start().finished;
    expect({ code, count: requests.length }).toEqual({ code: 0, count: 2 });
    expect(stderr).toMatch(
      /^hasta-la-vista: the service can't record the drain of i-\w+ now, so its steps can't be shown/,
    );
    expect(stdout).toMatch(/is drained/);
  });

  test("writes what the drain does to --undo-file, which cancel reads", async () => {
    const folder = await mkdtemp(join(tmpdir(), "undo-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, "drain.json");
    const { start, begin, end } = await scene();
    const child = start(["--undo-file", path]);
    await child.line(/accepted/);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ drains: [] });
    begin();
    end();
    await child.finished;
    const text = await readFile(path, "utf8");
    expect(readDrainReports("it", text)).toMatchObject([{ drainId: "d-1", undoables: [{ deregisteredBy: "drain" }] }]);
    const again = await start(["--undo-file", path]).finished;
    expect(again.stderr).toMatch(/--undo-file is '.*', which can't be used: the file is there already: give a new one/);
    expect(await readFile(path, "utf8")).toBe(text);
  });
});

describe("drain --server on a terminal", () => {
  const terminal = {
    NODE_OPTIONS: "--import=data:text/javascript,process.stdout.isTTY=true;process.stdout.columns=120",
  };

  test("shows a live line for each registration with the time left, also when another process has resumed the drain", async () => {
    const { url, ledger, entries, running, begin, end } = await scene();
    const hold = { registration: registered(TARGET), state: "holding", newTrafficStopped: false, cameBack: 0 } as const;
    const registrations = [{ ...hold, heldMs: 5_000, holdMs: 600_000 }];
    running.now = { drainId: "d-1", startedAt: 1_000, reasons: [], registrations };
    const child = new Child("cli", ["drain", ID, "--server", url], { SECRET, ...terminal });
    await child.line(/accepted/);
    begin();
    await child.line(/alb +web-lb \/ web +i-\w+:80 {2}deregistered, 59\d s left/);
    ledger.note(entries.next({ type: "interrupted" }));
    await child.line(/\(reconnecting to the service\)/);
    ledger.note(entries.next({ type: "resumed" }));
    ledger.note(entries.next({ type: "deregistered", of: [0], foundDraining: true }));
    ledger.note(entries.next({ type: "planned", longestHoldMs: 30_000, limit: LIMIT, warnings: [] }));
    await child.line(/already draining, 5\d\d s left/);
    end();
    const { code, stdout, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/✔.* released after \d+ s/);
    expect(stdout).toMatch(/is drained.*\n?.*It can be terminated/);
    expect(stdout).toMatch(/Drain d-1 of i-\w+\. See it: /);
  });
});

describe("the event stream of a service", () => {
  test("ends without a word where nothing comes: a proxy may hold it back", async () => {
    const url = await other((_, response) =>
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders(),
    );
    const remote = new RemoteService({ url: new URL(url), secret: async () => SECRET, silenceMs: 50 });
    const found = [];
    for await (const step of remote.events("/drains/d-1/events", 0, never)) found.push(step);
    expect(found).toEqual([]);
  });

  test.each([
    ["is a page", "text/html", "<html>"],
    ["has other events", "text/event-stream", "id: 1\ndata: {}\n\n"],
    ["has events that are no JSON", "text/event-stream", "id: 1\ndata: hello\n\n"],
  ])("is refused where it %s", async (_, type, body) => {
    const url = await other((_request, response) => response.writeHead(200, { "content-type": type }).end(body));
    const remote = new RemoteService({ url: new URL(url), secret: async () => SECRET });
    await expect(remote.events("/drains/d-1/events", 0, never).next()).rejects.toThrow(/not one of hasta-la-vista/);
  });
});
