import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";
import { type ActivityStatus, type ScalingActivity, statusOf } from "../world/scaling-activity.ts";
import type { World } from "../world/world.ts";
import { isoTime } from "./action.ts";
import { recordsOf } from "./paging.ts";
import { type Params, text, texts } from "./params.ts";
import { namedGroup } from "./scaling-groups.ts";
import type { XmlFields } from "./xml.ts";

const ACTIVITIES_PER_PAGE = 100;

/**
 * For all groups or one: activities in progress first, then newest first. Unknown ids are ignored.
 * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
 */
export function describeScalingActivities(params: Params, world: World): XmlFields {
  const ids = texts(params, "ActivityIds");
  const now = world.clock.now();
  const groups = [...deletedGroups(params, world), ...existingGroups(params, world)];
  const rank = (activity: ScalingActivity) => (statusOf(activity, now) === "Successful" ? 1 : 0);
  const chosen = groups
    .flatMap((group) => group.activities.asOf(now).map((activity) => ({ group, activity })))
    .filter(({ activity }) => ids?.includes(activity.id) ?? true)
    .reverse()
    .sort((a, b) => rank(a.activity) - rank(b.activity) || b.activity.startedAt - a.activity.startedAt);
  const pages = { byDefault: ACTIVITIES_PER_PAGE, max: ACTIVITIES_PER_PAGE };
  const { items, nextToken } = recordsOf(chosen, params, pages);
  return {
    Activities: { member: items.map(({ activity, group }) => activityXml(activity, group, world)) },
    NextToken: nextToken,
  };
}

/** A deleted group is found by its name too, whether or not there is another one of that name. */
function existingGroups(params: Params, world: World): readonly AutoScalingGroup[] {
  if (text(params, "AutoScalingGroupName") === undefined) return [...world.autoScalingGroups.values()];
  const isDeleted = deletedGroups(params, world).length > 0;
  const named = [...world.autoScalingGroups.values()].filter((group) => isNamed(group, params));
  return isDeleted ? named : [namedGroup(params, world)];
}

function deletedGroups(params: Params, { scaling }: World): readonly AutoScalingGroup[] {
  if (text(params, "IncludeDeletedGroups") !== "true") return [];
  return scaling.deleted.filter((group) => isNamed(group, params));
}

function isNamed({ name, arn }: AutoScalingGroup, params: Params): boolean {
  const wanted = text(params, "AutoScalingGroupName");
  return wanted === undefined || wanted === name || wanted === arn;
}

/** As in the answer to the call that has begun it: it is not over yet, however little there is to do. */
export function begunActivityXml(activity: ScalingActivity, group: AutoScalingGroup, { clock }: World): XmlFields {
  return xmlOf(activity, group, activity.progress(clock.now()));
}

export function activityXml(activity: ScalingActivity, group: AutoScalingGroup, { clock, scaling }: World): XmlFields {
  const fields = xmlOf(activity, group, statusOf(activity, clock.now()));
  return scaling.deleted.includes(group) ? { ...fields, AutoScalingGroupState: "Deleted" } : fields;
}

function xmlOf(activity: ScalingActivity, group: AutoScalingGroup, status: ActivityStatus): XmlFields {
  const isOver = status === "Successful";
  return {
    ActivityId: activity.id,
    AutoScalingGroupName: group.name,
    AutoScalingGroupARN: group.arn,
    Description: activity.description,
    Cause: activity.cause,
    StartTime: isoTime(activity.startedAt),
    EndTime: isOver ? isoTime(activity.endsAt() ?? activity.startedAt) : undefined,
    StatusCode: status,
    Progress: isOver ? 100 : (activity.percentUntilThen ?? 0),
    Details: JSON.stringify({ "Availability Zone": activity.zone }),
  };
}
