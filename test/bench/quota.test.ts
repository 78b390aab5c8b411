import { expect, test } from "vitest";
import { quotaRow, quotaTable } from "../../bench/quota.ts";

test("as few callers are asked for a call with a hundred nodes that wait as with ten", async () => {
  const few = await quotaRow(10, 10);
  const many = await quotaRow(100, 100);
  // Ten callers share each call, and each of them is asked when it comes.
  for (const { askedPerCall } of [few, many]) expect(askedPerCall).toBeGreaterThanOrEqual(10);
  for (const { askedPerCall } of [few, many]) expect(askedPerCall).toBeLessThanOrEqual(13);
  expect(quotaTable([few, many])).toMatch(/^\| 100 \| 1[0-3]\.\d \| \d+ \|$/m);
});
