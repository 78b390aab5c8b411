import { BlockList, isIPv6 } from "node:net";
import { DescribeInstancesCommand, type DescribeInstancesCommandOutput, type Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import type { CallFor, Node } from "../drain/cloud-provider.ts";
import { DrainError } from "../drain/errors.ts";
import type { NodeReference } from "../drain/request.ts";
import { clusterOf } from "./cluster-tags.ts";
import { readTags } from "./tags.ts";
import { inBatches } from "./target-groups.ts";

export interface InstanceSearch {
  /** Instances of other clusters, or of none, are refused. */
  readonly clusterName?: string;
  /** Instances of other VPCs don't exist for us. */
  readonly vpcId?: string;
  /** What people call the two who set them. Absent: CLUSTERNAME and VPCID. */
  readonly names?: { readonly clusterName: string; readonly vpcId: string };
}

const NAMES = { clusterName: "CLUSTERNAME", vpcId: "VPCID" };

const DESCRIBE: AwsAction = {
  name: "ec2:DescribeInstances",
  bucket: "ec2-describe-instances",
  answersWith: "Reservations",
};
/** EC2 takes at most this many values in a filter. */
const FILTER_VALUES_MAX = 200;
const PAGE_SIZE = 1_000;

/** The live one of `found`, which are all instances that `reference` fits. See `CloudProvider.resolve` for what it throws. */
export function theLiveOne(found: readonly Instance[], reference: NodeReference, search: InstanceSearch): Node {
  const isHere = ({ VpcId }: Instance) => search.vpcId === undefined || reference.by === "id" || VpcId === search.vpcId;
  const here = found.filter(isHere);
  const live = here.filter((instance) => instance.State?.Name !== "terminated");
  if (here.length > 0 && live.length === 0) {
    throw new DrainError(
      "instance-gone",
      `${printable(reference)} is terminated: no load balancer can send it traffic`,
    );
  }
  const matching = live.length > 1 ? narrowed(live, search) : live;
  const [instance, ...others] = matching;
  if (instance === undefined) {
    const where = search.vpcId === undefined ? "in this account and region" : `in ${search.vpcId}`;
    throw new DrainError("node-not-found", `no live instance ${where} has ${printable(reference)}`);
  }
  if (others.length > 0) {
    const ids = matching.map(({ InstanceId, VpcId }) => `${InstanceId} (${VpcId})`).join(", ");
    throw new DrainError(
      "ambiguous-node",
      `${printable(reference)} matches several instances: ${ids}. Name one by its id, or set CLUSTERNAME or VPCID`,
    );
  }
  return checkedNode(instance, search);
}

/** Undefined of an instance that is terminated, or that must be left alone. */
export function asLiveNode(instance: Instance, search: InstanceSearch): Node | undefined {
  try {
    return theLiveOne([instance], { by: "id", value: instance.InstanceId ?? "" }, search);
  } catch {
    return undefined; // The reason is reported to callers that ask for it.
  }
}

/** The node with the addresses that its instance has now: none, when EC2 doesn't describe it any more. */
export function withAddressesOf(node: Node, [instance]: readonly Instance[]): Node {
  return instance === undefined ? { ...node, addresses: [], addressPrefixes: [] } : nodeOf(instance, node.id);
}

/**
 * The ids of those `nodes` that EC2 says are terminated. One that is missing from its answer is not: reads are
 * eventually consistent, and a terminated instance is described for about an hour.
 */
export async function findTerminated(
  aws: AwsAccess,
  nodes: readonly Node[],
  by: CallFor,
): Promise<ReadonlySet<string>> {
  // No id at all would ask for the whole account.
  if (nodes.length === 0) return new Set();
  // No other instance is described: that would be much to read repeatedly.
  const which = { filter: "instance-id", and: { Name: "instance-state-name", Values: ["terminated"] } };
  const found = await describeInstances(aws, which, () => nodes.map(({ id }) => id), by);
  const terminated = found.filter(({ State }) => State?.Name === "terminated");
  return new Set(terminated.map(({ InstanceId }) => InstanceId).filter(isPresent));
}

/** `filter`: which of EC2's filters the values are for. */
export interface InstanceFilter {
  readonly filter: string;
  readonly and?: { readonly Name: string; readonly Values: string[] };
}

/**
 * By filters alone: unknown ids are then absent from the answer, where naming them would fail the whole call.
 * `values` is asked once, when the first call is sent.
 */
export async function describeInstances(
  aws: AwsAccess,
  { filter, and }: InstanceFilter,
  values: () => readonly string[],
  by: CallFor,
): Promise<readonly Instance[]> {
  const instances: Instance[] = [];
  let batches: (readonly string[])[] = [];
  let asked = false;
  let token: string | undefined;
  do {
    const page: DescribeInstancesCommandOutput = await aws.caller.call(DESCRIBE, by, () => {
      if (!asked) batches = [...inBatches([...new Set(values())], FILTER_VALUES_MAX)];
      asked = true;
      const Filters = [{ Name: filter, Values: [...(batches[0] ?? [])] }, ...(and === undefined ? [] : [and])];
      const input = { Filters, MaxResults: PAGE_SIZE, ...(token === undefined ? {} : { NextToken: token }) };
      return aws.ec2.send(new DescribeInstancesCommand(input), { abortSignal: by.signal });
    });
    for (const { Instances } of page.Reservations ?? []) instances.push(...(Instances ?? []));
    token = page.NextToken || undefined;
    if (token === undefined) batches.shift();
  } while (batches.length > 0);
  return instances;
}

/** Where an address matches several instances, the configured cluster decides. */
function narrowed(live: readonly Instance[], { clusterName }: InstanceSearch): readonly Instance[] {
  if (clusterName === undefined) return live;
  const ours = live.filter((instance) => clusterOf(readTags(instance.Tags)).names.includes(clusterName));
  return ours.length > 0 ? ours : live;
}

function checkedNode(instance: Instance, { clusterName, vpcId, names: calls = NAMES }: InstanceSearch): Node {
  const id = instance.InstanceId ?? "";
  const { names, tags } = clusterOf(readTags(instance.Tags));
  const refuse = (why: string) => new DrainError("other-cluster", `${id} ${why}: it is not drained`);
  if (names.length > 1) throw refuse(`carries the tags of several clusters (${tags.join(", ")})`);
  const [cluster] = names;
  if (clusterName !== undefined && cluster === undefined) {
    throw refuse(`carries no cluster tag, and ${calls.clusterName} is '${clusterName}'`);
  }
  if (clusterName !== undefined && cluster !== clusterName) {
    throw refuse(`belongs to the cluster '${cluster}', and ${calls.clusterName} is '${clusterName}'`);
  }
  if (vpcId !== undefined && instance.VpcId !== vpcId)
    throw refuse(`is in ${instance.VpcId}, and ${calls.vpcId} is '${vpcId}'`);
  return { ...nodeOf(instance, id), ...(cluster === undefined ? {} : { cluster }) };
}

function nodeOf(instance: Instance, id: string): Node {
  const interfaces = instance.NetworkInterfaces ?? [];
  const addresses = interfaces.flatMap(({ PrivateIpAddresses, Ipv6Addresses }) => [
    ...(PrivateIpAddresses ?? []).map(({ PrivateIpAddress }) => PrivateIpAddress),
    ...(Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address),
  ]);
  const prefixes = interfaces.flatMap(({ Ipv4Prefixes, Ipv6Prefixes }) => [
    ...(Ipv4Prefixes ?? []).map(({ Ipv4Prefix }) => Ipv4Prefix),
    ...(Ipv6Prefixes ?? []).map(({ Ipv6Prefix }) => Ipv6Prefix),
  ]);
  return {
    id,
    name: instance.PrivateDnsName ?? "",
    network: instance.VpcId ?? "",
    addresses: [...new Set([instance.PrivateIpAddress, ...addresses].filter(isPresent))],
    addressPrefixes: prefixes.filter(isPresent),
  };
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined && value !== "";
}

function printable({ by, value }: NodeReference): string {
  return by === "name" ? `the name ${value}` : by === "ip" ? `the address ${value}` : `the id ${value}`;
}

/** Whether an address is the node's: one of its own, or from a block that is delegated to it. */
export function addressMatcher(node: Node): (address: string) => boolean {
  const own = new BlockList();
  for (const address of node.addresses) own.addAddress(address, isIPv6(address) ? "ipv6" : "ipv4");
  for (const prefix of node.addressPrefixes) {
    const [network = "", bits] = prefix.split("/");
    own.addSubnet(network, Number(bits), isIPv6(network) ? "ipv6" : "ipv4");
  }
  return (address) => own.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
