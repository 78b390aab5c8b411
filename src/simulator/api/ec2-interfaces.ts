import { AwsError } from "../aws-error.ts";
import type { Instance } from "../world/instance.ts";
import type { NetworkInterface } from "../world/network-interface.ts";
import type { World } from "../world/world.ts";
import { matches, readFilters, readMaxResults, type Shows } from "./ec2-filters.ts";
import { readMarker, writeMarker } from "./paging.ts";
import { type Params, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

const PAGE_SIZE = 1_000;

/** An interface, and the instance that it or its trunk is attached to. */
interface Attached {
  readonly one: NetworkInterface;
  readonly instance: Instance;
}

const FILTERS: ReadonlyMap<string, Shows<Attached>> = new Map<string, Shows<Attached>>([
  ["network-interface-id", ({ one }) => [one.id]],
  ["interface-type", ({ one }) => [one.type]],
  ["vpc-id", ({ one }) => [one.vpcId]],
  ["addresses.private-ip-address", ({ one }) => one.privateIps],
  ["attachment.instance-id", ({ one, instance }) => (one.type === "branch" ? [] : [instance.id])],
]);

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html */
export function describeNetworkInterfaces(params: Params, world: World): XmlFields {
  const ids = texts(params, "NetworkInterfaceId");
  const now = world.clock.now();
  const all = [...world.instances.values()]
    .filter((instance) => instance.state(now, world.timing) !== "terminated")
    .flatMap((instance) => instance.interfaces.map((one) => ({ one, instance })));
  const missing = ids?.find((id) => !all.some(({ one }) => one.id === id));
  if (missing !== undefined)
    throw new AwsError("InvalidNetworkInterfaceID.NotFound", `The networkInterface ID '${missing}' does not exist`);
  const wanted = readFilters(params, FILTERS, ({ one, instance }) => tagsOf(one, instance));
  const matching = all
    .filter(({ one }) => ids?.includes(one.id) ?? true)
    .filter((attached) => wanted.every((filter) => matches(attached, filter, world)));
  const start = readMarker(text(params, "NextToken"));
  if (start === undefined) throw new AwsError("InvalidParameterValue", "Unable to parse pagination token");
  const end = start + (readMaxResults(params) ?? PAGE_SIZE);
  return {
    networkInterfaceSet: { item: matching.slice(start, end).map((attached) => wholeXml(attached, world)) },
    nextToken: end < matching.length ? writeMarker(end) : undefined,
  };
}

/** EKS's controller writes on a branch which trunk it hangs on. */
function tagsOf({ type, trunkId = "" }: NetworkInterface, { tags }: Instance): ReadonlyMap<string, string> {
  if (type !== "branch") return new Map();
  const ofCluster = [...tags].filter(([key]) => key.startsWith("kubernetes.io/cluster/"));
  return new Map([
    ["vpcresources.k8s.aws/trunk-eni-id", trunkId],
    ["eks:eni:owner", "eks-vpc-resource-controller"],
    ...ofCluster,
  ]);
}

function wholeXml({ one, instance }: Attached, world: World): XmlFields {
  return {
    ...interfaceXml(one, instance),
    ownerId: world.accountId,
    availabilityZone: instance.zone,
    tagSet: { item: [...tagsOf(one, instance)].map(([key, value]) => ({ key, value })) },
    attachment: one.type === "branch" ? undefined : { instanceId: instance.id, status: "attached" },
  };
}

export function interfaceXml(one: NetworkInterface, { zone }: Instance): XmlFields {
  return {
    networkInterfaceId: one.id,
    subnetId: `subnet-${one.vpcId}-${zone}`,
    vpcId: one.vpcId,
    status: "in-use",
    interfaceType: one.type,
    privateIpAddress: one.privateIps[0],
    privateIpAddressesSet: {
      item: one.privateIps.map((privateIpAddress, index) => ({ privateIpAddress, primary: index === 0 })),
    },
    ipv6AddressesSet: { item: one.ipv6Addresses.map((ipv6Address) => ({ ipv6Address })) },
    ipv6PrefixSet: { item: one.ipv6Prefixes.map((ipv6Prefix) => ({ ipv6Prefix })) },
    ipv4PrefixSet: { item: one.ipv4Prefixes.map((ipv4Prefix) => ({ ipv4Prefix })) },
  };
}
