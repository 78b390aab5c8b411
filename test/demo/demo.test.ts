import { expect, test } from "vitest";
import { Child } from "../support/child-process.ts";

test("the demo loses requests in the first two ways, none in ours, and says so in one JSON object, or says that the machine is too slow", async () => {
  const { code, stdout, stderr } = await new Child("cli", ["demo", "--json"]).finished;
  const { runs, verdict } = JSON.parse(stdout);
  expect(runs.map(({ name }: { name: string }) => name)).toEqual(["terminate", "wait-for-unused", "hasta-la-vista"]);
  if (verdict === "too-slow") {
    // A busy machine shows nothing of what clients lose, and that is what the demo must say.
    expect([code, stderr]).toEqual([1, expect.stringContaining("too slow")]);
    return;
  }
  expect(verdict).toBe("shown");
  const [terminated, waited, ours] = runs;
  expect(terminated.lost).toBeGreaterThan(0);
  expect(terminated.disruptionSeconds).toBeGreaterThan(0);
  // AWS's own waiter is content while the NLB still opens connections to the node: those and no others are lost.
  expect(waited.lost).toBeGreaterThan(0);
  expect(waited.lostBy.timeout + waited.lostBy.reset).toBe(waited.lost);
  expect(ours).toMatchObject({ lost: 0, disruptionSeconds: 0 });
  for (const { sent, lost, lostBy } of runs) {
    expect(sent).toBeGreaterThan(50);
    expect(Object.keys(lostBy)).toEqual(["502", "503", "504", "refused", "reset", "timeout"]);
    expect(Object.values<number>(lostBy).reduce((sum, count) => sum + count)).toBe(lost);
  }
  expect(stderr).not.toContain("Warning");
  expect(code).toBe(0);
});
