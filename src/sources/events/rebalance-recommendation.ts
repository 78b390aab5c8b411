import { announced } from "../announcement.ts";
import type { EventBridgeKind } from "./event-bridge-kind.ts";

/** An interruption has become likely, at no given time: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html */
export const rebalanceRecommendation: EventBridgeKind = {
  source: "aws.ec2",
  detailTypes: ["EC2 Instance Rebalance Recommendation"],
  read: ({ origin, detail }) =>
    announced([
      {
        kind: "rebalance-recommendation",
        instanceId: detail.instanceId("instance-id"),
        ...origin,
        isVoluntary: true,
        reason: "rebalance recommendation",
      },
    ]),
};
