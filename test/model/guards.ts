import assert from "node:assert/strict";
import { amountOf, type GuardOptions } from "../../src/drain/guard.ts";
import type { Change, MadeChanges } from "./call-log.ts";
import { isRefusable, type SeenDrain } from "./drains.ts";
import type { HeardEvent, ModelCase, Watcher } from "./model-case.ts";
import type { ShownHealth } from "./shown-health.ts";
import type { WorldPool, WorldTarget } from "./world.ts";

/** Older answers than that nobody goes by who may be refused. */
const HEALTH_CACHED_MS = 10_000;

type Guarded = MadeChanges & { readonly guard: GuardOptions; readonly drain: SeenDrain };

/**
 * Each first deregistration, but for those that a drain was free to make: where there is no guard or `force`, of what no
 * load balancer uses, of what somebody else had deregistered before, and of what an earlier process has decided about a
 * voluntary drain.
 */
function goesByTheGuard(model: ModelCase, call: MadeChanges): void {
  const { guard } = model.spec;
  if (call.method !== "deregister" || guard === undefined || call.pool.kind === "unattached") return;
  for (const change of call.changes) {
    const drain = model.drains.all.get(change.drain ?? "");
    if (drain === undefined || !change.isFirst || wasDraining(drain, change.target)) continue;
    const guarded = { ...call, guard, drain };
    if (isRefusable(drain)) {
      if (drain.isBegun) continue;
      keepsEnough(model, guarded, change);
      staysUnderTheCeiling(model, guarded);
    } else if (drain.requests.every(({ force }) => force !== true)) involuntaryKeepsEnough(model, guarded, change);
  }
}

function wasDraining({ found }: SeenDrain, { pool, name }: WorldTarget): boolean {
  return found.get(`${pool.id}|${name}`)?.state === "draining";
}

/**
 * Some answer that the process had by then shows that enough stay without all that voluntary drains take away. Which one
 * a drain has gone by, and at which moment, is its own business: calls may have waited since. So may others have come
 * whose machines go anyway: they see whom they meet, and those who were there before did not see them. What this process
 * had deregistered itself before any of these drains began is gone, also where an old answer shows it.
 */
function keepsEnough(model: ModelCase, { guard, pool, changes, at, life }: Guarded, { target }: Change): void {
  const drains = model.drains.running().filter(isRefusable);
  const asking = new Set(changes.map(({ drain }) => drain));
  const leaving = new Set(
    changes.filter(({ drain }) => drains.some(({ id }) => id === drain)).map((one) => one.target),
  );
  const there = drains.filter(({ id, asked }) => asking.has(id) || [...asked.keys()].some((one) => one.pool === pool));
  for (const { asked } of there) for (const one of asked.keys()) if (one.pool === pool) leaving.add(one);
  const since = Math.min(...there.map((one) => one.since));
  for (const { asked, endedAt = at } of model.drains.all.values())
    if (endedAt < since)
      for (const one of asked.keys()) if (one.pool === pool && one.stretches.at(-1)?.to !== undefined) leaving.add(one);
  const shown = answersSince(model, pool, life, since - HEALTH_CACHED_MS);
  const isEnough = shown.some((answer) => staysEnough(model, { answer, target, leaving, guard }));
  assert(
    isEnough,
    `${target.name} of ${pool.id} is deregistered for a voluntary drain, and too few stay without ${[...leaving].map(({ name }) => name)}`,
  );
}

/** Whoever did not have to wait was shown that enough would stay, or loses nothing; the others have said why they go. */
function involuntaryKeepsEnough(model: ModelCase, { guard, pool, drain, life }: Guarded, { target }: Change): void {
  const isTold = model.events.some(
    ({ event }) =>
      event.type === "guarded" &&
      event.drainId === drain.id &&
      event.registration.pool.id === pool.id &&
      (event.verdict === "waited" || event.verdict === "overridden"),
  );
  // What an earlier process has found is not written down again, and may have failed its health checks since.
  const hasFailed = drain.isBegun && target.health.some(({ isHealthy }) => !isHealthy);
  if (isTold || hasFailed || drain.found.get(`${pool.id}|${target.name}`)?.isHealthy === false) return;
  const leaving = new Set([target]);
  // What an involuntary drain goes by at first may be as old as what is remembered.
  const shown = answersSince(model, pool, life, Number.NEGATIVE_INFINITY);
  const isEnough = shown.some((answer) => staysEnough(model, { answer, target, leaving, guard }));
  assert(isEnough, `${target.name} of ${pool.id} is deregistered without a word, and too few stay`);
}

function answersSince({ healths }: ModelCase, pool: WorldPool, life: number, since: number): readonly ShownHealth[] {
  return healths.of(pool).filter((answer) => answer.life === life && answer.askedAt >= since);
}

/** By the target's zone where each zone has but its own; whose zone nobody knows is counted with all. */
function staysEnough(
  { world }: ModelCase,
  {
    answer: { listed },
    target,
    leaving,
    guard,
  }: {
    readonly answer: ShownHealth;
    readonly target: WorldTarget;
    readonly leaving: ReadonlySet<WorldTarget>;
    readonly guard: GuardOptions;
  },
): boolean {
  if (listed.get(target) !== true) return true;
  const zone = target.pool.isZonal ? world.zoneOf(target) : undefined;
  const part = [...listed.keys()].filter((one) => zone === undefined || world.zoneOf(one) === zone);
  const stay = part.filter((one) => listed.get(one) === true && one !== target && !leaving.has(one));
  return stay.length >= amountOf(guard.minHealthy, part.length);
}

/** Those that take something away from a load balancer, each counted from its first call to its end. */
function staysUnderTheCeiling(model: ModelCase, { guard, drain, life }: Guarded): void {
  const hasBegun = ({ id, asked }: SeenDrain) =>
    id === drain.id || [...asked.keys()].some(({ pool }) => pool.kind !== "unattached");
  const running = model.drains.running().filter((one) => isRefusable(one) && hasBegun(one));
  const since = Math.min(...running.map((one) => one.since)) - HEALTH_CACHED_MS;
  const counts = model.world.pools.flatMap((pool) => answersSince(model, pool, life, since).map(nodesIn));
  const allowed = amountOf(guard.maxVoluntary, Math.max(0, ...counts));
  const isEverything = "percent" in guard.maxVoluntary && guard.maxVoluntary.percent === 100;
  assert(
    isEverything || running.length <= allowed,
    `${running.length} voluntary drains at once, and ${allowed} may be`,
  );
}

function nodesIn({ listed }: ShownHealth): number {
  return new Set([...listed.keys()].map(({ registeredBy }) => registeredBy)).size;
}

/** A refused drain has done nothing. */
function refusedUntouched({ drains }: ModelCase, { event }: HeardEvent): void {
  if (event.type !== "ended" || event.outcome.status !== "refused") return;
  const asked = [...(drains.all.get(event.drainId)?.asked.keys() ?? [])];
  assert.deepEqual(
    asked.map(({ name }) => name),
    [],
    `${event.drainId} is refused, and has deregistered`,
  );
}

/**
 * Only the last healthy one is kept: all others that some answer shows healthy are on their way out. What a node has in
 * several zones of a pool stays or goes together.
 */
function keptIsTheLast(model: ModelCase, { event, life }: HeardEvent): void {
  if (event.type !== "guarded" || event.verdict !== "kept") return;
  const { world, clock } = model;
  const { pool: of, target: name } = event.registration;
  const drain = model.drains.all.get(event.drainId);
  assert(drain !== undefined);
  const pool = world.poolOf(of.id);
  const zoneOf = (target: WorldTarget) => (pool.isZonal ? world.zoneOf(target) : undefined);
  const own = [...drain.found.values()].filter((one) => one.pool.id === of.id);
  const zones = new Set(own.map(({ target }) => zoneOf(pool.targets.get(target) as WorldTarget)));
  const going = new Set(model.drains.running().map(({ node }) => node));
  const stays = (one: WorldTarget) => !going.has(world.ownerOf(one, clock.now())?.id ?? "");
  const isLast = answersSince(model, pool, life, drain.since - HEALTH_CACHED_MS).some(({ listed }) => {
    const staying = [...listed].filter(([one, isHealthy]) => isHealthy && stays(one)).map(([one]) => one);
    return [...zones].some((zone) => !staying.some((one) => zone === undefined || zoneOf(one) === zone));
  });
  assert(isLast, `${name} of ${of.id} is kept, and it is not the last healthy one`);
}

export const GUARDS: Watcher = {
  onChanges: goesByTheGuard,
  onEvent(model, heard) {
    refusedUntouched(model, heard);
    keptIsTheLast(model, heard);
  },
};
