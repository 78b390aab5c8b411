import { expect, onTestFinished, test } from "vitest";
import { PlainLines } from "../../src/cli/plain-lines.ts";
import { progressOf } from "../../src/cli/progress.ts";
import type { Clock } from "../../src/drain/clock.ts";
import { Repeats } from "../../src/observe/repeats.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCluster } from "../support/fake-cluster.ts";

/** What is printed of the drain of a node in an NLB's pool, with a pod that takes two minutes to end. */
function scene(isAlone: boolean) {
  const lines: string[] = [];
  const clock: () => Clock = () => made.clock;
  const cluster = new FakeCluster(clock);
  const printing: { lines?: PlainLines } = {};
  const made: DrainScene = new DrainScene({}, undefined, { cluster }, [
    (event) => {
      const progress = progressOf(event);
      if (progress !== undefined) printing.lines?.observe(progress);
    },
  ]);
  const node = made.cloud.addNode("i-1");
  made.cloud.addPool("nlb", "tcp", [node]);
  cluster.pods.set(node.name, [{ pod: "shop/web-1", graceSeconds: 120 }]);
  const repeats = new Repeats(() => made.clock.now());
  const output = { write: (text: string) => lines.push(text.trimEnd()) };
  const plain = new PlainLines({ clock: made.clock, repeats, output, isAlone });
  printing.lines = plain;
  plain.begin((id) => made.drainer.running(id));
  onTestFinished(() => plain.close());
  return { made, plain, lines };
}

test("a drain that waits says so every half a minute: for what, and how long", async () => {
  const { made, plain, lines } = scene(true);
  await made.drain("i-1", { evict: {} });
  const holding = lines.filter((line) => line.includes("holding"));
  expect(holding.length).toBeGreaterThan(4);
  expect(holding[0]).toMatch(/^ +\d+ s holding 1 registration, 270 s left$/);
  expect(lines.filter((line) => /s waiting for pod shop\/web-1$/.test(line)).length).toBeGreaterThan(1);
  plain.close();
  const count = lines.length;
  await made.clock.advance(600_000);
  expect(lines).toHaveLength(count);
});

test("of several nodes each line names its own", async () => {
  const { made, lines } = scene(false);
  await made.drain("i-1");
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.filter((line) => !/^i-1 +\d+ s /.test(line))).toEqual([]);
});
