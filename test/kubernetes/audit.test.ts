import { expect, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { auditCluster } from "../../src/kubernetes/audit.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { never } from "../support/simulated-region.ts";

const PATHS = {
  deployments: "/apis/apps/v1/deployments",
  nodePools: "/apis/karpenter.sh/v1/nodepools",
  namespaces: "/api/v1/namespaces",
  bindings: "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings",
  services: "/api/v1/services",
  slices: "/apis/discovery.k8s.io/v1/endpointslices",
};
type Kind = keyof typeof PATHS;

/** What doctor reads of a cluster that has these objects. `denied`: kinds that its role may not list. */
async function audited(objects: Partial<Record<Kind, readonly object[]>>, denied: readonly Kind[] = []) {
  const clock = new SystemClock();
  const fake = await FakeApiServer.start(clock);
  for (const kind of Object.keys(PATHS) as Kind[])
    for (const object of objects[kind] ?? []) fake.put(PATHS[kind], object as KubernetesObject);
  fake.intercept = ({ path }) =>
    denied.some((kind) => PATHS[kind] === path)
      ? { status: 403, body: { kind: "Status", reason: "Forbidden", code: 403, message: "not allowed" } }
      : undefined;
  const { facts, unread } = await auditCluster(await clientOf(fake, clock), never);
  return { ...facts, unread, requests: fake.requests };
}

const named = (name: string, namespace?: string) => ({ metadata: { name, ...(namespace && { namespace }) } });
const deployment = (name: string, container: object) => ({
  ...named(name, "kube-system"),
  spec: { template: { spec: { containers: [{ name: "other", image: "nginx" }, container] } } },
});

test.each([
  [
    "its command",
    { image: "registry.example/ca:1", command: ["./cluster-autoscaler", "--v=4", "--node-deletion-delay-timeout=5m"] },
    { list: "command", flag: "5m", index: 2 },
  ],
  [
    "its arguments, in two words",
    { image: "registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.0", args: ["--node-deletion-delay-timeout", "90s"] },
    { list: "args", flag: "90s", index: undefined },
  ],
  [
    "its arguments behind a command",
    { image: "x", command: ["/cluster-autoscaler"], args: ["--node-deletion-delay-timeout=1m"] },
    { list: "args", flag: "1m", index: 0 },
  ],
  [
    "the default",
    { image: "registry.k8s.io/autoscaling/cluster-autoscaler-arm64:v1.33.0", args: ["--v=4"] },
    { list: "args", flag: undefined, index: undefined },
  ],
])("cluster-autoscaler is found with the flag that it has by %s", async (_, container, expected) => {
  const { autoscalers } = await audited({
    deployments: [
      deployment("scaler", container),
      deployment("addon-resizer", { image: "x", command: ["/pod_nanny", "--deployment=cluster-autoscaler"] }),
    ],
  });
  expect(autoscalers).toMatchObject([
    { namespace: "kube-system", name: "scaler", containerIndex: 1, list: expected.list },
  ]);
  const [{ flags, argumentIndex } = { flags: new Map(), argumentIndex: new Map() }] = autoscalers;
  expect([flags.get("node-deletion-delay-timeout"), argumentIndex.get("node-deletion-delay-timeout")]).toEqual([
    expected.flag,
    expected.index,
  ]);
});

test("grace periods of NodePools are read, and where there are none", async () => {
  const { nodePools } = await audited({
    nodePools: [
      { ...named("short"), spec: { template: { spec: { terminationGracePeriod: "30s" } } } },
      { ...named("none"), spec: { template: { spec: {} } } },
    ],
  });
  expect(new Map(nodePools.map(({ name, terminationGracePeriod }) => [name, terminationGracePeriod]))).toEqual(
    new Map([
      ["none", undefined],
      ["short", "30s"],
    ]),
  );
});

test("namespaces count whose TargetGroupBindings have addresses, by the label that injects readiness gates", async () => {
  const { podTargetNamespaces } = await audited({
    namespaces: [
      { metadata: { name: "ready", labels: { "elbv2.k8s.aws/pod-readiness-gate-inject": "enabled" } } },
      named("bare"),
      named("nodes"),
      named("empty"),
    ],
    bindings: [
      { ...named("a", "ready"), spec: { targetType: "ip" } },
      { ...named("b", "bare"), spec: { targetType: "ip" } },
      { ...named("c", "nodes"), spec: { targetType: "instance" } },
    ],
  });
  expect(new Map(podTargetNamespaces.map(({ name, injectsGates }) => [name, injectsGates]))).toEqual(
    new Map([
      ["ready", true],
      ["bare", false],
    ]),
  );
});

test("of Services with externalTrafficPolicy Local, ready endpoints and their nodes are counted, each pod once", async () => {
  const service = (name: string, externalTrafficPolicy: string, type = "LoadBalancer") => ({
    ...named(name, "shop"),
    spec: { type, externalTrafficPolicy },
  });
  const slice = (name: string, endpoints: readonly object[], of = "web") => ({
    metadata: { name, namespace: "shop", labels: { "kubernetes.io/service-name": of } },
    endpoints,
  });
  const endpoint = (uid: string, nodeName: string, ready = true) => ({
    nodeName,
    conditions: { ready },
    targetRef: { uid },
  });
  const { localServices } = await audited({
    services: [service("web", "Local"), service("wide", "Cluster"), service("inner", "Local", "NodePort")],
    slices: [
      slice("v4", [endpoint("p1", "n1"), endpoint("p2", "n1"), endpoint("p3", "n2", false)]),
      slice("v6", [endpoint("p1", "n1"), endpoint("p2", "n1")]),
      slice("other", [endpoint("p9", "n9")], "wide"),
    ],
  });
  expect(localServices).toEqual([{ namespace: "shop", name: "web", readyEndpoints: 2, nodes: 1 }]);
});

test("a kind that the role may not list is named, and the rest is read; one that the cluster does not know has no objects", async () => {
  const { unread, nodePools, podTargetNamespaces, requests } = await audited(
    { nodePools: [named("default")], namespaces: [named("shop")] },
    ["deployments", "bindings"],
  );
  expect(nodePools).toEqual([{ name: "default" }]);
  expect(podTargetNamespaces).toEqual([]);
  expect(unread.map(({ what }) => what).sort()).toEqual([
    expect.stringContaining("cluster-autoscaler"),
    expect.stringContaining("TargetGroupBindings"),
  ]);
  expect(new Set(requests.map(({ method }) => method))).toEqual(new Set(["GET"]));
});
