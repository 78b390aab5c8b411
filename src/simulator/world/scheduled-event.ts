import type { Instance } from "./instance.ts";

/** What AWS does to a machine at its time. All simulated instances are backed by EBS. */
export type ScheduledEventCode = "instance-reboot" | "system-reboot" | "instance-stop" | "instance-retirement";

/** Something that AWS will do to instances because of what they run on. Times are milliseconds since the epoch. */
export interface ScheduledEvent {
  /** `instance-event-…` */
  readonly id: string;
  readonly code: ScheduledEventCode;
  readonly instances: readonly Instance[];
  readonly announcedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
}
