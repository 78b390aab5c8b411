import { shown } from "../../drain/errors.ts";
import type { Announcement, EventReading } from "../announcement.ts";

const WHAT_CHARACTERS_MAX = 120;

export function announced(announcements: readonly Announcement[]): EventReading {
  return { reading: "announced", announcements };
}

/** `what` may hold what the message says. */
export function nothingAsked(what: string): EventReading {
  return { reading: "nothing-asked", what: shown(what, WHAT_CHARACTERS_MAX) };
}
