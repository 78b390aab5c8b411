import { expect, test } from "vitest";
import { loadRow } from "../../bench/load/rows.ts";

test("the built service is measured under a load from outside and from inside", { timeout: 120_000 }, async () => {
  const statuses: number[] = [];
  const load = {
    name: "a few requests",
    nodes: 2,
    run: async ({ port }: { readonly port: number }) => {
      for (let request = 0; request < 20; request += 1) {
        const { status, body } = await fetch(`http://127.0.0.1:${port}/health`);
        await body?.cancel();
        statuses.push(status);
      }
    },
  };
  const row = await loadRow(load, 0);
  expect(statuses).toEqual(Array(20).fill(200));
  expect(row).toMatchObject({ name: "a few requests", unanswered: 0, faults: [] });
  const { seconds, healthP50Ms, healthMaxMs, stallMaxMs, cpuSeconds, beforeMiB, peakMiB } = row;
  for (const value of [seconds, healthP50Ms, cpuSeconds, beforeMiB]) expect(value).toBeGreaterThan(0);
  expect(stallMaxMs).toBeGreaterThanOrEqual(0);
  expect(healthMaxMs).toBeGreaterThanOrEqual(healthP50Ms);
  expect(peakMiB).toBeGreaterThanOrEqual(beforeMiB);
});
