import { expect, test } from "vitest";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { type InterceptedCall, never, SimulatedRegion } from "../support/simulated-region.ts";
import { find, listed, providerOf, registrationsOf, shown } from "./support.ts";

/** A region where, just before the first call of `action`, what it asks about vanishes. */
function vanishingBefore(action: string, vanish: (region: SimulatedRegion, node: Instance) => void) {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "doomed", nodes: [node], tags: { "elbv2.k8s.aws/cluster": "demo" } });
  region.group({ name: "web", nodes: [node], tags: { "elbv2.k8s.aws/cluster": "demo" } });
  region.classic({ name: "doomed-classic", nodes: [node], tags: { KubernetesCluster: "demo" } });
  region.classic({ name: "old", nodes: [node], tags: { KubernetesCluster: "demo" } });
  region.intercept = once(action, () => vanish(region, node));
  return { region, node };
}

function once(action: string, happens: (call: InterceptedCall) => void): SimulatedRegion["intercept"] {
  return (call) => {
    if (call.action === action && call.before === 0) happens(call);
    return undefined;
  };
}

function removeGroup({ world }: SimulatedRegion, name: string): void {
  for (const { arn } of [...world.targetGroups.values()].filter((group) => group.name === name)) {
    world.targetGroups.delete(arn);
  }
}

test("a target group that vanishes between the list and its health is left out, and the others are found", async () => {
  const { region, node } = vanishingBefore("DescribeTargetHealth", () => removeGroup(region, "doomed"));
  expect(shown(await registrationsOf(region, node))).toEqual([
    `doomed-classic ${node.id}`,
    `old ${node.id}`,
    `web ${node.id}:30080`,
  ]);
});

test("what vanishes before it is asked how it lets go has no terms, and that is no failure", async () => {
  const { region, node } = vanishingBefore("nothing", () => {});
  const registrations = await registrationsOf(region, node);
  removeGroup(region, "doomed");
  region.world.classics.delete("doomed-classic");
  const provider = providerOf(region);
  for (const { pool } of registrations) {
    const isGone = pool.name.startsWith("doomed");
    expect((await provider.describe(pool, never)) === undefined).toBe(isGone);
  }
});

test("a classic load balancer that vanishes before it is asked about a node it does not list is left out", async () => {
  const { region } = vanishingBefore("DescribeInstanceHealth", () => region.world.classics.delete("doomed-classic"));
  expect(shown(await registrationsOf(region, region.node()))).toEqual([]);
});

test("a classic load balancer that does not know the instance at all does not hold it", async () => {
  const { region, node } = vanishingBefore("DescribeInstanceHealth", () => region.world.instances.delete(node.id));
  region.classic({ name: "empty" });
  expect(shown(await registrationsOf(region, node))).not.toContain(`empty ${node.id}`);
});

test("what vanishes before its tags are read is left out, and the rest of its batch keeps its tags", async () => {
  const { region, node } = vanishingBefore("DescribeTags", () => {
    removeGroup(region, "doomed");
    region.world.classics.delete("doomed-classic");
  });
  const { registrations, elsewhere } = await find(region, node, { discovery: "tag" });
  expect(shown(registrations)).toEqual([`old ${node.id}`, `web ${node.id}:30080`]);
  expect(shown(elsewhere).filter((name) => !name.startsWith("doomed"))).toEqual([]);
});

test("a load balancer that vanishes before its tags are read takes none of its neighbours' tags along", async () => {
  const { region, node } = vanishingBefore("DescribeTags", () => {
    for (const { arn, name } of [...region.world.loadBalancers.values()]) {
      if (name === "doomed-lb") region.world.loadBalancers.delete(arn);
    }
  });
  const { registrations } = await find(region, node, { discovery: "tag" });
  expect(shown(registrations)).toContain(`web ${node.id}:30080`);
});

test("many pools that vanish at once cost more calls for tags, none of which names more than 20", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const tags = { "elbv2.k8s.aws/cluster": "demo" };
  for (let i = 0; i < 30; i++) region.group({ name: `web-${i}`, nodes: [node], tags });
  region.intercept = once("DescribeTags", () => {
    for (let i = 0; i < 30; i += 7) removeGroup(region, `web-${i}`);
  });
  const { registrations } = await find(region, node, { discovery: "tag" });
  const kept = [...region.world.targetGroups.values()].map(({ name }) => `${name} ${node.id}:30080`);
  expect(shown(registrations)).toEqual(expect.arrayContaining(kept));
  for (const params of region.callsOf("DescribeTags")) {
    expect(listed(params, "ResourceArns").length).toBeLessThanOrEqual(20);
  }
});
