import assert from "node:assert/strict";
import type { Asked } from "./deliveries.ts";
import { type ModelCase, TIMES } from "./model-case.ts";

/**
 * When a request is answered at the latest, by its own deadline and timeout. Of a short notice half is kept to answer,
 * counted from the beginning of the drain: somebody who asked later may have begun it, whose node was known at once.
 */
function limitOf({ request, askedAt, settled: [settled] }: Asked, { events }: ModelCase): number {
  const { deadline = Number.POSITIVE_INFINITY, timeoutMs = Number.POSITIVE_INFINITY } = request;
  const drainId = settled !== undefined && "drainId" in settled.outcome ? settled.outcome.drainId : undefined;
  const begun = events.find(({ event }) => event.type === "accepted" && event.drainId === drainId);
  const noticeMs = Math.max(0, deadline - Math.max(askedAt, begun?.at ?? askedAt));
  const marginMs = Math.min(TIMES.deadlineMarginMs, noticeMs / 2);
  return Math.min(Math.max(askedAt, deadline - marginMs), askedAt + timeoutMs);
}

/** Nobody is answered twice, or too late, or told that time is up before it is. */
export function settledByTheLimit(model: ModelCase): void {
  const { deliveries, clock } = model;
  for (const asked of deliveries.all) {
    const limit = Math.ceil(limitOf(asked, model));
    const who = `who asked for ${asked.node} at ${asked.askedAt}`;
    assert(asked.settled.length <= 1, `${who} is answered ${asked.settled.length} times`);
    assert(asked.accepted.length <= 1, `${who} is told ${asked.accepted.length} times which drain will answer`);
    const [settled] = asked.settled;
    if (settled === undefined) {
      assert(asked.isLost || clock.now() <= limit, `${who} has no answer ${clock.now() - limit} ms after the limit`);
      continue;
    }
    assert(settled.at <= limit, `${who} is answered ${settled.at - limit} ms after the limit`);
    const { outcome } = settled;
    if (outcome.status === "deadline-passed")
      assert(
        outcome.limit.at <= settled.at,
        `${who} is told that time is up ${outcome.limit.at - settled.at} ms early`,
      );
  }
}

/** Everybody whose process has not died has an answer. */
export function allSettled({ deliveries }: ModelCase): void {
  for (const { node, askedAt, isLost, settled } of deliveries.all)
    assert(isLost || settled.length === 1, `who asked for ${node} at ${askedAt} has no answer`);
}
