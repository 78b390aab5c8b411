import { printable } from "../../drain/errors.ts";
import { announced } from "../announcement.ts";
import type { EventBridgeKind } from "./event-bridge-kind.ts";

/**
 * An interruptible Capacity Reservation is reclaimed, or a Capacity Block ends:
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-interruptible-cr.html
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/capacity-blocks-monitor.html
 */
export const capacityReservationInterruption: EventBridgeKind = {
  source: "aws.ec2",
  detailTypes: [
    "EC2 Capacity Reservation Instance Interruption Warning",
    // The name on AWS's page about interruptible reservations at first.
    "EC2 Interruptible Capacity Reservation Instance Interruption Warning",
  ],
  read({ origin, detail }) {
    const deadline = detail.optionalTime("instance-termination-time");
    const action = detail.hint("instance-action") ?? "terminate";
    return announced([
      {
        kind: "capacity-reservation-interruption",
        instanceId: detail.instanceId("instance-id"),
        ...origin,
        ...(deadline !== undefined && { deadline }),
        reason: `capacity reservation interruption: ${printable(action)}`,
      },
    ]);
  },
};
