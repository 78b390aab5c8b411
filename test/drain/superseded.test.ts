import { describe, expect, test } from "vitest";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import type { DrainRequest, HoldsWhile } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

/** Two nodes behind an ALB that drains for five minutes, and a drainer with a ledger. */
function scene({ registersAgain = true } = {}) {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  const web = cloud.addPool("alb", "web", nodes);
  const ledger = new MemoryLedger();
  const times = { deadlineMarginMs: 10_000 };
  const life = () => new Drainer({ cloud, clock, ledger, times, registersAgain });
  const drainer = life();
  const ask = (more: Partial<DrainRequest> = {}, signal = never) =>
    drainer.drain({ node: { by: "id", value: "i-1" }, dryRun: false, ...more }, signal);
  return { clock, cloud, web, ledger, life, ask };
}

const STOPS = { holdsWhile: { machine: "stops" } } as const;
const RUNS = { holdsWhile: { machine: "runs" } } as const;

describe("a request that tells of a machine's state", () => {
  test("does nothing where the cloud says that the machine runs", async () => {
    const { clock, cloud, ask } = scene();
    expect(await clock.run(ask(STOPS))).toEqual({
      status: "superseded",
      message: "i-1 is running: it does not leave",
      registrations: [],
    });
    expect(cloud.callsOf("findRegistrations")).toEqual([]);
    expect(cloud.callsOf("deregister")).toEqual([]);
  });

  test("is not answered from memory: the machine's state may have changed since", async () => {
    const { clock, cloud, ask } = scene();
    cloud.recalled.set("i-1", cloud.addNode("i-1"));
    await clock.run(ask(STOPS));
    expect(cloud.callsOf("resolve")).toHaveLength(1);
  });

  test("waits half a minute for a cloud that says what was so before", async () => {
    const { clock, cloud, ask } = scene();
    const said: HoldsWhile = { machine: "stops", saidAt: clock.now() };
    const drain = ask({ holdsWhile: said });
    await clock.advance(12_000);
    expect(cloud.callsOf("deregister")).toEqual([]);
    cloud.stopped.add("i-1");
    expect(await clock.run(drain)).toMatchObject({ status: "drained" });
    const late = clock.now();
    cloud.stopped.clear();
    expect(await clock.run(ask({ holdsWhile: { machine: "stops", saidAt: clock.now() } }))).toMatchObject({
      status: "superseded",
    });
    expect(clock.now() - late).toBe(30_000);
  });

  test("is drained for where the machine stops", async () => {
    const { clock, cloud, ask } = scene();
    cloud.stopped.add("i-1");
    expect(await clock.run(ask(STOPS))).toMatchObject({ status: "drained" });
  });

  test("that was to stop it by now does nothing where it runs no more, and is drained for where it does", async () => {
    const { clock, cloud, ask } = scene();
    cloud.stopped.add("i-1");
    expect(await clock.run(ask(RUNS))).toMatchObject({
      status: "superseded",
      message: "i-1 does not run any more: what was announced has happened",
    });
    cloud.stopped.clear();
    expect(await clock.run(ask(RUNS))).toMatchObject({ status: "drained" });
  });

  test("asks nothing more of a machine than others do that say nothing of its state", async () => {
    const { clock, cloud, ask } = scene();
    await clock.run(ask());
    expect(cloud.callsOf("findRunning")).toEqual([]);
  });
});

describe("a drain because a machine stops", () => {
  test("ends when the machine runs again, and what it has deregistered is registered again", async () => {
    const { clock, cloud, web, ledger, ask } = scene();
    cloud.stopped.add("i-1");
    const drain = ask(STOPS);
    await clock.advance(20_000);
    expect(cloud.callsOf("deregister", web)).toHaveLength(1);
    cloud.stopped.clear();
    const outcome = await clock.run(drain);
    expect(outcome).toMatchObject({
      status: "superseded",
      message: "i-1 is running again: it does not leave",
      registrations: [{ state: "holding", deregistered: true }],
      undone: [{ state: "registered", registration: { target: "i-1:80" } }],
    });
    expect(cloud.callsOf("register", web)).toHaveLength(1);
    const [summary] = ledger.list(9);
    expect(summary).toMatchObject({ end: { status: "superseded" }, undo: "ended" });
  });

  test("ends without registering anything where that is not allowed, and says what stays out", async () => {
    const { clock, cloud, ask } = scene({ registersAgain: false });
    cloud.stopped.add("i-1");
    const drain = ask(STOPS);
    await clock.advance(20_000);
    cloud.stopped.clear();
    const outcome = await clock.run(drain);
    expect(outcome).toMatchObject({ status: "superseded", registrations: [{ state: "holding", deregistered: true }] });
    expect(outcome).not.toHaveProperty("undone");
    expect(cloud.callsOf("register")).toEqual([]);
  });

  test("goes on where anybody else has asked for it", async () => {
    const { clock, cloud, ask } = scene();
    cloud.stopped.add("i-1");
    const both = [ask(STOPS), ask()];
    await clock.advance(20_000);
    cloud.stopped.clear();
    for (const outcome of await clock.run(Promise.all(both))) expect(outcome).toMatchObject({ status: "drained" });
    expect(cloud.callsOf("findRunning")).toEqual([]);
  });

  test("that an earlier process has begun ends so, too: the ledger knows what it was for", async () => {
    const { clock, cloud, web, ledger, life, ask } = scene();
    cloud.stopped.add("i-1");
    const killed = new AbortController();
    const drain = ask(STOPS, killed.signal);
    await clock.advance(20_000);
    killed.abort();
    expect(await clock.run(drain)).toMatchObject({ status: "abandoned" });
    cloud.stopped.clear();
    const [record] = (await ledger.unfinished()).map(drainRecord);
    if (record === undefined) throw new Error("it has ended");
    await clock.run(life().resume(record, never));
    expect(cloud.callsOf("register", web)).toHaveLength(1);
    expect(ledger.list(9)[0]).toMatchObject({ end: { status: "superseded" }, undo: "ended" });
  });
});
