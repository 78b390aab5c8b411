import { expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { EXCLUDE_LABEL } from "../../src/drain/cluster.ts";
import type { ClusterNode } from "../../src/simulator/cluster/cluster-node.ts";
import { LoadBalancerController } from "../../src/simulator/cluster/load-balancer-controller.ts";
import { FakeCluster } from "../support/fake-cluster.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

const CACHE_MS = 5 * 60 * 1_000;
const EVENT_EVERY_MS = 10_000;

/**
 * Three nodes behind a load balancer, of which the third goes in and out of readiness all the time, and
 * aws-load-balancer-controller, whose list of targets is as old as it may be.
 */
async function scene(type: "application" | "network") {
  const region = new SimulatedRegion();
  const instances = [region.node(), region.node(), region.node()] as const;
  const group = region.group({ name: "web", type, nodes: instances, delaySeconds: 120 });
  const controller = new LoadBalancerController(region.world, [{ group }]);
  onTestFinished(() => controller.close());
  const cluster = new FakeCluster(() => region.clock);
  let ready: ClusterNode["ready"] = "True";
  const labelsOf = (name: string): ClusterNode["labels"] =>
    cluster.excluded.has(name) ? { [EXCLUDE_LABEL]: "true" } : {};
  const tell = () =>
    controller.setNodes(
      instances.map(({ id, name, zone }, at) => ({
        name,
        providerId: `aws:///${zone}/${id}`,
        labels: labelsOf(name),
        taints: [],
        ready: at === 2 ? ready : "True",
      })),
    );
  tell();
  await region.clock.advance(CACHE_MS);
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const churn = async () => {
    while (!stop.signal.aborted) {
      await region.clock.sleep(EVENT_EVERY_MS, stop.signal).catch(() => {}); // Aborted: the loop ends.
      ready = ready === "True" ? "False" : "True";
      tell();
    }
  };
  void churn();
  /** Drains the first node. `of`: the cluster that the product knows. */
  const drain = (of?: FakeCluster) => {
    const { drainer } = region.wholeEngine({}, [], () => {}, undefined, of);
    return region.clock.run(drainer.drain({ node: { by: "id", value: instances[0].id }, dryRun: false }, never));
  };
  const isRegistered = () => {
    const target = group.named({ id: instances[0].id }, region.clock.now());
    return target !== undefined && group.apiHealth(target, region.clock.now()).state !== "draining";
  };
  return { region, cluster, drain, isRegistered };
}

// The controller reads a target again and again as long as it is not healthy, which takes an NLB longer than this.
test("a node that is deregistered by API alone is put back at each event of others, until the drain fails", async () => {
  const { drain, isRegistered } = await scene("network");
  expect(await drain()).toMatchObject({
    status: "failed",
    error: { code: "registered-again" },
    registrations: [{ cameBack: 6 }],
  });
  expect(isRegistered()).toBe(true);
});

test("a node that is put back and soon healthy comes back once: the controller's cache then hides what follows", async () => {
  const { region, drain, isRegistered } = await scene("application");
  expect(await drain()).toMatchObject({ status: "drained", registrations: [{ cameBack: 1 }] });
  expect(isRegistered()).toBe(false);
  expect(region.callsOf("DeregisterTargets")).toHaveLength(2);
});

test.each(["application", "network"] as const)(
  "a node that is excluded first stays out of a load balancer of type %s, with one deregistration",
  async (type) => {
    const { region, cluster, drain, isRegistered } = await scene(type);
    expect(await drain(cluster)).toMatchObject({ status: "drained", registrations: [{ cameBack: 0 }] });
    expect(isRegistered()).toBe(false);
    expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
  },
);
