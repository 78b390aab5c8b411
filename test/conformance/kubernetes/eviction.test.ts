import { afterAll, beforeAll, expect, test } from "vitest";
import type { JointEviction } from "../../../src/drain/eviction.ts";
import type { EvictionStep } from "../../../src/drain/steps.ts";
import { KubernetesCluster } from "../../../src/kubernetes/kubernetes-cluster.ts";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { connectBy } from "../../support/api-client.ts";
import { never } from "../../support/simulated-region.ts";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { addNode, type NodeObject, nodePath } from "../support/kubernetes-nodes.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const PODS = "/api/v1/namespaces/default/pods";
const BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
const RULES = [
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "patch"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
  { apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"] },
];

type PodObject = KubernetesObject & {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
};

describeOnKubernetes("the eviction of pods", [], (cluster) => {
  let kubeconfig: string;
  let kubelets: NodeJS.Timeout;
  let nodes = 0;

  beforeAll(async () => {
    kubeconfig = cluster().kubeconfigFor("evicting", await cluster().tokenFor("evicting", RULES));
    kubelets = setInterval(() => void endTerminating().catch(() => {}), 100);
  });

  afterAll(() => clearInterval(kubelets));

  /** As kubelets do, once the containers of a pod have ended. */
  async function endTerminating(): Promise<void> {
    const { items } = await cluster().api.get<{ items: readonly PodObject[] }>(PODS);
    for (const { metadata } of items)
      if (metadata.deletionTimestamp !== undefined)
        await cluster().api.call("DELETE", `${PODS}/${metadata.name}`, {
          apiVersion: "v1",
          kind: "DeleteOptions",
          gracePeriodSeconds: 0,
        });
  }

  /** A node of its own for each test, with these pods, each running and ready. */
  async function scene(pods: Readonly<Record<string, { readonly labels?: object; readonly owner?: string }>>) {
    const name = `node-${++nodes}`;
    const id = `i-${String(nodes).padStart(17, "0")}`;
    await addNode(cluster().api, { name, providerId: `aws:///eu-west-1a/${id}` });
    for (const [pod, { labels = {}, owner = "ReplicaSet" }] of Object.entries(pods)) {
      const owners = [{ apiVersion: "apps/v1", kind: owner, name: "web", uid: `uid-${owner}`, controller: true }];
      await cluster().api.post(PODS, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: pod, labels, ownerReferences: owners },
        spec: { nodeName: name, terminationGracePeriodSeconds: 1, containers: [{ name: "web", image: "web" }] },
      });
      const conditions = [{ type: "Ready", status: "True" }];
      await cluster().api.patch(`${PODS}/${pod}/status`, { status: { phase: "Running", conditions } });
    }
    const clock = new ScaledClock(10);
    const server = await connectBy(kubeconfig, clock);
    const product = new KubernetesCluster({ server, clock });
    const events: EvictionStep[] = [];
    const evict = (options: JointEviction = {}) =>
      product.evict({ id, name }, options, (event) => events.push(event), never);
    return { name, id, product, events, evict };
  }

  async function budget(name: string, app: string, disruptionsAllowed?: number): Promise<void> {
    const made = await cluster().api.post<{ metadata: { generation: number } }>(BUDGETS, {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name },
      spec: { minAvailable: 1, selector: { matchLabels: { app } } },
    });
    if (disruptionsAllowed !== undefined) await allow(name, disruptionsAllowed, made.metadata.generation);
  }

  /** What the disruption controller would write. */
  async function allow(name: string, disruptionsAllowed: number, observedGeneration = 1): Promise<void> {
    const counts = { currentHealthy: 1 + disruptionsAllowed, desiredHealthy: 1, expectedPods: 2 };
    await cluster().api.patch(`${BUDGETS}/${name}/status`, {
      status: { observedGeneration, disruptionsAllowed, ...counts, conditions: [] },
    });
  }

  const podsOf = async (node: string) => {
    const { items } = await cluster().api.get<{ items: readonly PodObject[] }>(PODS);
    return items.filter(({ spec }) => spec.nodeName === node).map(({ metadata }) => metadata.name);
  };
  const nodeOf = (name: string) => cluster().api.get<NodeObject>(nodePath(name));

  test("cordons the node and evicts its pods under exactly the permissions for it, but not a DaemonSet's", async () => {
    const { name, evict, events } = await scene({ a: {}, b: {}, agent: { owner: "DaemonSet" } });
    await evict();
    expect(await podsOf(name)).toEqual(["agent"]);
    expect((await nodeOf(name)).spec.unschedulable).toBe(true);
    expect(events[0]).toEqual({ type: "evicting", pods: ["default/a", "default/b"] });
  });

  test("waits for a budget that is spent, names it, and goes on when it allows it", async () => {
    await budget("spent", "spent", 0);
    const { name, evict, events } = await scene({ spent: { labels: { app: "spent" } } });
    const evicting = evict();
    await expect
      .poll(() => events)
      .toContainEqual(expect.objectContaining({ type: "eviction-refused", pod: "default/spent", budget: "spent" }));
    await allow("spent", 1);
    await evicting;
    expect(await podsOf(name)).toEqual([]);
  });

  test("waits for a budget that no controller has processed yet", async () => {
    await budget("new", "new");
    const { evict, events } = await scene({ new: { labels: { app: "new" } } });
    const evicting = evict();
    await expect.poll(() => events).toContainEqual(expect.objectContaining({ willRetry: true, budget: "new" }));
    await allow("new", 1);
    await evicting;
  });

  test("does not retry a pod that two budgets select, and says so", async () => {
    await budget("one", "both", 1);
    await budget("two", "both", 1);
    const { name, evict } = await scene({ both: { labels: { app: "both" } }, other: {} });
    await expect(evict()).rejects.toMatchObject({
      code: "not-evicted",
      message: expect.stringMatching(/^1 pod was not evicted: default\/both \(.*more than one PodDisruptionBudget/),
    });
    expect(await podsOf(name)).toEqual(["both"]);
  });

  test("leaves a node cordoned that another program has cordoned too, and takes back its own cordon", async () => {
    const own = await scene({});
    const shared = await scene({});
    await cluster().api.patch(nodePath(shared.name), { spec: { unschedulable: true } });
    for (const { evict, product, name, id } of [own, shared]) {
      await evict();
      expect((await nodeOf(name)).spec.unschedulable).toBe(true);
      await product.include({ id, name }, never);
    }
    expect((await nodeOf(own.name)).spec.unschedulable).toBeUndefined();
    expect((await nodeOf(shared.name)).spec.unschedulable).toBe(true);
  });

  test("lists the pods on a node by spec.nodeName", async () => {
    const { product, id, name } = await scene({ here: {} });
    await cluster().api.patch(`${PODS}/here/status`, { status: { podIP: "10.1.2.3", podIPs: [{ ip: "10.1.2.3" }] } });
    expect(await product.podsOf({ id, name }, "now", never)).toMatchObject([
      { name: "default/here", addresses: ["10.1.2.3"], isLeaving: false, isBound: false },
    ]);
  });

  test("names the permission that is missing", async () => {
    const { evict } = await scene({ denied: {} });
    await cluster().allow("evicting", RULES.slice(0, 2));
    await expect(evict()).rejects.toMatchObject({
      message: expect.stringMatching(/pods\/eviction.*'hasta-la-vista rbac' prints the role/),
    });
    await cluster().allow("evicting", RULES);
  });
});
