import { describe, expect, test } from "vitest";
import { reportConnections } from "../../src/connections/reporting.ts";
import type { ConnectionReport, CountedPort, PortCount, Table } from "../../src/drain/early-release.ts";
import { EarlyRelease, portOf } from "../../src/drain/early-release.ts";
import { judge } from "../../src/drain/hold.ts";
import type { LoadBalancerKind } from "../../src/drain/load-balancer-kinds.ts";
import { DrainScene } from "../support/drain-scene.ts";

/** The node's traffic as its agent counts it, `at` so many seconds after the scene began. */
type Counts = (at: number, port: CountedPort) => Pick<PortCount, "open" | "seen"> | "unknown";

/** Some requests until the load balancer knows, and then no more. */
const ENDS: Counts = (at) => ({ open: at < 20 ? 3 : 0, seen: true });

interface AgentOptions {
  readonly counts: Counts;
  readonly tables?: (at: number) => readonly Table[];
  /** Whether the service is reached. */
  readonly reaches?: (at: number) => boolean;
  /** Milliseconds that a report is under way. */
  readonly lateMs?: (at: number) => number;
  readonly nodeId?: string;
}

/** A node behind one pool, whose agent reports until the drain ends. */
function scene(agent: AgentOptions, { kind = "alb" as LoadBalancerKind, settleMs = 10_000, drainMs = 300_000 } = {}) {
  const made = new DrainScene({}, undefined, {
    earlyRelease: (drains) => new EarlyRelease({ ...drains, settleMs }),
  });
  const node = made.cloud.addNode("i-1");
  const pool = made.cloud.addPool(kind, "web", [node], { drainMs });
  const asked: (readonly CountedPort[])[] = [];
  const run = async () => {
    const stop = new AbortController();
    const reporting = report(made, agent, asked, stop.signal);
    const outcome = await made.drain("i-1");
    stop.abort();
    await made.clock.run(reporting);
    return outcome;
  };
  return { made, pool, node, asked, run };
}

function report(made: DrainScene, agent: AgentOptions, asked: (readonly CountedPort[])[], stop: AbortSignal) {
  const { counts, tables = () => ["sockets", "conntrack"], reaches = () => true, lateMs = () => 0 } = agent;
  return reportConnections(
    {
      clock: made.clock,
      count: async (ports) => {
        asked.push(ports);
        const at = made.elapsedSeconds;
        const listed = ports.map((port) => {
          const count = counts(at, port);
          if (count === "unknown") throw new Error("the table can't be read");
          return { ...port, ...count };
        });
        return { tables: tables(at), ports: listed };
      },
      exchange: async (sent: ConnectionReport, signal: AbortSignal) => {
        await made.clock.sleep(lateMs(made.elapsedSeconds), signal);
        if (!reaches(made.elapsedSeconds)) throw new Error("the service is not reached");
        return earlyOf(made).report(agent.nodeId ?? "i-1", sent);
      },
      onCounting: () => {},
      onFailure: () => {},
    },
    stop,
  );
}

function earlyOf({ drainer }: DrainScene): EarlyRelease {
  if (drainer.earlyRelease === undefined) throw new Error("it has none");
  return drainer.earlyRelease;
}

describe("a hold behind an Application Load Balancer", () => {
  test("ends when no connection was left for the settle time after the load balancer's propagation", async () => {
    const { made, asked, run } = scene({ counts: ENDS });
    const outcome = await run();
    expect(outcome).toMatchObject({ status: "drained", registrations: [{ state: "released" }] });
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(40);
    expect(made.elapsedSeconds).toBeLessThanOrEqual(45);
    expect(asked[0]).toEqual([{ port: 80 }]);
    const [result] = "registrations" in outcome ? outcome.registrations : [];
    expect(result).toMatchObject({ holdMs: 300_000 });
    expect(result?.idleMs).toBeGreaterThanOrEqual(10_000);
    expect(made.events).toContainEqual(expect.objectContaining({ type: "released", idleMs: result?.idleMs }));
    // A read confirms it, as it does at the end of every hold.
    expect(made.secondsOf("observe").at(-1)).toBe(made.elapsedSeconds);
  });

  test("lasts for the whole delay where it is not configured", async () => {
    const made = new DrainScene();
    made.cloud.addPool("alb", "web", [made.cloud.addNode("i-1")]);
    expect(made.drainer.earlyRelease).toBeUndefined();
    await made.drain("i-1");
    expect(made.elapsedSeconds).toBe(300);
  });

  test("lasts as long as one connection, such as a WebSocket, and the settle time", async () => {
    const { made, run } = scene({ counts: (at) => ({ open: at < 120 ? 1 : 0, seen: true }) });
    await run();
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(130);
    expect(made.elapsedSeconds).toBeLessThanOrEqual(135);
  });

  test("settles anew after each connection", async () => {
    const { made, run } = scene({ counts: (at) => ({ open: at > 35 && at < 38 ? 1 : 0, seen: true }) });
    await run();
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(48);
    expect(made.elapsedSeconds).toBeLessThanOrEqual(52);
  });

  test("waits for the time that is configured", async () => {
    const { made, run } = scene({ counts: ENDS }, { settleMs: 60_000 });
    await run();
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(90);
    expect(made.elapsedSeconds).toBeLessThanOrEqual(95);
  });

  test("is longer by no more than the others' where two targets have different traffic", async () => {
    const { made, node, run } = scene({
      counts: (at, { port }) => ({ open: port === 81 && at < 100 ? 1 : 0, seen: true }),
    });
    made.cloud.addRegistration(made.cloud.addPool("alb", "api", [], { drainMs: 300_000 }), node, 81);
    const outcome = await run();
    const held = ("registrations" in outcome ? outcome.registrations : []).map(({ heldMs }) =>
      Math.round(heldMs / 1_000),
    );
    expect(held[0]).toBeLessThanOrEqual(45);
    expect(held[1]).toBeGreaterThanOrEqual(110);
    expect(held[1]).toBeLessThanOrEqual(115);
  });

  test("begins anew where another program registers the target again", async () => {
    const { made, pool, run } = scene({ counts: () => ({ open: 0, seen: true }) });
    let wasBack = false;
    made.cloud.before = ({ method }) => {
      const isBack = method === "observe" && made.elapsedSeconds >= 40 && !wasBack;
      wasBack ||= isBack;
      if (method !== "findTerminated") made.cloud.force(pool, isBack ? "live" : undefined);
    };
    await run();
    expect(made.cloud.callsOf("deregister")).toHaveLength(2);
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(82);
  });
});

describe("a hold lasts for the whole delay", () => {
  const full: readonly (readonly [string, AgentOptions])[] = [
    ["while a connection is open", { counts: () => ({ open: 1, seen: true }) }],
    ["where the tables have never shown a connection to the port", { counts: () => ({ open: 0, seen: false }) }],
    ["where the connections can't be counted", { counts: () => "unknown" }],
    ["where no agent reports", { counts: ENDS, reaches: () => false }],
    ["where the agent speaks for another node", { counts: ENDS, nodeId: "i-2" }],
    ["where the agent is gone before it has counted for long enough", { counts: ENDS, reaches: (at) => at < 38 }],
    ["where reports come with gaps", { counts: ENDS, lateMs: () => 15_000 }],
    ["where every other count fails", { counts: (at) => (at % 4 < 2 ? "unknown" : { open: 0, seen: true }) }],
    [
      "where the tables change all the time",
      { counts: ENDS, tables: (at) => (at % 8 < 4 ? ["sockets"] : ["sockets", "conntrack"]) },
    ],
    ["where nothing was counted in any table", { counts: ENDS, tables: () => [] }],
  ];
  test.each(full)("%s", async (_, agent) => {
    const { made, run } = scene(agent);
    const outcome = await run();
    expect(outcome).toMatchObject({ status: "drained", registrations: [{ state: "released", heldMs: 300_000 }] });
    expect(outcome).not.toHaveProperty("registrations.0.idleMs");
    expect(made.elapsedSeconds).toBe(300);
  });

  test.each(["nlb", "gwlb", "unknown"] as const)("behind a load balancer of the kind %s", async (kind) => {
    const { made, asked, run } = scene({ counts: ENDS }, { kind, drainMs: 400_000 });
    await run();
    expect(made.elapsedSeconds).toBe(400);
    expect(asked).toEqual([]);
  });

  test("where the last count is old when the load balancer can be read", async () => {
    const { made, run } = scene({ counts: ENDS, reaches: (at) => at < 45 });
    made.cloud.before = ({ method }) => {
      if (method === "observe" && made.elapsedSeconds > 35 && made.elapsedSeconds < 120) throw new Error("no answer");
    };
    await run();
    expect(made.elapsedSeconds).toBe(300);
  });
});

test("a report that was made before the order proves nothing, however often it comes", async () => {
  const { made } = scene({ counts: ENDS });
  const ended = made.ask("i-1");
  await made.clock.advance(31_000);
  const early = earlyOf(made);
  const ports = [{ port: 80, open: 0, seen: true }];
  const { turn } = early.report("i-1", { tables: [], ports: [] });
  for (let second = 0; second < 30; second++) {
    await made.clock.advance(1_000);
    early.report("i-1", { turn, tables: ["sockets"], ports });
  }
  await made.clock.run(ended);
  expect(made.elapsedSeconds).toBe(300);
});

test("an agent learns within its interval that its node is drained, and that it is not any more", async () => {
  const { made, run } = scene({ counts: ENDS });
  expect(earlyOf(made).report("i-1", { tables: [], ports: [] })).toMatchObject({
    isDraining: false,
    ports: [],
    afterMs: 15_000,
  });
  await run();
  expect(earlyOf(made).report("i-1", { tables: [], ports: [] })).toMatchObject({ isDraining: false, ports: [] });
});

test.each([
  ["i-0123456789abcdef0:30080", { port: 30080 }],
  ["10.0.1.5:8080", { port: 8080, address: "10.0.1.5" }],
  ["[2001:db8::7]:8080", { port: 8080, address: "2001:db8::7" }],
  ["i-0123456789abcdef0", undefined],
  ["10.0.1.5:8080 quic", undefined],
  ["i-0123456789abcdef0:0", undefined],
  ["i-0123456789abcdef0:70000", undefined],
])("the port of %s", (target, port) => {
  expect(portOf({ target })).toEqual(port);
});

test("a target that AWS still lists as registered is not released, however short the propagation is", () => {
  const terms = { holdMs: 300_000, holdAfterDelayMs: 0, newTrafficMs: 0, endsWhenIdle: true } as const;
  const trafficEnd = { idleFrom: 1_000, provenAt: 7_000, seenAt: 8_000 };
  const judged = (state: "live" | "draining" | "absent" | "unlisted", at = 9_000) =>
    judge(terms, { since: 0, seenLeaving: false, trafficEnd }, { state, at });
  expect(judged("live")).toBe("wait");
  expect([judged("draining"), judged("absent"), judged("unlisted")]).toEqual(["idle", "idle", "idle"]);
  expect(judged("draining", 6_000)).toBe("wait");
});
