import { announced } from "../announcement.ts";
import { EventFields } from "../events/event-fields.ts";
import type { MetadataKind } from "./metadata-kind.ts";

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html */
export const rebalanceRecommendation: MetadataKind = {
  path: "/latest/meta-data/events/recommendations/rebalance",
  read(body, identity) {
    const announcedAt = EventFields.parse(body, "the body").optionalTime("noticeTime");
    return announced([
      {
        kind: "rebalance-recommendation",
        ...identity,
        ...(announcedAt === undefined ? {} : { announcedAt }),
        isVoluntary: true,
        reason: "rebalance recommendation",
      },
    ]);
  },
};
