import { expect, test, vi } from "vitest";
import { SystemClock } from "../../../src/drain/clock.ts";
import { NodePods } from "../../../src/kubernetes/node-pods.ts";
import { clusterRules } from "../../../src/kubernetes/rbac.ts";
import type { WatchState } from "../../../src/kubernetes/watch.ts";
import { connectBy, runUntilTestEnds } from "../../support/api-client.ts";
import { never } from "../../support/simulated-region.ts";
import { addNode } from "../support/kubernetes-nodes.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const PODS = "/api/v1/namespaces/default/pods";
const NODES_COUNT = 30;
/** What the printed role of the service allows. */
const RULES = clusterRules({ writes: true, watches: true });

describeOnKubernetes("the pods of many nodes, on a real API server,", [], (cluster) => {
  const addPod = (name: string, nodeName: string) =>
    cluster().api.post(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: { nodeName, containers: [{ name: "web", image: "web" }] },
    });

  test("are those of this moment for all who ask at the same time, from a few lists", async () => {
    const token = await cluster().tokenFor("watching-pods", RULES);
    const server = await connectBy(cluster().kubeconfigFor("watching-pods", token), new SystemClock());
    const names = Array.from({ length: NODES_COUNT }, (_, at) => `wave-${at}`);
    for (const name of names) {
      await addNode(cluster().api, { name });
      await addPod(`first-${name}`, name);
    }
    const states: WatchState[] = [];
    const pods = new NodePods({ server, clock: new SystemClock(), onState: (state) => states.push(state) });
    runUntilTestEnds(pods);
    pods.needed();
    await vi.waitUntil(() => pods.size >= NODES_COUNT, { timeout: 60_000, interval: 50 });
    const lists = vi.spyOn(server, "list");
    await addPod("late", "wave-29");
    const all = await Promise.all(names.map((name) => pods.on(name, never)));
    expect(all.map((found) => found.map(({ name }) => name).sort())).toEqual(
      names.map((name) => [`default/first-${name}`, ...(name === "wave-29" ? ["default/late"] : [])]),
    );
    expect(lists.mock.calls.length).toBeLessThanOrEqual(8);
    expect(states).toEqual([]);
  });
});
