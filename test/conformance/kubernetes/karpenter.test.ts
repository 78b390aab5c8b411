import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { serveHere, startHere } from "../../support/run-here.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { addGate, GATE_RULES, gateOptions, gatePort } from "../support/eviction-gate.ts";
import { Karpenter } from "../support/karpenter.ts";
import type { KubernetesObject, WatchEvent } from "../support/kubernetes-api.ts";
import type { NodeObject } from "../support/kubernetes-nodes.ts";
import { addPod, podPath } from "../support/kubernetes-pods.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";
import { startProviderIdProxy } from "../support/provider-id-proxy.ts";

const EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers";
const OF_A_DAEMON_SET = { owner: "DaemonSet" } as const;
const SECRET = "a-secret-of-the-holder";

describeOnKubernetes("Karpenter's controller", ["karpenter", "kwok"], (cluster) => {
  let karpenter: Karpenter;

  beforeAll(async () => {
    karpenter = await Karpenter.start(cluster());
  });

  afterAll(() => karpenter?.stop());

  /** What becomes of the node and of its pods from now on, each thing once, in order. */
  function watchEnd({ metadata: { name: nodeName } }: NodeObject): string[] {
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

  test("evicts pods of a critical class after the DaemonSet's pods of other classes", async () => {
    const node = await karpenter.addNode("critical");
    const { name: nodeName } = node.metadata;
    const slowly = { "pod-delete.stage.kwok.x-k8s.io/delay": "2s" };
    await addPod(cluster().api, { name: "ingress", nodeName, priorityClass: "system-cluster-critical" });
    await addPod(cluster().api, { name: "holder", nodeName, annotations: slowly, ...OF_A_DAEMON_SET });
    await running("ingress", "holder");
    const seen = watchEnd(node);
    await karpenter.deleteNode("critical");
    await expect.poll(() => seen).toContain("node gone");
    expect(seen).toEqual([
      "node tainted: true, label: karpenter",
      "holder evicted",
      "holder gone",
      "ingress evicted",
      "ingress gone",
      "node gone",
    ]);
  });

  /** A service with the printed role, for which the node is an EC2 instance in a classic load balancer. */
  async function serveFor(node: NodeObject, holdSeconds: number, more: Readonly<Record<string, string>> = {}) {
    const region = new SimulatedRegion();
    const instance = region.node({ name: node.metadata.name });
    region.classic({ name: "web", nodes: [instance] });
    const awsUrl = await region.simulator.listen();
    const ids = new Map([[instance.name, `aws:///${instance.zone}/${instance.id}`]]);
    const proxy = await startProviderIdProxy(cluster(), (name) => ids.get(name));
    onTestFinished(async () => {
      await proxy.stop();
      await region.simulator.close();
    });
    const token = await cluster().tokenFor("hasta-la-vista", GATE_RULES);
    const environment = { AWS_ENDPOINT_URL: awsUrl, SECRET };
    const service = await serveHere({
      ...environment,
      KUBERNETES: proxy.kubeconfigFor("hasta-la-vista", token),
      MIN_HEALTHY: "0",
      CLASSIC_MINIMUM: String(holdSeconds),
      SHUTDOWN_GRACE: "0",
      UNDO: "true",
      ...more,
    });
    return { ...service, environment };
  }

  test("deletes a node without a holder before the service has drained it", async () => {
    const node = await karpenter.addNode("unheld");
    const seen = watchEnd(node);
    const { child } = await serveFor(node, 300);
    await karpenter.deleteNode("unheld");
    await child.line(/"msg":"target deregistered"/);
    await expect.poll(() => seen).toContain("node gone");
    expect(child.output).not.toMatch(/"msg":"drain completed"/);
  });

  test("deletes a node with a holder once the service has drained it", async () => {
    const node = await karpenter.addNode("drained");
    const { name: nodeName } = node.metadata;
    // kwok runs no processes. So the test is the kubelet of this pod: kwok would take it away only after an hour.
    const never = { "pod-delete.stage.kwok.x-k8s.io/delay": "1h" };
    await addPod(cluster().api, {
      name: "holder",
      nodeName,
      annotations: never,
      gracePeriodSeconds: 660,
      ...OF_A_DAEMON_SET,
    });
    await addPod(cluster().api, { name: "web", nodeName });
    await running("holder", "web");
    const seen = watchEnd(node);
    const { child, url, environment } = await serveFor(node, 5);
    const hold = startHere(["hold", nodeName, "--server", url], environment, { program: "service" });
    await hold.line(/"msg":"hold ready"/);
    await karpenter.deleteNode("drained");
    const drained = child.line(/"msg":"drain completed"/).then(() => seen.push("drained"));
    await expect.poll(() => seen).toContain("holder evicted");
    // As a kubelet does: it signals the process, and deletes the pod when that has ended.
    hold.signal("SIGTERM");
    await hold.line(/"result":"drained","msg":"hold ended"/);
    expect((await hold.finished).code).toBe(0);
    await drained;
    await cluster().api.delete(`${podPath("holder")}?gracePeriodSeconds=0`);
    await expect.poll(() => seen).toContain("node gone");
    expect(seen).toEqual([
      expect.stringMatching(/^node tainted: true/),
      "web evicted",
      "web gone",
      "holder evicted",
      "drained",
      "holder gone",
      "node gone",
    ]);
    expect(child.output).not.toMatch(/"msg":"node report failed"/);
    const events = "/apis/events.k8s.io/v1/namespaces/default/events";
    const { items } = await cluster().api.get<{ readonly items: readonly NodeEvent[] }>(events);
    const reasons = items.filter(({ regarding }) => regarding.name === nodeName).map(({ reason }) => reason);
    expect(reasons).toEqual(expect.arrayContaining(["Draining", "Excluded", "Deregistered", "Released", "Drained"]));
  });

  test("keeps ordinary pods until the service has drained the node, where it is the eviction gate", async () => {
    const node = await karpenter.addNode("gated");
    await addPod(cluster().api, { name: "local", nodeName: node.metadata.name });
    await running("local");
    const seen = watchEnd(node);
    const { options, authority } = gateOptions(cluster());
    const service = await serveFor(node, 5, options);
    const { child } = service;
    await addGate(cluster(), { port: await gatePort(child), authority });
    await expect.poll(() => isReviewed(service, "local")).toBe(true);
    await karpenter.deleteNode("gated");
    await child.line(/"msg":"drain completed"/);
    await expect.poll(() => seen, { timeout: 60_000 }).toContain("node gone");
    expect(seen).toEqual([expect.stringMatching(/^node tainted: true/), "local evicted", "local gone", "node gone"]);
    // By the times of the log: the watch of the pod and the output of the service arrive in any order.
    const allowed = JSON.parse(await child.line(/"msg":"held eviction allowed"/));
    expect(allowed).toMatchObject({ because: "released" });
    const released = child.output.split("\n").filter((line) => line.includes('"msg":"target released"'));
    expect(released.length).toBeGreaterThan(0);
    for (const line of released) expect(JSON.parse(line).time <= allowed.time).toBe(true);
    expect(karpenter.log).not.toMatch(/"level":"ERROR".*evict/);
  });

  /** Whether the API server asks the service about evictions by now. Tries it with a dry run. */
  async function isReviewed({ url }: { readonly url: string }, pod: string): Promise<boolean> {
    await cluster().api.call("POST", `${podPath(pod)}/eviction?dryRun=All`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: pod, namespace: "default" },
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return /^hasta_la_vista_eviction_reviews_total/m.test(metrics);
  }
});

interface NodeEvent {
  readonly reason: string;
  readonly regarding: { readonly name?: string };
}
