import assert from "node:assert/strict";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { ALLOWANCES } from "../support/fake-cloud.ts";
import type { HeardEvent, ModelCase, Watcher } from "./model-case.ts";
import type { WorldNode, WorldPool, WorldTarget } from "./world.ts";

/**
 * For how long traffic may come after a registration has ended, as ARCHITECTURE's table has it. Written down a second
 * time on purpose: what the product reckons by is not asked.
 */
function heldMs({ kind, delayMs }: WorldPool): number {
  const { albPropagationMs, nlbPropagationMs, gwlbIdleMs, classicMinimumMs } = ALLOWANCES;
  return {
    alb: Math.max(delayMs, albPropagationMs),
    nlb: Math.max(delayMs, nlbPropagationMs),
    gwlb: Math.max(delayMs, gwlbIdleMs),
    classic: classicMinimumMs,
    unknown: Math.max(delayMs, albPropagationMs, nlbPropagationMs, gwlbIdleMs),
    unattached: 0,
  }[kind];
}

const targetNamed = ({ world }: ModelCase, poolId: string, name: string) => {
  const pool = world.poolOf(poolId);
  const target = pool.targets.get(name);
  assert(target !== undefined, `${poolId} has never had ${name}`);
  return target;
};

/** Nothing can reach the machine by this registration, whatever anybody has waited for. */
function isUnreachable({ world }: ModelCase, target: WorldTarget, node: WorldNode, at: number): boolean {
  return node.terminatedAt !== undefined || target.pool.vanishedAt !== undefined || world.ownerOf(target, at) !== node;
}

/**
 * A registration is released by a look that was asked for at the hold's end or later, and did not find it registered.
 * The hold counts from when the world ended it, as far as any answer has shown (`Told.heldSince`).
 */
function releasedInTime(model: ModelCase, { event, at, life }: HeardEvent): void {
  if (event.type !== "released") return;
  const { pool, target: name } = event.registration;
  const target = targetNamed(model, pool.id, name);
  const node = model.world.nodeOf(event.node.id) as WorldNode;
  if (isUnreachable(model, target, node, at)) return;
  const since = model.told.heldSince(target, node, life);
  const what = `${name} of ${pool.id} is released`;
  assert(since !== undefined, `${what}, and nobody has ever seen it leave`);
  assert(since !== "live", `${what}, and it was shown registered, which it still is`);
  const look = model.told.lastLook(target, life);
  assert(look !== undefined, `${what} without a look`);
  const isGone = look.state === "absent" || (look.state === "draining" && pool.kind !== "classic");
  assert(isGone, `${what} by a look that says '${look.state}'`);
  const until = since + heldMs(target.pool);
  assert(look.askedAt >= until, `${what} ${until - look.askedAt} ms before its hold was over`);
}

/** Whoever hears `drained`, or that nothing was registered, has a node without a registration that anybody could know of. */
function drainedForGood(model: ModelCase, { event, at, life }: HeardEvent): void {
  if (event.type !== "ended") return;
  const { status } = event.outcome;
  if (status !== "drained" && status !== "nothing-registered") return;
  const node = model.world.nodeOf(event.node.id) as WorldNode;
  if (node.terminatedAt !== undefined) return;
  const begun = model.events.findLast(
    (one) => one.event.drainId === event.drainId && (one.event.type === "accepted" || one.event.type === "resumed"),
  );
  for (const pool of model.world.pools) {
    if (pool.isElsewhere || pool.vanishedAt !== undefined) continue;
    const wasSearched = model.told.wasSearched(pool, node, life, begun?.at ?? 0);
    assert(wasSearched, `${status}, and ${pool.id} was never asked for the node`);
    for (const target of model.world.targetsOf(pool, node, at)) {
      if (!model.world.isLive(target, at) || isKept(event.outcome, target)) continue;
      const isFound = model.drains.all.get(event.drainId)?.found.has(`${pool.id}|${target.name}`) === true;
      assert(
        !model.told.wasShownLive(target, { life, node: node.id, isFound }),
        `${status}, and ${target.name} of ${pool.id} is known to be registered`,
      );
    }
  }
}

function isKept(outcome: DrainOutcome, { pool, name }: WorldTarget): boolean {
  return resultsOf(outcome).some(
    ({ state, registration }) => state === "kept" && registration.pool.id === pool.id && registration.target === name,
  );
}

/** `newTrafficStopped` is not said before the load balancer's own lag has passed, and not of what was last seen live. */
function stoppedInTime(model: ModelCase, { event, at, life }: HeardEvent): void {
  if (event.type !== "ended") return;
  for (const result of resultsOf(event.outcome)) {
    if (result.state !== "holding" || !result.newTrafficStopped) continue;
    const { pool, target: name } = result.registration;
    const target = targetNamed(model, pool.id, name);
    const node = model.world.nodeOf(event.node.id) as WorldNode;
    if (isUnreachable(model, target, node, at)) continue;
    const since = model.told.heldSince(target, node, life);
    const what = `new traffic to ${name} of ${pool.id} is said to have stopped`;
    assert(since !== undefined && since !== "live", `${what}, and it was last seen registered`);
    const lagMs = Math.min(heldMs(target.pool), heldMs({ ...target.pool, delayMs: 0 }));
    const newFlowsMs = pool.kind === "gwlb" ? ALLOWANCES.nlbPropagationMs : lagMs;
    assert(at >= since + newFlowsMs, `${what} ${since + newFlowsMs - at} ms too early`);
  }
}

function resultsOf(outcome: DrainOutcome) {
  return "registrations" in outcome ? outcome.registrations : [];
}

export const HOLDS: Watcher = {
  onEvent(model, heard) {
    releasedInTime(model, heard);
    drainedForGood(model, heard);
    stoppedInTime(model, heard);
  },
};
