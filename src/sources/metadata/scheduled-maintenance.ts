import { type Announcement, announced, nothingAsked } from "../announcement.ts";
import { EventFields } from "../events/event-fields.ts";
import type { InstanceIdentity, MetadataKind } from "./metadata-kind.ts";

/**
 * All that there are. `system-maintenance` may be of the network alone or of the power, which boots the machine again:
 * the code does not say, so it counts.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html
 */
const TAKES_MACHINE: ReadonlySet<string> = new Set([
  "instance-reboot",
  "instance-retirement",
  "instance-stop",
  "system-maintenance",
  "system-reboot",
]);

/** What AWS will do with the machine, often weeks ahead. An event that is over or canceled asks for nothing. */
export const scheduledMaintenance: MetadataKind = {
  path: "/latest/meta-data/events/maintenance/scheduled",
  // The longest deregistration delay that AWS allows, and five minutes.
  leadMs: 3_900_000,
  read(body, identity) {
    const events = EventFields.parseList(body, "the body");
    const announcements = events.flatMap((event) => announcementOf(event, identity));
    return announcements.length === 0 ? nothingAsked("no active maintenance") : announced(announcements);
  },
};

function announcementOf(event: EventFields, identity: InstanceIdentity): readonly Announcement[] {
  const code = event.text("Code");
  if (event.text("State") !== "active" || !TAKES_MACHINE.has(code)) return [];
  const deadline = event.optionalTime("NotBefore");
  return [
    {
      kind: "scheduled-change",
      ...identity,
      ...(deadline === undefined ? {} : { deadline }),
      eventId: event.text("EventId"),
      reason: `scheduled maintenance: ${code}`,
    },
  ];
}
