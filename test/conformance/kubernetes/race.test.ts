import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { Simulator } from "../../../src/simulator/simulator.ts";
import type { ClassicLoadBalancer } from "../../../src/simulator/world/classic-load-balancer.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { World } from "../../../src/simulator/world/world.ts";
import { runHere } from "../../support/run-here.ts";
import { VPC } from "../../support/simulated-region.ts";
import { startCloudController } from "../support/cloud-controller.ts";
import { addNodeOf, addService, nodePath } from "../support/kubernetes-nodes.ts";
import type { RunningKubernetesProgram } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers";
const MAY_EXCLUDE = [{ apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "patch"] }];

describeOnKubernetes("a drain beside cloud-provider-aws's controller", ["aws-cloud-controller-manager"], (cluster) => {
  const world = new World({ clock: new ScaledClock(1) });
  const simulator = new Simulator(world);
  let awsUrl: string;
  let controller: RunningKubernetesProgram;
  let classic: ClassicLoadBalancer;
  let nodes = 0;

  beforeAll(async () => {
    for (const _ of [1, 2, 3]) await addNode();
    awsUrl = await simulator.listen();
    controller = await startCloudController(cluster(), { awsUrl, vpcId: VPC, zone: "eu-west-1a" });
    await addService(cluster().api, "web");
    const made = () => {
      const [one] = world.classics.values();
      if (one?.registered(world.clock.now()).length !== 3) throw new Error(`not yet there:\n${controller.output}`);
      return one;
    };
    classic = await vi.waitFor(made, { timeout: 60_000 });
  });

  afterAll(async () => {
    await controller?.kill();
    await simulator.close();
  });

  async function addNode(): Promise<Instance> {
    nodes += 1;
    const instance = world.addInstance({
      id: `i-${String(nodes).padStart(17, "0")}`,
      vpcId: VPC,
      privateIp: `10.0.0.${nodes}`,
      tags: { "kubernetes.io/cluster/demo": "owned" },
    });
    await addNodeOf(cluster().api, instance);
    return instance;
  }

  /** Drains the node, and lets another one join as soon as it is out. `isBack`: whether it is registered again then. */
  async function drainWhileAnotherJoins({ id }: Instance, environment: Readonly<Record<string, string>>) {
    const drain = runHere(["drain", id], {
      AWS_ENDPOINT_URL: awsUrl,
      MIN_HEALTHY: "0",
      CLASSIC_MINIMUM: "1",
      ...environment,
    });
    await expect.poll(() => classic.isRegistered(id)).toBe(false);
    const joined = await addNode();
    // The controller has looked at all nodes when it has registered this one.
    await expect.poll(() => classic.isRegistered(joined.id)).toBe(true);
    const isBack = classic.isRegistered(id);
    return { isBack, ...(await drain) };
  }

  test("that knows no cluster sees its node registered again when another one joins", async () => {
    const [node] = world.instances.values();
    if (node === undefined) throw new Error("no node");
    expect((await drainWhileAnotherJoins(node, {})).isBack).toBe(true);
  });

  test("that excludes the node from the cluster's load balancers keeps it out", async () => {
    const [, node] = world.instances.values();
    if (node === undefined) throw new Error("no node");
    const token = await cluster().tokenFor("hasta-la-vista", MAY_EXCLUDE);
    const drained = await drainWhileAnotherJoins(node, {
      KUBERNETES: cluster().kubeconfigFor("hasta-la-vista", token),
    });
    expect(drained).toMatchObject({ isBack: false, code: 0, stdout: expect.stringMatching(/drained/) });
    expect(classic.isRegistered(node.id)).toBe(false);
    const labels = (await cluster().api.get(nodePath(node.name))).metadata.labels;
    expect(labels?.[EXCLUDE]).toBe("true");
  });
});
