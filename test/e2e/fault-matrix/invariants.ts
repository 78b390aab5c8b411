import { getEventListeners } from "node:events";
import { expect } from "vitest";
import { CALLS, type MatrixCall, VERSIONS } from "./calls.ts";
import { EXPECTED } from "./expected.ts";
import type { Cell, CellResult } from "./scene.ts";
import { contradictions } from "./truth.ts";

/** How a drain has ended, as the table puts it: the status, and the codes of what has failed or stays. */
export function shownOutcome({ outcome, struck }: CellResult): string {
  if (struck === 0) return outcome.status === "drained" ? "-" : `- ${outcome.status}`;
  if (outcome.status === "failed") return `failed ${outcome.error.code}`;
  const remaining = "registrations" in outcome ? outcome.registrations.filter(({ state }) => state !== "released") : [];
  const codes = new Set(remaining.map(({ error }) => error?.code).filter((code) => code !== undefined));
  return [outcome.status, ...codes].join(" ");
}

/** What holds of every drain, whatever AWS does. */
export async function expectInvariants({ call, fault }: Cell, result: CellResult): Promise<void> {
  const { outcome, endedAt, limitAt } = result;
  expect(endedAt).toBeLessThanOrEqual(limitAt);
  expect(contradictions(result)).toEqual([]);
  if (outcome.status === "drained") {
    expect(outcome.registrations.filter(({ state }) => state !== "released")).toEqual([]);
  }
  if (outcome.status === "failed" && outcome.error.code !== "registered-again") {
    expect(outcome.error.message).toContain(CALLS[call].action);
  }
  // What AWS's quotas refuse is throttled as well: only the fault did that.
  const throttled = result.attempts.filter((attempt) => attempt.throttled);
  expect(throttled).toHaveLength(fault === "throttled" ? result.struck : 0);
  expectKnownCalls(result);
  await expectNothingLeft(result);
}

/** A call that the table does not know has no rows in it. */
function expectKnownCalls({ region }: CellResult): void {
  const versions: Readonly<Partial<Record<MatrixCall["api"], string>>> = VERSIONS;
  const known = Object.keys(EXPECTED).map((name) => {
    const { api, action } = CALLS[name as keyof typeof EXPECTED];
    return `${versions[api]} ${action.split(":")[1]}`;
  });
  const made = new Set(region.calls.map(({ action, params }) => `${params.get("Version")} ${action}`));
  expect(known).toEqual(expect.arrayContaining([...made]));
}

async function expectNothingLeft({ region, signal }: CellResult): Promise<void> {
  await region.clock.advance(0);
  expect(region.clock.sleeping).toBe(0);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const calls = region.calls.length;
  await region.clock.advance(3_600_000);
  expect(region.calls).toHaveLength(calls);
}
