import { expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import type { NodeReference } from "../../src/drain/request.ts";
import { writeMarker } from "../../src/simulator/api/paging.ts";
import type { InstanceInput } from "../../src/simulator/world/instance.ts";
import { never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { ec2Answer, OTHER_VPC, providerOf } from "./support.ts";

const ID = "i-00000000000000001";
const NAME = "ip-10-0-0-1.eu-west-1.compute.internal";

test.each<[string, NodeReference]>([
  ["instance id", { by: "id", value: ID }],
  ["primary address", { by: "ip", value: "10.0.0.1" }],
  ["secondary address", { by: "ip", value: "10.0.3.7" }],
  ["IPv6 address", { by: "ip", value: "2001:db8::5" }],
  ["IPv6 address written in full and in capitals", { by: "ip", value: "2001:0DB8:0:0:0:0:0:0005" }],
  ["IPv4 address as an IPv6 address", { by: "ip", value: "::ffff:10.0.0.1" }],
  ["IPv4 address as an IPv6 address in capitals and hexadecimal", { by: "ip", value: "0:0:0:0:0:FFFF:0A00:0307" }],
  ["node name", { by: "name", value: NAME }],
])("finds a node by its %s", async (_, reference) => {
  const region = new SimulatedRegion();
  region.node({ id: ID, secondaryIps: ["10.0.3.7"], ipv6Addresses: ["2001:db8::5"] });
  region.node();
  const node = await providerOf(region).resolve(reference, never);
  expect(node.id).toBe(ID);
});

test("tells what finding needs to know of a node", async () => {
  const region = new SimulatedRegion();
  region.node({ secondaryIps: ["10.0.3.7"], ipv6Addresses: ["2001:db8::5"], ipv4Prefixes: ["10.0.4.0/28"] });
  expect(await providerOf(region).resolve({ by: "ip", value: "10.0.0.1" }, never)).toEqual({
    id: ID,
    name: NAME,
    network: VPC,
    addresses: ["10.0.0.1", "10.0.3.7", "2001:db8::5"],
    addressPrefixes: ["10.0.4.0/28"],
    interfaces: [expect.stringMatching(/^eni-/)],
    cluster: "demo",
  });
});

test("counts the addresses and prefixes of every network interface as the node's own", async () => {
  const region = new SimulatedRegion();
  const address = (privateIpAddress: string) => ({ item: [{ privateIpAddress }] });
  const interfaces = [
    { privateIpAddressesSet: address("10.0.0.1"), ipv4PrefixSet: { item: [{ ipv4Prefix: "10.0.4.0/28" }] } },
    { privateIpAddressesSet: address("10.0.9.1"), ipv6PrefixSet: { item: [{ ipv6Prefix: "2001:db8:1::/80" }] } },
  ];
  const instance = { instanceId: ID, privateIpAddress: "10.0.0.1", networkInterfaceSet: { item: interfaces } };
  region.intercept = ({ action }) =>
    ec2Answer(action, { reservationSet: { item: [{ instancesSet: { item: [instance] } }] } });
  const node = await providerOf(region).resolve({ by: "ip", value: "10.0.9.1" }, never);
  expect(node.addresses).toEqual(["10.0.0.1", "10.0.9.1"]);
  expect(node.addressPrefixes).toEqual(["10.0.4.0/28", "2001:db8:1::/80"]);
});

test("reads on when EC2 answers with an empty page that is not the last", async () => {
  const region = new SimulatedRegion();
  region.node();
  region.intercept = ({ action, before }) =>
    before === 0 ? ec2Answer(action, { reservationSet: {}, nextToken: writeMarker(0) }) : undefined;
  expect((await providerOf(region).resolve({ by: "ip", value: "10.0.0.1" }, never)).id).toBe(ID);
});

test("says that a terminated instance is gone", async () => {
  const region = new SimulatedRegion();
  region.world.terminateInstance(region.node());
  await region.clock.advance(region.world.timing.shuttingDownMs);
  await expect(refusal(region, { by: "id", value: ID })).resolves.toEqual({
    code: "instance-gone",
    message: `the id ${ID} is terminated: no load balancer can send it traffic`,
  });
});

test("finds an instance that is shutting down, because load balancers may still send it traffic", async () => {
  const region = new SimulatedRegion();
  region.world.terminateInstance(region.node());
  expect((await providerOf(region).resolve({ by: "id", value: ID }, never)).id).toBe(ID);
});

test("takes an address for the live instance that has it now, not for the terminated one that had it", async () => {
  const region = new SimulatedRegion();
  region.world.terminateInstance(region.node());
  await region.clock.advance(region.world.timing.shuttingDownMs);
  const heir = region.node({ privateIp: "10.0.0.1" });
  expect((await providerOf(region).resolve({ by: "ip", value: "10.0.0.1" }, never)).id).toBe(heir.id);
});

test.each<[NodeReference, string]>([
  [{ by: "id", value: "i-0fffffffffffffff0" }, "has the id i-0fffffffffffffff0"],
  [{ by: "ip", value: "10.9.9.9" }, "has the address 10.9.9.9"],
  [{ by: "ip", value: "2001:db8::9" }, "has the address 2001:db8::9"],
  [{ by: "name", value: "nobody.internal" }, "has the name nobody.internal"],
])("says that there is no such node: $value", async (reference, words) => {
  const region = new SimulatedRegion();
  region.node();
  const { code, message } = await refusal(region, reference);
  expect(code).toBe("node-not-found");
  expect(message).toBe(
    `no live instance in this account and region ${words}: check it, the region, and the account of the credentials`,
  );
});

/** Two instances at one address in two VPCs. */
function twins(first: Partial<InstanceInput> = {}, second: Partial<InstanceInput> = {}) {
  const region = new SimulatedRegion();
  const a = region.node({ vpcId: VPC, privateIp: "10.0.0.1", ...first });
  const b = region.node({ vpcId: OTHER_VPC, privateIp: "10.0.0.1", ...second });
  return { region, a, b };
}

test.each<NodeReference>([
  { by: "ip", value: "10.0.0.1" },
  { by: "name", value: NAME },
])("refuses $value where several instances have it, and names them", async (reference) => {
  const { region, a, b } = twins();
  const { code, message } = await refusal(region, reference);
  expect(code).toBe("ambiguous-node");
  expect(message).toContain(reference.value);
  expect(message).toContain(`${a.id} (${VPC}), ${b.id} (${OTHER_VPC})`);
  expect(message).toContain("set CLUSTERNAME or VPCID");
});

test("an id is never ambiguous, whatever addresses others have", async () => {
  const { region, b } = twins();
  expect((await providerOf(region).resolve({ by: "id", value: b.id }, never)).id).toBe(b.id);
});

test.each<NodeReference>([
  { by: "ip", value: "10.0.0.1" },
  { by: "name", value: NAME },
])("VPCID tells which of several instances with $value is meant", async (reference) => {
  const { region, a, b } = twins();
  expect((await providerOf(region, { vpcId: VPC }).resolve(reference, never)).id).toBe(a.id);
  expect((await providerOf(region, { vpcId: OTHER_VPC }).resolve(reference, never)).id).toBe(b.id);
});

test("CLUSTERNAME tells which of several instances at one address is meant", async () => {
  const { region, b } = twins({ tags: { KubernetesCluster: "other" } });
  const provider = providerOf(region, { clusterName: "demo" });
  expect((await provider.resolve({ by: "ip", value: "10.0.0.1" }, never)).id).toBe(b.id);
});

test("an address that matches several instances of the same cluster stays ambiguous", async () => {
  const { region, a, b } = twins();
  region.node({ vpcId: "vpc-0aaaaaaaaaaaaaaaa", privateIp: "10.0.0.1", tags: { KubernetesCluster: "other" } });
  const { code, message } = await refusal(region, { by: "ip", value: "10.0.0.1" }, { clusterName: "demo" });
  expect(code).toBe("ambiguous-node");
  expect(message).toContain(`: ${a.id} (${VPC}), ${b.id} (${OTHER_VPC}). `);
});

test("with VPCID, an address in another VPC is nobody's", async () => {
  const region = new SimulatedRegion();
  region.node({ vpcId: OTHER_VPC });
  const { code, message } = await refusal(region, { by: "ip", value: "10.0.0.1" }, { vpcId: VPC });
  expect(code).toBe("node-not-found");
  expect(message).toContain(`in ${VPC} `);
});

interface Search {
  readonly clusterName?: string;
  readonly vpcId?: string;
}

test.each<[string, Partial<InstanceInput>, Search, readonly [string, string]]>([
  [
    "of another cluster",
    { tags: { "kubernetes.io/cluster/other": "owned" } },
    { clusterName: "demo" },
    ["the cluster 'other'", "CLUSTERNAME is 'demo'"],
  ],
  [
    "without a cluster tag, where CLUSTERNAME is set",
    { tags: { Name: "bastion" } },
    { clusterName: "demo" },
    ["no cluster tag", "CLUSTERNAME is 'demo'"],
  ],
  [
    "with the tags of two clusters, even where CLUSTERNAME is one of them",
    { tags: { "kubernetes.io/cluster/demo": "owned", "kubernetes.io/cluster/other": "owned" } },
    { clusterName: "demo" },
    ["kubernetes.io/cluster/demo=owned", "kubernetes.io/cluster/other=owned"],
  ],
  [
    "with the tags of two clusters, even where no CLUSTERNAME is set",
    { tags: { "kubernetes.io/cluster/demo": "owned", KubernetesCluster: "other" } },
    {},
    ["kubernetes.io/cluster/demo=owned", "KubernetesCluster=other"],
  ],
  ["of another VPC", { vpcId: OTHER_VPC }, { vpcId: VPC }, [`is in ${OTHER_VPC}`, `VPCID is '${VPC}'`]],
])("refuses an instance %s, and names both sides", async (_, input, search, both) => {
  const region = new SimulatedRegion();
  region.node(input);
  const { code, message } = await refusal(region, { by: "id", value: ID }, search);
  expect(code).toBe("other-cluster");
  expect(message).toContain(ID);
  for (const side of both) expect(message).toContain(side);
});

test.each([{ clusterName: "demo" }, { vpcId: VPC }, { clusterName: "demo", vpcId: VPC }])(
  "accepts a node that %o describes",
  async (search) => {
    const region = new SimulatedRegion();
    region.node();
    expect((await providerOf(region, search).resolve({ by: "id", value: ID }, never)).id).toBe(ID);
  },
);

test("without CLUSTERNAME a node needs no cluster tag", async () => {
  const region = new SimulatedRegion();
  region.node({ tags: {} });
  const node = await providerOf(region).resolve({ by: "id", value: ID }, never);
  expect(node.cluster).toBeUndefined();
});

async function refusal(
  region: SimulatedRegion,
  reference: NodeReference,
  search: Search = {},
): Promise<{ readonly code: string; readonly message: string }> {
  const error = await providerOf(region, search)
    .resolve(reference, never)
    .catch((thrown: unknown) => thrown);
  if (!(error instanceof DrainError)) throw new Error("it was not refused");
  return { code: error.code, message: error.message };
}
