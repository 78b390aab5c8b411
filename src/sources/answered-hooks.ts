import type { EventReading } from "./announcement.ts";

/**
 * As `read`, without the lifecycle actions of hooks that are not called `hookName`. A group may have hooks of other
 * programs, which complete them themselves: the machine leaves all the same. Absent: every hook is answered.
 */
export function withHooksNamed(
  hookName: string | undefined,
  read: (body: string) => EventReading,
): (body: string) => EventReading {
  if (hookName === undefined) return read;
  return (body) => {
    const reading = read(body);
    if (reading.reading !== "announced") return reading;
    const announcements = reading.announcements.map(({ lifecycleAction, ...announcement }) =>
      lifecycleAction?.hookName === hookName ? { ...announcement, lifecycleAction } : announcement,
    );
    return { ...reading, announcements };
  };
}
