import { collectDefaultMetrics } from "prom-client";
import type { CloudCall } from "../drain/events.ts";
import { DrainMetrics } from "./drain-metrics.ts";
import { Series } from "./series.ts";
import { StateGauges } from "./state-gauges.ts";

/** Gauges with names of counters, which say no more than those by type. */
const SUMS = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);
const MESSAGE_RESULTS = [
  ...["deleted", "left", "released", "joined"],
  ...["nothing-asked", "malformed", "not-settled"],
];
const HOOK_RESULTS = ["continued", "over", "not-completed", "heartbeat-failed"];

/** The metrics of drains and of calls to AWS. It only listens. */
export class Metrics {
  /** Values at the time when metrics are read. */
  readonly gauges: StateGauges;
  readonly #series = new Series("hasta_la_vista_");
  readonly #drains: DrainMetrics;
  readonly #reviews = this.#series.counterOf(
    "eviction_reviews_total",
    "Evictions that the API server has asked the eviction gate about, by answer.",
    { result: ["held", "allowed", "failed-open"] },
  );
  readonly #notifications = this.#series.counter(
    "notifications_total",
    "Notifications that have ended, by receiver: sent, rejected by the receiver, or dropped.",
    ["receiver", "result"],
  );
  readonly #calls = this.#series.counter("aws_calls_total", "Attempts to call AWS.", ["action", "result", "place"]);
  readonly #throttles = this.#series.counter("aws_throttles_total", "Attempts that AWS throttled.", [
    "action",
    "place",
  ]);
  readonly #messages = this.#series.counterOf("queue_messages_total", "Messages of the queue, by result.", {
    result: MESSAGE_RESULTS,
  });
  readonly #hooks = this.#series.counterOf("lifecycle_hooks_total", "Lifecycle hooks, by result.", {
    result: HOOK_RESULTS,
  });
  readonly #requests = this.#series.counterOf("http_requests_total", "Requests that were answered, by HTTP status.", {
    code: ["200", "401", "403", "429"],
  });
  readonly #ledgerFailures = this.#series.counter(
    "ledger_failures_total",
    "Failed attempts to write the ledger of drains.",
  );
  readonly #fileFailures = this.#series.counter(
    "file_reload_failures_total",
    "Failed attempts to read the files of secrets and certificates again. What was read before stays in use.",
  );
  readonly #leaderChanges = this.#series.counterOf(
    "leader_changes_total",
    "How often this replica has begun or ended to lead.",
    { change: ["acquired", "lost", "handed-over"] },
  );

  /** `now`: milliseconds since the epoch. */
  constructor({ version, now }: { readonly version: string; readonly now: () => number }) {
    const { registry } = this.#series;
    collectDefaultMetrics({ register: registry });
    for (const name of SUMS) registry.removeSingleMetric(name);
    this.#series.gauge("build_info", "Always 1. The label is the running version.", ["version"]).set({ version }, 1);
    this.gauges = new StateGauges(this.#series);
    this.#drains = new DrainMetrics(this.#series, now);
  }

  /** The exposition and its content type. */
  readonly text: Series["text"] = () => this.#series.text();

  get observe(): DrainMetrics["observe"] {
    return this.#drains.observe;
  }

  get countWithoutDrain(): DrainMetrics["countWithoutDrain"] {
    return this.#drains.countWithoutDrain;
  }

  readonly countCall = ({ action, result, throttled, place }: Omit<CloudCall, "purpose">): void => {
    const where = place === undefined ? {} : { place };
    this.#calls.inc({ action, result, ...where });
    if (throttled) this.#throttles.inc({ action, ...where });
  };

  /** Counts a message of a queue by its result. */
  readonly countMessage = (result: string): void => this.#messages.inc({ result });

  /** Counts a lifecycle hook by its result. */
  readonly countHook = (result: string): void => this.#hooks.inc({ result });

  /** Counts an answer of the HTTP API by its status. */
  readonly countRequest = (status: number): void => this.#requests.inc({ code: `${status}` });

  /** Counts a change of the role of this replica. */
  readonly countLeaderChange = (change: "acquired" | "lost" | "handed-over"): void =>
    this.#leaderChanges.inc({ change });

  /** Counts an answer of the eviction gate. */
  readonly countReview = (result: "held" | "allowed" | "failed-open"): void => this.#reviews.inc({ result });

  /** Counts notifications that were sent to a receiver, or that never will be. */
  readonly countNotifications = (receiver: string, result: "sent" | "rejected" | "dropped", count: number): void =>
    this.#notifications.inc({ receiver, result }, count);

  readonly countLedgerFailure = (): void => this.#ledgerFailures.inc();

  readonly countFileFailure = (): void => this.#fileFailures.inc();
}
