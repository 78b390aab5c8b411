import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import fc from "fast-check";
import { newAbort } from "../../src/drain/abort.ts";
import type { CloudCall } from "../../src/drain/events.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import type { FaultEffect } from "../../src/simulator/faults/fault.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import type { ClassicLoadBalancer } from "../../src/simulator/world/classic-load-balancer.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const SECOND = 1_000;
const small = fc.nat({ max: 5 });
const seconds = (max: number) => fc.integer({ min: 1, max });
/** Older answers than that the region does not give. */
const STALE_MS = 12 * SECOND;
/** The machines of each load balancer, which learn of a deregistration one after the other. */
const MACHINES = [0, 1];

const regionSpec = fc.record({
  nodes: fc.integer({ min: 1, max: 4 }),
  groups: fc.array(
    fc.record({
      type: fc.constantFrom("application", "network"),
      delaySeconds: fc.constantFrom(0, 15, 60, 300),
      targetType: fc.constantFrom("instance", "ip"),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  classics: fc.nat({ max: 2 }),
  share: fc.constantFrom("0.2", "0.8", "1"),
  hasIndex: fc.nat({ max: 9 }).map((one) => one === 9),
});
type RegionSpec = typeof regionSpec extends fc.Arbitrary<infer T> ? T : never;

const effect: fc.Arbitrary<FaultEffect> = fc.constantFrom<FaultEffect>(
  { type: "error", code: "InternalFailure", status: 500 },
  { type: "error", code: "AccessDenied", status: 403 },
  { type: "empty" },
  { type: "malformed" },
  { type: "reset" },
  { type: "refused" },
  { type: "latency", ms: 4 * SECOND },
  { type: "stale", ms: STALE_MS },
);

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("ask" as const),
      node: small,
      deadlineSeconds: fc.option(seconds(400), { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("wait" as const), seconds: seconds(120) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("register" as const), pool: small, node: small }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("fault" as const),
      effect,
      rhythm: fc.constantFrom({ first: 1 }, { first: 5 }, { every: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("terminate" as const), node: small }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

export const regionCase = fc.tuple(regionSpec, fc.array(step, { minLength: 1, maxLength: 10 }));

type RegionPool =
  | { readonly group: TargetGroup; readonly type: "instance" | "ip" }
  | { readonly classic: ClassicLoadBalancer };

/** Plays a script against the whole engine, with AWS's quotas in force, and holds it to the simulator's own books. */
export async function playRegion(spec: RegionSpec, steps: readonly Step[]): Promise<readonly DrainOutcome[]> {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: spec.nodes }, () => region.node());
  const pools: RegionPool[] = [
    ...spec.groups.map((group, number) => ({
      group: region.group({ ...group, name: `group${number}`, nodes }),
      type: group.targetType,
    })),
    ...Array.from({ length: spec.classics }, (_, number) => ({
      classic: region.classic({ name: `classic${number}`, nodes, drainingSeconds: 30 }),
    })),
  ];
  region.simulator.limit(AWS_QUOTAS);
  const options = { QUOTA_SHARE: spec.share, ...(spec.hasIndex ? {} : { INDEX_RATE: "0" }) };
  let throttled = 0;
  const onCall = (call: CloudCall) => {
    if (call.throttled) throttled += 1;
  };
  const engine = region.wholeEngine(options, [], onCall, new MemoryLedger());
  const stop = newAbort();
  const indexed = engine.maintainIndex(stop.signal);
  const shared = newAbort();
  const outcomes: DrainOutcome[] = [];
  const wrong: unknown[] = [];
  const gone = new Set<Instance>();
  const registeredAt = new Map<string, number>();
  const asked: Promise<void>[] = [];
  const ask = async (node: Instance, deadline: number | undefined) => {
    const request = { node: { by: "id", value: node.id }, dryRun: false, ...(deadline && { deadline }) } as const;
    const outcome = await engine.drainer.drain(request, shared.signal);
    outcomes.push(outcome);
    if (!gone.has(node)) for (const pool of pools) againstTheBooks(region, { pool, node, outcome, registeredAt });
    if (deadline !== undefined) assert(region.clock.now() <= deadline, "the answer comes after the deadline");
  };
  const removes: (() => void)[] = [];
  for (const one of steps) {
    await region.clock.advance(1);
    const node = nodes["node" in one ? one.node % nodes.length : 0] as Instance;
    if (one.type === "wait") await region.clock.advance(one.seconds * SECOND);
    if (one.type === "fault") removes.push(region.simulator.faults.add({ effect: one.effect, when: one.rhythm }));
    if (one.type === "terminate") gone.add(node);
    if (one.type === "terminate") region.world.terminateInstance(node);
    if (one.type === "register") {
      const pool = pools[one.pool % pools.length] as RegionPool;
      if (!gone.has(node)) {
        registeredAt.set(keyOf(pool, node), region.clock.now());
        registerIn(region, pool, node);
      }
    }
    if (one.type === "ask") {
      const deadline = one.deadlineSeconds && region.clock.now() + one.deadlineSeconds * SECOND;
      asked.push(ask(node, deadline).catch((error: unknown) => void wrong.push(error)));
    }
    if (wrong.length > 0) throw wrong[0];
  }
  for (const remove of removes) remove();
  await region.clock.run(Promise.all(asked));
  if (wrong.length > 0) throw wrong[0];
  assert.equal(throttled, 0, `AWS has throttled ${throttled} calls, though nobody else makes any`);
  assert.deepEqual(getEventListeners(shared.signal, "abort"), []);
  stop.abort();
  await region.clock.run(indexed);
  await region.clock.advance(0);
  assert.equal(region.clock.sleeping, 0, "somebody waits for time");
  return outcomes;
}

function keyOf(pool: RegionPool, node: Instance): string {
  return `${nameOf(pool)} ${node.id}`;
}

function nameOf(pool: RegionPool): string {
  return "group" in pool ? pool.group.name : pool.classic.name;
}

function registerIn(region: SimulatedRegion, pool: RegionPool, node: Instance): void {
  if ("classic" in pool) pool.classic.register(node.id, region.clock.now());
  else region.world.registerTarget(pool.group, { id: pool.type === "ip" ? node.privateIp : node.id });
}

interface Ended {
  readonly pool: RegionPool;
  readonly node: Instance;
  readonly outcome: DrainOutcome;
  /** When the script has registered a node again, by its pool and its id. */
  readonly registeredAt: ReadonlyMap<string, number>;
}

/** Whoever is told to let the node go has one that no load balancer sends anything, but for what came too late to be seen. */
function againstTheBooks(region: SimulatedRegion, { pool, node, outcome, registeredAt }: Ended): void {
  if (outcome.status !== "drained" && outcome.status !== "nothing-registered") return;
  const now = region.clock.now();
  const again = registeredAt.get(keyOf(pool, node));
  if (again !== undefined && !wasLookedAt(region, pool, again + STALE_MS)) return;
  const isNode = ({ id }: { readonly id: string }) => id === node.id || id === node.privateIp;
  const isRegistered =
    "group" in pool
      ? pool.group.listed(now).some((target) => isNode(target) && target.deregisteredAt === undefined)
      : pool.classic.isRegistered(node.id);
  assert(!isRegistered, `${outcome.status}, and the node is registered in ${nameOf(pool)}`);
  const isRouted = (machine: number) =>
    "group" in pool
      ? pool.group.routable(now, machine, MACHINES.length).some(isNode)
      : pool.classic.routable(now, machine, MACHINES.length).includes(node.id);
  assert(!MACHINES.some(isRouted), `${outcome.status}, and ${nameOf(pool)} sends the node new traffic`);
}

/** Whether the product has read the pool since then. */
function wasLookedAt({ calls, clock }: SimulatedRegion, pool: RegionPool, since: number): boolean {
  const begun = clock.now() - clock.elapsedMs;
  const name = "group" in pool ? pool.group.arn : pool.classic.name;
  const isRead = (action: string) => action === "DescribeTargetHealth" || action === "DescribeInstanceHealth";
  return calls.some(
    ({ action, params, at }) => isRead(action) && begun + at >= since && [...params.values()].includes(name),
  );
}
