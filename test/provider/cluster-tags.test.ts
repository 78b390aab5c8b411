import { expect, test } from "vitest";
import { carriesClusterTag, clusterOf } from "../../src/provider/cluster-tags.ts";

test.each<[string, Record<string, string>, readonly string[]]>([
  ["no tag", {}, []],
  ["a tag about something else", { Name: "web-1", "k8s.io/cluster-autoscaler/demo": "owned" }, []],
  ["kubernetes.io/cluster/NAME=owned", { "kubernetes.io/cluster/demo": "owned" }, ["demo"]],
  ["kubernetes.io/cluster/NAME=shared", { "kubernetes.io/cluster/demo": "shared" }, ["demo"]],
  ["kubernetes.io/cluster/NAME without a value", { "kubernetes.io/cluster/demo": "" }, ["demo"]],
  ["aws:eks:cluster-name", { "aws:eks:cluster-name": "demo" }, ["demo"]],
  ["eks:cluster-name", { "eks:cluster-name": "demo" }, ["demo"]],
  ["eks:eks-cluster-name", { "eks:eks-cluster-name": "demo" }, ["demo"]],
  ["KubernetesCluster", { KubernetesCluster: "demo" }, ["demo"]],
  [
    "two tags for the same cluster",
    { "kubernetes.io/cluster/demo": "owned", "aws:eks:cluster-name": "demo" },
    ["demo"],
  ],
  ["two clusters", { "kubernetes.io/cluster/a": "owned", "kubernetes.io/cluster/b": "owned" }, ["a", "b"]],
  ["two clusters by different tags", { "kubernetes.io/cluster/a": "owned", KubernetesCluster: "b" }, ["a", "b"]],
  ["tags that name nothing", { "kubernetes.io/cluster/": "owned", KubernetesCluster: "" }, []],
  ["names that objects inherit", { "kubernetes.io/cluster/constructor": "owned" }, ["constructor"]],
])("an instance with %s belongs to what its tags name", (_, tags, names) => {
  expect(clusterOf(new Map(Object.entries(tags))).names).toEqual(names);
});

test("the tags that name an instance's cluster can be shown", () => {
  const tags = new Map([
    ["Name", "web-1"],
    ["kubernetes.io/cluster/a", "owned"],
    ["KubernetesCluster", "b"],
  ]);
  expect(clusterOf(tags).tags).toEqual(["kubernetes.io/cluster/a=owned", "KubernetesCluster=b"]);
});

test.each<[string, string, string, boolean]>([
  ["the in-tree and the external cloud provider", "kubernetes.io/cluster/demo", "owned", true],
  ["whoever shares a load balancer", "kubernetes.io/cluster/demo", "shared", true],
  ["the AWS Load Balancer Controller", "elbv2.k8s.aws/cluster", "demo", true],
  ["its predecessor", "ingress.k8s.aws/cluster", "demo", true],
  ["the legacy provider", "KubernetesCluster", "demo", true],
  ["the controller of another cluster", "elbv2.k8s.aws/cluster", "other", false],
  ["the provider of another cluster", "kubernetes.io/cluster/other", "owned", false],
  ["the provider of a cluster whose name begins alike", "kubernetes.io/cluster/demo-2", "owned", false],
  ["the provider of a cluster whose name differs in case", "kubernetes.io/cluster/Demo", "owned", false],
  ["somebody who put the name into the wrong place", "Name", "demo", false],
])("a load balancer tagged by %s (%s=%s) is the cluster's: %s", (_, key, value, expected) => {
  expect(carriesClusterTag(new Map([[key, value]]), "demo")).toBe(expected);
});

test("a load balancer without tags is no cluster's", () => {
  expect(carriesClusterTag(new Map(), "demo")).toBe(false);
});
