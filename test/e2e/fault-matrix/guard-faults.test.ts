import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../../support/cases.ts";
import { CALLS } from "./calls.ts";
import { GUARD_EXPECTED } from "./guard-expected.ts";
import { GUARD_MOMENTS, type GuardCell, type GuardResult, LIMIT_SECONDS, runGuardCell } from "./guard-scene.ts";
import { chosenCells, readTable } from "./table.ts";
import { unhandledRejections } from "./unhandled.ts";

const CELLS = chosenCells(readTable(GUARD_EXPECTED, GUARD_MOMENTS), ALL_CASES);

const unhandled = unhandledRejections();

describe.each(Object.keys(GUARD_EXPECTED))("%s", (name) => {
  describe.each(GUARD_MOMENTS)("%s", (moment) => {
    const cells = CELLS.filter((cell) => cell.call === name && cell.moment === moment);
    test.each(cells)("$fault: the guarded drain ends as $expected", async (cell) => {
      const result = await runGuardCell(cell);
      expect(shownGuarded(result)).toBe(cell.expected);
      await expectGuardInvariants(cell, result);
      expect(unhandled).toEqual([]);
    });
  });
});

/** How a guarded drain has ended, as the table puts it: the status, the codes of what failed or stays, and what is kept. */
function shownGuarded({ outcome, struck }: GuardResult): string {
  const results = "registrations" in outcome ? outcome.registrations : [];
  const codes = new Set(results.filter(({ state }) => state !== "released").map(({ error }) => error?.code));
  if ("error" in outcome) codes.add(outcome.error?.code);
  const named = [...codes].filter((code) => code !== undefined);
  const kept = results.some(({ state }) => state === "kept") ? ["kept"] : [];
  return [...(struck > 0 ? [] : ["-"]), outcome.status, ...named, ...kept].join(" ");
}

/** What holds of every guarded drain, whatever AWS does. */
async function expectGuardInvariants({ call, moment }: GuardCell, result: GuardResult): Promise<void> {
  const { outcome, left, short, region, node, signal, tookMs } = result;
  expect(tookMs).toBeLessThanOrEqual(LIMIT_SECONDS * 1_000);
  const isVoluntary = moment !== "no choice, every";
  // Nobody has been able to say that enough would stay there.
  if (isVoluntary && short !== undefined) expect([...left]).not.toContain(short);
  if (isVoluntary && outcome.status !== "drained") expect([...left]).toEqual([]);
  if (outcome.status === "drained") {
    const kept = outcome.registrations.filter(({ state }) => state === "kept");
    const names = kept.map(({ registration }) => registration.pool.name);
    // Of a pool that has vanished since, nothing is left to be registered in.
    expect(poolsOf(result)).toEqual(names.filter((name) => exists(result, name)).sort());
  }
  if (outcome.status === "failed") expect(outcome.error.message).toContain(CALLS[call].action);
  if (outcome.status === "deadline-passed" && isVoluntary) expect(outcome.error?.message).toContain(CALLS[call].action);
  expect(node.terminatedAt).toBeUndefined();
  await region.clock.advance(0);
  expect(region.clock.sleeping).toBe(0);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const { length } = region.calls;
  await region.clock.advance(3_600_000);
  expect(region.calls).toHaveLength(length);
}

/** Where the node is registered, by the simulator's own books. */
function poolsOf({ region: { world, clock }, node }: GuardResult): readonly string[] {
  const groups = [...world.targetGroups.values()].filter((group) =>
    group.listed(clock.now()).some(({ id, deregisteredAt }) => id === node.id && deregisteredAt === undefined),
  );
  return [...groups, ...[...world.classics.values()].filter((one) => one.isRegistered(node.id))]
    .map(({ name }) => name)
    .sort();
}

function exists({ region: { world } }: GuardResult, name: string): boolean {
  return world.classics.has(name) || [...world.targetGroups.values()].some((group) => group.name === name);
}
