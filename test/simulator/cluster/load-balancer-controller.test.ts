import { describe, expect, onTestFinished, test } from "vitest";
import type { ClusterNode } from "../../../src/simulator/cluster/cluster-node.ts";
import { LoadBalancerController, type PodEndpoint } from "../../../src/simulator/cluster/load-balancer-controller.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";

const REACTION_MS = 200;
const MINUTE_MS = 60_000;
const EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers";

/** Three nodes of which two are registered, in a group that the controller manages. */
async function controlled(nodeSelector: Readonly<Record<string, string>> = {}) {
  const region = new SimulatedRegion({ albRegistrationMs: 0 });
  const instances = [region.node(), region.node(), region.node()] as const;
  const group = region.group({ name: "web", nodes: instances.slice(0, 2) });
  const controller = new LoadBalancerController(region.world, [{ group, nodeSelector }]);
  onTestFinished(() => controller.close());
  const nodes = new Map<string, ClusterNode>();
  /** Changes a node and lets the controller react. */
  const set = async ({ id, zone }: Instance, change: Partial<ClusterNode> = {}) => {
    const known = nodes.get(id) ?? {
      name: id,
      providerId: `aws:///${zone}/${id}`,
      labels: {},
      taints: [],
      ready: "True",
    };
    nodes.set(id, { ...known, ...change });
    controller.setNodes([...nodes.values()]);
    await region.clock.advance(REACTION_MS);
  };
  /** Ids of the instances that are registered and do not drain. */
  const registered = () => {
    const now = region.clock.now();
    const live = group.listed(now).filter((target) => group.apiHealth(target, now).state !== "draining");
    return live.map(({ id }) => instances.findIndex((instance) => instance.id === id) + 1);
  };
  const remove = async ({ id }: Instance) => {
    nodes.delete(id);
    controller.setNodes([...nodes.values()]);
    await region.clock.advance(REACTION_MS);
  };
  for (const instance of instances.slice(0, 2)) await set(instance);
  return { region, group, controller, instances, set, remove, registered };
}

describe("aws-load-balancer-controller, as it is simulated", () => {
  test("registers a node that joins, a moment later", async () => {
    const { controller, region, instances, registered } = await controlled();
    const joined = {
      name: "three",
      providerId: `aws:///a/${instances[2].id}`,
      labels: {},
      taints: [],
      ready: "True",
    } as const;
    controller.setNodes([joined]);
    await region.clock.advance(REACTION_MS - 1);
    expect(registered()).toEqual([1, 2]);
    await region.clock.advance(1);
    expect(registered()).toEqual([3]);
  });

  test.each<[string, Partial<ClusterNode>]>([
    ["the label that excludes nodes", { labels: { [EXCLUDE]: "true" } }],
    ["that label with the value false", { labels: { [EXCLUDE]: "false" } }],
    ["that label with the value karpenter", { labels: { [EXCLUDE]: "karpenter" } }],
    ["the role of a control plane", { labels: { "node-role.kubernetes.io/master": "" } }],
    ["the label of a Fargate node", { labels: { "eks.amazonaws.com/compute-type": "fargate" } }],
    ["the autoscaler's taint", { taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] }],
    ["Karpenter's taint", { taints: [{ key: "karpenter.sh/disrupted", effect: "NoSchedule" }] }],
    ["the condition that it is not ready", { ready: "False" }],
    ["the condition that it is not known to be ready", { ready: "Unknown" }],
  ])("deregisters a node for %s, and registers it when that goes", async (_, change) => {
    const { instances, set, registered } = await controlled();
    await set(instances[0], change);
    expect(registered()).toEqual([2]);
    await set(instances[0], { labels: {}, taints: [], ready: "True" });
    expect(registered()).toEqual([1, 2]);
  });

  test.each<[string, Partial<ClusterNode>]>([
    ["a cordon", { taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }] }],
    [
      "a taint of aws-node-termination-handler",
      { taints: [{ key: "aws-node-termination-handler/spot-itn", effect: "NoSchedule" }] },
    ],
    ["Karpenter's taint with another effect", { taints: [{ key: "karpenter.sh/disrupted", effect: "NoExecute" }] }],
    ["another compute type of EKS", { labels: { "eks.amazonaws.com/compute-type": "ec2" } }],
  ])("leaves a node registered for %s", async (_, change) => {
    const { instances, set, registered } = await controlled();
    await set(instances[0], change);
    expect(registered()).toEqual([1, 2]);
  });

  test("registers only nodes with the labels that the binding selects", async () => {
    const { instances, set, registered } = await controlled({ pool: "web" });
    expect(registered()).toEqual([1, 2]);
    await set(instances[0], { labels: { pool: "web" } });
    expect(registered()).toEqual([1]);
    await set(instances[0], { labels: { pool: "web", [EXCLUDE]: "true" } });
    expect(registered()).toEqual([]);
  });

  test("deregisters a node when it is gone", async () => {
    const { instances, remove, registered } = await controlled();
    expect(registered()).toEqual([1, 2]);
    await remove(instances[0]);
    expect(registered()).toEqual([2]);
  });
});

describe("what another caller has deregistered", () => {
  test("stays out while nothing happens, and for five minutes of events", async () => {
    const { region, group, instances, set, registered } = await controlled();
    region.world.deregisterTarget(group, { id: instances[0].id });
    await region.clock.advance(4 * MINUTE_MS);
    await set(instances[2]);
    expect(registered()).toEqual([2, 3]);
  });

  test("is registered again at the first event after five minutes, and from then on at each", async () => {
    const { region, group, instances, set, registered } = await controlled();
    region.world.deregisterTarget(group, { id: instances[0].id });
    await region.clock.advance(5 * MINUTE_MS);
    expect(registered()).toEqual([2]);
    await set(instances[2]);
    expect(registered()).toEqual([1, 2, 3]);
    for (const ready of ["False", "True", "False"] as const) {
      region.world.deregisterTarget(group, { id: instances[0].id });
      await set(instances[2], { ready });
      expect(registered()).toContain(1);
    }
  });

  test("is registered again at the first event after a restart of the controller", async () => {
    const { region, group, controller, instances, set, registered } = await controlled();
    region.world.deregisterTarget(group, { id: instances[0].id });
    controller.restart();
    await region.clock.advance(REACTION_MS);
    expect(registered()).toEqual([2]);
    await set(instances[2]);
    expect(registered()).toEqual([1, 2, 3]);
  });

  test("is registered again half an hour after a restart by itself, once the checkpoint is ten hours old", async () => {
    const { region, group, controller, instances, registered } = await controlled();
    await region.clock.advance(11 * 60 * MINUTE_MS);
    region.world.deregisterTarget(group, { id: instances[0].id });
    controller.restart();
    await region.clock.advance(30 * MINUTE_MS);
    expect(registered()).toEqual([2]);
    await region.clock.advance(2 * REACTION_MS);
    expect(registered()).toEqual([1, 2]);
  });

  test("stays out whatever happens while the node is excluded", async () => {
    const { region, instances, set, registered } = await controlled();
    await set(instances[0], { labels: { [EXCLUDE]: "true" } });
    await region.clock.advance(6 * MINUTE_MS);
    for (const ready of ["True", "False", "True"] as const) await set(instances[2], { ready });
    expect(registered()).toEqual([2, 3]);
  });
});

describe("a node without an instance's id", () => {
  test("stops every change until it has one, which only a retry notices", async () => {
    const { region, instances, set, registered } = await controlled();
    await set(instances[2], { providerId: "" });
    await set(instances[0], { labels: { [EXCLUDE]: "true" } });
    await region.clock.advance(MINUTE_MS);
    expect(registered()).toEqual([1, 2]);
    await set(instances[2], { providerId: `aws:///a/${instances[2].id}` });
    expect(registered()).toEqual([1, 2]);
    await region.clock.advance(2 * MINUTE_MS);
    expect(registered()).toEqual([2, 3]);
  });

  test("stops nothing while it is not ready", async () => {
    const { instances, set, registered } = await controlled();
    await set(instances[2], { providerId: "kwok://three", ready: "False" });
    await set(instances[0], { labels: { [EXCLUDE]: "true" } });
    expect(registered()).toEqual([2]);
  });

  test("is what one instance is that does not run: AWS refuses the call for all", async () => {
    const { region, instances, set, registered } = await controlled();
    region.world.stopInstance(instances[2]);
    await set(instances[2]);
    expect(registered()).toEqual([1, 2]);
  });
});

describe("pods' addresses", () => {
  const POD: PodEndpoint = { ip: "10.0.77.1", ready: true, containersReady: true, nodeName: "one" };

  function ofPods() {
    const region = new SimulatedRegion({ albRegistrationMs: 0 });
    const group = region.group({ name: "pods", targetType: "ip", type: "network" });
    const controller = new LoadBalancerController(region.world, [{ group }]);
    onTestFinished(() => controller.close());
    const set = async (...pods: readonly PodEndpoint[]) => {
      controller.setPods(group, pods);
      await region.clock.advance(REACTION_MS);
    };
    const registered = () => {
      const now = region.clock.now();
      const live = group.listed(now).filter((target) => group.apiHealth(target, now).state !== "draining");
      return live.map(({ id }) => id);
    };
    const node = { name: "one", labels: { [EXCLUDE]: "true" }, taints: [], ready: "True" } as const;
    controller.setNodes([node]);
    return { region, group, set, registered };
  }

  test("are registered whatever their node's labels say, and come back with any change of the endpoints", async () => {
    const { region, group, set, registered } = ofPods();
    await set(POD);
    expect(registered()).toEqual([POD.ip]);
    region.world.deregisterTarget(group, { id: POD.ip });
    expect(registered()).toEqual([]);
    await set(POD, { ...POD, ip: "10.0.77.2" });
    expect(registered().sort()).toEqual([POD.ip, "10.0.77.2"]);
  });

  test.each<[string, Partial<PodEndpoint>, boolean]>([
    ["terminates", { ready: false, terminating: true }, false],
    ["has a container that is not ready", { ready: false, containersReady: false }, false],
    ["is not ready, though its containers are", { ready: false }, true],
  ])("of a pod that %s", async (_, change, isIn) => {
    const { set, registered } = ofPods();
    await set(POD);
    await set({ ...POD, ...change });
    expect(registered()).toEqual(isIn ? [POD.ip] : []);
  });
});
