import type { DrainErrorCode } from "../drain/errors.ts";
import { type DrainOutcome, type MachineVerdict, verdictOf } from "../drain/outcome.ts";

/** What happens to an event when its drain has ended. */
export interface Settlement {
  /**
   * - `delete`: it is done.
   * - `leave`: it is redelivered when its visibility timeout ends, and goes to the dead-letter queue after several
   *   times.
   * - `release`: another reader may have it now.
   */
  readonly message: "delete" | "leave" | "release";
  /** `untouched`: it waits until it is completed after another delivery, or until its own timeout. Never ABANDON. */
  readonly hook: "continue" | "untouched";
}

/** The action for events about nodes of other clusters. */
export type ForeignEvents = "release" | "delete";

const DONE: Settlement = { message: "delete", hook: "continue" };
const AGAIN: Settlement = { message: "leave", hook: "untouched" };
/** The next event about the machine is another message. A hook that waits has its own timeout. */
const NOT_REPEATED: Settlement = { message: "delete", hook: "untouched" };

export interface SettlementTerms {
  readonly foreign: ForeignEvents;
  /** The event came from another account than the queue's, which may have an instance that is not found here. */
  readonly isOtherAccount?: boolean;
}

/**
 * What to do with the message and the hook that announced a departure, after its drain has ended with this outcome.
 */
export function settlementOf(outcome: DrainOutcome, terms: SettlementTerms): Settlement {
  switch (outcome.status) {
    case "failed":
      return afterFailure(outcome.error.code, terms);
    case "refused":
      // Only a recommendation can be refused.
      return NOT_REPEATED;
    case "abandoned":
      return { message: "release", hook: "untouched" };
    default:
      return SETTLEMENTS[verdictOf(outcome) ?? "waits"];
  }
}

const SETTLEMENTS: Readonly<Record<MachineVerdict, Settlement>> = {
  "can-go": DONE,
  // Each redelivery tries again, until the message is in the dead-letter queue.
  waits: AGAIN,
  // Auto Scaling does not keep a machine that is wanted again, so it has the time of its hook.
  stays: NOT_REPEATED,
  undecided: AGAIN,
};

function afterFailure(code: DrainErrorCode, { foreign, isOtherAccount = false }: SettlementTerms): Settlement {
  if (code === "other-cluster" || (code === "node-not-found" && isOtherAccount)) return foreignSettlement(foreign);
  // EC2 describes a terminated instance for about an hour. Auto Scaling need not wait for one that EC2 does not
  // describe any more.
  return code === "node-not-found" || code === "instance-gone" ? DONE : AGAIN;
}

/** An account and region in which nodes are drained. An absent value is not known, and may be any. */
export interface EventPlace {
  readonly region?: string | undefined;
  readonly accountId?: string | undefined;
}

/** Whether an event is from none of these places. Missing values are taken as theirs. */
export function isOfOthers({ region, accountId }: EventPlace, places: readonly EventPlace[] = [{}]): boolean {
  return places.every((own) => isForeign(region, own.region) || isForeign(accountId, own.accountId));
}

/** Whether an event is from another account than the queue's, and from none of the named ones. */
export function isOfOtherAccount(
  said: string | undefined,
  own: string | undefined,
  places: readonly EventPlace[] = [],
): boolean {
  return isForeign(said, own) && places.every(({ accountId }) => accountId !== said);
}

/** Whether the region or account of an event differs from the program's own. A missing one is taken as the same. */
export function isForeign(said: string | undefined, own: string | undefined): boolean {
  return said !== undefined && own !== undefined && said !== own;
}

/**
 * For an event about a node of another cluster or region: the owner of the node completes the hook. `isCopy`: the other
 * region has got the event too.
 */
export function foreignSettlement(foreign: ForeignEvents, isCopy = false): Settlement {
  return { message: isCopy ? "delete" : foreign, hook: "untouched" };
}

const ORDER: readonly Settlement["message"][] = ["release", "leave", "delete"];

/** The result for a message with several announcements: it stays while one of them needs it. */
export function jointly(messages: readonly Settlement["message"][]): Settlement["message"] {
  return ORDER.find((each) => messages.includes(each)) ?? "delete";
}

const RELEASED_SECONDS_MAX = 60;
/** A failed drain is retried before a hook's timeout has passed, because no heartbeats are sent meanwhile. */
const LEFT_SECONDS = 15;

/** After how many seconds a message is redelivered. Each time longer if its reader could not use it. */
export function secondsUntilBack(result: "leave" | "release", receives: number): number {
  return result === "leave" ? LEFT_SECONDS : Math.min(RELEASED_SECONDS_MAX, 2 ** (receives - 1) - 1);
}
