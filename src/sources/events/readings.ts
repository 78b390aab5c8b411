import { shown } from "../../drain/errors.ts";
import type { Announcement, EventReading } from "../announcement.ts";

const WHAT_CHARACTERS_MAX = 120;

/** `problems`: what is wrong with other items of the same message. */
export function announced(announcements: readonly Announcement[], problems: readonly string[] = []): EventReading {
  return { reading: "announced", announcements, ...(problems.length === 0 ? {} : { problems }) };
}

/**
 * What the items of one message come to together. Where some could not be read and none of the others announces
 * anything, the message is malformed: what could not be read may have.
 */
export function jointReading(readings: readonly EventReading[], what: string): EventReading {
  const announcements = readings.flatMap((each) => (each.reading === "announced" ? each.announcements : []));
  const problems = readings.flatMap((each) => problemsOf(each));
  if (announcements.length > 0) return announced(announcements, problems);
  if (problems[0] !== undefined) return { reading: "malformed", problem: problems[0] };
  const [first] = readings.flatMap((each) => (each.reading === "nothing-asked" ? [each.what] : []));
  return nothingAsked(first ?? what);
}

function problemsOf(reading: EventReading): readonly string[] {
  if (reading.reading === "malformed") return [reading.problem];
  return reading.reading === "announced" ? (reading.problems ?? []) : [];
}

/** `what` may hold what the message says. */
export function nothingAsked(what: string): EventReading {
  return { reading: "nothing-asked", what: shown(what, WHAT_CHARACTERS_MAX) };
}
