import { announced, nothingAsked } from "../announcement.ts";
import type { EventBridgeKind } from "./event-bridge-kind.ts";

/** What a machine goes through that is gone, or is on its way: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html */
const LEAVING: ReadonlySet<string> = new Set(["stopping", "stopped", "shutting-down", "terminated"]);

/**
 * No deadline: the machine goes now, and the duration of its shutdown is unknown. What can still be done is to
 * take it out of its pools, sooner than health checks notice; a deadline that has passed would leave no time even for that.
 */
export const stateChange: EventBridgeKind = {
  source: "aws.ec2",
  detailTypes: ["EC2 Instance State-change Notification"],
  read({ origin, detail }) {
    const state = detail.text("state");
    if (!LEAVING.has(state)) return nothingAsked(`instance state: ${state}`);
    return announced([
      {
        kind: "state-change",
        instanceId: detail.instanceId("instance-id"),
        ...origin,
        // Queues and replays bring it late and out of order.
        holdsWhile: "stops",
        reason: `instance state: ${state}`,
      },
    ]);
  },
};
