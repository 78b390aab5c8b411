import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../../support/cases.ts";
import { CALLS } from "./calls.ts";
import { chosenCells, readTable } from "./table.ts";
import { UNDO_EXPECTED } from "./undo-expected.ts";
import { runUndoCell, UNDO_MOMENTS, type UndoCell, type UndoResult } from "./undo-scene.ts";
import { unhandledRejections } from "./unhandled.ts";

const CELLS = chosenCells(readTable(UNDO_EXPECTED, UNDO_MOMENTS), ALL_CASES);
/** Ten minutes to find the node, five to see it registered after the pool's delay, and the last calls. */
const UNDO_MAX_MS = 1_500_000;

const unhandled = unhandledRejections();

describe.each(Object.keys(UNDO_EXPECTED))("%s", (name) => {
  describe.each(UNDO_MOMENTS)("%s", (moment) => {
    const cells = CELLS.filter((cell) => cell.call === name && cell.moment === moment);
    test.each(cells)("$fault: the undo ends as $expected, and leaves nothing behind", async (cell) => {
      const result = await runUndoCell(cell);
      expect(shownUndo(result)).toBe(cell.expected);
      await expectUndoInvariants(cell, result);
      expect(unhandled).toEqual([]);
    });
  });
});

/** How an undo has ended, as the table puts it: what of it, and why not all. */
function shownUndo({ outcome: { registrations }, struck }: UndoResult): string {
  const failed = registrations.filter(({ state }) => state === "failed");
  const codes = [...new Set(failed.map(({ error }) => error?.code))].join(" ");
  const whole = failed.length === 0 ? "registered" : failed.length < registrations.length ? `partly ${codes}` : codes;
  return struck > 0 ? whole : whole === "registered" ? "-" : `- ${whole}`;
}

/** What holds of every undo, whatever AWS does. */
async function expectUndoInvariants({ call }: UndoCell, result: UndoResult): Promise<void> {
  const { outcome, events, region, signal, tookMs } = result;
  expect(tookMs).toBeLessThanOrEqual(UNDO_MAX_MS);
  expect(outcome.registrations).toHaveLength(3);
  for (const { registration, state, error } of outcome.registrations) {
    expect(["registered", "failed"]).toContain(state);
    if (state === "registered") expect(isRegistered(result, registration.pool.name)).toBe(true);
    if (state === "failed" && error?.code !== "not-registered") expect(error?.message).toContain(CALLS[call].action);
  }
  // Each is told once, as what it came to.
  const told = events.filter(({ type }) => type === "registered" || type === "register-failed");
  expect(told.map(({ type }) => type).sort()).toEqual(
    outcome.registrations.map(({ state }) => (state === "registered" ? "registered" : "register-failed")).sort(),
  );
  await region.clock.advance(0);
  expect(region.clock.sleeping).toBe(0);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  const { length } = region.calls;
  await region.clock.advance(3_600_000);
  expect(region.calls).toHaveLength(length);
}

/** By the simulator's own books. A pool that has vanished has nobody. */
function isRegistered({ region, node }: UndoResult, name: string): boolean {
  const { world, clock } = region;
  const group = [...world.targetGroups.values()].find((each) => each.name === name);
  const targets = group?.listed(clock.now()).filter(({ id }) => id === node.id || id === node.privateIp) ?? [];
  return (
    targets.some(({ deregisteredAt }) => deregisteredAt === undefined) ||
    (world.classics.get(name)?.isRegistered(node.id) ?? false)
  );
}
