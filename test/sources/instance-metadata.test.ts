import { describe, expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { Delivery } from "../../src/drain/event-source.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { ImdsClient } from "../../src/sources/imds-client.ts";
import { InstanceMetadata } from "../../src/sources/instance-metadata.ts";
import { MetadataWatch } from "../../src/sources/metadata-watch.ts";
import { Recommendations } from "../../src/sources/recommendations.ts";
import type { MetadataEvent } from "../../src/sources/standing-notices.ts";
import { ID } from "../support/account.ts";
import {
  IDENTITY,
  InstanceMetadataServer,
  LIFECYCLE,
  MAINTENANCE,
  REBALANCE,
  SPOT,
} from "../support/instance-metadata.ts";

const INTERVAL_MS = 5_000;
const UNDO_AFTER_MS = 1_800_000;
const GONE: DrainOutcome = { status: "instance-gone", message: "it is terminated" };
const DRAINED = {
  status: "drained",
  drainId: "d-1",
  node: { id: ID, name: "n", network: "vpc-1", addresses: [], addressPrefixes: [] },
  elsewhere: [],
  registrations: [],
} as const satisfies DrainOutcome;
const ABANDONED: DrainOutcome = { status: "abandoned", registrations: [] };
const outOf = (reason: "deadline" | "timeout"): DrainOutcome => ({
  status: "deadline-passed",
  limit: { reason, at: 0 },
  searched: true,
  registrations: [],
});

/** A watch on virtual time, whose deliveries are taken as they come. */
async function watched({ dryRun = false, heedsRecommendations = false, bootedMs = -86_400_000 } = {}) {
  const clock = new VirtualClock();
  const bootedAt = clock.now() + bootedMs;
  const imds = new InstanceMetadataServer(clock, { instanceId: ID });
  const heard: MetadataEvent[] = [];
  const watch = new MetadataWatch({
    client: new ImdsClient({ clock, send: imds.send }),
    clock,
    intervalMs: INTERVAL_MS,
    heedsRecommendations,
    maintenanceLeadMs: 3_900_000,
    bootedAt: () => bootedAt,
    onEvent: (event) => heard.push(event),
  });
  const undone: string[] = [];
  const recommendations = new Recommendations({
    ...{ clock, undoAfterMs: UNDO_AFTER_MS, onEvent: () => {} },
    undo: async ({ instanceId }) => undone.push(instanceId),
  });
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const identity = await clock.run(watch.identity(stop.signal));
  const deliveries: Delivery[] = [];
  const ended = (async () => {
    const source = new InstanceMetadata({ watch, identity, clock, dryRun, recommendations, abandon: stop.signal });
    for await (const delivery of source.deliveries(stop.signal)) {
      deliveries.push(delivery);
    }
  })();
  const at = (ms: number) => new Date(clock.now() + ms).toISOString();
  return { clock, imds, heard, stop, deliveries, ended, at, undone, types: () => heard.map(({ type }) => type) };
}

const spot = (time: string, action = "terminate") => JSON.stringify({ action, time });
const maintenance = (inMs: number, clock: VirtualClock, more: object = {}) =>
  JSON.stringify([
    {
      // RFC 1123 without the day of the week, as EC2 writes it.
      NotBefore: new Date(clock.now() + inMs).toUTCString().slice(5),
      Code: "system-reboot",
      EventId: "instance-event-1",
      State: "active",
      ...more,
    },
  ]);

describe("a notice in instance metadata", () => {
  test("asks once for the drain of this machine, by its deadline, and nobody can say no", async () => {
    const { clock, imds, deliveries, at, heard } = await watched();
    imds.bodies.set(SPOT, spot(at(120_000)));
    await clock.advance(60_000);
    expect(deliveries.map(({ request }) => request)).toEqual([
      {
        node: { by: "id", value: ID },
        reason: "spot interruption: terminate",
        asker: { via: "spot-interruption" },
        deadline: clock.now() + 60_000,
        dryRun: false,
      },
    ]);
    expect(heard).toMatchObject([{ type: "noticed", announcement: { kind: "spot-interruption" } }]);
    await deliveries[0]?.settle(GONE);
    await clock.advance(600_000);
    expect(deliveries).toHaveLength(1);
  });

  test("is noticed within one interval, also while an earlier one is drained for", async () => {
    const { clock, imds, deliveries, at } = await watched();
    imds.bodies.set(LIFECYCLE, "Terminated");
    await clock.advance(INTERVAL_MS);
    imds.bodies.set(SPOT, spot(at(120_000), "stop"));
    await clock.advance(INTERVAL_MS);
    expect(deliveries.map(({ request }) => [request.asker?.via, request.deadline !== undefined])).toEqual([
      ["autoscaling-terminate", false],
      ["spot-interruption", true],
    ]);
  });

  test("asks again, to join, when its deadline changes", async () => {
    const { clock, imds, deliveries, at } = await watched();
    imds.bodies.set(SPOT, spot(at(120_000)));
    await clock.advance(INTERVAL_MS);
    imds.bodies.set(SPOT, spot(at(60_000)));
    await clock.advance(INTERVAL_MS);
    const [first = 0, second = 0] = deliveries.map(({ request }) => request.deadline);
    expect([deliveries.length, first - second]).toEqual([2, 55_000]);
    // The first one's end says nothing of the second.
    await deliveries[0]?.settle(outOf("timeout"));
    await deliveries[1]?.settle(GONE);
    await clock.advance(3_600_000);
    expect(deliveries).toHaveLength(2);
  });

  test("of a time just past still leaves time to begin", async () => {
    const { clock, imds, deliveries, at } = await watched();
    imds.bodies.set(SPOT, spot(at(-60_000)));
    await clock.advance(INTERVAL_MS);
    expect(deliveries[0]?.request.deadline).toBe(clock.now() + 30_000);
  });

  test("of a time long past says nothing of when a machine goes that still runs", async () => {
    const { clock, imds, deliveries } = await watched();
    imds.bodies.set(SPOT, spot("2020-01-01T00:00:00Z"));
    await clock.advance(INTERVAL_MS);
    expect(deliveries.map(({ request }) => request.deadline)).toEqual([undefined]);
  });

  test("of maintenance far ahead is told at once, and drained for an hour before", async () => {
    const { clock, imds, deliveries, heard } = await watched();
    const ahead = 7_200_000;
    imds.bodies.set(MAINTENANCE, maintenance(ahead, clock));
    const begins = clock.now() + ahead;
    await clock.advance(INTERVAL_MS);
    expect(heard).toMatchObject([{ type: "noticed", drainAt: begins - 3_900_000 }]);
    await clock.advance(ahead - 3_900_000 - 2 * INTERVAL_MS);
    expect(deliveries).toEqual([]);
    await clock.advance(2 * INTERVAL_MS);
    expect(deliveries.map(({ request }) => request.deadline)).toEqual([begins]);
  });

  test("that is taken back is told, cancels nothing, and asks for a drain when it comes again", async () => {
    const { clock, imds, deliveries, types } = await watched();
    imds.bodies.set(MAINTENANCE, maintenance(60_000, clock));
    await clock.advance(INTERVAL_MS);
    imds.bodies.set(MAINTENANCE, maintenance(55_000, clock, { State: "canceled" }));
    await clock.advance(INTERVAL_MS);
    expect([deliveries.length, types()]).toEqual([1, ["noticed", "withdrawn"]]);
    imds.bodies.set(MAINTENANCE, maintenance(50_000, clock));
    await clock.advance(INTERVAL_MS);
    expect(deliveries).toHaveLength(2);
  });

  test.each<[string, DrainOutcome, number]>([
    ["a timeout", outOf("timeout"), 2],
    ["the deadline", outOf("deadline"), 1],
    ["the end of the program", ABANDONED, 1],
  ])("whose drain was ended by %s is drained for %3$s time(s)", async (_, outcome, times) => {
    const { clock, imds, deliveries } = await watched();
    imds.bodies.set(LIFECYCLE, "Warmed:Stopped");
    await clock.advance(INTERVAL_MS);
    await deliveries[0]?.settle(outcome);
    await clock.advance(4_000);
    expect(deliveries).toHaveLength(1);
    await clock.advance(6_000);
    expect(deliveries).toHaveLength(times);
  });

  test("is tried ever more seldom while its drain keeps failing", async () => {
    const { clock, imds, deliveries } = await watched();
    imds.bodies.set(LIFECYCLE, "Terminated");
    let attempts = 0;
    for (let second = 0; second < 3_600; second += 5) {
      await clock.advance(5_000);
      for (const { settle } of deliveries.splice(0)) {
        attempts += 1;
        await settle(outOf("timeout"));
      }
    }
    expect(attempts).toBe(17);
    imds.bodies.set(LIFECYCLE, "InService");
    await clock.advance(600_000);
    expect(deliveries).toEqual([]);
  });

  test("is answered with the plan in dry run", async () => {
    const { clock, imds, deliveries } = await watched({ dryRun: true });
    imds.bodies.set(LIFECYCLE, "Terminated");
    await clock.advance(INTERVAL_MS);
    expect(deliveries[0]?.request.dryRun).toBe(true);
  });
});

describe("a notice that is none", () => {
  const MINUTE_MS = 60_000;

  test("of a reboot that has happened: the machine was booted since", async () => {
    const { clock, imds, deliveries, types } = await watched({ bootedMs: -2 * MINUTE_MS });
    imds.bodies.set(MAINTENANCE, maintenance(-3 * MINUTE_MS, clock));
    await clock.advance(10 * MINUTE_MS);
    expect([deliveries.length, types()]).toEqual([0, ["over"]]);
  });

  test("of a reboot that is still to happen is one: the machine was booted before", async () => {
    const { clock, imds, deliveries } = await watched({ bootedMs: -4 * MINUTE_MS });
    imds.bodies.set(MAINTENANCE, maintenance(-3 * MINUTE_MS, clock));
    await clock.advance(MINUTE_MS);
    expect(deliveries).toHaveLength(1);
  });

  test("of a reboot that is overdue for more than five minutes", async () => {
    const { clock, imds, deliveries, types } = await watched();
    imds.bodies.set(MAINTENANCE, maintenance(-10 * MINUTE_MS, clock));
    await clock.advance(10 * MINUTE_MS);
    expect([deliveries.length, types()]).toEqual([0, ["over"]]);
  });

  test.each(["instance-retirement", "instance-stop"])("never of an overdue %s: it is drained for", async (Code) => {
    const { clock, imds, deliveries } = await watched({ bootedMs: -MINUTE_MS });
    imds.bodies.set(MAINTENANCE, maintenance(-60 * MINUTE_MS, clock, { Code }));
    await clock.advance(MINUTE_MS);
    expect(deliveries).toHaveLength(1);
    expect(deliveries[0]?.request).not.toHaveProperty("deadline");
  });
});

describe("a notice whose time moves as time does", () => {
  test("is one notice, told and drained for once, by its first time", async () => {
    const { clock, imds, deliveries, types } = await watched();
    const first = clock.now();
    for (let reading = 0; reading < 20; reading += 1) {
      imds.bodies.set(SPOT, spot(new Date(clock.now() + 120_000).toISOString()));
      await clock.advance(INTERVAL_MS);
    }
    expect(types()).toEqual(["noticed"]);
    expect(deliveries.map(({ request }) => request.deadline)).toEqual([first + 120_000]);
  });

  test("of maintenance is drained for before its first time", async () => {
    const { clock, imds, deliveries, types } = await watched();
    const aheadMs = 4_000_000;
    for (let reading = 0; reading < 30; reading += 1) {
      imds.bodies.set(MAINTENANCE, maintenance(aheadMs, clock));
      await clock.advance(INTERVAL_MS);
    }
    expect([types(), deliveries.length]).toEqual([["noticed"], 1]);
  });

  test("is told anew where it is put off", async () => {
    const { clock, imds, types } = await watched();
    for (const aheadMs of [9_000_000, 18_000_000]) {
      imds.bodies.set(MAINTENANCE, maintenance(aheadMs, clock));
      await clock.advance(2 * INTERVAL_MS);
    }
    expect(types()).toEqual(["noticed", "noticed"]);
  });
});

describe("the watch of instance metadata", () => {
  test("tells once of a body that it can't understand, reads on, and hears of everything else meanwhile", async () => {
    const { clock, imds, deliveries, heard, at } = await watched();
    imds.bodies.set(MAINTENANCE, "<html>");
    await clock.advance(60_000);
    imds.bodies.set(SPOT, spot(at(120_000)));
    await clock.advance(60_000);
    expect(heard).toMatchObject([
      { type: "malformed", path: MAINTENANCE, problem: "the body is not JSON: it begins with '<html>'" },
      { type: "noticed" },
    ]);
    imds.bodies.set(MAINTENANCE, maintenance(60_000, clock));
    await clock.advance(INTERVAL_MS);
    expect(deliveries).toHaveLength(2);
  });

  test("does not take a body that it can't understand for the end of a notice", async () => {
    const { clock, imds, deliveries, types } = await watched();
    imds.bodies.set(LIFECYCLE, "Terminated");
    await clock.advance(INTERVAL_MS);
    imds.bodies.set(LIFECYCLE, "<html>");
    await clock.advance(INTERVAL_MS);
    imds.bodies.set(LIFECYCLE, "Terminated");
    await clock.advance(INTERVAL_MS);
    expect([types(), deliveries.length]).toEqual([["noticed", "malformed"], 1]);
  });

  test.each([429, 503, 500])("reads ever more seldom while it is answered %i, and still in time", async (status) => {
    const { clock, imds, deliveries, types, at } = await watched();
    imds.intercept = ({ method }) => (method === "GET" ? { status } : undefined);
    await clock.advance(600_000);
    const before = imds.requests.length;
    await clock.advance(600_000);
    // Three paths each half minute.
    expect(imds.requests.length - before).toBeLessThanOrEqual(63);
    expect(new Set(types())).toEqual(new Set(["unreadable"]));
    imds.intercept = () => undefined;
    imds.bodies.set(SPOT, spot(at(120_000)));
    await clock.advance(30_000);
    expect([types().slice(-3), deliveries.length]).toEqual([["unreadable", "readable", "noticed"], 1]);
    const afterwards = imds.requests.length;
    await clock.advance(2 * INTERVAL_MS);
    expect(imds.requests.length - afterwards).toBe(6);
  });

  test("asks which machine it is until it is told", async () => {
    const clock = new VirtualClock();
    const imds = new InstanceMetadataServer(clock, { instanceId: ID });
    const document = imds.bodies.get(IDENTITY) ?? "";
    imds.bodies.set(IDENTITY, "{}");
    imds.intercept = () => ({ status: 503 });
    const heard: MetadataEvent[] = [];
    const client = new ImdsClient({ clock, send: imds.send });
    const watch = new MetadataWatch({
      client,
      clock,
      heedsRecommendations: false,
      intervalMs: 1_000,
      maintenanceLeadMs: 3_900_000,
      bootedAt: () => 0,
      onEvent: (event) => heard.push(event),
    });
    const identity = watch.identity(newAbort().signal);
    await clock.advance(60_000);
    imds.intercept = () => undefined;
    await clock.advance(60_000);
    imds.bodies.set(IDENTITY, document);
    expect(await clock.run(identity)).toEqual({ instanceId: ID, region: "eu-west-1", accountId: "123456789012" });
    const types = heard.map(({ type }) => type);
    expect(types.slice(types.lastIndexOf("unreadable"))).toEqual(["unreadable", "readable", "malformed"]);
  });

  test("ends at once when it is stopped, and leaves no wait behind", async () => {
    const { clock, imds, stop, ended } = await watched();
    await clock.advance(12_000);
    stop.abort();
    await ended;
    await clock.advance(0);
    const { length } = imds.requests;
    await clock.advance(60_000);
    expect([clock.sleeping, imds.requests.length]).toEqual([0, length]);
  });
});

describe("a rebalance recommendation in instance metadata", () => {
  const RECOMMENDED = '{"noticeTime":"2022-07-16T19:18:24Z"}';

  test("is not even read unless it is heeded", async () => {
    const { clock, imds, deliveries } = await watched();
    imds.bodies.set(REBALANCE, RECOMMENDED);
    await clock.advance(INTERVAL_MS);
    expect(deliveries).toEqual([]);
    expect(imds.requests.filter(({ path }) => path === REBALANCE)).toEqual([]);
  });

  test("is asked for once as what can be told no, and undone when nothing follows", async () => {
    const { clock, imds, deliveries, undone } = await watched({ heedsRecommendations: true });
    imds.bodies.set(REBALANCE, RECOMMENDED);
    await clock.advance(INTERVAL_MS);
    expect(deliveries.map(({ request }) => request)).toMatchObject([{ isVoluntary: true }]);
    const settled = deliveries[0]?.settle(DRAINED);
    await clock.advance(UNDO_AFTER_MS);
    await settled;
    expect({ undone, count: deliveries.length }).toEqual({ undone: [ID], count: 1 });
  });

  test("is undone and not repeated when its drain has failed in part", async () => {
    const { clock, imds, deliveries, undone } = await watched({ heedsRecommendations: true });
    imds.bodies.set(REBALANCE, RECOMMENDED);
    await clock.advance(INTERVAL_MS);
    const { drainId, node } = DRAINED;
    const error = new DrainError("throttled", "why");
    const settled = deliveries[0]?.settle({ status: "failed", drainId, node, error, registrations: [] });
    await clock.advance(UNDO_AFTER_MS);
    await settled;
    expect({ undone, count: deliveries.length }).toEqual({ undone: [ID], count: 1 });
  });

  test("is repeated when nothing was taken out yet", async () => {
    const { clock, imds, deliveries, undone } = await watched({ heedsRecommendations: true });
    imds.bodies.set(REBALANCE, RECOMMENDED);
    await clock.advance(INTERVAL_MS);
    const error = new DrainError("throttled", "why");
    await deliveries[0]?.settle({ status: "failed", error, registrations: [] });
    await clock.advance(2 * INTERVAL_MS);
    expect({ undone, count: deliveries.length }).toEqual({ undone: [], count: 2 });
  });

  test("is not undone when an interruption follows, nor when the agent is stopped", async () => {
    const { clock, imds, deliveries, undone, at, stop } = await watched({ heedsRecommendations: true });
    imds.bodies.set(REBALANCE, RECOMMENDED);
    await clock.advance(INTERVAL_MS);
    const settled = deliveries[0]?.settle(DRAINED);
    imds.bodies.set(SPOT, spot(at(120_000)));
    await clock.advance(INTERVAL_MS);
    await settled;
    expect(deliveries).toHaveLength(2);
    await clock.advance(2 * UNDO_AFTER_MS);
    stop.abort();
    expect(undone).toEqual([]);
  });
});
