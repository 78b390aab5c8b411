import { describe, expect, test } from "vitest";
import { openClocks } from "../../src/app/clocks.ts";
import { openDrains } from "../../src/app/ledger.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { LogStore, MemoryLog } from "../support/memory-log.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

async function value(metrics: Metrics, series: string): Promise<number | undefined> {
  const { body } = await metrics.text();
  const line = body.split("\n").find((each) => each.startsWith(`hasta_la_vista_${series} `));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

describe("the gauges", () => {
  test("show that the ledger can't be written for as long as that is so, and that it can again", async () => {
    const clock = new SystemClock();
    const metrics = new Metrics({ version: "x", now: () => clock.now() });
    const log = new MemoryLog(new LogStore());
    const environment = { CLOUDPROVIDER: "aws", SECRET: "s", STATE_DIR: await stateDir() };
    const opened = await openDrains(readConfig({ verb: "serve", environment }), {
      clocks: openClocks(() => {}, clock),
      metrics,
      log: () => {},
      shared: { log, over: never },
    });
    expect(await value(metrics, "ledger_up")).toBe(1);
    log.before = (call) => {
      if (call !== "takeOver") throw new Error("no space left");
    };
    const request = { at: clock.now(), isVoluntary: false };
    const node = { id: "i-0123456789abcdef0", vpcId: "vpc-1", addresses: [] };
    const entry = { drainId: "d-1", at: clock.now(), type: "accepted", node, request } as const;
    await expect(opened.ledger.append(entry as never)).rejects.toThrow();
    expect(await value(metrics, "ledger_up")).toBe(0);
    expect(await value(metrics, "ledger_failures_total")).toBeGreaterThan(0);
    log.before = () => {};
    await expect.poll(() => value(metrics, "ledger_up"), { timeout: 60_000 }).toBe(1);
    await opened.close();
  });

  test("have what the engine uses of the quota and how old the index is from each account and region", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    const engine = region.wholeEngine({ INDEX_RATE: "10" });
    expect(engine.cloudStates()).toMatchObject([{ index: { groups: 0, groupsRead: 0, listedWhole: 0 } }]);
    expect(engine.cloudStates()[0]?.index.listedAt).toBeUndefined();
    const stop = newAbort();
    const maintained = engine.maintainIndex(stop.signal);
    const startedAt = region.clock.now();
    await region.clock.advance(5_000);
    const [state] = engine.cloudStates();
    expect(state?.index).toMatchObject({ groups: 1, groupsRead: 1 });
    expect(state?.index.listedAt).toBe(startedAt);
    expect(state?.index.oldestReadAt).toBeGreaterThanOrEqual(startedAt);
    expect(state?.quotas).toContainEqual(expect.objectContaining({ name: "v2-read", waiting: 0, perSecond: 1_000 }));
    stop.abort();
    await region.clock.run(maintained);
  });

  test("of a term are gone when it ends, and of the process stay", async () => {
    const metrics = new Metrics({ version: "x", now: () => 0 });
    const { gauges } = metrics;
    const ofTerm = () => {
      gauges.watchQueue({ inFlight: () => 1, isReceiving: () => true, lastReadAt: () => 5_000 });
      gauges.watchNodes({ count: () => 1, isUpToDate: () => true });
      gauges.watchIndex({ pools: () => 1, listedAt: () => 5_000, oldestReadAt: () => -Infinity });
      gauges.watchQuota(() => [{ bucket: "v2-read", waiting: 1, perSecond: 8 }]);
      gauges.watchLedger({ isWritable: () => true });
    };
    ofTerm();
    gauges.watchElection({ isLeader: () => false });
    const shown = async () => {
      const { body } = await metrics.text();
      const names = [
        ...body.matchAll(
          /^hasta_la_vista_(queue_(?:m\w+_in_flight|receiving|last\w+)|node_watch_up|nodes_watched|index_\w+|aws_call\w+(?:waiting|limit)|ledger_up|leader)\b/gm,
        ),
      ];
      return names.map(([, name]) => name).sort();
    };
    const all = [
      ...["aws_call_rate_limit", "aws_calls_waiting", "index_list_timestamp_seconds", "index_pools", "leader"],
      ...["ledger_up", "node_watch_up", "nodes_watched", "queue_last_read_timestamp_seconds"],
      ...["queue_messages_in_flight", "queue_receiving"],
    ];
    expect(await shown()).toEqual(all);
    expect(await value(metrics, "queue_last_read_timestamp_seconds")).toBe(5);
    gauges.endTerm();
    expect(await shown()).toEqual(["leader"]);
    ofTerm();
    expect(await shown()).toEqual(all);
  });
});
