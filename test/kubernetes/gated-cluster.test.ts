import { describe, expect, test } from "vitest";
import type { ClusterNode } from "../../src/drain/cluster.ts";
import type { AskedEviction } from "../../src/drain/eviction-gate.ts";
import { KubernetesGate } from "../../src/kubernetes/gated-cluster.ts";
import { clusterNode } from "../../src/kubernetes/nodes.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { departureOf } from "../../src/sources/cluster-nodes.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, refusal } from "../support/fake-api-server.ts";
import { pod } from "../support/fake-pods.ts";
import { never } from "../support/simulated-region.ts";

const PODS = "/api/v1/namespaces/shop/pods";
const NODES = "/api/v1/nodes";
const ASKED: AskedEviction = { namespace: "shop", name: "web", isOwn: false, isDryRun: false };
const KARPENTER = { key: "karpenter.sh/disrupted", effect: "NoSchedule" };

function node(taints: readonly object[] = [], more: object = {}): Node {
  return {
    metadata: { name: "node-1", uid: "n", ...more },
    spec: { providerID: "aws:///eu-west-1a/i-0123456789abcdef0", taints },
  } as unknown as Node;
}

/** The taint has the cluster's time. */
const CLUSTER_AHEAD_MS = 3_600_000;

async function scene({ seen }: { readonly seen?: Node } = {}) {
  const clock = new ScaledClock(1);
  const fake = await FakeApiServer.start(clock);
  const triggers = { triggers: new Set(["autoscaler", "karpenter", "annotation"] as const), taints: new Set<string>() };
  const gate = new KubernetesGate({
    server: await clientOf(fake, clock),
    nodes: { get: (name) => (seen !== undefined && name === "node-1" ? clusterNode(seen) : undefined) },
    time: { here: (at) => at - CLUSTER_AHEAD_MS },
    departureOf: (one: ClusterNode) => departureOf(one, { ...triggers, autoscalerDelayMs: 120_000 }),
  });
  const put = (object: ReturnType<typeof pod>) => {
    const { namespace: _, ...metadata } = object.metadata ?? {};
    fake.put(PODS, { ...object, metadata });
  };
  return { fake, gate, put };
}

describe("the eviction gate's cluster", () => {
  test("reads one pod: its node and its time to end", async () => {
    const { fake, gate, put } = await scene();
    put(pod("web", { grace: 45 }));
    expect(await gate.pod(ASKED, never)).toEqual({
      uid: "uid-of-web",
      node: "node-1",
      isExempt: false,
      graceMs: 45_000,
    });
    expect(fake.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([`GET ${PODS}/web`]);
  });

  test.each([
    ["of a DaemonSet", { owners: [{ kind: "DaemonSet", controller: true }] }],
    ["that mirrors a static one", { annotations: { "kubernetes.io/config.mirror": "x" } }],
    ["that has finished", { phase: "Succeeded" }],
    ["that has failed", { phase: "Failed" }],
    ["that is terminating", { deletionTimestamp: "2026-01-01T00:00:00Z" }],
  ])("never holds a pod %s", async (_, parts) => {
    const { gate, put } = await scene();
    put(pod("web", parts));
    expect(await gate.pod(ASKED, never)).toMatchObject({ isExempt: true });
  });

  test("knows no node of a pod that has none", async () => {
    const { gate, put } = await scene();
    put(pod("web", { node: "" }));
    expect(await gate.pod(ASKED, never)).not.toHaveProperty("node");
  });

  test("knows that a pod or a node is gone", async () => {
    const { gate } = await scene();
    expect(await gate.pod(ASKED, never)).toBeUndefined();
    expect(await gate.node("node-1", never)).toBeUndefined();
    expect(gate.known("node-1")).toBeUndefined();
  });

  test.each([
    ["Karpenter's taint", node([KARPENTER]), { isLeaving: true }],
    ["the annotation", node([], { annotations: { "hasta-la-vista.io/drain": "true" } }), { isLeaving: true }],
    ["nothing", node(), { isLeaving: false }],
    ["another taint", node([{ key: "other", effect: "NoSchedule" }]), { isLeaving: false }],
    ["a trigger that is off", node([], { deletionTimestamp: "2026-01-01T00:00:00Z" }), { isLeaving: false }],
    // 100 s after the taint, before cluster-autoscaler gives up.
    [
      "cluster-autoscaler's taint",
      node([{ key: "ToBeDeletedByClusterAutoscaler", value: "1767225600", effect: "NoSchedule" }]),
      { isLeaving: true, evictBy: 1_767_225_700_000 - CLUSTER_AHEAD_MS },
    ],
    [
      "cluster-autoscaler's taint without its time",
      node([{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }]),
      { isLeaving: true, evictBy: 100_000 - CLUSTER_AHEAD_MS },
    ],
  ])("knows whether a node leaves by %s, as it was seen and as it is", async (_, object, expected) => {
    const { fake, gate } = await scene({ seen: object });
    fake.put(NODES, object);
    const gated = { instanceId: "i-0123456789abcdef0", ...expected };
    expect(gate.known("node-1")).toEqual(gated);
    expect(await gate.node("node-1", never)).toEqual(gated);
  });

  test("knows no instance of a node of another cloud", async () => {
    const { fake, gate } = await scene();
    fake.put(NODES, { ...node([KARPENTER]), spec: { providerID: "gce://x", taints: [KARPENTER] } } as never);
    expect(await gate.node("node-1", never)).toEqual({ isLeaving: true });
  });

  test("says which permission is missing", async () => {
    const { fake, gate } = await scene();
    fake.intercept = ({ path }) =>
      refusal(403, "Forbidden", `pods "web" is forbidden: User "x" cannot get resource "pods" in API group ""`, {
        path,
      });
    await expect(gate.pod(ASKED, never)).rejects.toMatchObject({
      code: "access-denied",
      message: expect.stringContaining("'hasta-la-vista rbac' prints the role"),
    });
  });
});
