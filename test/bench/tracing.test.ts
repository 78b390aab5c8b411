import { expect, test } from "vitest";
import { tracingRows, tracingTable } from "../../bench/tracing.ts";

test("the bench of traces counts the spans that a collector gets, of which nodes that leave together share some", async () => {
  const rows = await tracingRows([1, 2], 2);
  const [alone, together] = rows.map(({ spansPerDrain }) => spansPerDrain);
  // Itself, its phases, its ten registrations, and calls.
  expect(alone).toBeGreaterThan(30);
  expect(together).toBeLessThan(alone ?? 0);
  for (const { bytesPerDrain, ratio } of rows) {
    expect(bytesPerDrain).toBeGreaterThan(1_000);
    expect(ratio).toBeGreaterThan(0);
  }
  expect(tracingTable(rows)).toMatch(/^\| 2 \| \d+ \| \d+ \| [\d.]+ \| [\d.]+ \|$/m);
});
