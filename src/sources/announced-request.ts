import { printable } from "../drain/errors.ts";
import { type DrainRequest, nodeReference, REASON_CHARACTERS_MAX } from "../drain/request.ts";
import type { Announcement } from "./announcement.ts";

const EVENT_ID_CHARACTERS_MAX = 100;

/** What an announcement asks of the drainer. Times by this machine's clock, in milliseconds since the epoch. Throws `RangeError` for a malformed id. */
export function announcedRequest(
  { kind, instanceId, eventId, isVoluntary, holdsWhile, reason }: Announcement,
  {
    deadline,
    dryRun,
    firstTriedAt,
    saidAt,
  }: {
    readonly deadline?: number | undefined;
    readonly dryRun: boolean;
    readonly firstTriedAt?: number | undefined;
    /** When the announcement was made. */
    readonly saidAt?: number | undefined;
  },
): DrainRequest {
  const event = eventId === undefined ? {} : { event: printable(eventId, EVENT_ID_CHARACTERS_MAX) };
  return {
    node: nodeReference("id", instanceId),
    reason: printable(reason, REASON_CHARACTERS_MAX - 1),
    asker: { via: kind, ...event },
    dryRun,
    ...(deadline === undefined ? {} : { deadline }),
    ...(isVoluntary === undefined ? {} : { isVoluntary }),
    ...(firstTriedAt === undefined ? {} : { firstTriedAt }),
    ...(holdsWhile && { holdsWhile: { machine: holdsWhile, ...(saidAt === undefined ? {} : { saidAt }) } }),
  };
}
