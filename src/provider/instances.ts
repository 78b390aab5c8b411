import {
  DescribeInstancesCommand,
  type DescribeInstancesCommandOutput,
  type Instance,
  type InstanceNetworkInterface,
} from "@aws-sdk/client-ec2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import type { CallFor, Node } from "../drain/cloud-provider.ts";
import { DrainError } from "../drain/errors.ts";
import type { NodeReference } from "../drain/request.ts";
import { type Branches, NO_BRANCHES } from "./branch-interfaces.ts";
import { clusterOf } from "./cluster-tags.ts";
import { pagesOf } from "./filtered.ts";
import { isPresent, networkIdsOf, networksOf } from "./node-addresses.ts";
import { readTags } from "./tags.ts";

export interface InstanceSearch {
  /** Instances of other clusters, or of none, are refused. */
  readonly clusterName?: string;
  /** Instances without an interface in this VPC are ignored. */
  readonly vpcId?: string;
  /** The names of the options that set the two. Absent: CLUSTERNAME and VPCID. */
  readonly names?: { readonly clusterName: string; readonly vpcId: string };
}

const NAMES = { clusterName: "CLUSTERNAME", vpcId: "VPCID" };

const DESCRIBE: AwsAction = {
  name: "ec2:DescribeInstances",
  bucket: "ec2-describe-instances",
  answersWith: "Reservations",
};
const PAGE_SIZE = 1_000;

type InstancesPage = Pick<DescribeInstancesCommandOutput, "Reservations" | "NextToken">;
const NO_INSTANCES: InstancesPage = { Reservations: [] };

/**
 * The live one of `found`, which are all instances that match `reference`. See `CloudProvider.resolve` for the errors.
 */
export function theLiveOne(found: readonly Instance[], reference: NodeReference, search: InstanceSearch): Node {
  const isHere = (instance: Instance) =>
    search.vpcId === undefined || reference.by === "id" || networksFor(instance, reference).includes(search.vpcId);
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
    const advice = "check it, the region, and the account of the credentials";
    throw new DrainError("node-not-found", `no live instance ${where} has ${printable(reference)}: ${advice}`);
  }
  if (others.length > 0) {
    const ids = matching.map((one) => `${one.InstanceId} (${networksFor(one, reference).join(", ")})`).join(", ");
    throw new DrainError(
      "ambiguous-node",
      `${printable(reference)} matches several instances: ${ids}. Name one by its id, or set CLUSTERNAME or VPCID`,
    );
  }
  return checkedNode(instance, search);
}

/** Undefined for an instance that is terminated, or that must not be drained. */
export function asLiveNode(instance: Instance, search: InstanceSearch): Node | undefined {
  try {
    return theLiveOne([instance], { by: "id", value: instance.InstanceId ?? "" }, search);
  } catch {
    return undefined; // The reason is reported to callers that ask for it.
  }
}

/** The node with the addresses that its instance and its branch interfaces have now. */
export function withAddressesOf(instance: Instance, branches: Branches): Node {
  return nodeOf(instance, branches);
}

/** Those of `found` that have the address too, each with the VPC in which it has it: `i-0…1 (vpc-0…2)`. */
export function othersAmong(found: readonly Instance[], address: string, { id }: Node): readonly string[] {
  const others = found.filter(({ InstanceId, State }) => InstanceId !== id && State?.Name !== "terminated");
  return others.map((one) => `${one.InstanceId} (${networksFor(one, { by: "ip", value: address }).join(", ")})`);
}

/** The node when EC2 does not describe its instance any more. It has no addresses. */
export function withoutAddresses({ otherNetworks: _, podAddresses: __, ...node }: Node): Node {
  return { ...node, addresses: [], addressPrefixes: [], interfaces: [] };
}

/**
 * The ids of the `nodes` that EC2 reports as terminated. One that is missing in the answer is not: reads are eventually
 * consistent, and a terminated instance is described for about an hour.
 */
export function findTerminated(
  aws: AwsAccess,
  nodes: readonly Pick<Node, "id">[],
  by: CallFor,
): Promise<ReadonlySet<string>> {
  return findInState(aws, nodes, ["terminated"], by);
}

/** The ids of the `nodes` that EC2 reports as running or starting. */
export function findRunning(
  aws: AwsAccess,
  nodes: readonly Pick<Node, "id">[],
  by: CallFor,
): Promise<ReadonlySet<string>> {
  return findInState(aws, nodes, ON, by);
}

async function findInState(
  aws: AwsAccess,
  nodes: readonly Pick<Node, "id">[],
  states: readonly string[],
  by: CallFor,
): Promise<ReadonlySet<string>> {
  if (nodes.length === 0) return new Set();
  // Other instances are not described, because it would be much to read repeatedly.
  const which = { filter: "instance-id", and: { Name: "instance-state-name", Values: [...states] } };
  const found = await describeInstances(aws, which, () => nodes.map(({ id }) => id), by);
  const matching = found.filter(({ State }) => states.includes(State?.Name ?? ""));
  return new Set(matching.map(({ InstanceId }) => InstanceId).filter(isPresent));
}

/** `filter`: the EC2 filter for the values. */
export interface InstanceFilter {
  readonly filter: string;
  readonly and?: { readonly Name: string; readonly Values: string[] };
}

/**
 * Only by filters: unknown ids are then missing in the answer, while naming them would fail the whole call. `values` is
 * called once, when the first call is sent. Without values no call is sent.
 */
export async function describeInstances(
  aws: AwsAccess,
  { filter, and }: InstanceFilter,
  values: () => readonly string[],
  by: CallFor,
): Promise<readonly Instance[]> {
  const pages = await pagesOf(
    aws,
    {
      action: DESCRIBE,
      values,
      nothing: NO_INSTANCES,
      send: (Values, token) => {
        const Filters = [{ Name: filter, Values }, ...(and === undefined ? [] : [and])];
        const input = { Filters, MaxResults: PAGE_SIZE, ...token };
        return aws.ec2.send(new DescribeInstancesCommand(input), { abortSignal: by.signal });
      },
    },
    by,
  );
  return pages.flatMap(({ Reservations = [] }) => Reservations.flatMap(({ Instances = [] }) => Instances));
}

/** If an address matches several instances, the configured cluster decides. */
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
  const node = nodeOf(instance);
  if (vpcId !== undefined && !networkIdsOf(node).includes(vpcId))
    throw refuse(`is in ${networkIdsOf(node).join(" and ")}, and ${calls.vpcId} is '${vpcId}'`);
  const isOff = OFF.has(instance.State?.Name ?? "") ? ({ isOff: true } as const) : {};
  return { ...node, ...(cluster === undefined ? {} : { cluster }), ...isOff };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html */
const OFF: ReadonlySet<string> = new Set(["stopping", "stopped", "shutting-down", "terminated"]);
const ON = ["pending", "running"];

/** The networks that the reference leads to: an address belongs to the network of its interface. */
function networksFor(instance: Instance, { by, value }: NodeReference): readonly string[] {
  if (by === "id") return networkIdsOf(nodeOf(instance));
  const { VpcId = "", NetworkInterfaces = [] } = instance;
  const has = ({ PrivateIpAddresses = [], Ipv6Addresses = [] }: InstanceNetworkInterface) =>
    [
      ...PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress),
      ...Ipv6Addresses.map(({ Ipv6Address }) => Ipv6Address),
    ].includes(value);
  const those = by === "ip" ? NetworkInterfaces.filter(has).map((each) => each.VpcId ?? VpcId) : [];
  return those.length === 0 ? [VpcId] : those;
}

function nodeOf(instance: Instance, branches: Branches = NO_BRANCHES): Node {
  const { InstanceId: id = "", PrivateDnsName: name = "" } = instance;
  const { interfaces, warning, arePartial } = branches;
  const more = { ...(arePartial && { isPartial: true as const }), ...(warning === undefined ? {} : { warning }) };
  return { id, name, ...networksOf(instance, interfaces), ...more };
}

function printable({ by, value }: NodeReference): string {
  return by === "name" ? `the name ${value}` : by === "ip" ? `the address ${value}` : `the id ${value}`;
}
