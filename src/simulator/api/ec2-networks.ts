import { AwsError } from "../aws-error.ts";
import { zoneIdOf } from "../world/arn.ts";
import { ADDRESSES_FREE, digitsOf, gatewayIdOf, routeTableIdOf, type Subnet, VPC_CIDR } from "../world/networks.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { ec2Page, filtersOn, matches, readFilters, type Shows } from "./ec2-filters.ts";
import { requiredOfEc2 } from "./ec2-instance-attribute.ts";
import { ec2TagSet } from "./ec2-tags.ts";
import { type Params, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

const VPC_ATTRIBUTES: ReadonlyMap<string, boolean> = new Map([
  ["enableDnsSupport", true],
  ["enableDnsHostnames", false],
  ["enableNetworkAddressUsageMetrics", false],
]);

const noSuchVpc = (id: string) => new AwsError("InvalidVpcID.NotFound", `The vpc ID '${id}' does not exist`);

/** What controllers read before they create a load balancer. */
export const ec2NetworkActions: ApiActions = {
  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html */
  DescribeAvailabilityZones(params, world) {
    const { zones } = world.networks;
    const chosen = chosenBy(
      texts(params, "ZoneName"),
      zones,
      (zone) => zone,
      (zone) => new AwsError("InvalidParameterValue", `Invalid availability zone: [${zone}]`),
    );
    const ids = texts(params, "ZoneId");
    const wanted = readFilters(params, ZONE_FILTERS, () => new Map());
    const matching = chosen
      .filter((zone) => ids?.includes(zoneIdOf(zone)) ?? true)
      .filter((zone) => wanted.every((filter) => matches(zone, filter, world)));
    return { availabilityZoneInfo: { item: matching.map((zone) => zoneXml(zone, world)) } };
  },

  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html */
  DescribeVpcs(params, world) {
    const matching = described(params, world, {
      ids: texts(params, "VpcId"),
      all: world.networks.vpcIds,
      idOf: (id) => id,
      filters: VPC_FILTERS,
      notFound: noSuchVpc,
    });
    const { items, nextToken } = ec2Page(matching, params);
    return { vpcSet: { item: items.map((id) => vpcXml(id, world)) }, nextToken };
  },

  /** The defaults of a VPC. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html */
  DescribeVpcAttribute(params, world) {
    const vpcId = requiredOfEc2(params, "VpcId");
    const attribute = requiredOfEc2(params, "Attribute");
    if (!world.networks.vpcIds.includes(vpcId)) throw noSuchVpc(vpcId);
    const value = VPC_ATTRIBUTES.get(attribute);
    if (value === undefined)
      throw new AwsError("InvalidParameterValue", `Value (${attribute}) for parameter attribute is invalid.`);
    return { vpcId, [attribute]: { value } };
  },

  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html */
  DescribeSubnets(params, world) {
    const matching = described(params, world, {
      ids: texts(params, "SubnetId"),
      all: world.networks.subnets,
      idOf: ({ id }) => id,
      filters: SUBNET_FILTERS,
      notFound: (id) => new AwsError("InvalidSubnetID.NotFound", `The subnet ID '${id}' does not exist`),
    });
    const { items, nextToken } = ec2Page(matching, params);
    return { subnetSet: { item: items.map((subnet) => subnetXml(subnet, world)) }, nextToken };
  },

  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html */
  DescribeRouteTables(params, world) {
    const matching = described(params, world, {
      ids: texts(params, "RouteTableId"),
      all: world.networks.vpcIds,
      idOf: routeTableIdOf,
      filters: ROUTE_TABLE_FILTERS,
      notFound: (id) => new AwsError("InvalidRouteTableID.NotFound", `The routeTable ID '${id}' does not exist`),
    });
    const { items, nextToken } = ec2Page(matching, params);
    return { routeTableSet: { item: items.map((vpcId) => routeTableXml(vpcId, world)) }, nextToken };
  },
};

interface Described<T> {
  readonly ids: readonly string[] | undefined;
  readonly all: readonly T[];
  readonly idOf: (one: T) => string;
  readonly filters: ReadonlyMap<string, Shows<T>>;
  readonly notFound: (id: string) => AwsError;
}

/** The resources with the ids of the call that match the filters. */
function described<T>(params: Params, world: World, { ids, all, idOf, filters, notFound }: Described<T>): readonly T[] {
  const chosen = chosenBy(ids, all, idOf, notFound);
  const wanted = readFilters(params, filters, (one) => world.networks.tagsOf(idOf(one)));
  return chosen.filter((one) => wanted.every((filter) => matches(one, filter, world)));
}

function chosenBy<T>(
  ids: readonly string[] | undefined,
  all: readonly T[],
  idOf: (one: T) => string,
  notFound: (id: string) => AwsError,
): readonly T[] {
  if (ids === undefined) return all;
  const missing = ids.find((id) => !all.some((one) => idOf(one) === id));
  if (missing !== undefined) throw notFound(missing);
  return all.filter((one) => ids.includes(idOf(one)));
}

const ZONE_FILTERS = new Map(
  filtersOn(
    {
      "group-long-name": "groupLongName",
      "group-name": "groupName",
      message: "messageSet.message",
      "opt-in-status": "optInStatus",
      "parent-zone-id": "parentZoneId",
      "parent-zone-name": "parentZoneName",
      "region-name": "regionName",
      state: "zoneState",
      "zone-id": "zoneId",
      "zone-name": "zoneName",
      "zone-type": "zoneType",
    },
    zoneXml,
  ),
);

const VPC_FILTERS = new Map(
  filtersOn(
    {
      cidr: "cidrBlock",
      "cidr-block-association.cidr-block": "cidrBlockAssociationSet.cidrBlock",
      "cidr-block-association.association-id": "cidrBlockAssociationSet.associationId",
      "cidr-block-association.state": "cidrBlockAssociationSet.cidrBlockState.state",
      "dhcp-options-id": "dhcpOptionsId",
      "ipv6-cidr-block-association.ipv6-cidr-block": "ipv6CidrBlockAssociationSet.ipv6CidrBlock",
      "ipv6-cidr-block-association.ipv6-pool": "ipv6CidrBlockAssociationSet.ipv6Pool",
      "ipv6-cidr-block-association.association-id": "ipv6CidrBlockAssociationSet.associationId",
      "ipv6-cidr-block-association.state": "ipv6CidrBlockAssociationSet.ipv6CidrBlockState.state",
      "is-default": "isDefault",
      "owner-id": "ownerId",
      state: "state",
      "vpc-id": "vpcId",
    },
    vpcXml,
  ),
);

const SUBNET_FILTERS = new Map(
  filtersOn(
    {
      "availability-zone": "availabilityZone",
      "availability-zone-id": "availabilityZoneId",
      "available-ip-address-count": "availableIpAddressCount",
      "cidr-block": "cidrBlock",
      "customer-owned-ipv4-pool": "customerOwnedIpv4Pool",
      "default-for-az": "defaultForAz",
      "enable-dns64": "enableDns64",
      "enable-lni-at-device-index": "enableLniAtDeviceIndex",
      "ipv6-cidr-block-association.ipv6-cidr-block": "ipv6CidrBlockAssociationSet.ipv6CidrBlock",
      "ipv6-cidr-block-association.association-id": "ipv6CidrBlockAssociationSet.associationId",
      "ipv6-cidr-block-association.state": "ipv6CidrBlockAssociationSet.ipv6CidrBlockState.state",
      "ipv6-native": "ipv6Native",
      "map-customer-owned-ip-on-launch": "mapCustomerOwnedIpOnLaunch",
      "map-public-ip-on-launch": "mapPublicIpOnLaunch",
      "outpost-arn": "outpostArn",
      "owner-id": "ownerId",
      "private-dns-name-options-on-launch.hostname-type": "privateDnsNameOptionsOnLaunch.hostnameType",
      "private-dns-name-options-on-launch.enable-resource-name-dns-a-record":
        "privateDnsNameOptionsOnLaunch.enableResourceNameDnsARecord",
      "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record":
        "privateDnsNameOptionsOnLaunch.enableResourceNameDnsAAAARecord",
      state: "state",
      "subnet-arn": "subnetArn",
      "subnet-id": "subnetId",
      "vpc-id": "vpcId",
    },
    subnetXml,
  ),
);

const ROUTE_TABLE_FILTERS = new Map(
  filtersOn(
    {
      "association.gateway-id": "associationSet.gatewayId",
      "association.route-table-association-id": "associationSet.routeTableAssociationId",
      "association.route-table-id": "associationSet.routeTableId",
      "association.subnet-id": "associationSet.subnetId",
      "association.main": "associationSet.main",
      "owner-id": "ownerId",
      "route-table-id": "routeTableId",
      "route.destination-cidr-block": "routeSet.destinationCidrBlock",
      "route.destination-ipv6-cidr-block": "routeSet.destinationIpv6CidrBlock",
      "route.destination-prefix-list-id": "routeSet.destinationPrefixListId",
      "route.egress-only-internet-gateway-id": "routeSet.egressOnlyInternetGatewayId",
      "route.gateway-id": "routeSet.gatewayId",
      "route.instance-id": "routeSet.instanceId",
      "route.nat-gateway-id": "routeSet.natGatewayId",
      "route.transit-gateway-id": "routeSet.transitGatewayId",
      "route.origin": "routeSet.origin",
      "route.state": "routeSet.state",
      "route.vpc-peering-connection-id": "routeSet.vpcPeeringConnectionId",
      "vpc-id": "vpcId",
    },
    routeTableXml,
  ),
);

function zoneXml(zone: string, { region }: World): XmlFields {
  return {
    zoneName: zone,
    zoneState: "available",
    zoneId: zoneIdOf(zone),
    zoneType: "availability-zone",
    regionName: region,
    groupName: `${region}-zg-1`,
    networkBorderGroup: region,
    optInStatus: "opt-in-not-required",
    messageSet: {},
  };
}

function vpcXml(vpcId: string, world: World): XmlFields {
  return {
    vpcId,
    ownerId: world.accountId,
    state: "available",
    cidrBlock: VPC_CIDR,
    cidrBlockAssociationSet: {
      item: [
        {
          associationId: `vpc-cidr-assoc-${digitsOf(`block of ${vpcId}`)}`,
          cidrBlock: VPC_CIDR,
          cidrBlockState: { state: "associated" },
        },
      ],
    },
    dhcpOptionsId: `dopt-${digitsOf("DHCP options")}`,
    instanceTenancy: "default",
    isDefault: false,
    tagSet: ec2TagSet(world.networks.tagsOf(vpcId)),
  };
}

function subnetXml({ id, vpcId, zone, cidr }: Subnet, world: World): XmlFields {
  return {
    subnetId: id,
    subnetArn: world.arn("ec2", `subnet/${id}`),
    vpcId,
    ownerId: world.accountId,
    state: "available",
    cidrBlock: cidr,
    ipv6CidrBlockAssociationSet: {},
    availableIpAddressCount: ADDRESSES_FREE,
    availabilityZone: zone,
    availabilityZoneId: zoneIdOf(zone),
    defaultForAz: false,
    mapPublicIpOnLaunch: true,
    mapCustomerOwnedIpOnLaunch: false,
    assignIpv6AddressOnCreation: false,
    enableDns64: false,
    ipv6Native: false,
    privateDnsNameOptionsOnLaunch: {
      hostnameType: "ip-name",
      enableResourceNameDnsARecord: false,
      enableResourceNameDnsAAAARecord: false,
    },
    tagSet: ec2TagSet(world.networks.tagsOf(id)),
  };
}

function routeTableXml(vpcId: string, world: World): XmlFields {
  const routeTableId = routeTableIdOf(vpcId);
  const active = { state: "active" };
  const toInternet = { destinationCidrBlock: "0.0.0.0/0", gatewayId: gatewayIdOf(vpcId), origin: "CreateRoute" };
  const association = {
    routeTableAssociationId: `rtbassoc-${digitsOf(`main route table of ${vpcId}`)}`,
    routeTableId,
    main: true,
    associationState: { state: "associated" },
  };
  return {
    routeTableId,
    vpcId,
    ownerId: world.accountId,
    routeSet: {
      item: [
        { destinationCidrBlock: VPC_CIDR, gatewayId: "local", origin: "CreateRouteTable", ...active },
        { ...toInternet, ...active },
      ],
    },
    associationSet: { item: [association] },
    propagatingVgwSet: {},
    tagSet: ec2TagSet(world.networks.tagsOf(routeTableId)),
  };
}
