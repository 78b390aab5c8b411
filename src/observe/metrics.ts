import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { keyOf } from "../drain/cloud-provider.ts";
import type { CloudCall, DrainEvent, DrainObserver } from "../drain/events.ts";
import { LOAD_BALANCER_KINDS } from "../drain/load-balancer-kinds.ts";
import type { DrainOutcome } from "../drain/outcome.ts";

interface RunningDrain {
  /** The held registrations: the kind of load balancer, by the registration's key. */
  readonly held: Map<string, string>;
}

const PREFIX = "hasta_la_vista_";
/** Gauges named like counters, which say no more than those by type beside them. */
const SUMS = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);
/** What a replica that does not lead has not. */
const OF_TERM = ["queue_messages_in_flight", "queue_receiving", "nodes_watched", "node_watch_up"];
/** Seconds. From a classic load balancer's quick end to the longest deregistration delay there is. */
const DURATION_BUCKETS = [1, 5, 10, 20, 30, 60, 120, 180, 240, 300, 420, 600, 1_200, 3_600];
/** Seconds between a drain's end and its deadline. Negative: it came too late. */
const MARGIN_BUCKETS = [-60, -10, 0, 5, 10, 20, 30, 60, 120, 300, 600, 1_800];

/** What happens in drains and towards AWS, as Prometheus reads it. It only listens. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #now: () => number;
  readonly #running = new Map<string, RunningDrain>();
  readonly #drains = this.#counter("drains_total", "Drains that have ended.", ["outcome"]);
  readonly #drainSeconds = this.#histogram("drain_duration_seconds", "Time from the request to the end of its drain.", [
    "outcome",
  ]);
  readonly #holdSeconds = this.#histogram("hold_duration_seconds", "Time from the deregistration to the release.", [
    "kind",
  ]);
  readonly #marginSeconds = this.#histogram(
    "deadline_margin_seconds",
    "Time that remained before the deadline when the drain ended. Negative: too late.",
    [],
  );
  readonly #again = this.#counter("deregistrations_repeated_total", "Deregistrations that were made again.", [
    "because",
  ]);
  readonly #guarded = this.#counter("guarded_registrations_total", "Registrations that the health guard delayed.", [
    "verdict",
  ]);
  readonly #exclusions = this.#counter(
    "node_exclusions_total",
    "Attempts to set or remove the label that excludes a node from load balancers, and to set the taint of NLB_FAST_PATH.",
    ["result"],
  );
  readonly #evictions = this.#counter(
    "pod_evictions_total",
    "Pods that were evicted, and refusals of evictions, by result.",
    ["result"],
  );
  readonly #reviews = this.#counter(
    "eviction_reviews_total",
    "Evictions that the API server has asked the eviction gate about, by answer.",
    ["result"],
  );
  readonly #notifications = this.#counter(
    "notifications_total",
    "Notifications that have ended, by receiver: sent, rejected by the receiver, or dropped.",
    ["receiver", "result"],
  );
  readonly #calls = this.#counter("aws_calls_total", "Attempts to call AWS.", ["action", "result", "place"]);
  readonly #throttles = this.#counter("aws_throttles_total", "Attempts that AWS throttled.", ["action", "place"]);
  readonly #messages = this.#counter("queue_messages_total", "Messages of the queue, by result.", ["result"]);
  readonly #hooks = this.#counter("lifecycle_hooks_total", "Lifecycle hooks, by result.", ["result"]);
  readonly #ledgerFailures = this.#counter(
    "ledger_failures_total",
    "Failed attempts to write the ledger of drains.",
    [],
  );
  readonly #leaderChanges = this.#counter(
    "leader_changes_total",
    "How often this replica has begun or ended to lead.",
    ["change"],
  );
  readonly #lastSuccess = this.#gauge(
    "last_success_timestamp_seconds",
    "Unix time of the last successful drain. 0: none yet.",
    [],
  );

  /** `now`: milliseconds since the epoch. */
  constructor({ version, now }: { readonly version: string; readonly now: () => number }) {
    this.#now = now;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of SUMS) this.#registry.removeSingleMetric(name);
    this.#gauge("build_info", "Always 1. The label is the running version.", ["version"]).set({ version }, 1);
    const running: Gauge = this.#gauge("drains_running", "Drains that are running now.", [], () =>
      running.set(this.#running.size),
    );
    const draining: Gauge<"kind"> = this.#gauge(
      "registrations_draining",
      "Registrations that are deregistered and held now.",
      ["kind"],
      () => {
        // Kinds that are held no more must fall to zero, not vanish.
        for (const kind of LOAD_BALANCER_KINDS) draining.set({ kind }, 0);
        for (const { held } of this.#running.values()) for (const kind of held.values()) draining.inc({ kind });
      },
    );
  }

  /** The exposition and its content type. */
  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
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

  /** Adds the gauge of an election. */
  watchElection({ isLeader }: { readonly isLeader: () => boolean }): void {
    const leader: Gauge = this.#gauge(
      "leader",
      "1 while this replica leads and acts on nodes, else 0. Without LEASE: absent.",
      [],
      () => leader.set(isLeader() ? 1 : 0),
    );
  }

  /** Counts a change of what this replica is. */
  readonly countLeaderChange = (change: "acquired" | "lost" | "handed-over"): void =>
    this.#leaderChanges.inc({ change });

  /** Removes the gauges of what ends with a term: queue and Node objects. Another term adds them again. */
  endTerm(): void {
    for (const name of OF_TERM) this.#registry.removeSingleMetric(PREFIX + name);
  }

  /** Adds the gauges of a queue. */
  watchQueue({
    inFlight,
    isReceiving,
  }: {
    readonly inFlight: () => number;
    readonly isReceiving: () => boolean;
  }): void {
    const running: Gauge = this.#gauge(
      "queue_messages_in_flight",
      "Messages whose nodes are being drained now.",
      [],
      () => running.set(inFlight()),
    );
    const receiving: Gauge = this.#gauge("queue_receiving", "1 while the queue can be read, else 0.", [], () =>
      receiving.set(isReceiving() ? 1 : 0),
    );
  }

  /** Adds the gauge of the clocks. All in seconds; undefined: not known yet. */
  watchClocks({ machine, aws }: { readonly machine: () => number; readonly aws: () => number | undefined }): void {
    const offset: Gauge<"of"> = this.#gauge(
      "clock_offset_seconds",
      "How much another clock is ahead of the clock of the service.",
      ["of"],
      () => {
        offset.set({ of: "machine" }, machine());
        const ahead = aws();
        if (ahead !== undefined) offset.set({ of: "aws" }, ahead);
      },
    );
  }

  /** Adds the gauges of the watched Node objects. */
  watchNodes({ count, isUpToDate }: { readonly count: () => number; readonly isUpToDate: () => boolean }): void {
    const watched: Gauge = this.#gauge("nodes_watched", "Node objects that are known.", [], () => watched.set(count()));
    const upToDate: Gauge = this.#gauge("node_watch_up", "1 while the Node objects can be read, else 0.", [], () =>
      upToDate.set(isUpToDate() ? 1 : 0),
    );
  }

  /** Counts an answer of the eviction gate. */
  readonly countReview = (result: "held" | "allowed" | "failed-open"): void => this.#reviews.inc({ result });

  /** Counts notifications that were sent to a receiver, or never will be. */
  readonly countNotifications = (receiver: string, result: "sent" | "rejected" | "dropped", count: number): void =>
    this.#notifications.inc({ receiver, result }, count);

  /** Adds the gauge of the eviction gate's certificate. `validUntil`: in milliseconds since the epoch. */
  watchGate({ validUntil }: { readonly validUntil: () => number }): void {
    const expiry: Gauge = this.#gauge(
      "eviction_gate_certificate_expiry_timestamp_seconds",
      "Unix time until which the certificate of the eviction gate is valid.",
      [],
      () => expiry.set(validUntil() / 1_000),
    );
  }

  readonly countLedgerFailure = (): void => this.#ledgerFailures.inc();

  /** Counts a request that ended before its node was found: then there is no drain that an event could be about. */
  readonly countWithoutDrain = (outcome: DrainOutcome, deadline?: number): void => {
    if ("drainId" in outcome && outcome.drainId !== undefined) return;
    this.#drains.inc({ outcome: outcome.status });
    this.#observeMargin(deadline);
  };

  readonly observe: DrainObserver = (event) => {
    switch (event.type) {
      case "accepted":
      case "resumed":
        this.#running.set(event.drainId, { held: new Map() });
        return;
      case "deregistered":
        // What a drain still hears after its end is held no more.
        this.#running.get(event.drainId)?.held.set(keyOf(event.registration), event.registration.pool.kind);
        return;
      case "deregistering-again":
        this.#again.inc({ because: event.because });
        // Live, or still to be deregistered: held again once AWS has accepted that.
        this.#running.get(event.drainId)?.held.delete(keyOf(event.registration));
        return;
      case "released":
        this.#holdSeconds.observe({ kind: event.registration.pool.kind }, event.heldMs / 1_000);
        this.#running.get(event.drainId)?.held.delete(keyOf(event.registration));
        return;
      case "failed":
        this.#running.get(event.drainId)?.held.delete(keyOf(event.registration));
        return;
      case "guarded":
        this.#guarded.inc({ verdict: event.verdict });
        return;
      case "excluded":
      case "included":
      case "exclude-failed":
      case "include-failed":
      case "tainted":
      case "taint-failed":
      case "untainted":
      case "untaint-failed":
        this.#exclusions.inc({ result: event.type });
        return;
      case "evicted":
        this.#evictions.inc({ result: "evicted" }, event.pods.length);
        return;
      case "eviction-refused":
        this.#evictions.inc({ result: event.willRetry ? "refused" : "not-evicted" });
        return;
      case "ended":
        this.#end(event);
        return;
      default:
      // Not counted.
    }
  };

  #end({ drainId, outcome, tookMs, deadline }: Extract<DrainEvent, { type: "ended" }>): void {
    this.#running.delete(drainId);
    this.#drains.inc({ outcome: outcome.status });
    if (outcome.status === "planned" || outcome.status === "refused") return;
    this.#drainSeconds.observe({ outcome: outcome.status }, tookMs / 1_000);
    this.#observeMargin(deadline);
    if (outcome.status === "drained" || outcome.status === "nothing-registered")
      this.#lastSuccess.set(this.#now() / 1_000);
  }

  #observeMargin(deadline: number | undefined): void {
    if (deadline !== undefined) this.#marginSeconds.observe((deadline - this.#now()) / 1_000);
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[], collect?: () => void): Gauge<L> {
    return new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.#registry],
      ...(collect && { collect }),
    });
  }

  #histogram<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    const buckets = name.includes("margin") ? MARGIN_BUCKETS : DURATION_BUCKETS;
    return new Histogram({ name: PREFIX + name, help, labelNames, buckets, registers: [this.#registry] });
  }
}
