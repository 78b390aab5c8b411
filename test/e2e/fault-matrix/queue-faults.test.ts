import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../../support/cases.ts";
import { CALLS } from "./calls.ts";
import { OWN_HOOK_EXPECTED } from "./own-hook-expected.ts";
import { OWN_HOOK_MOMENTS, runOwnHookCell } from "./own-hook-scene.ts";
import { QUEUE_EXPECTED } from "./queue-expected.ts";
import { QUEUE_MOMENTS, type QueueCell, type QueueResult, runQueueCell } from "./queue-scene.ts";
import { chosenCells, readTable } from "./table.ts";
import { unhandledRejections } from "./unhandled.ts";

const QUEUE_CELLS = chosenCells(readTable(QUEUE_EXPECTED, QUEUE_MOMENTS), ALL_CASES);
const OWN_HOOK_CELLS = chosenCells(readTable(OWN_HOOK_EXPECTED, OWN_HOOK_MOMENTS), ALL_CASES);

const unhandled = unhandledRejections();

describe.each(Object.keys(QUEUE_EXPECTED))("%s", (name) => {
  describe.each(QUEUE_MOMENTS)("%s", (moment) => {
    const cells = QUEUE_CELLS.filter((cell) => cell.call === name && cell.moment === moment);
    test.each(cells)(
      "$fault: the hook and its message are $expected, and both are settled once it is over",
      async (cell) => {
        const result = await runQueueCell(cell);
        expect(`${result.struck > 0 ? "" : "- "}${result.shown}`).toBe(cell.expected);
        await expectQueueInvariants(cell, result);
        expect(unhandled).toEqual([]);
      },
    );
  });
});

/** What holds of every departure that a message announces, whatever AWS does. */
async function expectQueueInvariants({ call, fault }: QueueCell, result: QueueResult): Promise<void> {
  const { scene, told, tooSoon, outcomes, unsettled } = result;
  // AWS itself says that nobody waits.
  const isMisled = fault === "not found" && call === "autoscaling CompleteLifecycleAction";
  expect(tooSoon).toEqual(isMisled ? ["deleted: the hook waits"] : []);
  const typesOf = () => told.map(({ type }) => type);
  // Whoever has received the message says why the hook was not kept waiting, or not completed.
  if (scene.hookShown() === "timed out" && typesOf().includes("announced"))
    expect(typesOf().some((type) => TROUBLE.has(type))).toBe(true);
  for (const event of told) if ("error" in event) expect(event.error.message).toContain(CALLS[call].action);
  for (const error of unsettled) expect(String(error)).toContain(CALLS[call].action);

  await result.recover();
  expect(scene.hookShown()).not.toBe("waiting");
  expect(result.queued()).toBe(0);
  expect(typesOf().filter((type) => type === "hook-continued").length).toBeLessThanOrEqual(1);
  expect(outcomes.map(({ status }) => status).filter((status) => !OUT.has(status))).toEqual([]);
  await result.stop();
  expect(scene.region.clock.sleeping).toBe(0);
  const { length } = scene.region.calls;
  await scene.region.clock.advance(600_000);
  expect(scene.region.calls).toHaveLength(length);
}

const TROUBLE: ReadonlySet<string> = new Set(["hook-heartbeat-failed", "hook-not-completed", "hook-over"]);
const OUT: ReadonlySet<string> = new Set(["drained", "nothing-registered", "instance-gone"]);

describe.each(Object.keys(OWN_HOOK_EXPECTED))("%s", (name) => {
  describe.each(OWN_HOOK_MOMENTS)("%s", (moment) => {
    const cells = OWN_HOOK_CELLS.filter((cell) => cell.call === name && cell.moment === moment);
    test.each(cells)("$fault: the machine's own hook is $expected", async (cell) => {
      const { scene, told, failures, struck, tooSoon } = await runOwnHookCell(cell);
      const [failure] = failures;
      expect(struck).toBeGreaterThan(0);
      expect(`${scene.hookShown()}${failure === undefined ? "" : `, told ${failure.code}`}`).toBe(cell.expected);
      expect(tooSoon).toEqual([]);
      expect(failures.length).toBeLessThanOrEqual(1);
      if (failure !== undefined) expect(failure.message).toContain(CALLS[cell.call].action);
      expect(told.filter((type) => type === "hook-continued").length).toBeLessThanOrEqual(1);
      expect(scene.region.clock.sleeping).toBe(0);
      expect(unhandled).toEqual([]);
    });
  });
});
