import { afterAll, beforeAll, expect, test } from "vitest";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { LoadBalancerController } from "../../../src/simulator/cluster/load-balancer-controller.ts";
import { watchNodes } from "../../../src/simulator/cluster/node-watch.ts";
import type { TargetGroup } from "../../../src/simulator/world/target-group.ts";
import { World } from "../../../src/simulator/world/world.ts";
import { VPC } from "../../support/simulated-region.ts";
import { addNodeOf, nodePath } from "../support/kubernetes-nodes.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

describeOnKubernetes("the simulated aws-load-balancer-controller, on an API server's nodes", [], (cluster) => {
  const stop = new AbortController();
  let world: World;
  let group: TargetGroup;
  let controller: LoadBalancerController;
  let following: Promise<void>;

  beforeAll(async () => {
    const clock = new ScaledClock(1);
    world = new World({ clock });
    group = world.addTargetGroup({ name: "web", vpcId: VPC, protocol: "TCP", port: 30080, targetType: "instance" });
    world.addListener(world.addLoadBalancer({ name: "web-lb", type: "network", vpcId: VPC }), {
      protocol: "TCP",
      port: 80,
      defaultActions: [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }],
    });
    controller = new LoadBalancerController(world, [{ group }]);
    const readNodes = [{ apiGroups: [""], resources: ["nodes"], verbs: ["list", "watch"] }];
    const token = await cluster().tokenFor("load-balancer-controller", readNodes);
    const { url, ca } = cluster();
    following = controller.follow(watchNodes({ url, ca, token }, clock, stop.signal), stop.signal);
    for (const number of [1, 2]) await addNode(number);
  });

  afterAll(async () => {
    stop.abort();
    controller?.close();
    await following;
  });

  async function addNode(number: number): Promise<void> {
    const id = `i-${String(number).padStart(17, "0")}`;
    const instance = world.addInstance({ id, vpcId: VPC, privateIp: `10.0.0.${number}`, name: `node-${number}` });
    await addNodeOf(cluster().api, instance);
  }

  const registered = () => {
    const now = world.clock.now();
    const live = group.listed(now).filter((target) => group.apiHealth(target, now).state !== "draining");
    return live.map(({ id }) => Number(id.slice("i-".length))).sort();
  };

  test("registers the nodes that are ready, and deregisters one that gets the label", async () => {
    await expect.poll(registered).toEqual([1, 2]);
    const label = "node.kubernetes.io/exclude-from-external-load-balancers";
    await cluster().api.patch(nodePath("node-1"), { metadata: { labels: { [label]: "true" } } });
    await expect.poll(registered).toEqual([2]);
    await cluster().api.patch(nodePath("node-1"), { metadata: { labels: { [label]: null } } });
    await expect.poll(registered).toEqual([1, 2]);
  });

  test("goes on after the API server was killed, with what has happened since", async () => {
    await cluster().kill9();
    await cluster().restart();
    await addNode(3);
    await cluster().api.delete(nodePath("node-2"));
    await expect.poll(registered).toEqual([1, 3]);
  });
});
