import assert from "node:assert/strict";
import { keyOf } from "../../src/drain/cloud-provider.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { UndoneResult } from "../../src/drain/outcome.ts";
import type { UndoOutcome } from "../../src/drain/undo.ts";
import type { Change, MadeChanges } from "./call-log.ts";
import type { SeenDrain } from "./drains.ts";
import { byDrain } from "./ledger-replay.ts";
import type { HeardEvent, ModelCase, Watcher } from "./model-case.ts";
import type { WorldTarget } from "./world.ts";

/** For a drain that has ended, or was cancelled, nothing is deregistered; and only for one that was is anything registered. */
function isMeant({ drains }: ModelCase, { method, pool, changes }: MadeChanges): void {
  for (const { target, node, drain } of changes) {
    const what = `${target.name} of ${pool.id}`;
    if (method === "deregister") {
      assert(drain !== undefined, `${what} is deregistered, and no drain of ${node} runs`);
      continue;
    }
    assert(drain === undefined, `${what} is registered while ${drain} takes ${node} out`);
    const cancelled = [...drains.all.values()].filter(
      (one) => one.node === node && one.cancelledAt !== undefined && one.undoneAt === undefined,
    );
    assert(cancelled.length > 0, `${what} is registered, and nobody wants anything of ${node} undone`);
    assert(
      cancelled.some(
        ({ asked, found }) => asked.has(target) || found.get(`${pool.id}|${target.name}`)?.state !== "draining",
      ),
      `${what} is registered, which nobody here has deregistered`,
    );
  }
}

/**
 * What is on its way when a drain is cancelled arrives before the undo is over, unless another drain has ended that. The
 * undo for a machine that is gone has nothing to wait for.
 */
function nothingComesAfterwards({ drains, world }: ModelCase, { target, node, drain }: Change): void {
  if (drain === undefined || drains.runningOf(node) !== undefined) return;
  if (world.nodeOf(node)?.terminatedAt !== undefined) return;
  const { undoneAt } = drains.all.get(drain) as SeenDrain;
  assert(undoneAt === undefined, `${target.name} of ${target.pool.id} is deregistered for ${drain}, which is undone`);
}

function undoneForGood(model: ModelCase, { event, at }: HeardEvent): void {
  if (event.type !== "undone") return;
  const drain = model.drains.all.get(event.drainId) as SeenDrain;
  const results = new Map(event.outcome.registrations.map((result) => [keyOf(result.registration), result]));
  const node = model.world.nodeOf(drain.node);
  if (node?.terminatedAt !== undefined) return;
  for (const pool of model.world.pools) {
    if (pool.vanishedAt !== undefined) continue;
    for (const target of model.world.targetsOf(pool, node as NonNullable<typeof node>, at))
      isBack(drain, target, results.get(`${pool.id}|${target.name}`));
  }
}

/** What the drain itself was the last to take out is there again, or it is said that it is not. */
function isBack(drain: SeenDrain, { pool, name, stretches }: WorldTarget, result: UndoneResult | undefined): void {
  const last = stretches.at(-1);
  const what = `${name} of ${pool.id}`;
  if (last?.endedBy === drain.id)
    assert(result?.state === "failed", `${what} is out by ${drain.id}, and said to be '${result?.state}'`);
  const since = drain.cancelledAt ?? 0;
  if (result?.state === "registered")
    assert((last?.to ?? since) >= since, `${what} is said to be registered again, and has not been since`);
}

/** What the ledger has of an undo is what was answered. */
function undoIsWritten({ entries }: ModelCase, { event }: HeardEvent): void {
  if (event.type !== "undone") return;
  const record = drainRecord(entries.filter(({ drain }) => drain === event.drainId));
  const written = record?.undo?.end?.registrations ?? [];
  assert.deepEqual(statesOf(written), statesOf(event.outcome.registrations), `the ledger has it otherwise`);
}

function statesOf(results: UndoOutcome["registrations"]): readonly string[] {
  return results.map(({ registration, state }) => `${keyOf(registration)} ${state}`).sort();
}

/** Each cancel is answered, once, and refused only for what docs/troubleshooting.md says. */
export function cancelsAnswered({ cancels, drains, life }: ModelCase): void {
  for (const { drain, askedAt, isLost, answers, life: asked } of cancels.all) {
    const who = `who cancelled ${drain} at ${askedAt}`;
    assert(isLost || answers.length === 1, `${who} has ${answers.length} answers`);
    const [answer] = answers;
    if (answer === undefined || !("error" in answer)) continue;
    const { error } = answer;
    const isStopped = asked !== life.number && error instanceof Error && error.name === "AbortError";
    const code = error instanceof DrainError ? error.code : undefined;
    const isUnknown = code === "drain-not-found" && !drains.all.has(drain);
    assert(isStopped || isUnknown || code === "another-drain", `${who} is told ${String(error)}`);
  }
}

/** Whatever has died meanwhile: what somebody wants undone is, or it is written down why not. */
export function everyUndoHasEnded({ entries }: ModelCase): void {
  for (const [drain, written] of byDrain(entries)) {
    const undo = drainRecord(written)?.undo;
    assert(undo === undefined || undo.end !== undefined, `the undo of ${drain} has no end`);
  }
}

export const UNDOS: Watcher = {
  onChanges: isMeant,
  onDeregister: (model, change) => nothingComesAfterwards(model, change),
  onEvent(model, heard) {
    undoneForGood(model, heard);
    undoIsWritten(model, heard);
  },
};
