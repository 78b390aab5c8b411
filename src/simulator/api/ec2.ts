import { AwsError } from "../aws-error.ts";
import type { Instance, InstanceStateName } from "../world/instance.ts";
import { matchesWildcard } from "../world/load-balancer.ts";
import type { World } from "../world/world.ts";
import { type ApiActions, isoTime } from "./action.ts";
import { readMarker, writeMarker } from "./paging.ts";
import { integer, type Params, requiredText, structures, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

const STATE_CODES: Readonly<Record<InstanceStateName, number>> = { running: 16, "shutting-down": 32, terminated: 48 };
const INSTANCE_ID = /^i-([0-9a-f]{8}|[0-9a-f]{17})$/;
const MAX_RESULTS = { min: 5, max: 1_000 };
const FILTERS_MAX = 50;
const FILTER_VALUES_MAX = 200;

/** The actions of EC2 2016-11-15 that draining needs, and the one that ends an instance. */
export const ec2Actions: ApiActions = {
  DescribeInstances(params, world) {
    const ids = texts(params, "InstanceId");
    const maxResults = integer(params, "MaxResults");
    if (ids !== undefined && maxResults !== undefined) {
      throw new AwsError(
        "InvalidParameterCombination",
        "The parameter instancesSet cannot be used with the parameter maxResults",
      );
    }
    if (maxResults !== undefined && (maxResults < MAX_RESULTS.min || maxResults > MAX_RESULTS.max)) {
      throw new AwsError(
        "InvalidParameterValue",
        `Value ( ${maxResults} ) for parameter maxResults is invalid. Expecting a value between ${MAX_RESULTS.min} and ${MAX_RESULTS.max}.`,
      );
    }
    const chosen = ids === undefined ? [...world.instances.values()] : existing(ids, world);
    const matching = chosen.filter((instance) => filters(params).every((filter) => matches(instance, filter, world)));
    const start = readMarker(text(params, "NextToken"));
    const end = start + (maxResults ?? MAX_RESULTS.max);
    return {
      reservationSet: { item: matching.slice(start, end).map((instance) => reservationXml(instance, world)) },
      nextToken: end < matching.length ? writeMarker(end) : undefined,
    };
  },

  TerminateInstances(params, world) {
    const changed = existing(texts(params, "InstanceId") ?? [], world).map((instance) => {
      const previousState = stateXml(instance, world);
      world.terminateInstance(instance);
      return { instanceId: instance.id, currentState: stateXml(instance, world), previousState };
    });
    return { instancesSet: { item: changed } };
  },
};

interface Filter {
  readonly name: string;
  readonly values: readonly string[];
}

function filters(params: Params): readonly Filter[] {
  const list = (structures(params, "Filter") ?? []).map((filter) => ({
    name: requiredText(filter, "Name"),
    values: texts(filter, "Value") ?? [],
  }));
  if (list.length > FILTERS_MAX || list.some(({ values }) => values.length > FILTER_VALUES_MAX)) {
    throw new AwsError(
      "FilterLimitExceeded",
      `The maximum number of filter values specified on a single call is ${FILTER_VALUES_MAX}`,
    );
  }
  return list;
}

function matches(instance: Instance, { name, values }: Filter, world: World): boolean {
  const own = filterValues(instance, name, world);
  return own.some((value) => values.some((pattern) => matchesWildcard(pattern, value)));
}

/** What an instance has to show for a filter. A terminated one has no network any more. */
function filterValues(instance: Instance, name: string, world: World): readonly string[] {
  const state = instance.state(world.clock.now(), world.timing);
  const hasNetwork = state !== "terminated";
  if (name.startsWith("tag:"))
    return [instance.tags.get(name.slice("tag:".length))].filter((value) => value !== undefined);
  switch (name) {
    case "instance-id":
      return [instance.id];
    case "instance-state-name":
      return [state];
    case "tag-key":
      return [...instance.tags.keys()];
    case "vpc-id":
      return hasNetwork ? [instance.vpcId] : [];
    case "private-dns-name":
      return hasNetwork ? [instance.name] : [];
    case "private-ip-address":
      return hasNetwork ? [instance.privateIp] : [];
    case "network-interface.addresses.private-ip-address":
      return hasNetwork ? [instance.privateIp, ...instance.secondaryIps] : [];
    case "network-interface.ipv6-addresses.ipv6-address":
      return hasNetwork ? instance.ipv6Addresses : [];
    default:
      throw new AwsError("InvalidParameterValue", `The filter '${name}' is invalid`);
  }
}

function existing(ids: readonly string[], world: World): readonly Instance[] {
  const malformed = ids.find((id) => !INSTANCE_ID.test(id));
  if (malformed !== undefined) throw new AwsError("InvalidInstanceID.Malformed", `Invalid id: "${malformed}"`);
  const missing = ids.filter((id) => world.instance(id) === undefined);
  if (missing.length > 0) {
    const subject = missing.length === 1 ? `ID '${missing[0]}' does` : `IDs '${missing.join(", ")}' do`;
    throw new AwsError("InvalidInstanceID.NotFound", `The instance ${subject} not exist`);
  }
  return ids.map((id) => world.instance(id)).filter((instance) => instance !== undefined);
}

function stateXml(instance: Instance, world: World): XmlFields {
  const name = instance.state(world.clock.now(), world.timing);
  return { code: STATE_CODES[name], name };
}

function reservationXml(instance: Instance, world: World): XmlFields {
  return {
    reservationId: `r-${instance.id.slice("i-".length)}`,
    ownerId: world.accountId,
    groupSet: {},
    instancesSet: { item: [instanceXml(instance, world)] },
  };
}

function instanceXml(instance: Instance, world: World): XmlFields {
  const isTerminated = instance.state(world.clock.now(), world.timing) === "terminated";
  const subnetId = `subnet-${instance.vpcId}-${instance.zone}`;
  return {
    instanceId: instance.id,
    imageId: "ami-0123456789abcdef0",
    instanceState: stateXml(instance, world),
    privateDnsName: isTerminated ? "" : instance.name,
    dnsName: "",
    reason: instance.terminatedAt === undefined ? "" : `User initiated (${isoTime(instance.terminatedAt)})`,
    amiLaunchIndex: 0,
    instanceType: "m7g.large",
    launchTime: isoTime(instance.launchedAt),
    placement: { availabilityZone: instance.zone, groupName: "", tenancy: "default" },
    monitoring: { state: "disabled" },
    ...(isTerminated ? {} : { subnetId, vpcId: instance.vpcId, privateIpAddress: instance.privateIp }),
    tagSet: { item: [...instance.tags].map(([key, value]) => ({ key, value })) },
    networkInterfaceSet: isTerminated ? {} : { item: [interfaceXml(instance, subnetId)] },
  };
}

function interfaceXml(instance: Instance, subnetId: string): XmlFields {
  return {
    networkInterfaceId: `eni-${instance.id.slice("i-".length)}`,
    subnetId,
    vpcId: instance.vpcId,
    status: "in-use",
    privateIpAddress: instance.privateIp,
    privateIpAddressesSet: {
      item: [
        { privateIpAddress: instance.privateIp, primary: true },
        ...instance.secondaryIps.map((privateIpAddress) => ({ privateIpAddress, primary: false })),
      ],
    },
    ipv6AddressesSet: { item: instance.ipv6Addresses.map((ipv6Address) => ({ ipv6Address })) },
    ipv4PrefixSet: { item: instance.ipv4Prefixes.map((ipv4Prefix) => ({ ipv4Prefix })) },
  };
}
