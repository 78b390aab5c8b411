import { afterAll, beforeAll, expect, test } from "vitest";
import { EXCLUDE_LABEL } from "../../../src/drain/cluster.ts";
import { clusterRules } from "../../../src/kubernetes/rbac.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { serveHere } from "../../support/run-here.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import { startCloudController } from "../support/cloud-controller.ts";
import { addNodeOf, addService, type NodeObject, nodePath } from "../support/kubernetes-nodes.ts";
import type { RunningKubernetesProgram } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const SECRET = "a-secret-of-the-cluster";
const KARPENTER = { key: "karpenter.sh/disrupted", effect: "NoSchedule" };
/** What `rbac` prints for the service. */
const RULES = clusterRules({ writes: true, watches: true });

describeOnKubernetes(
  "the service, beside cloud-provider-aws's controller",
  ["aws-cloud-controller-manager"],
  (cluster) => {
    let region: SimulatedRegion;
    let controller: RunningKubernetesProgram;
    let environment: Readonly<Record<string, string>>;

    beforeAll(async () => {
      region = new SimulatedRegion();
      for (const _ of [1, 2, 3]) await addNode();
      const awsUrl = await region.simulator.listen();
      controller = await startCloudController(cluster(), { awsUrl, vpcId: VPC, zone: "eu-west-1a" });
      await addService(cluster().api, "classic");
      const token = await cluster().tokenFor("hasta-la-vista", RULES);
      environment = {
        AWS_ENDPOINT_URL: awsUrl,
        KUBERNETES: cluster().kubeconfigFor("hasta-la-vista", token),
        SECRET,
        UNDO: "true",
        CLASSIC_MINIMUM: "1",
        MIN_HEALTHY: "0",
      };
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

    const nodeIds = () => [...region.world.instances.keys()].sort();
    const inClassic = () =>
      [...region.world.classics.values()].flatMap((one) => one.registered(region.clock.now())).toSorted();
    const labelOf = async ({ name }: Instance) => {
      const { metadata } = await cluster().api.get<NodeObject>(nodePath(name));
      return metadata?.labels?.[EXCLUDE_LABEL];
    };
    const taint = (node: Instance, ...taints: readonly object[]) =>
      cluster().api.patch(nodePath(node.name), { spec: { taints } });
    const serve = (more: Readonly<Record<string, string>> = {}) => serveHere({ ...environment, ...more });

    test("has all nodes in its load balancer at first", async () => {
      await expect.poll(inClassic, { message: controller.output }).toEqual(nodeIds());
    });

    test("excludes a node that Karpenter disrupts, which the controller then leaves out, and gives it back", async () => {
      const [node] = region.world.instances.values() as Iterable<Instance>;
      if (node === undefined) throw new Error("no node");
      const { child } = await serve();
      await taint(node, KARPENTER);
      await child.line(/"msg":"node excluded"/);
      expect(await labelOf(node)).toBe("true");
      await child.line(/"msg":"drain completed"/);
      // An event of another node is when the controller puts back what was only deregistered.
      const added = await addNode();
      await expect.poll(inClassic).toContain(added.id);
      expect(inClassic()).not.toContain(node.id);
      await taint(node);
      await child.line(/"msg":"node departure withdrawn"/);
      await expect.poll(inClassic).toEqual(nodeIds());
      expect(await labelOf(node)).toBeUndefined();
      expect(child.output).not.toMatch(/target came back/);
    });

    test("drains a node while the API server is away, and excludes it once that is back", async () => {
      const node = await addNode();
      await expect.poll(inClassic).toContain(node.id);
      const { child, url } = await serve({ NODE_TRIGGERS: "annotation" });
      await cluster().pause();
      const answer = fetch(`${url}/drain?id=${node.id}&wait=true`, {
        method: "POST",
        headers: { authorization: `Bearer ${SECRET}` },
      });
      await child.line(/"msg":"target deregistered"/);
      await cluster().resume();
      await child.line(/"msg":"node excluded"/);
      expect((await answer).status).toBe(200);
      expect(await labelOf(node)).toBe("true");
    });

    test("names the permission that it lacks, and drains all the same", async () => {
      await cluster().allow("hasta-la-vista", [{ ...RULES[0], verbs: ["get", "list", "watch"] }] as typeof RULES);
      const node = await addNode();
      await expect.poll(inClassic).toContain(node.id);
      const { child } = await serve();
      await taint(node, KARPENTER);
      await child.line(/cannot patch resource .*nodes.*rbac.*"msg":"node exclusion failed"/);
      await child.line(/"msg":"drain completed"/);
      await cluster().allow("hasta-la-vista", RULES);
    });
  },
);
