import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { MessageBatches } from "../../src/sources/message-batches.ts";
import { never } from "../support/simulated-region.ts";

/** Each call takes as long as a test says. */
function scene(tookMs = 0) {
  const clock = new VirtualClock();
  const sent: { readonly entries: readonly number[]; readonly at: number }[] = [];
  const batches = new MessageBatches<number>({
    clock,
    send: async (entries, signal) => {
      sent.push({ entries, at: clock.elapsedMs });
      await clock.sleep(tookMs, signal);
      return [];
    },
  });
  return { clock, sent, batches };
}

test("entries that come one by one go together a moment later, and ten go at once", async () => {
  const { clock, sent, batches } = scene();
  const slow = [1, 2, 3].map(async (entry) => {
    await clock.sleep(20 * entry, never);
    await batches.add(entry, never);
  });
  await clock.run(Promise.all(slow));
  expect(sent).toEqual([{ entries: [1, 2, 3], at: 120 }]);
  const atOnce = Array.from({ length: 10 }, (_, entry) => batches.add(entry, never));
  await clock.run(Promise.all(atOnce));
  expect(sent[1]).toEqual({ entries: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], at: clock.elapsedMs });
});

test("an entry whose moment passes while all calls are under way is sent after them", async () => {
  const { clock, sent, batches } = scene(1_000);
  const first = Array.from({ length: 40 }, (_, entry) => batches.add(entry, never));
  const last = batches.add(40, never);
  await clock.run(Promise.all([...first, last]));
  expect(sent.map(({ entries }) => entries.length)).toEqual([10, 10, 10, 10, 1]);
});

test("a call ends when all who wait for it leave by one signal", async () => {
  const { clock, batches } = scene(1_000);
  const leaving = newAbort();
  const all = Promise.allSettled(Array.from({ length: 10 }, (_, entry) => batches.add(entry, leaving.signal)));
  await clock.advance(500);
  leaving.abort(new RangeError("they leave"));
  expect(await all).toEqual(Array(10).fill({ status: "rejected", reason: new RangeError("they leave") }));
  await clock.advance(0);
  expect(clock.sleeping).toBe(0);
});
