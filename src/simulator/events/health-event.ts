import { createHash } from "node:crypto";
import type { Announcement, ScheduledEventCode } from "../world/announcement.ts";
import { partitionOf } from "../world/arn.ts";

/** A large event is divided into pages. AWS documents no page size, but its events have at most 256 KB. */
const ENTITIES_PER_PAGE = 500;

const TYPE_CODES: Readonly<Record<ScheduledEventCode, string>> = {
  "instance-reboot": "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
  "system-reboot": "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
  "instance-stop": "AWS_EC2_INSTANCE_STOP_SCHEDULED",
  // For an instance that is backed by EBS.
  "instance-retirement": "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
};

interface Origin {
  readonly region: string;
  readonly accountId: string;
}

/**
 * The details of AWS Health's events about a scheduled change, one event for each page.
 * https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
 */
export function healthEvents(
  { event, status, at }: Extract<Announcement, { readonly type: "scheduled-change" }>,
  { region, accountId }: Origin,
) {
  const typeCode = TYPE_CODES[event.code];
  const communicationId = createHash("sha256").update(`${event.id} ${status}`).digest("hex");
  const head = {
    eventArn: `arn:${partitionOf(region)}:health:${region}::event/EC2/${typeCode}/${typeCode}_${event.id}`,
    service: "EC2",
    eventTypeCode: typeCode,
    eventTypeCategory: "scheduledChange",
    eventScopeCode: "ACCOUNT_SPECIFIC",
    communicationId,
    startTime: httpDate(event.notBefore),
    endTime: httpDate(event.notAfter),
    lastUpdatedTime: httpDate(at),
    statusCode: status,
    eventRegion: region,
    eventDescription: [
      { language: "en_US", latestDescription: `${event.code} of ${event.instances.length} instances (simulated)` },
    ],
  };
  const entities = event.instances.map(({ id, tags }) => ({
    entityValue: id,
    lastUpdatedTime: httpDate(at),
    status: status === "upcoming" ? "PENDING" : "RESOLVED",
    tags: Object.fromEntries(tags),
  }));
  const pages = Math.ceil(entities.length / ENTITIES_PER_PAGE);
  return Array.from({ length: pages }, (_, page) => ({
    ...head,
    affectedEntities: entities.slice(page * ENTITIES_PER_PAGE, (page + 1) * ENTITIES_PER_PAGE),
    affectedAccount: accountId,
    page: String(page + 1),
    totalPages: String(pages),
  }));
}

/** `Tue, 29 Aug 2023 03:30:00 GMT` */
function httpDate(ms: number): string {
  return new Date(ms).toUTCString();
}
