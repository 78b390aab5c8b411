import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { ApiServerProcess } from "../../bench/cluster/api-server.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { NodePods } from "../../src/kubernetes/node-pods.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import { connectBy, folder, kubeconfig, runUntilTestEnds } from "../support/api-client.ts";
import { never } from "../support/simulated-region.ts";

test("the API server that a large cluster is measured with lists pages and nodes, watches, taints and counts", async () => {
  const nodes = Array.from({ length: 100 }, (_, at) => ({
    name: `node-${at}`,
    id: `i-${String(at).padStart(17, "0")}`,
  }));
  const api = await ApiServerProcess.start(nodes, 3);
  onTestFinished(() => api.kill());
  const path = join(folder(), "config");
  const cluster = { "certificate-authority-data": undefined, "insecure-skip-tls-verify": true };
  writeFileSync(path, kubeconfig({ server: api.url, ca: "", cluster }));
  const server = await connectBy(path, new SystemClock());
  const pods = new NodePods({ server, clock: new SystemClock(), onState: () => {} });
  runUntilTestEnds(pods);
  pods.needed();
  await vi.waitUntil(() => pods.size === 300, { timeout: 60_000, interval: 20 });
  await api.until((counts) => counts["pods watch"] === 1, 60_000);
  expect(await pods.on("node-7", never)).toHaveLength(3);
  api.tell({ type: "taint", nodes: 1 });
  api.tell({ type: "touch", pod: 5 });
  // What it is told comes another way than requests, in order: once it answers, it has done the others.
  await api.counts();
  const { items } = await server.list<Node>("/api/v1/nodes", never);
  expect(items.filter(({ spec }) => spec?.taints?.[0]?.key === "karpenter.sh/disrupted")).toHaveLength(1);
  expect(await api.counts()).toMatchObject({ "pods all": 2, "pods node": 1, "nodes all": 1 });
});
