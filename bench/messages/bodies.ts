import { ACCOUNT, REGION } from "./place.ts";

/** Within MAINTENANCE_LEAD: what is further ahead waits in the queue. */
const NOTICE_MS = 30 * 60_000;

/** An action that waits for a node of an Auto Scaling group. */
export interface WaitingAction {
  readonly instanceId: string;
  readonly group: string;
  readonly hook: string;
  readonly token: string;
}

/** Texts as EventBridge and Auto Scaling put them into a queue. `now`: milliseconds since the epoch. */
export function spotInterruption(id: string, now: number): string {
  const detail = { "instance-id": id, "instance-action": "terminate" };
  return event("aws.ec2", "EC2 Spot Instance Interruption Warning", [id], detail, now);
}

export function rebalance(id: string, now: number): string {
  return event("aws.ec2", "EC2 Instance Rebalance Recommendation", [id], { "instance-id": id }, now);
}

export function stateChange(id: string, state: string, now: number): string {
  return event("aws.ec2", "EC2 Instance State-change Notification", [id], { "instance-id": id, state }, now);
}

export function withoutInstance(id: string, now: number): string {
  const detail = { "instance-action": "terminate" };
  return event("aws.ec2", "EC2 Spot Instance Interruption Warning", [id], detail, now);
}

export function retirement(id: string, now: number): string {
  const at = (moment: number) => new Date(moment).toUTCString();
  const code = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED";
  const detail = {
    eventArn: `arn:aws:health:${REGION}::event/EC2/${code}/${code}_${id}`,
    service: "EC2",
    eventTypeCode: code,
    eventTypeCategory: "scheduledChange",
    eventScopeCode: "ACCOUNT_SPECIFIC",
    communicationId: `${id}-1`,
    startTime: at(now + NOTICE_MS),
    endTime: at(now + NOTICE_MS),
    lastUpdatedTime: at(now),
    statusCode: "upcoming",
    eventRegion: REGION,
    eventDescription: [{ language: "en_US", latestDescription: "The machine's hardware is to be retired." }],
    affectedEntities: [{ entityValue: id, lastUpdatedTime: at(now), status: "PENDING" }],
    affectedAccount: ACCOUNT,
    page: "1",
    totalPages: "1",
  };
  return event("aws.health", "AWS Health Event", [id], detail, now);
}

export function lifecycleAction(
  what: "terminate" | "launch",
  { instanceId, group, hook, token }: WaitingAction,
  now: number,
): string {
  const [from, to] = what === "terminate" ? ["AutoScalingGroup", "EC2"] : ["EC2", "AutoScalingGroup"];
  const detail = {
    LifecycleActionToken: token,
    AutoScalingGroupName: group,
    LifecycleHookName: hook,
    EC2InstanceId: instanceId,
    LifecycleTransition: `autoscaling:EC2_INSTANCE_${what === "terminate" ? "TERMINATING" : "LAUNCHING"}`,
    Origin: from,
    Destination: to,
  };
  return event("aws.autoscaling", `EC2 Instance-${what} Lifecycle Action`, [group], detail, now);
}

export function testNotification(now: number): string {
  return JSON.stringify({
    AccountId: ACCOUNT,
    RequestId: "b36d6757-57c7-11e8-a9ca-b3409db76d91",
    AutoScalingGroupName: "asg-0",
    Service: "AWS Auto Scaling",
    Event: "autoscaling:TEST_NOTIFICATION",
    Time: new Date(now).toISOString(),
  });
}

function event(source: string, type: string, resources: readonly string[], detail: object, now: number): string {
  return JSON.stringify({
    version: "0",
    id: `${resources[0]}-${type.replaceAll(" ", "-")}`,
    "detail-type": type,
    source,
    account: ACCOUNT,
    time: new Date(now).toISOString(),
    region: REGION,
    resources,
    detail,
  });
}
