import { AwsError } from "../aws-error.ts";
import type { Instance, InstanceStateName } from "../world/instance.ts";
import type { NetworkInterface } from "../world/network-interface.ts";
import { subnetIdOf } from "../world/networks.ts";
import { defaultIdOf } from "../world/security-groups.ts";
import type { World } from "../world/world.ts";
import { type ApiActions, isoTime } from "./action.ts";
import { ec2Page, matches, readFilters, readMaxResults, type Shows } from "./ec2-filters.ts";
import { describeNetworkInterfaces, interfaceXml } from "./ec2-interfaces.ts";
import { ec2NetworkActions } from "./ec2-networks.ts";
import { ec2SecurityGroupActions } from "./ec2-security-groups.ts";
import { ec2TagActions, ec2TagSet } from "./ec2-tags.ts";
import { type Params, text, texts } from "./params.ts";
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

/**
 * DryRun checks the caller's permissions and does nothing: with them the answer is an error, and this one.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
 */
function honouringDryRun(actions: ApiActions): ApiActions {
  const honouring = Object.entries(actions).map(([name, action]): [string, ApiActions[string]] => [
    name,
    (params, world, caller) => {
      if (text(params, "DryRun") !== "true") return (action as NonNullable<typeof action>)(params, world, caller);
      throw new AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
    },
  ]) as [string, NonNullable<ApiActions[string]>][];
  return Object.fromEntries(honouring);
}

/** The actions of EC2 2016-11-15 that draining and the controllers of a cluster need, and those that end, stop and start an instance. */
const ACTIONS: ApiActions = {
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
    const wanted = readFilters(params, FILTERS, ({ tags }) => tags);
    const matching = chosen.filter((instance) => wanted.every((filter) => matches(instance, filter, world)));
    const { items, nextToken } = ec2Page(matching, params);
    return { reservationSet: { item: items.map((instance) => reservationXml(instance, world)) }, nextToken };
  },

  DescribeNetworkInterfaces: describeNetworkInterfaces,
  ...ec2NetworkActions,
  ...ec2SecurityGroupActions,
  ...ec2TagActions,

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

export const ec2Actions = honouringDryRun(ACTIONS);

/** Asked again for what is so already, EC2 answers with success. */
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

/** A terminated instance has no network any more. */
const network =
  (shows: (instance: Instance) => readonly string[]): Shows<Instance> =>
  (instance, world) =>
    stateOf(instance, world) === "terminated" ? [] : shows(instance);

const FILTERS: ReadonlyMap<string, Shows<Instance>> = new Map<string, Shows<Instance>>([
  ["instance-id", ({ id }) => [id]],
  ["instance-state-name", (instance, world) => [stateOf(instance, world)]],
  ["vpc-id", network(({ vpcId }) => [vpcId])],
  ["private-dns-name", network(({ name }) => [name])],
  ["private-ip-address", network(({ privateIp }) => [privateIp])],
  [
    "network-interface.addresses.private-ip-address",
    network((instance) => attached(instance).flatMap(({ privateIps }) => privateIps)),
  ],
  [
    "network-interface.ipv6-addresses.ipv6-address",
    network((instance) => attached(instance).flatMap(({ ipv6Addresses }) => ipv6Addresses)),
  ],
]);

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
  const { vpcId } = instance;
  const subnetId = subnetIdOf(vpcId, instance.zone);
  const groupSet = { item: [{ groupId: defaultIdOf(vpcId), groupName: "default" }] };
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
    ...(isTerminated ? {} : { subnetId, vpcId, privateIpAddress: instance.privateIp, groupSet }),
    tagSet: ec2TagSet(instance.tags),
    networkInterfaceSet: isTerminated
      ? {}
      : { item: attached(instance).map((one) => interfaceXml(one, instance, world)) },
  };
}

/** Branches have no attachment to the instance: DescribeInstances leaves them out. */
function attached({ interfaces }: Instance): readonly NetworkInterface[] {
  return interfaces.filter(({ type }) => type !== "branch");
}
