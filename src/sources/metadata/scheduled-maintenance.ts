import { printable } from "../../drain/errors.ts";
import { type Announcement, jointReading } from "../announcement.ts";
import { EventFields, eachAlone } from "../events/event-fields.ts";
import type { InstanceIdentity, MetadataKind } from "./metadata-kind.ts";

/**
 * `system-maintenance` may be of the network alone or of the power, which boots the machine again: the code does not say,
 * so it counts. Codes that AWS may add count by what they speak of.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html
 */
const TAKES_MACHINE = /reboot|retire|stop|terminat|power|^system-maintenance$/;
/** The machine is up again by itself afterwards. */
const REBOOTS = /reboot|power|^system-maintenance$/;
/** What is over or canceled asks for nothing. */
const OVER: ReadonlySet<string> = new Set(["completed", "canceled", "cancelled"]);

/** What AWS will do with the machine, often weeks ahead. */
export const scheduledMaintenance: MetadataKind = {
  path: "/latest/meta-data/events/maintenance/scheduled",
  read(body, identity) {
    const problems: string[] = [];
    const odd = (problem: string) => void problems.push(problem);
    const events = EventFields.parseList(body, "the body", odd);
    const announcements = eachAlone(events, (event) => announcementOf(event, identity), odd);
    const readings = [
      { reading: "announced", announcements } as const,
      ...problems.map((problem) => ({ reading: "malformed", problem }) as const),
    ];
    return jointReading(readings, "no active maintenance");
  },
};

function announcementOf(event: EventFields, identity: InstanceIdentity): readonly Announcement[] {
  const code = event.text("Code");
  const state = event.hint("State");
  if ((state !== undefined && OVER.has(state)) || !TAKES_MACHINE.test(code)) return [];
  const deadline = event.optionalTime("NotBefore");
  const eventId = event.hint("EventId");
  return [
    {
      kind: "scheduled-change",
      ...identity,
      ...(deadline !== undefined && { deadline }),
      ...(eventId !== undefined && { eventId }),
      ...(REBOOTS.test(code) && ({ reboots: true } as const)),
      reason: `scheduled maintenance: ${printable(code)}`,
    },
  ];
}
