import type { Command } from "commander";
import { type EvictionOptions, GRACE_SECONDS_MAX, SELECTOR_CHARACTERS_MAX } from "../drain/eviction.ts";
import { UsageError } from "./failure.ts";
import { numberOf } from "./options.ts";

const readGrace = numberOf(
  "--grace-period",
  (seconds) => Number.isInteger(seconds) && seconds <= GRACE_SECONDS_MAX,
  `whole seconds from 0 to ${GRACE_SECONDS_MAX}, or leave it out for each pod's own`,
);

/** The parsed flags of `drain` for an eviction. */
export interface EvictionFlags {
  readonly evict?: true;
  readonly gracePeriod?: number;
  readonly podSelector?: string;
  readonly deleteEmptydirData?: true;
  readonly evictUnmanaged?: true;
  readonly disableEviction?: true;
}

/** A flag that does the same as one of `kubectl drain` has its name. */
export function addEvictionFlags(command: Command): Command {
  return command
    .option("-l, --selector <labels>", "also drain every node that has these labels; requires KUBERNETES", readSelector)
    .option("--evict", "evict the pods of the node once its traffic has ended; requires KUBERNETES")
    .option("--grace-period <seconds>", "with --evict: time that each pod has to end, instead of its own", readGrace)
    .option("--pod-selector <labels>", "with --evict: evict only pods that have these labels", readSelector)
    .option("--delete-emptydir-data", "with --evict: also evict pods that lose the data of an emptyDir volume")
    .option(
      "--evict-unmanaged",
      "with --evict: also evict pods that no controller makes again ('kubectl drain --force')",
    )
    .option("--disable-eviction", "with --evict: delete pods, whatever their disruption budgets say")
    .option("--ignore-daemonsets", "with --evict: has no effect; pods of DaemonSets always stay");
}

/** Undefined: nothing is evicted. Throws `UsageError` for flags without `--evict`. */
export function evictionFrom({ evict, ...flags }: EvictionFlags): EvictionOptions | undefined {
  const { gracePeriod, podSelector, deleteEmptydirData, evictUnmanaged, disableEviction } = flags;
  const given = [
    ...(gracePeriod === undefined ? [] : ["--grace-period"]),
    ...(podSelector === undefined ? [] : ["--pod-selector"]),
    ...(deleteEmptydirData === undefined ? [] : ["--delete-emptydir-data"]),
    ...(evictUnmanaged === undefined ? [] : ["--evict-unmanaged"]),
    ...(disableEviction === undefined ? [] : ["--disable-eviction"]),
  ];
  if (evict !== true && given.length > 0)
    throw new UsageError(`${given.join(", ")} requires --evict: give both, or leave it out`);
  if (evict !== true) return undefined;
  return {
    ...(gracePeriod !== undefined && { gracePeriodSeconds: gracePeriod }),
    ...(podSelector !== undefined && { podSelector }),
    ...(deleteEmptydirData && { deletesEmptyDirData: true }),
    ...(evictUnmanaged && { evictsUnmanaged: true }),
    ...(disableEviction && { disablesEviction: true }),
  };
}

/**
 * The same as fields of a request. What is not given is forbidden, as without a service. Empty: nothing is evicted.
 */
export function evictionFields(options: EvictionOptions | undefined): object {
  if (options === undefined) return {};
  const { gracePeriodSeconds, podSelector, deletesEmptyDirData, evictsUnmanaged, disablesEviction } = options;
  return {
    evict: true,
    ...(gracePeriodSeconds !== undefined && { gracePeriod: gracePeriodSeconds }),
    ...(podSelector !== undefined && { podSelector }),
    deleteEmptydirData: deletesEmptyDirData === true,
    evictUnmanaged: evictsUnmanaged === true,
    ...(disablesEviction && { disableEviction: true }),
  };
}

/** The API server checks the rest: it knows the syntax. */
function readSelector(text: string): string {
  if (text.trim() !== "" && text.length <= SELECTOR_CHARACTERS_MAX) return text.trim();
  throw new UsageError("a selector is empty or too long: give labels such as node-group=blue");
}
