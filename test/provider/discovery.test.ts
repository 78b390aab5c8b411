import { expect, test } from "vitest";
import { never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { find, isClassic, listed, OTHER_VPC, providerOf, registrationsOf, shown } from "./support.ts";

const TAGS_OF_A_CLUSTER: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["kubernetes.io/cluster/NAME=owned", { "kubernetes.io/cluster/demo": "owned" }],
  ["kubernetes.io/cluster/NAME=shared", { "kubernetes.io/cluster/demo": "shared" }],
  ["elbv2.k8s.aws/cluster=NAME", { "elbv2.k8s.aws/cluster": "demo" }],
  ["KubernetesCluster=NAME", { KubernetesCluster: "demo" }],
];

test("DISCOVERY=vpc counts pools without any tag, and reads no tags", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  region.classic({ name: "old", nodes: [node] });
  const { registrations, elsewhere } = await find(region, node, { discovery: "vpc" });
  expect(shown(registrations)).toEqual([`old ${node.id}`, `web ${node.id}:30080`]);
  expect(elsewhere).toEqual([]);
  expect(region.callsOf("DescribeTags")).toEqual([]);
});

test.each(TAGS_OF_A_CLUSTER)("DISCOVERY=tag counts a target group with the tag %s", async (_, tags) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], tags });
  const { registrations, elsewhere } = await find(region, node, { discovery: "tag" });
  expect(shown(registrations)).toEqual([`web ${node.id}:30080`]);
  expect(elsewhere).toEqual([]);
});

test.each(TAGS_OF_A_CLUSTER)("DISCOVERY=tag counts a group whose load balancer has the tag %s", async (_, tags) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  region.group({ name: "foreign", nodes: [node] });
  for (const { name, tags: own } of region.world.loadBalancers.values()) {
    if (name === "web-lb") for (const [key, value] of Object.entries(tags)) own.set(key, value);
  }
  const { registrations, elsewhere } = await find(region, node, { discovery: "tag" });
  expect(shown(registrations)).toEqual([`web ${node.id}:30080`]);
  expect(shown(elsewhere)).toEqual([`foreign ${node.id}:30080`]);
});

test.each(TAGS_OF_A_CLUSTER)("DISCOVERY=tag counts a classic load balancer with the tag %s", async (_, tags) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.classic({ name: "old", nodes: [node], tags });
  region.classic({ name: "foreign", nodes: [node] });
  const { registrations, elsewhere } = await find(region, node, { discovery: "tag" });
  expect(shown(registrations)).toEqual([`old ${node.id}`]);
  expect(shown(elsewhere)).toEqual([`foreign ${node.id}`]);
});

test("with DISCOVERY=tag, registrations in untagged pools and in those of other clusters are told as elsewhere", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], tags: { "elbv2.k8s.aws/cluster": "demo" } });
  region.group({ name: "untagged", nodes: [node] });
  region.group({ name: "other", nodes: [node], tags: { "elbv2.k8s.aws/cluster": "other" } });
  region.group({ name: "not-ours-either", nodes: [region.node()] });
  const { registrations, elsewhere } = await find(region, node, { discovery: "tag" });
  expect(shown(registrations)).toEqual([`web ${node.id}:30080`]);
  expect(shown(elsewhere)).toEqual([`other ${node.id}:30080`, `untagged ${node.id}:30080`]);
  expect(elsewhere.every(({ state }) => state === "live")).toBe(true);
});

test("CLUSTERNAME is the cluster whose tag counts; without it, it is the node's own tag's", async () => {
  const region = new SimulatedRegion();
  const node = region.node({ tags: { "kubernetes.io/cluster/demo": "owned" } });
  region.group({ name: "web", nodes: [node], tags: { "elbv2.k8s.aws/cluster": "demo" } });
  for (const options of [{ clusterName: "demo" }, {}]) {
    const { registrations } = await find(region, node, { discovery: "tag", ...options });
    expect(shown(registrations)).toEqual([`web ${node.id}:30080`]);
  }
});

test("DISCOVERY=tag without any cluster's name is refused before anything is read, and says what to set", async () => {
  const region = new SimulatedRegion();
  const instance = region.node({ tags: {} });
  region.group({ name: "web", nodes: [instance] });
  const provider = providerOf(region, { discovery: "tag" });
  const node = await provider.resolve({ by: "id", value: instance.id }, never);
  await expect(provider.findRegistrations(node, never)).rejects.toMatchObject({
    code: "other-cluster",
    message: `${instance.id} carries no cluster tag, and DISCOVERY=tag needs one: set CLUSTERNAME, or DISCOVERY=vpc`,
  });
  expect(region.calls.map(({ action }) => action)).toEqual(["DescribeInstances"]);
});

test("asks for the tags of at most 20 pools in a call (an older tool asked for all at once)", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  for (let i = 0; i < 45; i++) region.group({ name: `web-${i}`, nodes: [node], tags });
  for (let i = 0; i < 45; i++) region.classic({ name: `old-${i}`, nodes: [node], tags });
  const { registrations, elsewhere } = await find(region, node, { discovery: "tag" });
  expect(registrations).toHaveLength(90);
  expect(elsewhere).toEqual([]);
  const calls = region.callsOf("DescribeTags");
  const sizesOf = (classic: boolean, list: string) =>
    calls
      .filter((params) => isClassic({ params }) === classic)
      .map((params) => listed(params, list).length)
      .sort((a, b) => b - a);
  // 45 groups and 45 load balancers; 45 classic load balancers.
  expect(sizesOf(false, "ResourceArns")).toEqual([20, 20, 20, 20, 10]);
  expect(sizesOf(true, "LoadBalancerNames")).toEqual([20, 20, 5]);
});

test("asks once for the tags of a load balancer, however many groups it has, and never for those of other VPCs", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const groups = ["a", "b", "c"].map((name) =>
    region.world.addTargetGroup({ name, vpcId: VPC, protocol: "HTTP", port: 30080, targetType: "instance" }),
  );
  const balancer = region.world.addLoadBalancer({ name: "front", type: "application", vpcId: VPC });
  region.world.addListener(balancer, {
    protocol: "HTTP",
    port: 80,
    defaultActions: [{ type: "forward", groups: groups.map(({ arn }) => ({ arn, weight: 1 })) }],
  });
  region.group({ name: "far", vpcId: OTHER_VPC });
  region.classic({ name: "far-classic", vpcId: OTHER_VPC });
  await find(region, node, { discovery: "tag" });
  const asked = region.callsOf("DescribeTags").flatMap((params) => listed(params, "ResourceArns"));
  expect([...asked].sort()).toEqual([balancer.arn, ...groups.map(({ arn }) => arn)].sort());
  expect(region.callsOf("DescribeTags")).toHaveLength(1);
});

test("where the VPC has no pool at all, no tags are asked for", async () => {
  const region = new SimulatedRegion();
  expect(await find(region, region.node(), { discovery: "tag" })).toEqual({ registrations: [], elsewhere: [] });
  expect(region.callsOf("DescribeTags")).toEqual([]);
});

test.each(["vpc", "tag"] as const)(
  "with DISCOVERY=%s no call carries an empty list, which AWS would take for everything",
  async (discovery) => {
    const region = new SimulatedRegion();
    const [node, idle] = [region.node(), region.node()];
    const tags = { "kubernetes.io/cluster/demo": "owned" };
    for (const instance of [node, idle]) await find(region, instance, { discovery });
    region.group({ name: "web", nodes: [node], tags });
    region.group({ name: "pods", nodes: [node], targetType: "ip" });
    region.classic({ name: "old", nodes: [node], tags });
    const provider = providerOf(region, { discovery });
    await find(region, idle, { discovery });
    const all = await registrationsOf(region, node);
    for (const { pool } of all) {
      for (const some of [all.filter((registration) => registration.pool.id === pool.id), []]) {
        await provider.deregister(pool, some, never);
        await provider.observe(pool, some, never);
      }
    }
    await provider.findTerminated([], never);
    await provider.findTerminated([await provider.resolve({ by: "ip", value: idle.privateIp }, never)], never);
    expect(all).toHaveLength(3);
    expect(emptyListsIn(region)).toEqual([]);
  },
);

/** Calls that name a list and nothing in it, or that ask EC2 about no instance in particular. */
function emptyListsIn(region: SimulatedRegion): readonly string[] {
  return region.calls
    .filter(({ action, params }) => {
      const isUnfiltered = action === "DescribeInstances" && !params.get("Filter.1.Value.1");
      const hasEmptyFilter = [...params.keys()].some(
        (key) => /^Filter\.\d+\.Name$/.test(key) && !params.get(key.replace(/Name$/, "Value.1")),
      );
      const namesNobody =
        /^Deregister/.test(action) &&
        listed(params, "Targets", "Id").length + listed(params, "Instances", "InstanceId").length === 0;
      return isUnfiltered || hasEmptyFilter || namesNobody || [...params.values()].includes("");
    })
    .map(({ action, params }) => `${action}: ${params}`);
}
