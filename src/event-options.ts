import { queueAddress } from "./aws/queue-address.ts";
import { option } from "./option.ts";
import { oneOf, seconds, wholeNumber } from "./option-values.ts";

/** Options of what hears of departures by itself. */
export const EVENT_OPTIONS = {
  queue: option({
    variable: "QUEUE",
    flag: "--queue <url>",
    help: "an SQS queue that hears of departures, by its URL or its name: their nodes are drained, their hooks completed",
    usedBy: ["serve", "policy"],
    parse: queueAddress,
    // Who puts a password there had better not find it in a log.
    shownAs: (given) => given.replace(/\/\/[^/@]*@/, "//…@").replace(/[?#].*/s, "?…"),
  }),
  queueForeign: option({
    variable: "QUEUE_FOREIGN",
    flag: "--queue-foreign <what>",
    help: "what to do with messages about other clusters' nodes: release them to others, or delete them",
    default: "release",
    usedBy: ["serve", "lambda"],
    parse: oneOf(["release", "delete"]),
  }),
  queueInFlightMax: option({
    variable: "QUEUE_IN_FLIGHT",
    flag: "--queue-in-flight <messages>",
    help: "messages whose nodes are drained at once, at most; the others wait in the queue",
    default: 1_000,
    usedBy: ["serve"],
    parse: wholeNumber(10, 100_000),
  }),
  rebalance: option({
    variable: "REBALANCE",
    flag: "--rebalance <what>",
    help: "what to do when EC2 recommends to replace a spot instance: ignore it, or drain early, which UNDO takes back",
    default: "ignore",
    usedBy: ["serve", "watch"],
    parse: oneOf(["ignore", "drain"]),
  }),
  rebalanceUndoMs: option({
    variable: "REBALANCE_UNDO_AFTER",
    flag: "--rebalance-undo-after <seconds>",
    help: "how long an interruption may take to follow such a recommendation, before the node is registered again",
    default: 1_800_000,
    usedBy: ["serve", "watch"],
    unit: "seconds",
    parse: seconds(60, 36_000),
  }),
} as const;
