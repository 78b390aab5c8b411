import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import { Overview } from "../../src/web/overview.ts";
import { OVERVIEW } from "../../src/web/overview-schemas.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** An engine in a region tells its events by pushing them. */
function toldTo(observe: (event: DrainEvent) => void): DrainEvent[] {
  const push = (...told: readonly DrainEvent[]) => {
    told.forEach(observe);
    return told.length;
  };
  return Object.assign([], { push });
}

/** The overview of an engine in a region with nodes in an ALB's group and a classic load balancer. */
function scene({ nodes: count, options = {} }: { readonly nodes: number; readonly options?: Record<string, string> }) {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: count }, () => region.node());
  region.group({ name: "web", nodes, delaySeconds: 300 });
  region.classic({ name: "legacy", nodes, drainingSeconds: 60 });
  const errors: unknown[] = [];
  let looked = 0;
  const engine = region.wholeEngine(
    options,
    toldTo((event) => overview.observe(event)),
  );
  const overview = new Overview({
    clock: region.clock,
    version: "1.2.3",
    settings: { region: "eu-west-1", dryRun: false, undo: true, minHealthy: "1", maxVoluntary: "50%" },
    ready: () => ({ status: "ready", checkedAt: region.clock.now() }),
    clouds: () => engine.cloudStates(),
    runningOf: (nodeId) => {
      looked += 1;
      return engine.drainer.runningOf(nodeId);
    },
    onError: (error) => errors.push(error),
  });
  const drain = (node: { readonly id: string }, more: object = {}) =>
    engine.drainer.drain({ node: { by: "id", value: node.id }, dryRun: false, ...more }, never);
  const seen = () => OVERVIEW.parse(JSON.parse(overview.text()));
  return { region, nodes, overview, drain, seen, errors, looks: () => looked };
}

describe("the overview", () => {
  test("has each running drain with its pools, and none once it has ended", async () => {
    const { region, nodes, drain, seen, errors } = scene({ nodes: 2 });
    const [node] = nodes;
    if (node === undefined) throw new Error("no node");
    expect(seen()).toMatchObject({ running: [], history: 0 });
    const ended = drain(node, { reason: "upgrade" });
    await region.clock.advance(60_000);
    const { running, clouds, history } = seen();
    expect(running).toMatchObject([
      {
        node: { id: node.id },
        reasons: ["upgrade"],
        searched: true,
        counts: { holding: 1, released: 1 },
        limit: { reason: "timeout" },
        notes: [
          "web: requests that take longer than 300 s are cut",
          "legacy: requests that take longer than 60 s are cut",
        ],
      },
    ]);
    const [web] = running[0]?.registrations.filter(({ pool }) => pool === "web") ?? [];
    expect(web).toMatchObject({ kind: "alb", state: "holding", holdSeconds: 300 });
    expect(Date.parse(web?.heldSince ?? "") - region.clock.now()).toBeGreaterThan(-61_000);
    expect(clouds[0]?.quotas.find(({ name }) => name === "v2-register")).toMatchObject({ granted: 1, waiting: 0 });
    expect(history).toBe(1);
    await region.clock.run(ended);
    expect(seen()).toMatchObject({ running: [], history: 2 });
    expect(errors).toEqual([]);
  });

  test("says which registration waits for the guard, and lists what the guard has decided", async () => {
    const { region, nodes, drain, seen } = scene({ nodes: 1, options: { MIN_HEALTHY: "1", MAX_VOLUNTARY: "100%" } });
    const [node] = nodes;
    if (node === undefined) throw new Error("no node");
    const refused = await region.clock.run(drain(node, { isVoluntary: true }));
    expect(refused.status).toBe("refused");
    expect(seen().decisions).toMatchObject([
      { n: 1, verdict: "refused", message: expect.stringContaining("too few healthy targets") },
    ]);
    const ended = drain(node, { deadline: region.clock.now() + 600_000 });
    await region.clock.advance(20_000);
    const standing = { healthyNow: 1, wouldStay: 0, needed: 1 };
    expect(seen().running[0]?.registrations).toMatchObject([
      { state: "registered", waitsForGuard: standing },
      { state: "registered", waitsForGuard: standing },
    ]);
    expect(seen().decisions[0]).toMatchObject({ verdict: "waiting", standing });
    await region.clock.run(ended);
  });

  test("says what cannot be read, and whose node cannot be found", async () => {
    const { region, nodes, drain, overview, seen } = scene({ nodes: 1 });
    const [node] = nodes;
    if (node === undefined) throw new Error("no node");
    region.intercept = ({ action }) => (action === "DescribeTargetHealth" ? { status: 500, body: "" } : undefined);
    const ended = drain(node, { deadline: region.clock.now() + 120_000 });
    await region.clock.advance(60_000);
    expect(seen().running).toMatchObject([
      { searched: false, trouble: { what: "registrations", code: "unavailable" } },
    ]);
    overview.lookupFailed({ by: "ip", value: "10.0.0.1\u001b" }, new DrainError("throttled", "AWS throttles"));
    expect(seen().lookups).toMatchObject([{ asked: "ip 10.0.0.1?", error: { code: "throttled" } }]);
    await region.clock.advance(31_000);
    expect(seen().lookups).toEqual([]);
    await region.clock.run(ended);
  });

  test("bounds what it shows of one drain, those that need attention first, and of a thousand", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    for (let number = 0; number < 100; number++)
      region.group({ name: `g${number}`, nodes: [node], delaySeconds: number === 99 ? 300 : 40 });
    const engine = region.wholeEngine(
      {},
      toldTo((event) => overview.observe(event)),
    );
    const options = {
      ...{ clock: region.clock, version: "1", onError: () => {}, ready: () => ({ status: "checking" }) as const },
      settings: { dryRun: false, undo: false, minHealthy: "0", maxVoluntary: "100%" },
      ...{ clouds: () => [], runningOf: (nodeId: string) => engine.drainer.runningOf(nodeId) },
    };
    const overview = new Overview(options);
    const ended = engine.drainer.drain({ node: { by: "id", value: node.id }, dryRun: false }, never);
    await region.clock.advance(120_000);
    const shown = () => OVERVIEW.parse(JSON.parse(overview.text())).running[0];
    expect(shown()?.counts).toEqual({ holding: 1, released: 99 });
    expect(shown()?.registrations).toHaveLength(64);
    expect(shown()?.registrations[0]).toMatchObject({ pool: "g99", state: "holding" });
    expect(shown()?.notes).toHaveLength(20);
    for (let number = 0; number < 1_000; number++)
      overview.observe({ type: "resumed", drainId: `d-${number}`, node: { id: node.id, name: "n", network: "v" } });
    expect(shown()?.registrations).toHaveLength(4);
    await region.clock.run(ended);
  });
});

describe("who follows the overview", () => {
  test("hears of changes once a second at most, each drain only when it has changed, and every five seconds in any case", async () => {
    const { region, nodes, drain, overview, looks } = scene({ nodes: 3 });
    const told: { readonly at: number; readonly running: number; readonly over: readonly string[] }[] = [];
    const unfollow = overview.follow((text) => {
      const { running, over } = JSON.parse(text);
      told.push({ at: region.clock.elapsedMs, running: running.length, over });
    });
    const ended = nodes.map((node) => drain(node));
    await region.clock.advance(60_000);
    expect(told.length).toBeGreaterThanOrEqual(12);
    expect(told.length).toBeLessThanOrEqual(30);
    const gaps = told.slice(1).map(({ at }, index) => at - (told[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
    expect(told[0]?.running).toBe(3);
    // An ALB's new requests have stopped after 30 s, and each drain is looked at again within 15 s.
    const quiet = told.filter(({ at }) => at > 46_000 && at < 58_000);
    expect(quiet.length).toBeGreaterThan(1);
    expect(quiet.map(({ running }) => running)).toEqual(quiet.map(() => 0));
    const outcomes = await region.clock.run(Promise.all(ended));
    await region.clock.advance(2_000);
    const ids = outcomes.map((outcome) => ("drainId" in outcome ? outcome.drainId : ""));
    expect(told.flatMap(({ over }) => over).sort()).toEqual(ids.sort());
    unfollow();
    const [looked, heard] = [looks(), told.length];
    await region.clock.advance(60_000);
    expect([looks(), told.length]).toEqual([looked, heard]);
    expect(region.clock.sleeping).toBe(0);
  });

  test("that nobody follows costs nothing", async () => {
    const { region, nodes, drain, looks } = scene({ nodes: 2 });
    await region.clock.run(Promise.all(nodes.map((node) => drain(node))));
    expect(looks()).toBe(0);
  });

  test("hears of the next change where one could not be told", async () => {
    const { region, overview, errors } = scene({ nodes: 1 });
    const told: string[] = [];
    overview.follow(() => {
      throw new Error("a reader that breaks");
    });
    const unfollow = overview.follow((text) => told.push(text));
    await region.clock.advance(11_000);
    expect(told.length).toBe(2);
    expect(errors).toEqual([]);
    unfollow();
  });
});
