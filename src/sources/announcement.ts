import { printable } from "../drain/errors.ts";

/** What announces that an instance will go away, one name for each kind of event. */
export type AnnouncementKind =
  | "autoscaling-terminate"
  | "spot-interruption"
  | "rebalance-recommendation"
  | "state-change"
  | "scheduled-change"
  | "capacity-reservation-interruption";

/** The lifecycle action of Auto Scaling that waits until it is completed. */
export interface LifecycleAction {
  readonly groupName: string;
  readonly hookName: string;
  /** Names this one action; an instance that comes by the hook again gets another. */
  readonly token?: string;
}

/** What one event says of one instance: that it will go away, and when. */
export interface Announcement {
  readonly kind: AnnouncementKind;
  readonly instanceId: string;
  /** When the event says that it was made, in milliseconds since the epoch. Absent where it does not say. */
  readonly announcedAt?: number;
  /** When the machine may be gone, in milliseconds since the epoch. Absent where the event does not say. */
  readonly deadline?: number;
  /** The machine stays unless it is taken out in time: a recommendation, which can be refused. */
  readonly isVoluntary?: true;
  /** What waits for an answer. */
  readonly lifecycleAction?: LifecycleAction;
  /** The event's own id, for logs and the ledger. */
  readonly eventId?: string;
  /** Where the machine is, as the event says. */
  readonly accountId?: string;
  readonly region?: string;
  /** Why, for people: `spot interruption: terminate`. */
  readonly reason: string;
}

/** What one message asks for. */
export type EventReading =
  /** One or more instances will go away. */
  | { readonly reading: "announced"; readonly announcements: readonly Announcement[] }
  /** It asks for nothing: a kind that says nothing of departures, a test, a launch. `what` names it for the log. */
  | { readonly reading: "nothing-asked"; readonly what: string }
  /** It looks like an event that asks for something, but can't be understood; `problem` says why, safe to log. */
  | { readonly reading: "malformed"; readonly problem: string };

const WHAT_CHARACTERS_MAX = 120;

export function announced(announcements: readonly Announcement[]): EventReading {
  return { reading: "announced", announcements };
}

/** `what` may hold what the message says. */
export function nothingAsked(what: string): EventReading {
  return { reading: "nothing-asked", what: printable(what, WHAT_CHARACTERS_MAX) };
}
