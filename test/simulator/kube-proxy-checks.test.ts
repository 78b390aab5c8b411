import { describe, expect, test } from "vitest";
import { KubeProxies } from "../../src/simulator/cluster/kube-proxies.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { CarriedInside } from "../support/machine-inside.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { Connection, tally } from "./data-plane/clients.ts";
import { DRAINING, HEALTHY, pool } from "./pool.ts";

const TERMINATION = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";
/** Two failed checks. */
const FAILS_MS = 20_000;
const LAG_MS = [30_000, 40_000] as const;
const FAILED = { State: "unhealthy", Reason: "Target.FailedHealthChecks", Description: "Health checks failed" };
const TAINT = { key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" };

/** An NLB's group of two nodes whose health check asks kube-proxy. */
async function scene(attributes: Readonly<Record<string, string>> = {}, port = "10256") {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const group = region.group({ name: "tcp", type: "network", idleTimeoutSeconds: 6_000, nodes: [node, other] });
  group.healthCheck = { intervalMs: 10_000, healthyThreshold: 2, unhealthyThreshold: 2 };
  group.probe = { protocol: "HTTP", port, path: "/healthz", timeoutSeconds: 6, matcher: "200-399" };
  for (const [key, value] of Object.entries(attributes)) group.attributes.set(key, value);
  const proxies = new KubeProxies(region.world);
  const object = (instance: Instance, more = {}) => ({
    name: instance.name,
    providerId: `aws:///eu-west-1a/${instance.id}`,
    labels: {},
    taints: [],
    ready: "True" as const,
    ...more,
  });
  const marks = (more: object, instances: readonly Instance[] = [node]) =>
    proxies.setNodes(instances.map((instance) => object(instance, more)));
  const api = pool(region, group);
  const health = async () => (await api.name({ Id: node.id }))[0];
  const receivers = (machine: number) => group.routable(region.clock.now(), machine, 2).map(({ id }) => id);
  return { region, node, other, group, marks, health, receivers, ...api };
}

// https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/proxy/healthcheck/proxy_health.go
describe("a health check that asks kube-proxy", () => {
  test.each([
    ["tainted by cluster-autoscaler", { taints: [TAINT] }],
    ["being deleted", { isBeingDeleted: true }],
  ])("fails while the Node object is %s, and succeeds again afterwards", async (_, more) => {
    const { region, health, marks } = await scene();
    marks(more);
    await region.clock.advance(FAILS_MS - 1);
    expect(await health()).toEqual(HEALTHY);
    await region.clock.advance(1);
    expect(await health()).toEqual(FAILED);
    marks({});
    await region.clock.advance(FAILS_MS);
    expect(await health()).toEqual(HEALTHY);
  });

  test("does not fail for other taints, nor one that asks something else for the taint", async () => {
    const one = await scene();
    one.marks({ taints: [{ key: "karpenter.sh/disrupted", effect: "NoSchedule" }] });
    const other = await scene({}, "30080");
    other.marks({ taints: [TAINT] });
    for (const { region, health } of [one, other]) {
      await region.clock.advance(60_000);
      expect(await health()).toEqual(HEALTHY);
    }
  });

  // containers-roadmap#470
  test("keeps new flows from the target 30 to 40 s after it has failed, though the target was deregistered before", async () => {
    const { region, node, other, group, marks, receivers, deregister, health } = await scene();
    await deregister({ Id: node.id });
    marks({ taints: [TAINT] });
    expect(await health()).toEqual(DRAINING);
    for (const [machine, lagMs] of LAG_MS.entries()) {
      const at = FAILS_MS + lagMs - 1;
      await region.clock.advance(at - region.clock.elapsedMs);
      expect(receivers(machine)).toEqual([node.id, other.id]);
      await region.clock.advance(1);
      expect(receivers(machine)).toEqual([other.id]);
    }
    expect(region.clock.elapsedMs).toBeLessThan(group.trafficUntil(group.listed(region.clock.now())[0] as never, 0, 2));
  });

  test("does not take the target out where all of them fail", async () => {
    const { region, node, other, marks, receivers } = await scene();
    marks({ taints: [TAINT] }, [node, other]);
    await region.clock.advance(FAILS_MS + LAG_MS[1]);
    expect(receivers(1)).toEqual([node.id, other.id]);
  });
});

// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health.html#unhealthy-target-connection-termination
describe("the connections of a target that becomes unhealthy", () => {
  const DRAINS = { [TERMINATION]: "false", [INTERVAL]: "100" };

  async function flowsAfter(attributes: Readonly<Record<string, string>>, ms: number, tainted?: "all") {
    const made = await scene(attributes);
    const { region, node, other, marks } = made;
    const { plane } = await CarriedInside.open(region.world);
    const flows = await Connection.openMany(plane.url("tcp-lb"), 20);
    const own = flows.filter(({ servedBy }) => servedBy === node.id);
    expect(own.length).toBeGreaterThan(0);
    marks({ taints: [TAINT] }, tainted === undefined ? [node] : [node, other]);
    await region.clock.advance(ms);
    return { ...made, plane, own };
  }

  test.each([
    ["at once by default", {}, FAILS_MS],
    ["after the interval for draining", DRAINS, FAILS_MS + 100_000],
  ])("are closed %s", async (_, attributes, closedMs) => {
    const { region, plane, other, own } = await flowsAfter(attributes, closedMs - 1);
    for (const flow of own) expect(await flow.send()).toMatchObject({ status: 200 });
    await region.clock.advance(1);
    await Promise.all(own.map((flow) => flow.untilClosed()));
    expect(own.every(({ isBroken }) => isBroken)).toBe(true);
    await region.clock.advance(LAG_MS[1]);
    expect(await tally(plane.url("tcp-lb"), 20)).toEqual({ [other.id]: 20 });
  });

  test.each([
    ["where that is switched off", { [TERMINATION]: "false" }, undefined],
    ["where the load balancer fails open", {}, "all" as const],
  ])("are kept %s", async (_, attributes, tainted) => {
    const { own } = await flowsAfter(attributes, 600_000, tainted);
    for (const flow of own) expect(await flow.send()).toMatchObject({ status: 200 });
  });

  test("are kept where the target is healthy again before the interval has passed", async () => {
    const { region, own, marks } = await flowsAfter(DRAINS, FAILS_MS + 50_000);
    marks({});
    await region.clock.advance(600_000);
    for (const flow of own) expect(await flow.send()).toMatchObject({ status: 200 });
  });
});
