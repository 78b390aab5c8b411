import { AwsError } from "../aws-error.ts";
import { zoneIdOf } from "../world/arn.ts";
import { type Instance, privateNameOf } from "../world/instance.ts";
import { macOf, type NetworkInterface } from "../world/network-interface.ts";
import { subnetIdOf } from "../world/networks.ts";
import { defaultIdOf } from "../world/security-groups.ts";
import type { World } from "../world/world.ts";
import { isoTime } from "./action.ts";
import { ec2Page, filtersOn, matches, readFilters, type Shows } from "./ec2-filters.ts";
import { ec2TagSet } from "./ec2-tags.ts";
import { type Params, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** No other service manages what is here. */
export const NO_OPERATOR: XmlFields = { managed: false };

/** An interface, and the instance that it or its trunk is attached to. */
interface Attached {
  readonly one: NetworkInterface;
  readonly instance: Instance;
}

/** Where in the description each filter looks. */
const FILTER_PATHS: Readonly<Record<string, string>> = {
  "association.allocation-id": "association.allocationId",
  "association.association-id": "association.associationId",
  "addresses.association.owner-id": "privateIpAddressesSet.association.ipOwnerId",
  "addresses.association.public-ip": "privateIpAddressesSet.association.publicIp",
  "addresses.primary": "privateIpAddressesSet.primary",
  "association.ip-owner-id": "association.ipOwnerId",
  "association.public-ip": "association.publicIp",
  "association.public-dns-name": "association.publicDnsName",
  "attachment.attach-time": "attachment.attachTime",
  "attachment.attachment-id": "attachment.attachmentId",
  "attachment.delete-on-termination": "attachment.deleteOnTermination",
  "attachment.device-index": "attachment.deviceIndex",
  "attachment.instance-owner-id": "attachment.instanceOwnerId",
  "attachment.status": "attachment.status",
  "availability-zone": "availabilityZone",
  "availability-zone-id": "availabilityZoneId",
  description: "description",
  "group-id": "groupSet.groupId",
  "group-name": "groupSet.groupName",
  "ipv6-addresses.ipv6-address": "ipv6AddressesSet.ipv6Address",
  "mac-address": "macAddress",
  "operator.managed": "operator.managed",
  "operator.principal": "operator.principal",
  "owner-id": "ownerId",
  "private-dns-name": "privateDnsName",
  "private-ip-address": "privateIpAddress",
  "requester-id": "requesterId",
  "requester-managed": "requesterManaged",
  "source-dest-check": "sourceDestCheck",
  status: "status",
  "subnet-id": "subnetId",
};

const FILTERS: ReadonlyMap<string, Shows<Attached>> = new Map<string, Shows<Attached>>([
  ["network-interface-id", ({ one }) => [one.id]],
  ["interface-type", ({ one }) => [one.type]],
  ["vpc-id", ({ one }) => [one.vpcId]],
  ["addresses.private-ip-address", ({ one }) => one.privateIps],
  ["attachment.instance-id", ({ one, instance }) => (one.type === "branch" ? [] : [instance.id])],
  ...filtersOn(FILTER_PATHS, wholeXml),
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
  const wanted = readFilters(params, FILTERS, (attached) => tagsOf(attached, world));
  const matching = all
    .filter(({ one }) => ids?.includes(one.id) ?? true)
    .filter((attached) => wanted.every((filter) => matches(attached, filter, world)));
  const { items, nextToken } = ec2Page(matching, params);
  return { networkInterfaceSet: { item: items.map((attached) => wholeXml(attached, world)) }, nextToken };
}

/** Those of CreateTags. EKS's controller also writes the trunk of a branch into its tags. */
export function tagsOf({ one, instance }: Attached, { networks }: World): ReadonlyMap<string, string> {
  const given = networks.tagsOf(one.id);
  if (one.type !== "branch") return given;
  const ofCluster = [...instance.tags].filter(([key]) => key.startsWith("kubernetes.io/cluster/"));
  return new Map([
    ["vpcresources.k8s.aws/trunk-eni-id", one.trunkId ?? ""],
    ["eks:eni:owner", "eks-vpc-resource-controller"],
    ...ofCluster,
    ...given,
  ]);
}

function wholeXml({ one, instance }: Attached, world: World): XmlFields {
  return {
    ...interfaceFields(one, instance, world),
    ownerId: world.accountId,
    availabilityZone: instance.zone,
    availabilityZoneId: zoneIdOf(instance.zone),
    requesterManaged: false,
    tagSet: ec2TagSet(tagsOf({ one, instance }, world)),
    attachment:
      one.type === "branch"
        ? undefined
        : { ...attachmentXml(one, instance), instanceId: instance.id, instanceOwnerId: world.accountId },
  };
}

/** Branches are not attached to an instance. */
function attachmentXml(one: NetworkInterface, { interfaces, launchedAt }: Instance): XmlFields {
  const deviceIndex = interfaces.filter(({ type }) => type !== "branch").indexOf(one);
  return {
    attachmentId: one.id.replace("eni-", "eni-attach-"),
    deviceIndex,
    networkCardIndex: 0,
    status: "attached",
    attachTime: isoTime(launchedAt),
    // The first one is deleted with its instance.
    deleteOnTermination: deviceIndex === 0,
  };
}

/** As in DescribeInstances, within its instance. */
export function interfaceXml(one: NetworkInterface, instance: Instance, world: World): XmlFields {
  const attachment = one.type === "branch" ? undefined : attachmentXml(one, instance);
  return { ...interfaceFields(one, instance, world), ownerId: world.accountId, attachment };
}

function interfaceFields(one: NetworkInterface, instance: Instance, { region }: World): XmlFields {
  const { zone, name, privateIp } = instance;
  const nameOf = (address: string) => (address === privateIp ? name : privateNameOf(address, region));
  return {
    description: "",
    operator: NO_OPERATOR,
    macAddress: macOf(one),
    privateDnsName: one.privateIps.slice(0, 1).map(nameOf),
    networkInterfaceId: one.id,
    subnetId: subnetIdOf(one.vpcId, zone),
    vpcId: one.vpcId,
    status: "in-use",
    interfaceType: one.type,
    privateIpAddress: one.privateIps[0],
    sourceDestCheck: true,
    groupSet: { item: [{ groupId: defaultIdOf(one.vpcId), groupName: "default" }] },
    privateIpAddressesSet: {
      item: one.privateIps.map((privateIpAddress, index) => ({
        privateIpAddress,
        privateDnsName: nameOf(privateIpAddress),
        primary: index === 0,
      })),
    },
    ipv6AddressesSet: { item: one.ipv6Addresses.map((ipv6Address) => ({ ipv6Address })) },
    ipv6PrefixSet: { item: one.ipv6Prefixes.map((ipv6Prefix) => ({ ipv6Prefix })) },
    ipv4PrefixSet: { item: one.ipv4Prefixes.map((ipv4Prefix) => ({ ipv4Prefix })) },
  };
}
