import { expect, onTestFinished, test } from "vitest";
import { SystemClock } from "../../../src/drain/clock.ts";
import { AUTOSCALER_TAINT, OWN_TAINT_VALUE } from "../../../src/drain/cluster.ts";
import { KubernetesCluster } from "../../../src/kubernetes/kubernetes-cluster.ts";
import { clusterRules } from "../../../src/kubernetes/rbac.ts";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { KubeProxies } from "../../../src/simulator/cluster/kube-proxies.ts";
import { watchNodes } from "../../../src/simulator/cluster/node-watch.ts";
import { Simulator } from "../../../src/simulator/simulator.ts";
import { World } from "../../../src/simulator/world/world.ts";
import { connectBy } from "../../support/api-client.ts";
import { addNode as addInstance, announce } from "../../support/departure-scene.ts";
import { addNlb } from "../../support/fast-path-scene.ts";
import { realQueue } from "../../support/real-queue.ts";
import { serveHere } from "../../support/run-here.ts";
import { never } from "../../support/simulated-region.ts";
import { addNode, addNodeOf, type NodeObject, nodePath } from "../support/kubernetes-nodes.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

/** What `rbac` prints for the service. */
const RULES = clusterRules({ writes: true, watches: true });
const OWN = { key: AUTOSCALER_TAINT, value: OWN_TAINT_VALUE, effect: "NoSchedule" } as const;
const DEDICATED = { key: "dedicated", value: "gpu", effect: "NoSchedule" } as const;
const LATE_MS = 60_000;
const SECRET = "a-secret-of-the-taint";

describeOnKubernetes("the taint with which kube-proxy fails health checks, on a real API server,", [], (cluster) => {
  /** The product's cluster under the printed role, and a node of it. */
  async function scene(name: string, id: string) {
    await addNode(cluster().api, { name, providerId: `aws:///eu-west-1a/${id}`, taints: [DEDICATED] });
    const token = await cluster().tokenFor(name, RULES);
    const clock = new SystemClock();
    const server = await connectBy(cluster().kubeconfigFor(name, token), clock);
    const object = () => cluster().api.get<NodeObject>(nodePath(name));
    const taints = async () => (await object()).spec.taints ?? [];
    return { product: new KubernetesCluster({ server, clock }), member: { id, name }, object, taints };
  }

  test("is set beside the taints of others, shows its manager, and is removed alone", async () => {
    const { product, member, object, taints } = await scene("taint-1", "i-00000000000000a01");
    expect(await product.taint(member, never)).toBe("taint-1");
    const version = (await object()).metadata.resourceVersion;
    expect(await product.taint(member, never)).toBe("taint-1");
    expect(await taints()).toEqual([DEDICATED, OWN]);
    expect((await object()).metadata.resourceVersion).toBe(version);
    const manager = (await object()).metadata.managedFields?.find((one) => one.manager === "hasta-la-vista-taint");
    expect(manager).toMatchObject({ fieldsV1: { "f:spec": { "f:taints": {} } } });
    await product.exclude(member, never);
    expect(await product.include(member, never)).toBe("taint-1");
    expect(await taints()).toEqual([DEDICATED]);
  });

  test("drops no taint that other programs set at the same time", async () => {
    const { product, member, taints } = await scene("taint-2", "i-00000000000000a02");
    const others = Array.from({ length: 20 }, (_, at) => ({ key: `other-${at}`, effect: "NoSchedule" as const }));
    // As controllers write taints: each reads the list, adds its own, and repeats that after a conflict.
    const write = async (taint: (typeof others)[number]) => {
      for (;;) {
        const { metadata, spec } = await cluster().api.get<NodeObject>(nodePath(member.name));
        const { resourceVersion } = metadata;
        const patch = { metadata: { resourceVersion }, spec: { taints: [...(spec.taints ?? []), taint] } };
        const type = "application/merge-patch+json";
        const { status } = await cluster().api.call("PATCH", nodePath(member.name), patch, type);
        if (status === 200) return;
        expect(status).toBe(409);
      }
    };
    // A conflict each time is repeated, as beside a drain.
    const isConflict = (error: Error) => {
      expect(error.message).toMatch(/409 Conflict/);
      return undefined;
    };
    const ours = async () => {
      let name: string | undefined;
      do name = await product.taint(member, never).catch(isConflict);
      while (name === undefined);
    };
    await Promise.all([...others.map(write), ours()]);
    const set = (await taints()).map(({ key }) => key).sort();
    expect(set).toEqual([DEDICATED, OWN, ...others].map(({ key }) => key).sort());
  });

  test("is not one that server-side apply could own: the list of taints is one field", async () => {
    const { member, taints } = await scene("taint-3", "i-00000000000000a03");
    const token = await cluster().tokenFor("taint-3", RULES);
    const server = await connectBy(cluster().kubeconfigFor("taint-3", token), new SystemClock());
    const object = { apiVersion: "v1", kind: "Node", metadata: { name: member.name }, spec: { taints: [OWN] } };
    await server.apply(nodePath(member.name), object, { fieldManager: "one", force: true }, never);
    expect(await taints()).toEqual([OWN]);
  });

  test("is set by the service for a spot interruption, whose health check then fails, and is gone after a cancel", async () => {
    const world = new World({ clock: new ScaledClock(1) });
    const [instance, other] = [addInstance(world, 1), addInstance(world, 2)];
    for (const one of [instance, other]) await addNodeOf(cluster().api, one);
    const group = addNlb(world, [instance, other]);
    const simulator = new Simulator(world);
    onTestFinished(() => simulator.close());
    const AWS_ENDPOINT_URL = await simulator.listen();
    const QUEUE = (await realQueue()).url;
    announce(world, QUEUE, undefined);
    const ended = new AbortController();
    const { url: api, ca, adminToken: token } = cluster();
    const lists = watchNodes({ url: api, ca, token }, world.clock, ended.signal);
    const following = new KubeProxies(world).follow(lists, ended.signal);
    onTestFinished(() => {
      ended.abort();
      return following;
    });
    const KUBERNETES = cluster().kubeconfigFor("service", await cluster().tokenFor("service", RULES));
    const environment = { AWS_ENDPOINT_URL, KUBERNETES, QUEUE, SECRET, UNDO: "true", NLB_FAST_PATH: "true" };
    const { child, url } = await serveHere(environment);

    world.interruptions.interrupt(instance, { lateMs: LATE_MS });
    const { drain } = JSON.parse(await child.line(/"msg":"node tainted"/));
    const taints = async () => (await cluster().api.get<NodeObject>(nodePath(instance.name))).spec.taints;
    expect(await taints()).toEqual([OWN]);
    const [target] = group.listed(world.clock.now()).filter(({ id }) => id === instance.id);
    if (target === undefined) throw new Error("the target is not listed");
    await expect.poll(() => group.health(target, world.clock.now())).toBe("unhealthy");

    const headers = { authorization: `Bearer ${SECRET}` };
    expect((await fetch(`${url}/drains/${drain}`, { method: "DELETE", headers })).status).toBe(200);
    await expect.poll(taints).toEqual(undefined);
    expect(child.output).not.toMatch(/cluster-autoscaler removes the node/);
  });
});
