import { keyOf, type Registration } from "../drain/cloud-provider.ts";
import type { DrainEvent, DrainObserver } from "../drain/events.ts";
import { LOAD_BALANCER_KINDS as KINDS, type LoadBalancerKind } from "../drain/load-balancer-kinds.ts";
import type { DrainOutcome, RegistrationResult } from "../drain/outcome.ts";
import type { DrainPlan } from "../drain/plan.ts";
import type { Series } from "./series.ts";

interface RunningDrain {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** The held registrations: the kind of load balancer, by the registration's key. */
  readonly held: Map<string, LoadBalancerKind>;
  /** The same for those whose hold does not end before the deadline. */
  readonly atRisk: Map<string, LoadBalancerKind>;
}

/** As objects, so that the compiler reports a missing one. */
const OUTCOMES = keysOf<DrainOutcome["status"]>({
  drained: 1,
  "nothing-registered": 1,
  "possibly-registered": 1,
  "instance-gone": 1,
  planned: 1,
  refused: 1,
  "deadline-passed": 1,
  cancelled: 1,
  superseded: 1,
  abandoned: 1,
  failed: 1,
});
/** These outcomes took no time. */
const IS_QUICK: ReadonlySet<DrainOutcome["status"]> = new Set(["planned", "refused"]);
const REFUSALS = keysOf<Extract<DrainOutcome, { status: "refused" }>["refusal"]["reason"]>({
  "too-few-healthy": 1,
  "too-many-drains": 1,
});
const VERDICTS = keysOf<Extract<DrainEvent, { type: "guarded" }>["verdict"]>({
  waiting: 1,
  waited: 1,
  overridden: 1,
  kept: 1,
});
/** Seconds: from the quick end of a classic load balancer to the longest deregistration delay. */
const DURATION_BUCKETS = [1, 5, 10, 20, 30, 60, 120, 180, 240, 300, 420, 600, 1_200, 3_600];
/** Seconds between the end of a drain and its deadline. Negative: the end was too late. */
const MARGIN_BUCKETS = [-60, -10, 0, 5, 10, 20, 30, 60, 120, 300, 600, 1_800];

/** The metrics of drains. */
export class DrainMetrics {
  readonly #now: () => number;
  readonly #running = new Map<string, RunningDrain>();
  readonly #drains;
  readonly #refusals;
  readonly #drainSeconds;
  readonly #holdSeconds;
  readonly #marginSeconds;
  readonly #cutShort;
  readonly #again;
  readonly #guarded;
  readonly #exclusions;
  readonly #evictions;
  readonly #lastSuccess;

  /** `now`: milliseconds since the epoch. */
  constructor(series: Series, now: () => number) {
    this.#now = now;
    this.#drains = series.counterOf("drains_total", "Drains that have ended.", { outcome: OUTCOMES });
    this.#refusals = series.counterOf("drains_refused_total", "Voluntary drains that were refused, by reason.", {
      reason: REFUSALS,
    });
    this.#drainSeconds = series.histogram(
      "drain_duration_seconds",
      "Time from the request to the end of its drain.",
      ["outcome"],
      DURATION_BUCKETS,
    );
    this.#holdSeconds = series.histogram(
      "hold_duration_seconds",
      "Time from the deregistration to the release.",
      ["kind"],
      DURATION_BUCKETS,
    );
    // As for counters, rate() needs a first sample of 0.
    for (const kind of KINDS) this.#holdSeconds.zero({ kind });
    for (const outcome of OUTCOMES) if (!IS_QUICK.has(outcome)) this.#drainSeconds.zero({ outcome });
    this.#marginSeconds = series.histogram(
      "deadline_margin_seconds",
      "Time that remained before the deadline when the drain ended. Negative: too late.",
      [],
      MARGIN_BUCKETS,
    );
    this.#cutShort = series.counterOf(
      "registrations_cut_short_total",
      "Registrations that could still get traffic when the deadline of their machine came, by that traffic.",
      { kind: KINDS, traffic: ["new", "in-flight"] },
    );
    this.#again = series.counterOf("deregistrations_repeated_total", "Deregistrations that were made again.", {
      because: ["back", "ignored"],
    });
    this.#guarded = series.counterOf("guarded_registrations_total", "Registrations that the health guard delayed.", {
      verdict: VERDICTS,
    });
    this.#exclusions = series.counterOf(
      "node_exclusions_total",
      "Attempts to set or remove the label that excludes a node from load balancers, and to set the taint of NLB_FAST_PATH.",
      {
        result: [
          ...["excluded", "included", "exclude-failed", "include-failed"],
          ...["tainted", "untainted", "taint-failed", "untaint-failed"],
        ],
      },
    );
    this.#evictions = series.counterOf(
      "pod_evictions_total",
      "Pods that were evicted, and refusals of evictions, by result.",
      { result: ["evicted", "refused", "not-evicted"] },
    );
    this.#lastSuccess = series.gauge(
      "last_success_timestamp_seconds",
      "Unix time of the last successful drain. 0: none yet.",
      [],
    );
    this.#addGauges(series);
  }

  #addGauges(series: Series): void {
    const drains = () => [...this.#running.values()];
    series.valueGauge("drains_running", "Drains that are running now.", () => this.#running.size);
    series.valueGauge(
      "oldest_drain_start_timestamp_seconds",
      "Unix time at which the oldest drain has started that is running now. Absent: none is running.",
      () => (this.#running.size === 0 ? undefined : Math.min(...drains().map(({ since }) => since)) / 1_000),
    );
    byKind(series, "registrations_draining", "Registrations that are deregistered and held now.", () =>
      drains().flatMap(({ held }) => [...held.values()]),
    );
    byKind(
      series,
      "registrations_at_risk",
      "Registrations of running drains whose machine will be gone before their hold ends.",
      () => drains().flatMap(({ atRisk }) => [...atRisk.values()]),
    );
  }

  /** Counts a request that ended before its node was found, so that there is no drain that an event could be about. */
  readonly countWithoutDrain = (outcome: DrainOutcome, deadline?: number): void => {
    if ("drainId" in outcome && outcome.drainId !== undefined) return;
    this.#drains.inc({ outcome: outcome.status });
    this.#observeMargin(deadline);
  };

  readonly observe: DrainObserver = (event) => {
    switch (event.type) {
      case "accepted":
      case "resumed":
        this.#running.set(event.drainId, { since: this.#now(), held: new Map(), atRisk: new Map() });
        return;
      case "planned":
        this.#planned(event.plan, this.#running.get(event.drainId));
        return;
      case "deregistered":
        // After the end of a drain, its registrations are not held any more.
        this.#running.get(event.drainId)?.held.set(keyOf(event.registration), event.registration.pool.kind);
        return;
      case "deregistering-again":
        this.#again.inc({ because: event.because });
        // Live, or to be deregistered. It is held again when AWS has accepted that.
        this.#running.get(event.drainId)?.held.delete(keyOf(event.registration));
        return;
      case "released":
        this.#holdSeconds.observe({ kind: event.registration.pool.kind }, event.heldMs / 1_000);
        this.#over(event);
        return;
      case "failed":
        this.#over(event);
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

  #planned({ registrations, limit }: DrainPlan, drain: RunningDrain | undefined): void {
    if (limit.reason !== "deadline") return;
    for (const { registration, shortByMs } of registrations)
      if (shortByMs > 0) drain?.atRisk.set(keyOf(registration), registration.pool.kind);
  }

  #over({ drainId, registration }: { readonly drainId: string; readonly registration: Registration }): void {
    const drain = this.#running.get(drainId);
    drain?.held.delete(keyOf(registration));
    drain?.atRisk.delete(keyOf(registration));
  }

  #end({ drainId, outcome, tookMs, deadline }: Extract<DrainEvent, { type: "ended" }>): void {
    this.#running.delete(drainId);
    this.#drains.inc({ outcome: outcome.status });
    if (outcome.status === "refused") this.#refusals.inc({ reason: outcome.refusal.reason });
    if (IS_QUICK.has(outcome.status)) return;
    if (outcome.status === "deadline-passed" && outcome.limit.reason === "deadline")
      for (const result of outcome.registrations) this.#countCutShort(result);
    this.#drainSeconds.observe({ outcome: outcome.status }, tookMs / 1_000);
    this.#observeMargin(deadline);
    if (outcome.status === "drained" || outcome.status === "nothing-registered")
      this.#lastSuccess.set(this.#now() / 1_000);
  }

  #countCutShort({ registration, state, newTrafficStopped }: RegistrationResult): void {
    if (state === "released" || state === "kept") return;
    this.#cutShort.inc({ kind: registration.pool.kind, traffic: newTrafficStopped ? "in-flight" : "new" });
  }

  #observeMargin(deadline: number | undefined): void {
    if (deadline !== undefined) this.#marginSeconds.observe((deadline - this.#now()) / 1_000);
  }
}

/** A gauge of the number of registrations by kind of load balancer. A kind without any falls to zero. */
function byKind(series: Series, name: string, help: string, kinds: () => readonly LoadBalancerKind[]): void {
  const gauge = series.gauge(name, help, ["kind"], () => {
    for (const kind of KINDS) gauge.set({ kind }, 0);
    for (const kind of kinds()) gauge.inc({ kind });
  });
}

function keysOf<K extends string>(keys: Readonly<Record<K, 1>>): readonly K[] {
  return Object.keys(keys) as K[];
}
