import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Karpenter } from "../support/karpenter.ts";
import type { KubernetesObject, WatchEvent } from "../support/kubernetes-api.ts";
import type { NodeObject } from "../support/kubernetes-nodes.ts";
import { addPod, podPath } from "../support/kubernetes-pods.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers";
const OF_A_DAEMON_SET = { owner: "DaemonSet" } as const;

describeOnKubernetes("Karpenter's controller", ["karpenter", "kwok"], (cluster) => {
  let karpenter: Karpenter;

  beforeAll(async () => {
    karpenter = await Karpenter.start(cluster());
  });

  afterAll(() => karpenter?.stop());

  /** What becomes of the node and of its pods from now on, each thing once, in order. */
  function watchEnd({ metadata: { name: nodeName } }: NodeObject): readonly string[] {
    const seen: string[] = [];
    const see = (what: string) => {
      if (!seen.includes(what)) seen.push(what);
    };
    follow<NodeObject>("/api/v1/nodes", ({ type, object }) => {
      if (object.metadata.name !== nodeName) return;
      const isTainted = object.spec.taints?.some(({ key }) => key === "karpenter.sh/disrupted") === true;
      const label = object.metadata.labels?.[EXCLUDE];
      if (type === "DELETED") see("node gone");
      else if (isTainted || label !== undefined) see(`node tainted: ${isTainted}, label: ${label}`);
    });
    follow<KubernetesObject>("/api/v1/namespaces/default/pods", ({ type, object: { metadata } }) => {
      if (type === "DELETED") see(`${metadata.name} gone`);
      else if (metadata.deletionTimestamp !== undefined) see(`${metadata.name} evicted`);
    });
    return seen;
  }

  function follow<T extends KubernetesObject>(path: string, take: (event: WatchEvent<T>) => void): void {
    const stop = new AbortController();
    const ended = (async () => {
      for await (const event of cluster().api.watch<T>(path, stop.signal)) take(event);
    })().catch(() => {}); // The test ends it.
    onTestFinished(async () => {
      stop.abort();
      await ended;
    });
  }

  async function running(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const phase = async () => (await cluster().api.get<{ status: { phase: string } }>(podPath(name))).status.phase;
      await expect.poll(phase, { message: karpenter.log }).toBe("Running");
    }
  }

  test("taints a node and excludes it from load balancers in one step, evicts its pods, and then deletes it", async () => {
    const node = await karpenter.addNode("plain");
    await addPod(cluster().api, { name: "web", nodeName: node.metadata.name });
    await running("web");
    const seen = watchEnd(node);
    await karpenter.deleteNode("plain");
    await expect.poll(() => seen).toContain("node gone");
    expect(seen).toEqual(["node tainted: true, label: karpenter", "web evicted", "web gone", "node gone"]);
  });

  test("evicts a DaemonSet's pod that does not tolerate its taint after all others, and waits for it", async () => {
    const node = await karpenter.addNode("held");
    const { name: nodeName } = node.metadata;
    const slowly = { "pod-delete.stage.kwok.x-k8s.io/delay": "2s" };
    await addPod(cluster().api, { name: "slow", nodeName, annotations: slowly });
    await addPod(cluster().api, { name: "holder", nodeName, annotations: slowly, ...OF_A_DAEMON_SET });
    await running("slow", "holder");
    const seen = watchEnd(node);
    await karpenter.deleteNode("held");
    await expect.poll(() => seen).toContain("node gone");
    expect(seen).toEqual([
      "node tainted: true, label: karpenter",
      "slow evicted",
      "slow gone",
      "holder evicted",
      "holder gone",
      "node gone",
    ]);
  });

  test("does not wait for a DaemonSet's pod that tolerates everything", async () => {
    const node = await karpenter.addNode("tolerated");
    const { name: nodeName } = node.metadata;
    await addPod(cluster().api, { name: "agent", nodeName, tolerations: [{ operator: "Exists" }], ...OF_A_DAEMON_SET });
    await running("agent");
    const seen = watchEnd(node);
    await karpenter.deleteNode("tolerated");
    await expect.poll(() => seen).toContain("node gone");
    expect(seen).toEqual(["node tainted: true, label: karpenter", "node gone"]);
  });
});
