import { expect, test } from "vitest";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { find, providerOf } from "./support.ts";

const TAG = { "elbv2.k8s.aws/cluster": "demo" };

/** The pools that the node is found in, and whether each may be written. */
async function writable(region: SimulatedRegion, node: { readonly id: string }, discovery: "vpc" | "tag" = "vpc") {
  const options = { discovery, writableCluster: "demo" } as const;
  const { registrations } = await find(region, node, options);
  const provider = providerOf(region, options);
  const terms = registrations.map(async ({ pool }) => [pool.name, await provider.describe(pool, never)] as const);
  return Object.fromEntries((await Promise.all(terms)).map(([name, known]) => [name, known?.writable !== false]));
}

test.each<[string, Readonly<Record<string, string>>, boolean]>([
  ["the AWS Load Balancer Controller's", TAG, true],
  ["its predecessor's", { "ingress.k8s.aws/cluster": "demo" }, true],
  ["the cloud controller's", { "kubernetes.io/cluster/demo": "owned" }, true],
  ["the cloud controller's for what clusters share", { "kubernetes.io/cluster/demo": "shared" }, true],
  ["a legacy one", { KubernetesCluster: "demo" }, true],
  ["the cloud controller's with a value that it never gives", { "kubernetes.io/cluster/demo": "true" }, false],
  ["another cluster's", { "elbv2.k8s.aws/cluster": "prod" }, false],
  ["none", {}, false],
])("a pool whose tag is %s may be written or not as IAM will see it", async (_, tags, expected) => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], tags });
  region.classic({ name: "legacy", nodes: [node], tags });
  expect(await writable(region, node)).toEqual({ web: expected, legacy: expected });
});

test.each(["vpc", "tag"] as const)(
  "with DISCOVERY=%s the tag of its load balancer does not make a target group one that may be written",
  async (discovery) => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], tags: TAG });
    const { arn } = region.group({ name: "extra", nodes: [node] });
    region.world.loadBalancerOf(arn)?.tags.set("elbv2.k8s.aws/cluster", "demo");
    expect(await writable(region, node, discovery)).toEqual({ web: true, extra: false });
  },
);

test("with DISCOVERY=vpc the tags of those pools alone are read that the node is in", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  for (let number = 0; number < 30; number++) region.group({ name: `g${number}`, nodes: number === 7 ? [node] : [] });
  region.classic({ name: "idle" });
  expect(await writable(region, node)).toEqual({ g7: false });
  expect(region.callsOf("DescribeTags")).toHaveLength(1);
});

test("with DISCOVERY=tag tags are read once to tell the pools, and once to tell which of them may be written", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node], tags: TAG });
  await writable(region, node, "tag");
  expect(region.callsOf("DescribeTags")).toHaveLength(2);
});

test("without a cluster for the policy every pool may be written, and no tags are read for that", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  const { registrations } = await find(region, node);
  expect(registrations.map(({ pool }) => "writable" in pool)).toEqual([false]);
  expect(region.callsOf("DescribeTags")).toEqual([]);
});
