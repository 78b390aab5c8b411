import { AwsError } from "../aws-error.ts";
import { zoneIdOf } from "../world/arn.ts";
import type { Instance } from "../world/instance.ts";
import type { World } from "../world/world.ts";
import { isoTime } from "./action.ts";
import { ec2Page, filtersOn, matches, readFilters, readMaxResults } from "./ec2-filters.ts";
import { existing, stateOf, stateXml } from "./ec2-instances.ts";
import { NO_OPERATOR } from "./ec2-interfaces.ts";
import { type Params, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

const IDS_PER_CALL_MAX = 100;
/** From the start of an instance until its status checks have passed. They run every minute. */
const CHECKED_AFTER_MS = 120_000;

/**
 * For running instances, or for all with `IncludeAllInstances`.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
 */
export function describeInstanceStatus(params: Params, world: World): XmlFields {
  const ids = texts(params, "InstanceId");
  if (ids !== undefined && readMaxResults(params) !== undefined)
    throw new AwsError(
      "InvalidParameterCombination",
      "The parameter instancesSet cannot be used with the parameter maxResults",
    );
  if (ids !== undefined && ids.length > IDS_PER_CALL_MAX)
    throw new AwsError("InvalidParameterValue", `A maximum of ${IDS_PER_CALL_MAX} instance IDs can be specified`);
  const withAll = text(params, "IncludeAllInstances") === "true";
  const wanted = readFilters(params, FILTERS, ({ tags }) => tags);
  const chosen = (ids === undefined ? [...world.instances.values()] : existing(ids, world))
    .filter((instance) => withAll || stateOf(instance, world) === "running")
    .filter((instance) => wanted.every((filter) => matches(instance, filter, world)));
  const { items, nextToken } = ec2Page(chosen, params);
  return { instanceStatusSet: { item: items.map((instance) => statusXml(instance, world)) }, nextToken };
}

/** The path of each filter in the description. */
const FILTER_PATHS: Readonly<Record<string, string>> = {
  "availability-zone": "availabilityZone",
  "availability-zone-id": "availabilityZoneId",
  "event.code": "eventsSet.code",
  "event.description": "eventsSet.description",
  "event.instance-event-id": "eventsSet.instanceEventId",
  "event.not-after": "eventsSet.notAfter",
  "event.not-before": "eventsSet.notBefore",
  "event.not-before-deadline": "eventsSet.notBeforeDeadline",
  "instance-state-code": "instanceState.code",
  "instance-state-name": "instanceState.name",
  "instance-status.reachability": "instanceStatus.details.status",
  "instance-status.status": "instanceStatus.status",
  "operator.managed": "operator.managed",
  "operator.principal": "operator.principal",
  "system-status.reachability": "systemStatus.details.status",
  "system-status.status": "systemStatus.status",
  "attached-ebs-status.status": "attachedEbsStatus.status",
  "application-status.status": "applicationStatus.status",
};

const FILTERS = new Map(filtersOn(FILTER_PATHS, statusXml));

function statusXml(instance: Instance, world: World): XmlFields {
  const { id, zone } = instance;
  const events = world.scheduledEvents.of(id).map(({ id: instanceEventId, code, notBefore, notAfter }) => ({
    instanceEventId,
    code,
    description: `The instance is scheduled for ${code.split("-")[1]}`,
    notBefore: isoTime(notBefore),
    notAfter: isoTime(notAfter),
  }));
  return {
    instanceId: id,
    availabilityZone: zone,
    availabilityZoneId: zoneIdOf(zone),
    operator: NO_OPERATOR,
    eventsSet: { item: events },
    instanceState: stateXml(instance, world),
    systemStatus: checkXml(instance, world),
    instanceStatus: checkXml(instance, world),
    attachedEbsStatus: checkXml(instance, world),
  };
}

/** One of the status checks. The worst state that they show here is `initializing`. */
function checkXml(instance: Instance, world: World): XmlFields {
  if (stateOf(instance, world) !== "running") return { status: "not-applicable" };
  const isChecked = world.clock.now() >= instance.runsFrom(world.timing) + CHECKED_AFTER_MS;
  const details = { name: "reachability", status: isChecked ? "passed" : "initializing" };
  return { status: isChecked ? "ok" : "initializing", details: { item: [details] } };
}
