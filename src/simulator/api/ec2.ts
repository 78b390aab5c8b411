import { AwsError } from "../aws-error.ts";
import type { Instance, InstanceStateName } from "../world/instance.ts";
import { matchesWildcard } from "../world/load-balancer.ts";
import type { World } from "../world/world.ts";
import { type ApiActions, isoTime } from "./action.ts";
import { readMarker, writeMarker } from "./paging.ts";
import { type Params, structures, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

const STATE_CODES: Readonly<Record<InstanceStateName, number>> = {
  pending: 0,
  running: 16,
  "shutting-down": 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};
const INSTANCE_ID = /^i-([0-9a-f]{8}|[0-9a-f]{17})$/;
const MAX_RESULTS = { min: 5, max: 1_000 };
const FILTERS_MAX = 50;
const FILTER_VALUES_MAX = 200;

/** The actions of EC2 2016-11-15 that draining needs, and those that end, stop and start an instance. */
export const ec2Actions: ApiActions = {
  DescribeInstances(params, world) {
    const ids = texts(params, "InstanceId");
    const maxResults = readMaxResults(params);
    if (ids !== undefined && maxResults !== undefined) {
      throw new AwsError(
        "InvalidParameterCombination",
        "The parameter instancesSet cannot be used with the parameter maxResults",
      );
    }
    const chosen = ids === undefined ? [...world.instances.values()] : existing(ids, world);
    const wanted = filters(params);
    const matching = chosen.filter((instance) => wanted.every((filter) => matches(instance, filter, world)));
    const start = readMarker(text(params, "NextToken"));
    if (start === undefined) throw new AwsError("InvalidParameterValue", "Unable to parse pagination token");
    const end = start + (maxResults ?? MAX_RESULTS.max);
    return {
      reservationSet: { item: matching.slice(start, end).map((instance) => reservationXml(instance, world)) },
      nextToken: end < matching.length ? writeMarker(end) : undefined,
    };
  },

  TerminateInstances(params, world) {
    return changesXml(specified(params, world), world, (instance) => world.terminateInstance(instance));
  },

  StopInstances(params, world) {
    const instances = specified(params, world);
    for (const { id } of instances.filter((instance) => !STOPPABLE.has(stateOf(instance, world)))) {
      throw new AwsError(
        "IncorrectInstanceState",
        `This instance '${id}' is not in a state from which it can be stopped.`,
      );
    }
    return changesXml(instances, world, (instance) => world.stopInstance(instance));
  },

  StartInstances(params, world) {
    const instances = specified(params, world);
    for (const { id } of instances.filter((instance) => !STARTABLE.has(stateOf(instance, world)))) {
      throw new AwsError(
        "IncorrectInstanceState",
        `The instance '${id}' is not in a state from which it can be started.`,
      );
    }
    return changesXml(instances, world, (instance) => world.startInstance(instance));
  },
};

/** EC2 answers a repeated call with success. */
const STOPPABLE: ReadonlySet<InstanceStateName> = new Set(["running", "stopping", "stopped"]);
const STARTABLE: ReadonlySet<InstanceStateName> = new Set(["stopped", "pending", "running"]);

function specified(params: Params, world: World): readonly Instance[] {
  const ids = texts(params, "InstanceId");
  if (ids === undefined) throw new AwsError("InvalidParameterCombination", "No instances specified");
  return existing(ids, world);
}

function changesXml(instances: readonly Instance[], world: World, change: (instance: Instance) => void): XmlFields {
  const changed = instances.map((instance) => {
    const previousState = stateXml(instance, world);
    change(instance);
    return { instanceId: instance.id, currentState: stateXml(instance, world), previousState };
  });
  return { instancesSet: { item: changed } };
}

function readMaxResults(params: Params): number | undefined {
  const value = text(params, "MaxResults");
  if (value === undefined) return undefined;
  const { min, max } = MAX_RESULTS;
  if (!/^\d+$/.test(value) || Number(value) < min || Number(value) > max) {
    throw new AwsError(
      "InvalidParameterValue",
      `Value ( ${value} ) for parameter maxResults is invalid. Expecting a value between ${min} and ${max}.`,
    );
  }
  return Number(value);
}

/** What an instance has to show for a filter. */
type Shows = (instance: Instance, world: World) => readonly string[];

interface Filter {
  readonly shows: Shows;
  readonly values: readonly string[];
}

/** A terminated instance has no network any more. */
const network =
  (shows: (instance: Instance) => readonly string[]): Shows =>
  (instance, world) =>
    stateOf(instance, world) === "terminated" ? [] : shows(instance);

const FILTERS: ReadonlyMap<string, Shows> = new Map<string, Shows>([
  ["instance-id", ({ id }) => [id]],
  ["instance-state-name", (instance, world) => [stateOf(instance, world)]],
  ["tag-key", ({ tags }) => [...tags.keys()]],
  ["vpc-id", network(({ vpcId }) => [vpcId])],
  ["private-dns-name", network(({ name }) => [name])],
  ["private-ip-address", network(({ privateIp }) => [privateIp])],
  [
    "network-interface.addresses.private-ip-address",
    network(({ privateIp, secondaryIps }) => [privateIp, ...secondaryIps]),
  ],
  ["network-interface.ipv6-addresses.ipv6-address", network(({ ipv6Addresses }) => ipv6Addresses)],
]);

function filters(params: Params): readonly Filter[] {
  const list = (structures(params, "Filter") ?? []).map((filter) => ({
    shows: filterNamed(text(filter, "Name") ?? "null"),
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

function filterNamed(name: string): Shows {
  if (name.startsWith("tag:")) {
    const key = name.slice("tag:".length);
    return ({ tags }) => [tags.get(key)].filter((value) => value !== undefined);
  }
  const shows = FILTERS.get(name);
  if (shows === undefined) throw new AwsError("InvalidParameterValue", `The filter '${name}' is invalid`);
  return shows;
}

/** A filter without values asks that there be any value (https://github.com/aws/aws-cli/issues/1735). */
function matches(instance: Instance, { shows, values }: Filter, world: World): boolean {
  const own = shows(instance, world);
  if (values.length === 0) return own.length > 0;
  return own.some((value) => values.some((pattern) => matchesWildcard(pattern, value)));
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

function stateOf(instance: Instance, world: World): InstanceStateName {
  return instance.state(world.clock.now(), world.timing);
}

function stateXml(instance: Instance, world: World): XmlFields {
  const name = stateOf(instance, world);
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
  const isTerminated = stateOf(instance, world) === "terminated";
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
    ipv6PrefixSet: { item: instance.ipv6Prefixes.map((ipv6Prefix) => ({ ipv6Prefix })) },
    ipv4PrefixSet: { item: instance.ipv4Prefixes.map((ipv4Prefix) => ({ ipv4Prefix })) },
  };
}
