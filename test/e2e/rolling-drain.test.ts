import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import { reasonsOf } from "../support/cluster-scene.ts";
import { SHORT_SPARES } from "../support/departure-pools.ts";
import { REQUESTS_MIN } from "../support/departure-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import { RollingScene } from "../support/rolling-scene.ts";
import type { TrafficPolicy } from "../support/serving-pods.ts";

const NODES = ALL_CASES ? 6 : 3;

/** All nodes, one after the other: drained, terminated, and replaced. */
async function roll(policy: TrafficPolicy, by: "drain --evict" | "kubectl drain") {
  const scene = await RollingScene.open({ policy, nodes: NODES });
  for (const node of scene.nodes) {
    await (by === "drain --evict" ? scene.drain(node) : scene.kubectlDrain(node));
    await scene.replace(node);
  }
  const { sent, losses } = await scene.endTraffic();
  const unsaved = lostByTheProduct(losses, SHORT_SPARES).map(({ to, cause }) => `${to} ${cause}`);
  const run = { nodes: NODES, sent, lost: losses.length, unsaved, reasons: reasonsOf(losses, scene.nodes) };
  console.log(`${policy}, ${by}: ${JSON.stringify(run)}`);
  return run;
}

describe.each<TrafficPolicy>(ALL_CASES ? ["Local", "Cluster"] : ["Local"])(
  "with externalTrafficPolicy %s",
  (policy) => {
    test("no request is lost while all nodes are drained with --evict, terminated and replaced", async () => {
      const run = await roll(policy, "drain --evict");
      expect(run.unsaved).toEqual([]);
      expect(run.sent).toBeGreaterThan(REQUESTS_MIN);
    });

    test.runIf(ALL_CASES)("requests are lost with kubectl drain alone", async () => {
      const run = await roll(policy, "kubectl drain");
      expect(run.lost).toBeGreaterThan(0);
    });
  },
);
