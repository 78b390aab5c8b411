import { describe, expect, test } from "vitest";
import { drainRecord } from "../../src/drain/drain-record.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { turnOf } from "../support/cases.ts";
import { type Life, type LifeOptions, live } from "../support/lives.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** How long each pool is held, in seconds. The NLB's list is empty long before that. */
const HOLDS = { web: 60, tcp: 210, legacy: 10 };
const DELAYS = { web: 60, tcp: 30 };

/** A node behind an ALB, an NLB and a classic load balancer, and a ledger that outlives processes. */
function scene() {
  const region = new SimulatedRegion();
  const node = region.node();
  const web = region.group({ name: "web", nodes: [node], delaySeconds: DELAYS.web });
  const tcp = region.group({ name: "tcp", type: "network", nodes: [node], delaySeconds: DELAYS.tcp });
  region.classic({ name: "legacy", nodes: [node], drainingSeconds: 5 });
  const ledger = new MemoryLedger();
  /** When each pool was last told, in seconds since the start. */
  const told = () => {
    const nameOf = (params: URLSearchParams) =>
      params.get("LoadBalancerName") ?? (params.get("TargetGroupArn") === web.arn ? "web" : "tcp");
    const calls = region.calls.filter(({ action }) => action.startsWith("Deregister"));
    return Object.fromEntries(calls.map(({ params, at }) => [nameOf(params), at / 1_000]));
  };
  const record = async () => {
    const id = ledger.list(1)[0]?.drain ?? "";
    return drainRecord((await ledger.read(id)) ?? []);
  };
  return { region, node, web, tcp, ledger, told, record };
}

type Scene = ReturnType<typeof scene>;

/** Runs a drain in a process that ends by `options`, and after `gapSeconds` the next process, to the end. */
async function restarted(
  { region, node, ledger }: Scene,
  gapSeconds: number,
  options: (die: () => void) => LifeOptions,
) {
  let first: Life | undefined;
  first = live(
    region,
    ledger,
    options(() => first?.die()),
  );
  void first.ask(node.id);
  for (let second = 0; second < 400 && !first.isDead; second++) await region.clock.advance(1_000);
  const diedAt = region.clock.elapsedMs / 1_000;
  await region.clock.advance(gapSeconds * 1_000);
  const second = live(region, ledger);
  const startedAt = region.clock.elapsedMs / 1_000;
  await region.clock.run(second.takeUp());
  return { diedAt, startedAt, endedAt: region.clock.elapsedMs / 1_000, second };
}

/** No pool has the node any more, and none was let go before its hold had ended. */
async function expectHeld(drains: Scene, endedAt: number, startedAt: number): Promise<void> {
  const { told, record, region, node } = drains;
  const at = told();
  expect(Object.keys(at).sort()).toEqual(["legacy", "tcp", "web"]);
  for (const [pool, seconds] of Object.entries(at)) {
    expect(endedAt, pool).toBeGreaterThanOrEqual(seconds + HOLDS[pool as keyof typeof HOLDS]);
  }
  // And no longer than a restart must make of it.
  const longest = Math.max(
    ...Object.entries(at).map(([pool, when]) => Math.max(when, startedAt) + HOLDS[pool as keyof typeof HOLDS]),
  );
  expect(endedAt).toBeLessThanOrEqual(longest + 10);
  const last = await record();
  expect(last).toMatchObject({ missing: 0, end: { outcome: { status: "drained" } } });
  expect(last?.end?.outcome).toMatchObject({
    registrations: Array(3).fill(expect.objectContaining({ state: "released", newTrafficStopped: true })),
  });
  const status = await region.clock.run(region.engine().status({ by: "id", value: node.id }, never));
  expect(status.registrations.filter(({ state }) => state === "live")).toEqual([]);
}

/** What an undisturbed drain writes and calls. */
async function undisturbed() {
  const drains = scene();
  const entries: string[] = [];
  const calls: string[] = [];
  const life = live(drains.region, drains.ledger, {
    onEntry: ({ type }) => entries.push(type),
    // The machine is asked about every 15 s, which changes nothing.
    onCall: (action, when) => when === "before" && action !== "DescribeInstances" && calls.push(action),
  });
  await drains.region.clock.run(life.ask(drains.node.id));
  return { entries, calls };
}

const { entries, calls } = await undisturbed();

test("a drain writes down what it has found before it does anything about it, and each step after it", () => {
  expect(entries[0]).toBe("accepted");
  expect(entries.at(-1)).toBe("ended");
  expect(entries.indexOf("found")).toBeLessThan(entries.indexOf("deregistered"));
  // One for each pool's answer at most.
  expect(entries.filter((type) => type === "deregistered").length).toBeLessThanOrEqual(3);
});

/** How long no process runs, in seconds. Each moment is played with each where all cases are, otherwise with one. */
const GAPS = [0, 100, 1_000];
const playedWith = <Moment>(gapSeconds: number, moments: readonly Moment[]) =>
  turnOf(moments, GAPS.indexOf(gapSeconds), GAPS.length);

describe.each(GAPS)(
  "when the process dies and the next one comes %i s later, the drain goes on and no hold is cut:",
  (gapSeconds) => {
    test.each(
      playedWith(
        gapSeconds,
        entries.slice(0, -1).map((type, index) => [index + 1, type] as const),
      ),
    )("after entry %i (%s)", async (number) => {
      const drains = scene();
      let count = 0;
      const { endedAt, startedAt } = await restarted(drains, gapSeconds, (die) => ({
        onEntry: () => ++count === number && die(),
      }));
      await expectHeld(drains, endedAt, startedAt);
    });

    test.each(
      playedWith(
        gapSeconds,
        calls.flatMap((action, index) =>
          (["before", "after"] as const).map((when) => [when, index + 1, action] as const),
        ),
      ),
    )("%s call %i (%s)", async (when, number) => {
      const drains = scene();
      let count = 0;
      const { endedAt, startedAt } = await restarted(drains, gapSeconds, (die) => ({
        onCall: (action, moment) => moment === when && action !== "DescribeInstances" && ++count === number && die(),
      }));
      // Before the node was known nothing was promised, and nothing is taken up.
      if (drains.ledger.list(1).length === 0) return;
      await expectHeld(drains, endedAt, startedAt);
    });
  },
);

/** A drain whose process dies `afterSeconds`, with the next one `gapSeconds` later. */
async function diesAfter(afterSeconds: number, gapSeconds: number, meanwhile: (drains: Scene) => unknown = () => {}) {
  const drains = scene();
  const { region, node, ledger } = drains;
  const first = live(region, ledger);
  void first.ask(node.id);
  await region.clock.advance(afterSeconds * 1_000);
  first.die();
  await meanwhile(drains);
  await region.clock.advance(gapSeconds * 1_000);
  const second = live(region, ledger);
  return { ...drains, first, second };
}

describe("a drain that is taken up", () => {
  test("keeps its name and its beginning, and holds since the deregistration, not since the restart", async () => {
    const { region, ledger, told, second, record } = await diesAfter(30, 100);
    await region.clock.run(second.takeUp());
    expect(region.clock.elapsedMs / 1_000).toBeLessThan((told()["tcp"] ?? 0) + HOLDS.tcp + 3);
    expect(ledger.list(10)).toHaveLength(1);
    expect(await record()).toMatchObject({ startedAt: region.clock.now() - region.clock.elapsedMs, missing: 0 });
    expect(second.events.filter(({ type }) => type === "resumed" || type === "accepted")).toHaveLength(1);
    // Nothing had to be told again.
    expect(region.callsOf("DeregisterTargets")).toHaveLength(2);
  });

  test("deregisters again what somebody has registered again meanwhile, also where it was released already", async () => {
    const { region, web, node, second, record } = await diesAfter(150, 20, ({ region, web, node }) =>
      region.world.registerTarget(web, { id: node.id }, { settled: true }),
    );
    const before = region.clock.elapsedMs;
    await region.clock.run(second.takeUp());
    expect(
      region.callsOf("DeregisterTargets").filter((params) => params.get("TargetGroupArn") === web.arn),
    ).toHaveLength(2);
    expect((region.clock.elapsedMs - before) / 1_000).toBeGreaterThanOrEqual(HOLDS.web);
    expect((await record())?.end?.outcome.status).toBe("drained");
    const status = await region.clock.run(second.drainer.status({ by: "id", value: node.id }, never));
    expect(status.registrations).toEqual([]);
  });

  test("ends at once when its machine is terminated, and when the cloud has forgotten it", async () => {
    for (const forget of [false, true]) {
      const { region, second, record } = await diesAfter(30, 60, ({ region, node }) => {
        region.world.terminateInstance(node);
        if (forget) region.world.instances.delete(node.id);
      });
      const before = region.clock.elapsedMs;
      await region.clock.run(second.takeUp());
      expect(region.clock.elapsedMs - before).toBeLessThan(20_000);
      expect((await record())?.end?.outcome).toMatchObject({
        status: "drained",
        registrations: Array(3).fill(expect.objectContaining({ state: "released" })),
      });
    }
  });

  test("is joined by whoever asks for its node, also while it is still being looked for", async () => {
    const { region, node, ledger, second } = await diesAfter(30, 10);
    const takenUp = second.takeUp();
    const joined = second.ask(node.id);
    const outcome = await region.clock.run(joined);
    await region.clock.run(takenUp);
    expect(outcome).toMatchObject({ status: "drained", drainId: ledger.list(1)[0]?.drain });
    expect(ledger.list(10)).toHaveLength(1);
  });

  test.each([
    ["timeout", { timeoutMs: 100_000 }, 100],
    ["deadline", { deadlineSeconds: 110 }, 100],
  ] as const)("keeps to its %s, counted from the request", async (reason, more, endSeconds) => {
    const { region, node, ledger, record } = scene();
    const first = live(region, ledger);
    const { deadlineSeconds, ...asked } = { deadlineSeconds: undefined, ...more };
    const deadline = deadlineSeconds === undefined ? {} : { deadline: region.clock.now() + deadlineSeconds * 1_000 };
    void first.ask(node.id, { ...asked, ...deadline });
    await region.clock.advance(30_000);
    first.die();
    await region.clock.run(live(region, ledger).takeUp());
    expect(region.clock.elapsedMs / 1_000).toBe(endSeconds);
    expect((await record())?.end?.outcome).toMatchObject({ status: "deadline-passed", limit: { reason } });
  });

  test("whose time was up before the restart ends without a call that changes anything", async () => {
    const { region, node, ledger, record } = scene();
    const first = live(region, ledger, { onEntry: ({ type }) => type === "accepted" && first.die() });
    void first.ask(node.id, { timeoutMs: 60_000 });
    await region.clock.advance(100_000);
    await region.clock.run(live(region, ledger).takeUp());
    expect((await record())?.end?.outcome.status).toBe("deadline-passed");
    expect(region.calls.filter(({ action }) => action.startsWith("Deregister"))).toEqual([]);
  });

  test("waits as long as the most patient of its callers, though another's time was up long ago", async () => {
    const { region, node, ledger, told, record } = scene();
    const first = live(region, ledger);
    void first.ask(node.id, { timeoutMs: 20_000 });
    void first.ask(node.id, { timeoutMs: 600_000 });
    await region.clock.advance(40_000);
    first.die();
    await region.clock.run(live(region, ledger).takeUp());
    expect((await record())?.end?.outcome.status).toBe("drained");
    expect(region.clock.elapsedMs / 1_000).toBeGreaterThanOrEqual((told()["tcp"] ?? 0) + HOLDS.tcp);
  });

  test("goes on through any number of restarts", async () => {
    const drains = scene();
    const { region, node, ledger, record, told } = drains;
    let life = live(region, ledger);
    void life.ask(node.id);
    for (let restart = 0; restart < 15; restart++) {
      await region.clock.advance(10_000);
      life.die();
      life = live(region, ledger);
      void life.takeUp();
    }
    await region.clock.advance(200_000);
    const last = await record();
    expect(last).toMatchObject({ missing: 0, end: { outcome: { status: "drained" } } });
    expect(last?.entries.filter(({ type }) => type === "resumed")).toHaveLength(15);
    expect(((last?.end?.at ?? 0) - (last?.startedAt ?? 0)) / 1_000).toBeLessThan((told()["tcp"] ?? 0) + HOLDS.tcp + 3);
  });

  test("of which nobody has heard for a day is ended without touching its node, which may be in use again", async () => {
    const { region, second, record } = await diesAfter(5, 86_500);
    const calls = region.calls.length;
    await second.takeUp();
    expect(region.calls).toHaveLength(calls);
    expect((await record())?.end?.outcome.status).toBe("abandoned");
  });

  test("is one for each node: where the ledger has two without an end, one holds what either held, and both end with it", async () => {
    const { region, node, ledger, told, second } = await diesAfter(100, 0);
    const [first = []] = await ledger.unfinished();
    // The older one knows of less, and of deregistrations that were an hour earlier.
    const older = first.slice(0, 3).map((entry) => ({ ...entry, drain: "d-older", at: entry.at - 3_600_000 }));
    const both = new MemoryLedger();
    for (const entry of [...older, ...first]) both.note(entry as LedgerEntry);
    second.die();
    const third = live(region, both);
    const takenUp = third.takeUp();
    const asked = third.ask(node.id);
    expect(await region.clock.run(asked)).toMatchObject({ status: "drained", drainId: "d-older" });
    await takenUp;
    expect(region.clock.elapsedMs / 1_000).toBeGreaterThanOrEqual((told()["tcp"] ?? 0) + HOLDS.tcp);
    expect(both.list(10).map(({ end }) => end?.status)).toEqual(["drained", "drained"]);
  });

  test("is taken up after a stop, too, which ends no drain but for those who wait", async () => {
    const { region, node, ledger, record } = scene();
    const stop = new AbortController();
    const first = live(region, ledger);
    const asked = first.drainer.drain({ node: { by: "id", value: node.id }, dryRun: false }, stop.signal);
    await region.clock.advance(30_000);
    stop.abort();
    expect(await asked).toMatchObject({ status: "abandoned" });
    first.die();
    expect(ledger.list(1)).toMatchObject([{ reasons: [] }]);
    expect(ledger.list(1)[0]?.end).toBeUndefined();
    await region.clock.run(live(region, ledger).takeUp());
    expect((await record())?.end?.outcome.status).toBe("drained");
    expect((await record())?.entries.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["interrupted", "resumed"]),
    );
  });
});
