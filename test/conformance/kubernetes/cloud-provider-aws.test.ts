import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClassicLoadBalancer } from "../../../src/simulator/world/classic-load-balancer.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../../src/simulator/world/target-group.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import { startCloudController } from "../support/cloud-controller.ts";
import { addNodeOf, addService, nodePath, setReady } from "../support/kubernetes-nodes.ts";
import type { RunningKubernetesProgram } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const EXCLUDED = { "node.kubernetes.io/exclude-from-external-load-balancers": "true" };
const NLB = { "service.beta.kubernetes.io/aws-load-balancer-type": "nlb" };

describeOnKubernetes(
  "cloud-provider-aws's controller, at the simulator",
  ["aws-cloud-controller-manager"],
  (cluster) => {
    let region: SimulatedRegion;
    let controller: RunningKubernetesProgram;

    beforeAll(async () => {
      region = new SimulatedRegion();
      for (const _ of [1, 2]) await addNode();
      const awsUrl = await region.simulator.listen();
      controller = await startCloudController(cluster(), { awsUrl, vpcId: VPC, zone: "eu-west-1a" });
    });

    afterAll(async () => {
      await controller?.kill();
      await region?.simulator.close();
    });

    async function addNode(): Promise<Instance> {
      const instance = region.node();
      await addNodeOf(cluster().api, instance);
      return instance;
    }

    async function setLabels(instance: Instance, labels: Readonly<Record<string, string | null>>): Promise<void> {
      await cluster().api.patch(nodePath(instance.name), { metadata: { labels } });
    }

    const serviceOf = ({ tags }: ClassicLoadBalancer | TargetGroup) => tags.get("kubernetes.io/service-name");
    const classicOf = (service: string) =>
      [...region.world.classics.values()].find((one) => serviceOf(one) === `default/${service}`);
    const groupOf = (service: string) =>
      [...region.world.targetGroups.values()].find((one) => serviceOf(one) === `default/${service}`);
    const inClassic = (service: string) => classicOf(service)?.registered(region.clock.now()).toSorted() ?? [];
    const inGroup = (service: string) => {
      const group = groupOf(service);
      const now = region.clock.now();
      const live = group?.listed(now).filter((target) => group.apiHealth(target, now).state !== "draining");
      return live?.map(({ id }) => id).toSorted() ?? [];
    };
    const nodeIds = () => [...region.world.instances.keys()].sort();

    test("makes a classic load balancer for a service, with all nodes in it, and draining off", async () => {
      await addService(cluster().api, "classic");
      await expect.poll(() => inClassic("classic"), { message: controller.output }).toEqual(nodeIds());
      expect(classicOf("classic")).toMatchObject({ draining: { enabled: false }, isCrossZone: false });
      const [own = ""] = classicOf("classic")?.securityGroups ?? [];
      const web = { protocol: "tcp", fromPort: 80, toPort: 80, cidrIp: "0.0.0.0/0" };
      expect(region.world.securityGroups.get(own).ingress).toContainEqual(expect.objectContaining(web));
    });

    test("makes an NLB for a service that asks for one, with all nodes in its group", async () => {
      await addService(cluster().api, "network", NLB);
      await expect.poll(() => inGroup("network"), { message: controller.output }).toEqual(nodeIds());
    });

    test("registers a node again that was deregistered by API alone, at the first event of any node", async () => {
      const [first = ""] = nodeIds();
      const classic = classicOf("classic") as ClassicLoadBalancer;
      const group = groupOf("network") as TargetGroup;
      region.world.deregisterClassic(classic, first);
      region.world.deregisterTarget(group, { id: first });
      expect(inClassic("classic")).not.toContain(first);
      await addNode();
      await expect.poll(() => inClassic("classic")).toEqual(nodeIds());
      await expect.poll(() => inGroup("network")).toEqual(nodeIds());
    });

    test("deregisters an excluded node, leaves it out at the events of others, and registers it when the label goes", async () => {
      const [excluded] = region.world.instances.values();
      if (excluded === undefined) throw new Error("no node");
      const others = () => nodeIds().filter((id) => id !== excluded.id);
      await setLabels(excluded, EXCLUDED);
      await expect.poll(() => inClassic("classic")).toEqual(others());
      await expect.poll(() => inGroup("network")).toEqual(others());
      // It has looked at all nodes when it has registered the new one.
      const added = await addNode();
      await expect.poll(() => inClassic("classic")).toContain(added.id);
      await expect.poll(() => inGroup("network")).toContain(added.id);
      expect(inClassic("classic")).toEqual(others());
      expect(inGroup("network")).toEqual(others());
      await setLabels(excluded, { "node.kubernetes.io/exclude-from-external-load-balancers": null });
      await expect.poll(() => inClassic("classic")).toEqual(nodeIds());
      await expect.poll(() => inGroup("network")).toEqual(nodeIds());
    });

    test.each([
      ["karpenter", "is out"],
      ["false", "stays in"],
    ])("takes a node whose label has the value %s for one that %s", async (value, result) => {
      const marked = await addNode();
      await expect.poll(() => inClassic("classic")).toContain(marked.id);
      await setLabels(marked, { "node.kubernetes.io/exclude-from-external-load-balancers": value });
      if (result === "is out") await expect.poll(() => inClassic("classic")).not.toContain(marked.id);
      const added = await addNode();
      await expect.poll(() => inClassic("classic")).toContain(added.id);
      expect(inClassic("classic").includes(marked.id)).toBe(result === "stays in");
      await setLabels(marked, { "node.kubernetes.io/exclude-from-external-load-balancers": null });
      await expect.poll(() => inClassic("classic")).toEqual(nodeIds());
    });

    test("leaves a node in that is cordoned or not ready", async () => {
      const node = await addNode();
      await expect.poll(() => inClassic("classic")).toContain(node.id);
      await cluster().api.patch(nodePath(node.name), { spec: { unschedulable: true } });
      await setReady(cluster().api, node.name, "False");
      const added = await addNode();
      await expect.poll(() => inClassic("classic")).toContain(added.id);
      expect(inClassic("classic")).toEqual(nodeIds());
    });

    test("notices the autoscaler's taint only at the next event of another node", async () => {
      const tainted = await addNode();
      await expect.poll(() => inClassic("classic")).toContain(tainted.id);
      const taints = [{ key: "ToBeDeletedByClusterAutoscaler", value: "1", effect: "NoSchedule" }];
      await cluster().api.patch(nodePath(tainted.name), { spec: { taints } });
      // The load balancer of a new service is made without the node, and the others keep it.
      await addService(cluster().api, "later");
      const others = () => nodeIds().filter((id) => id !== tainted.id);
      await expect.poll(() => inClassic("later")).toEqual(others());
      expect(inClassic("classic")).toEqual(nodeIds());
      await addNode();
      await expect.poll(() => inClassic("classic")).toEqual(others());
    });

    test("takes a node out that is gone, and deletes what it has made when the service goes", async () => {
      const gone = await addNode();
      await expect.poll(() => inClassic("classic")).toContain(gone.id);
      await cluster().api.delete(nodePath(gone.name));
      await expect.poll(() => inClassic("classic")).not.toContain(gone.id);
      for (const service of ["classic", "network", "later"])
        await cluster().api.delete(`/api/v1/namespaces/default/services/${service}`);
      await expect.poll(() => [region.world.classics.size, region.world.targetGroups.size]).toEqual([0, 0]);
      await expect.poll(() => region.world.securityGroups.all.map(({ name }) => name)).toEqual(["default"]);
    });
  },
);
