import { printable } from "../drain/errors.ts";

/** What announces that an instance goes away: one name for each kind of event. */
export type AnnouncementKind =
  | "autoscaling-terminate"
  | "spot-interruption"
  | "rebalance-recommendation"
  | "state-change"
  | "scheduled-change"
  | "capacity-reservation-interruption"
  | ClusterKind;

/** The same for Node objects of the cluster. */
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
  /** Identifies this one action. An instance that reaches the hook again gets another one. */
  readonly token?: string;
  /** Account and region of the group, if several are configured. Absent: the program's own. */
  readonly place?: string;
}

/** What one event says about one instance: that it goes away, and when. */
export interface Announcement {
  readonly kind: AnnouncementKind;
  readonly instanceId: string;
  /** When the event was made, in milliseconds since the epoch. Absent if it does not say. */
  readonly announcedAt?: number;
  /** When the machine may be gone, in milliseconds since the epoch. Absent if the event does not say. */
  readonly deadline?: number;
  /** A recommendation: the machine stays unless it is deregistered in time, and the drain can be refused. */
  readonly isVoluntary?: true;
  /**
   * The state of the machine that the announcement depends on.
   * - `stops`: the state may be over, because the machine may have been started since.
   * - `runs`: it should have happened by now. It has, if the machine does not run any more.
   */
  readonly holdsWhile?: "stops" | "runs";
  /** The machine reboots by itself, and stays. */
  readonly reboots?: true;
  /** The machine leaves service for a while and returns under its id, because its root volume is replaced. */
  readonly returns?: true;
  /** The event is about another region, which gets it too. */
  readonly isCopy?: true;
  /** The action that waits for completion. */
  readonly lifecycleAction?: LifecycleAction;
  /** The event's own id, for logs and the ledger. */
  readonly eventId?: string;
  /** The account of the machine, according to the event. */
  readonly accountId?: string;
  readonly region?: string;
  /** The reason, for people: `spot interruption: terminate`. */
  readonly reason: string;
}

/** What one message asks for. */
export type EventReading =
  /** One or more instances go away. `problems`: what is wrong with other items of the message, safe to log. */
  | {
      readonly reading: "announced";
      readonly announcements: readonly Announcement[];
      readonly problems?: readonly string[];
    }
  /** It asks for nothing: an event that is not about departures, a test, a launch. `what` names it for the log. */
  | { readonly reading: "nothing-asked"; readonly what: string }
  /** It looks like an event that asks for something, but can't be parsed. `problem` says why, and is safe to log. */
  | { readonly reading: "malformed"; readonly problem: string };

const WHAT_CHARACTERS_MAX = 120;

/** `problems`: what is wrong with other items of the same message. */
export function announced(announcements: readonly Announcement[], problems: readonly string[] = []): EventReading {
  return { reading: "announced", announcements, ...(problems.length === 0 ? {} : { problems }) };
}

/**
 * The joint reading of the items of one message. If some could not be read and none of the others announces anything,
 * the message is malformed, because those that could not be read may have announced something.
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

/** `what` may contain text of the message. */
export function nothingAsked(what: string): EventReading {
  return { reading: "nothing-asked", what: printable(what, WHAT_CHARACTERS_MAX) };
}
