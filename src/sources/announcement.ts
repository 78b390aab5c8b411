import { printable } from "../drain/errors.ts";

/** What announces that an instance will go away, one name for each kind of event. */
export type AnnouncementKind =
  | "autoscaling-terminate"
  | "spot-interruption"
  | "rebalance-recommendation"
  | "state-change"
  | "scheduled-change"
  | "capacity-reservation-interruption"
  | ClusterKind;

/** The same of what a Node object of the cluster says. */
export const CLUSTER_KINDS = [
  "cluster-autoscaler",
  "karpenter",
  "node-deletion",
  "node-annotation",
  "node-cordon",
  "node-not-ready",
  "node-taint",
] as const;
type ClusterKind = (typeof CLUSTER_KINDS)[number];

/** The lifecycle action of Auto Scaling that waits until it is completed. */
export interface LifecycleAction {
  readonly groupName: string;
  readonly hookName: string;
  /** Names this one action; an instance that comes by the hook again gets another. */
  readonly token?: string;
  /** Account and region of the group, where several are configured. Absent: the program's own. */
  readonly place?: string;
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
  /**
   * What the machine's state has to be for the announcement to hold.
   * - `stops`: it tells of a state that may be over: the machine may have been started since.
   * - `runs`: it was to happen by now. It has, where the machine runs no more.
   */
  readonly holdsWhile?: "stops" | "runs";
  /** The machine is booted again by itself, and stays. */
  readonly reboots?: true;
  /** The machine leaves service for a while and comes back under its id: its root volume is replaced. */
  readonly returns?: true;
  /** It is of another region, which gets the same event itself. */
  readonly isCopy?: true;
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
  /** One or more instances will go away. `problems`: what is wrong with other items of the message, safe to log. */
  | {
      readonly reading: "announced";
      readonly announcements: readonly Announcement[];
      readonly problems?: readonly string[];
    }
  /** It asks for nothing: a kind that says nothing of departures, a test, a launch. `what` names it for the log. */
  | { readonly reading: "nothing-asked"; readonly what: string }
  /** It looks like an event that asks for something, but can't be understood; `problem` says why, safe to log. */
  | { readonly reading: "malformed"; readonly problem: string };

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
  return { reading: "nothing-asked", what: printable(what, WHAT_CHARACTERS_MAX) };
}
