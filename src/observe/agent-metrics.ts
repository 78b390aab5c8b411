import type { CloudCall } from "../drain/events.ts";
import { Series } from "./series.ts";

/** The result of a notice in instance metadata. */
export type NoticeResult = "received" | "withdrawn" | "outdated";

/**
 * The result of a drain that a notice has started: `out`, `again` and `over` of a notice's end, in words for people.
 */
export type AgentDrainResult = "drained" | "failed" | "ended";

/** The state of instance metadata when metrics are read. */
export interface MetadataState {
  readonly isReadable: () => boolean;
  /** When everything was last read, in milliseconds since the epoch. Undefined: never. */
  readonly lastReadAt: () => number | undefined;
}

const RESULTS: Readonly<Record<"out" | "again" | "over", AgentDrainResult>> = {
  out: "drained",
  again: "failed",
  over: "ended",
};

/**
 * The metrics of an agent on a node. It only listens. There is an agent on every node, so there are few series, and
 * none of the runtime.
 */
export class AgentMetrics {
  // Other names than the service's, because an alert about a missing service must not find agents instead.
  readonly #series = new Series("hasta_la_vista_agent_");
  readonly #notices = this.#series.counter("notices_total", "Notices in instance metadata, by what became of them.", [
    "kind",
    "result",
  ]);
  readonly #malformed = this.#series.counter(
    "metadata_malformed_total",
    "Answers of instance metadata that could not be understood, by path. Counted once, until it changes.",
    ["path"],
  );
  readonly #drains = this.#series.counterOf("drains_total", "Drains of this node that have ended, by result.", {
    result: Object.values(RESULTS),
  });
  readonly #hooks = this.#series.counterOf("lifecycle_hooks_total", "Lifecycle hooks, by result.", {
    result: ["continued", "over", "not-completed", "heartbeat-failed"],
  });
  readonly #calls = this.#series.counter("aws_calls_total", "Attempts to call AWS.", ["action", "result", "place"]);
  #running = 0;

  constructor({ version }: { readonly version: string }) {
    this.#series.gauge("build_info", "Always 1. The label is the running version.", ["version"]).set({ version }, 1);
    this.#series.valueGauge("drains_running", "Drains of this node that are running now.", () => this.#running);
  }

  /** The exposition and its content type. */
  readonly text: Series["text"] = () => this.#series.text();

  watchMetadata({ isReadable, lastReadAt }: MetadataState): void {
    this.#series.valueGauge("metadata_up", "1 while instance metadata can be read, else 0.", () =>
      isReadable() ? 1 : 0,
    );
    this.#series.valueGauge(
      "metadata_last_read_timestamp_seconds",
      "Unix time at which instance metadata was last read. Absent: never.",
      () => {
        const at = lastReadAt();
        return at === undefined ? undefined : at / 1_000;
      },
    );
  }

  /** `kind`: of the announcement. */
  readonly countNotice = (kind: string, result: NoticeResult): void => this.#notices.inc({ kind, result });

  readonly countMalformed = (path: string): void => this.#malformed.inc({ path });

  readonly drainStarted = (): void => {
    this.#running += 1;
  };

  readonly drainEnded = (end: keyof typeof RESULTS): void => {
    this.#running -= 1;
    this.#drains.inc({ result: RESULTS[end] });
  };

  readonly countHook = (result: string): void => this.#hooks.inc({ result });

  readonly countCall = ({ action, result, place }: Pick<CloudCall, "action" | "result" | "place">): void =>
    this.#calls.inc({ action, result, ...(place !== undefined && { place }) });
}
