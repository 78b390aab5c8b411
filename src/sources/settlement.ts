import type { DrainErrorCode } from "../drain/errors.ts";
import { type DrainOutcome, type MachineVerdict, verdictOf } from "../drain/outcome.ts";

/** What becomes of an event once its drain has ended. */
export interface Settlement {
  /**
   * - `delete`: it is done.
   * - `leave`: it comes back when its visibility ends, and goes to the dead-letter queue after so many times.
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
/** Whatever is said of the machine next is another message. A hook that waits has its own timeout. */
const NOT_REPEATED: Settlement = { message: "delete", hook: "untouched" };

export interface SettlementTerms {
  readonly foreign: ForeignEvents;
  /** The event came from another account than the queue's: an instance that is not found may be there. */
  readonly isOtherAccount?: boolean;
}

/** What to do with the message and the hook that announced a departure, now that its drain has ended so. */
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
  // Each further delivery looks again, until the dead-letter queue.
  waits: AGAIN,
  // Auto Scaling does not give a machine back that is wanted again: it has the time that its hook has.
  stays: NOT_REPEATED,
  undecided: AGAIN,
};

function afterFailure(code: DrainErrorCode, { foreign, isOtherAccount = false }: SettlementTerms): Settlement {
  if (code === "other-cluster" || (code === "node-not-found" && isOtherAccount)) return foreignSettlement(foreign);
  // EC2 describes a terminated instance for about an hour. Auto Scaling need not wait for one that EC2 no longer describes.
  return code === "node-not-found" || code === "instance-gone" ? DONE : AGAIN;
}

/** An account and region that is drained in. An absent one is not known: it may be any. */
export interface EventPlace {
  readonly region?: string | undefined;
  readonly accountId?: string | undefined;
}

/** Whether an event is of none of these places. What it does not say is taken for theirs. */
export function isOfOthers({ region, accountId }: EventPlace, places: readonly EventPlace[] = [{}]): boolean {
  return places.every((own) => isForeign(region, own.region) || isForeign(accountId, own.accountId));
}

/** Whether an event is of another account than the queue's, and of none that is drained in by its name. */
export function isOfOtherAccount(
  said: string | undefined,
  own: string | undefined,
  places: readonly EventPlace[] = [],
): boolean {
  return isForeign(said, own) && places.every(({ accountId }) => accountId !== said);
}

/** Whether what an event says of its region or account is another than ours. An absent one is taken for ours. */
export function isForeign(said: string | undefined, own: string | undefined): boolean {
  return said !== undefined && own !== undefined && said !== own;
}

/**
 * Of an event about a node of another cluster or region: the owner of the node completes the hook. `isCopy`: that has got the
 * event itself.
 */
export function foreignSettlement(foreign: ForeignEvents, isCopy = false): Settlement {
  return { message: isCopy ? "delete" : foreign, hook: "untouched" };
}

const ORDER: readonly Settlement["message"][] = ["release", "leave", "delete"];

/** What becomes of a message with several announcements: it stays while one of them needs it. */
export function jointly(messages: readonly Settlement["message"][]): Settlement["message"] {
  return ORDER.find((each) => messages.includes(each)) ?? "delete";
}

const RELEASED_SECONDS_MAX = 60;
/** What has failed is tried again before a hook's timeout has passed: no heartbeats are sent meanwhile. */
const LEFT_SECONDS = 15;

/** In how many seconds a message is redelivered. Longer each time that its reader did not want it. */
export function secondsUntilBack(result: "leave" | "release", receives: number): number {
  return result === "leave" ? LEFT_SECONDS : Math.min(RELEASED_SECONDS_MAX, 2 ** (receives - 1) - 1);
}
