import { AwsError } from "../aws-error.ts";
import type { Instance, InstanceStateName } from "../world/instance.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { ec2Page, matches, readFilters, readMaxResults } from "./ec2-filters.ts";
import { describeInstanceAttribute } from "./ec2-instance-attribute.ts";
import { INSTANCE_FILTERS } from "./ec2-instance-filters.ts";
import { describeInstanceStatus } from "./ec2-instance-status.ts";
import { existing, reservationXml, stateOf, stateXml } from "./ec2-instances.ts";
import { describeNetworkInterfaces } from "./ec2-interfaces.ts";
import { ec2NetworkActions } from "./ec2-networks.ts";
import { ec2SecurityGroupActions } from "./ec2-security-groups.ts";
import { ec2TagActions } from "./ec2-tags.ts";
import { type Params, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/**
 * DryRun checks the caller's permissions and does nothing. If they are sufficient, the answer is an error too, and this
 * one. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
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

/** The actions of EC2 2016-11-15 that draining and the controllers of a cluster need, and those that end, stop, start and reboot an instance. */
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
    const wanted = readFilters(params, INSTANCE_FILTERS, ({ tags }) => tags);
    const matching = chosen.filter((instance) => wanted.every((filter) => matches(instance, filter, world)));
    const { items, nextToken } = ec2Page(matching, params);
    return { reservationSet: { item: items.map((instance) => reservationXml(instance, world)) }, nextToken };
  },

  DescribeInstanceStatus: describeInstanceStatus,
  DescribeInstanceAttribute: describeInstanceAttribute,
  DescribeNetworkInterfaces: describeNetworkInterfaces,
  ...ec2NetworkActions,
  ...ec2SecurityGroupActions,
  ...ec2TagActions,

  TerminateInstances(params, world) {
    return changesXml(specified(params, world), world, (instance) =>
      world.terminateInstance(instance, undefined, { skipOsShutdown: text(params, "SkipOsShutdown") === "true" }),
    );
  },

  StopInstances(params, world) {
    const instances = specified(params, world);
    checkStates(
      instances,
      STOPPABLE,
      world,
      (id) => `This instance '${id}' is not in a state from which it can be stopped.`,
    );
    // A hibernated machine is frozen, and closes nothing.
    const skipOsShutdown = text(params, "SkipOsShutdown") === "true" || text(params, "Hibernate") === "true";
    return changesXml(instances, world, (instance) => world.stopInstance(instance, undefined, { skipOsShutdown }));
  },

  StartInstances(params, world) {
    const instances = specified(params, world);
    checkStates(
      instances,
      STARTABLE,
      world,
      (id) => `The instance '${id}' is not in a state from which it can be started.`,
    );
    return changesXml(instances, world, (instance) => world.startInstance(instance));
  },

  /** Requests for terminated instances are ignored. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RebootInstances.html */
  RebootInstances(params, world) {
    const instances = specified(params, world);
    checkStates(
      instances,
      REBOOTABLE,
      world,
      (id) => `This instance '${id}' is not in a state from which it can be rebooted.`,
    );
    for (const instance of instances) world.rebootInstance(instance);
    return { return: true };
  },
};

export const ec2Actions = honouringDryRun(ACTIONS);

/** If the request has no effect, EC2 answers with success. */
const STOPPABLE: ReadonlySet<InstanceStateName> = new Set(["running", "stopping", "stopped"]);
const STARTABLE: ReadonlySet<InstanceStateName> = new Set(["stopped", "pending", "running"]);
const REBOOTABLE: ReadonlySet<InstanceStateName> = new Set(["running", "shutting-down", "terminated"]);

function specified(params: Params, world: World): readonly Instance[] {
  const ids = texts(params, "InstanceId");
  if (ids === undefined) throw new AwsError("InvalidParameterCombination", "No instances specified");
  return existing(ids, world);
}

/** `refusal`: AWS's error for the instance with this id. */
function checkStates(
  instances: readonly Instance[],
  allowed: ReadonlySet<InstanceStateName>,
  world: World,
  refusal: (id: string) => string,
): void {
  const refused = instances.find((instance) => !allowed.has(stateOf(instance, world)));
  if (refused !== undefined) throw new AwsError("IncorrectInstanceState", refusal(refused.id));
}

function changesXml(instances: readonly Instance[], world: World, change: (instance: Instance) => void): XmlFields {
  const changed = instances.map((instance) => {
    const previousState = stateXml(instance, world);
    change(instance);
    return { instanceId: instance.id, currentState: stateXml(instance, world), previousState };
  });
  return { instancesSet: { item: changed } };
}
