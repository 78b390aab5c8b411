import { printable } from "../../drain/errors.ts";
import { announced } from "../announcement.ts";
import type { EventBridgeKind } from "./event-bridge-kind.ts";

const NOTICE_MS = 120_000;

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html */
export const spotInterruption: EventBridgeKind = {
  source: "aws.ec2",
  detailTypes: ["EC2 Spot Instance Interruption Warning"],
  read({ origin, detail }) {
    // The warning itself says that the machine goes; how it goes only shortens the notice.
    const action = detail.hint("instance-action") ?? "terminate";
    // Hibernation begins with the warning. Any other action, one that is not known yet as well, takes the machine.
    const noticeMs = action === "hibernate" ? 0 : NOTICE_MS;
    const { announcedAt } = origin;
    return announced([
      {
        kind: "spot-interruption",
        instanceId: detail.instanceId("instance-id"),
        ...origin,
        ...(announcedAt !== undefined && { deadline: announcedAt + noticeMs }),
        reason: `spot interruption: ${printable(action)}`,
      },
    ]);
  },
};
