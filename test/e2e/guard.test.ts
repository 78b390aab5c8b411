import { describe, expect, test } from "vitest";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";
import { warmEngine } from "../support/warm-engine.ts";

const GUARDED = { MIN_HEALTHY: "1", MAX_VOLUNTARY: "100%" };

interface Asked {
  readonly isVoluntary?: boolean;
  readonly force?: boolean;
  readonly deadlineSeconds?: number;
}

/** An engine under the printed policy, and how the drains of nodes end that are asked for at once. */
function guarded(region: SimulatedRegion, options: Readonly<Record<string, string>> = {}) {
  const events: DrainEvent[] = [];
  const engine = region.engine({ ...GUARDED, ...options }, events);
  const drain = (nodes: readonly Instance[], { deadlineSeconds, ...more }: Asked = { isVoluntary: true }) => {
    const deadline = deadlineSeconds === undefined ? {} : { deadline: region.clock.now() + deadlineSeconds * 1_000 };
    const request = { dryRun: false, ...more, ...deadline };
    const asked = nodes.map(({ id: value }) => engine.drain({ node: { by: "id", value }, ...request }, never));
    return region.clock.run(Promise.all(asked));
  };
  return { engine, events, drain };
}

function statuses(outcomes: readonly DrainOutcome[]): readonly string[] {
  return outcomes.map(({ status }) => status);
}

/** Its processes have stopped answering so long ago that every load balancer has noticed. */
async function sicken(region: SimulatedRegion, nodes: readonly Instance[]): Promise<void> {
  for (const node of nodes) region.world.setAnswering(node, false);
  await region.clock.advance(600_000);
}

describe("a guarded drain on AWS", () => {
  test("of the last healthy node is refused, and AWS was told nothing", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "web", nodes });
    region.group({ name: "api", nodes: [nodes[0]] });
    region.classic({ name: "old", nodes });
    const [outcome] = await guarded(region).drain([nodes[0]]);
    expect(outcome).toMatchObject({
      status: "refused",
      refusal: { reason: "too-few-healthy", pools: [{ pool: { name: "api" }, healthyNow: 1, wouldStay: 0 }] },
    });
    expect(region.calls.filter(({ action }) => action.startsWith("Deregister"))).toEqual([]);
  });

  test("counts by health, not by registrations: externalTrafficPolicy Local with one replica", async () => {
    const region = new SimulatedRegion();
    const [pod, ...others] = [region.node(), region.node(), region.node()] as const;
    region.group({ name: "web", nodes: [pod, ...others], delaySeconds: 30 });
    await sicken(region, others);
    const { drain } = guarded(region);
    expect(statuses(await drain([pod]))).toEqual(["refused"]);
    expect(statuses(await drain([others[0]]))).toEqual(["drained"]);
  });

  test("of any node is let go where a service is scaled to zero, so that its pool fails open", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()];
    region.group({ name: "web", nodes, delaySeconds: 30 });
    region.classic({ name: "old", nodes });
    await sicken(region, nodes);
    expect(statuses(await guarded(region).drain(nodes))).toEqual(["drained", "drained"]);
  });

  test.each<["instance" | "ip"]>([["instance"], ["ip"]])(
    "counts a zone for itself where an NLB does, targets by %s",
    async (targetType) => {
      const region = new SimulatedRegion();
      const nodes = ["eu-west-1a", "eu-west-1a", "eu-west-1b"].map((zone) => region.node({ zone }));
      const group = region.group({ name: "tcp", type: "network", nodes, targetType });
      const { drain, engine } = guarded(region);
      const alone = nodes.slice(2);
      expect(await drain(alone)).toMatchObject([
        { status: "refused", refusal: { pools: [{ zone: "eu-west-1b", healthyNow: 1, wouldStay: 0 }] } },
      ]);
      expect(statuses(await drain(nodes.slice(0, 1)))).toEqual(["drained"]);
      group.attributes.set("load_balancing.cross_zone.enabled", "true");
      await region.clock.advance(3_600_000);
      expect(engine).toBeDefined();
      expect(statuses(await drain(alone))).toEqual(["drained"]);
    },
  );

  test("sees the other one: of two that each alone may go, in classic load balancers too, one is refused", async () => {
    for (const kind of ["group", "classic"] as const) {
      const region = new SimulatedRegion();
      const nodes = [region.node(), region.node()];
      if (kind === "group") region.group({ name: "web", nodes, delaySeconds: 30 });
      else region.classic({ name: "old", nodes });
      const outcomes = await guarded(region).drain(nodes);
      expect(statuses(outcomes)).toEqual(["drained", "refused"]);
    }
  });

  test("keeps a part of each pool, and of a whole cluster at once lets half of the nodes go", async () => {
    const region = new SimulatedRegion();
    const nodes = Array.from({ length: 8 }, () => region.node());
    region.group({ name: "web", nodes, delaySeconds: 30 });
    const wave = guarded(region, { MIN_HEALTHY: "75%" }).drain(nodes);
    expect(statuses(await wave).filter((status) => status === "drained")).toHaveLength(2);

    const other = new SimulatedRegion();
    const many = Array.from({ length: 8 }, () => other.node());
    other.group({ name: "web", nodes: many, delaySeconds: 30 });
    const outcomes = await guarded(other, { MAX_VOLUNTARY: "50%" }).drain(many);
    expect(statuses(outcomes).filter((status) => status === "drained")).toHaveLength(4);
    expect(outcomes.at(-1)).toMatchObject({ refusal: { reason: "too-many-drains" } });
  });

  test("goes by force all the same", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    const outcomes = await guarded(region).drain([node], { isVoluntary: true, force: true });
    expect(outcomes).toMatchObject([{ status: "drained", registrations: [{ guard: "forced" }] }]);
  });

  test("of a wave reads a pool no more often than an unguarded one, but for each classic load balancer once", async () => {
    const callsWith = async (MIN_HEALTHY: string) => {
      const region = new SimulatedRegion();
      const nodes = Array.from({ length: 10 }, () => region.node());
      for (const name of ["a", "b", "c"]) region.group({ name, nodes });
      region.classic({ name: "old", nodes });
      expect(statuses(await guarded(region, { MIN_HEALTHY }).drain(nodes.slice(0, 5)))).not.toContain("refused");
      const counts: Record<string, number> = {};
      for (const { action } of region.calls) counts[action] = (counts[action] ?? 0) + 1;
      return counts;
    };
    const unguarded = await callsWith("0");
    const { DescribeInstanceHealth: health = 0 } = unguarded;
    expect(await callsWith("1")).toEqual({ ...unguarded, DescribeInstanceHealth: health + 1 });
  });
});

describe("a guarded drain of a machine that goes anyway", () => {
  test("waits until a replacement is healthy, and deregisters then", async () => {
    const region = new SimulatedRegion();
    const [node, replacement] = [region.node(), region.node()];
    const group = region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    const { events, engine } = guarded(region);
    const drain = engine.drain({ node: { by: "id", value: node.id }, dryRun: false }, never);
    await region.clock.advance(20_000);
    region.world.registerTarget(group, { id: replacement.id });
    expect(await region.clock.run(drain)).toMatchObject({ status: "drained", registrations: [{ guard: "waited" }] });
    const verdicts = events.flatMap((event) => (event.type === "guarded" ? [event.verdict] : []));
    expect(verdicts).toEqual(["waiting", "waited"]);
    const healthyAgain = group.listed(region.clock.now()).filter(({ id }) => id === replacement.id);
    expect(healthyAgain.map((target) => group.apiHealth(target, region.clock.now()).state)).toEqual(["healthy"]);
  });

  test("keeps the last healthy target where a spot machine dies, and leaves the other pools", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "web", nodes, delaySeconds: 30 });
    const own = region.group({ name: "own", nodes: [nodes[0]], delaySeconds: 30 });
    expect(await guarded(region).drain([nodes[0]], { deadlineSeconds: 120 })).toMatchObject([
      { status: "drained", registrations: [{ state: "released" }, { state: "kept" }] },
    ]);
    const [target] = own.listed(region.clock.now());
    expect(target && own.apiHealth(target, region.clock.now()).state).toBe("healthy");
  });

  test("is deregistered though AWS answers no read, where the index says that enough stay", async () => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    region.group({ name: "web", nodes });
    region.group({ name: "tcp", type: "network", nodes });
    const engine = await warmEngine(region, GUARDED);
    await region.clock.advance(60_000);
    region.intercept = ({ action }) =>
      action.startsWith("Describe") ? elbError("InternalFailure", "no", 500) : undefined;
    const drain = engine.ask(nodes[0]);
    await region.clock.advance(0);
    expect(region.callsOf("DeregisterTargets")).toHaveLength(2);
    await engine.stop();
    region.intercept = () => undefined;
    expect(await region.clock.run(drain)).toMatchObject({ status: "drained" });
  });

  test.each(["DescribeTargetGroupAttributes", "DescribeInstanceHealth", "DescribeInstances"])(
    "is drained though what the guard reads by %s fails at first",
    async (action) => {
      const region = new SimulatedRegion();
      const nodes = [region.node(), region.node()] as const;
      region.group({ name: "tcp", type: "network", nodes, delaySeconds: 30 });
      region.classic({ name: "old", nodes });
      region.intercept = (call) => {
        const isGuards = action !== "DescribeInstances" || call.before > 0;
        const isEarly = region.clock.elapsedMs < 30_000;
        return call.action === action && isGuards && isEarly ? elbError("InternalFailure", "no", 500) : undefined;
      };
      expect(await guarded(region).drain([nodes[0]], { deadlineSeconds: 900 })).toMatchObject([{ status: "drained" }]);
    },
  );
});

describe("a guarded drain that can't learn how its pools stand", () => {
  test.each(["DescribeInstanceHealth", "DescribeTargetGroupAttributes"])(
    "takes nothing out, and says when its time is up that it waited for %s",
    async (action) => {
      const region = new SimulatedRegion();
      const nodes = [region.node(), region.node()] as const;
      region.group({ name: "tcp", type: "network", nodes, delaySeconds: 30 });
      region.classic({ name: "old", nodes });
      region.intercept = (call) => (call.action === action ? elbError("InternalFailure", "no", 500) : undefined);
      const { engine } = guarded(region);
      const request = { dryRun: false, isVoluntary: true, timeoutMs: 5_000 };
      const drain = engine.drain({ node: { by: "id", value: nodes[0].id }, ...request }, never);
      expect(await region.clock.run(drain)).toMatchObject({
        status: "deadline-passed",
        searched: true,
        error: { code: "unavailable", message: expect.stringContaining(`elasticloadbalancing:${action}`) },
      });
      expect(region.calls.filter((call) => call.action.startsWith("Deregister"))).toEqual([]);
    },
  );
});
