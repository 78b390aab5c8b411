import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { CloudState } from "../drain/cloud-state.ts";
import { type DrainError, printable } from "../drain/errors.ts";
import { type DrainEvent, notify } from "../drain/events.ts";
import type { Standing } from "../drain/guard.ts";
import type { RunningDrain } from "../drain/outcome.ts";
import { errorReport, moment, nodeReport, registrationReport, standingReport } from "../drain/report.ts";
import type { NodeReference } from "../drain/request.ts";
import { LiveDrain } from "./live-drain.ts";
import type { ReadyState } from "./readiness.ts";

/** Readers get changes at most this often. */
const CHANGES_INTERVAL_MS = 1_000;
/**
 * In any case, readers get the state at every fifth interval: quotas and the index change all the time, and a reader
 * learns that it is still connected.
 */
const STATUS_EVERY = 5;
/** Each running drain is read again within this many intervals, because its limit may change without an event. */
const ROUND = 15;
/** Registrations that are read in one turn of the event loop. The rest waits for the next interval. */
const REGISTRATIONS_PER_TURN = 20_000;
/** Registrations that are shown of all drains together, and of one. */
const SHOWN_MAX = 4_000;
const SHOWN_OF_DRAIN_MAX = 64;
const SHOWN_OF_DRAIN_MIN = 4;
const DECISIONS_MAX = 50;
const LOOKUPS_MAX = 50;
/** A failed lookup is repeated every few seconds. If nothing is heard of it for this time, it has ended. */
const LOOKUP_KEPT_MS = 30_000;

export interface OverviewOptions {
  readonly clock: Clock;
  readonly version: string;
  /** The part of the configuration that readers need. */
  readonly settings: OverviewSettings;
  readonly ready: () => ReadyState;
  readonly clouds: () => readonly CloudState[];
  /** The running drain of the node with this id. */
  readonly runningOf: (nodeId: string) => RunningDrain | undefined;
  /** A fault of this program. Readers get the next change. */
  readonly onError: (error: unknown) => void;
}

export interface OverviewSettings {
  readonly region?: string | undefined;
  readonly cluster?: string | undefined;
  readonly dryRun: boolean;
  /** Whether drains can be cancelled. */
  readonly undo: boolean;
  readonly minHealthy: string;
  readonly maxVoluntary: string;
  /** The leading process among several replicas. */
  readonly leader?: string | undefined;
}

/** A decision of the guard. */
interface Decision {
  readonly n: number;
  readonly at: number;
  readonly event: Extract<DrainEvent, { readonly type: "guarded" | "ended" }>;
}

/**
 * Everything that an operator wants to see at a glance, complete and as it changes. It only listens, and works only for
 * readers.
 */
export class Overview {
  readonly #options: OverviewOptions;
  /** By drain. */
  readonly #drains = new Map<string, LiveDrain>();
  readonly #changed = new Set<string>();
  #over: string[] = [];
  #decisions: readonly Decision[] = [];
  #decided = 0;
  /** The last decision that was sent to readers. */
  #sent = 0;
  readonly #lookups = new Map<string, { readonly at: number; readonly error: DrainError }>();
  /** How often the list of drains has changed. */
  #history = 0;
  readonly #followers = new Set<(text: string) => void>();
  /** The last text of each drain that readers got. */
  readonly #texts = new Map<string, string>();
  #ended = newAbort();

  constructor(options: OverviewOptions) {
    this.#options = options;
  }

  readonly observe = (event: DrainEvent): void => {
    const { type, drainId, node } = event;
    if (type === "accepted" || type === "resumed") this.#drains.set(drainId, new LiveDrain(node));
    const drain = this.#drains.get(drainId);
    drain?.observe(event);
    if (drain !== undefined) this.#changed.add(drainId);
    const isRefused = type === "ended" && event.outcome.status === "refused";
    if (type === "guarded" || isRefused) this.#decide(event);
    if (type === "accepted" || type === "ended" || type === "cancelled" || type === "undone") this.#history += 1;
    if (type !== "ended") return;
    this.#drains.delete(drainId);
    this.#changed.delete(drainId);
    if (this.#followers.size > 0) this.#over.push(drainId);
  };

  /** The node of a request could not be found, and the lookup is retried. */
  lookupFailed({ by, value }: NodeReference, error: DrainError): void {
    const asked = `${by} ${printable(value)}`;
    this.#lookups.delete(asked);
    this.#lookups.set(asked, { at: this.#options.clock.now(), error });
    const [oldest] = this.#lookups.keys();
    if (this.#lookups.size > LOOKUPS_MAX && oldest !== undefined) this.#lookups.delete(oldest);
  }

  /** Everything, as JSON. */
  text(): string {
    const drains = [...this.#drains].map(([id, drain]) => this.#drainText(id, drain));
    return this.#whole({ decisions: this.#decisions, running: drains.filter((text) => text !== "") });
  }

  /** Passes changes as JSON to `onChange`, at most once a second, until the returned function is called. */
  follow(onChange: (text: string) => void): () => void {
    const isFirst = this.#followers.size === 0;
    this.#followers.add(onChange);
    if (isFirst) {
      this.#ended = newAbort();
      this.#sent = this.#decided;
      void this.#tell(this.#ended.signal);
    }
    return () => {
      if (!this.#followers.delete(onChange) || this.#followers.size > 0) return;
      this.#ended.abort();
      this.#texts.clear();
      this.#over = [];
    };
  }

  async #tell(signal: AbortSignal): Promise<void> {
    for (let turn = 1; ; turn += 1) {
      await this.#options.clock.sleep(CHANGES_INTERVAL_MS, signal).catch(() => {}); // No reader is left.
      if (signal.aborted) return;
      try {
        this.#tellOnce(turn);
      } catch (error) {
        // It must not end the process.
        this.#options.onError(error);
      }
    }
  }

  #tellOnce(turn: number): void {
    let number = 0;
    for (const id of this.#drains.keys()) if (number++ % ROUND === turn % ROUND) this.#changed.add(id);
    const text = this.#changesText(turn % STATUS_EVERY === 0);
    if (text !== undefined) notify([...this.#followers], text);
  }

  /** Undefined: nothing has changed. `always`: returns a text in that case too. */
  #changesText(always: boolean): string | undefined {
    const running: string[] = [];
    let looked = 0;
    for (const id of this.#changed) {
      const drain = this.#drains.get(id);
      if (looked > REGISTRATIONS_PER_TURN) break;
      this.#changed.delete(id);
      const text = drain === undefined ? "" : this.#drainText(id, drain, (count) => (looked += count));
      if (text === "" || this.#texts.get(id) === text) continue;
      this.#texts.set(id, text);
      running.push(text);
    }
    const [over, decisions] = [this.#over, this.#decisions.filter(({ n }) => n > this.#sent)];
    for (const id of over) this.#texts.delete(id);
    this.#over = [];
    this.#sent = this.#decided;
    if (!always && running.length === 0 && over.length === 0 && decisions.length === 0) return undefined;
    return this.#whole({ decisions, running, over });
  }

  /** Empty: the drain has just ended. */
  #drainText(id: string, drain: LiveDrain, looked: (registrations: number) => void = () => {}): string {
    const { runningOf, clock } = this.#options;
    const running = runningOf(drain.node.id);
    if (running?.drainId !== id) return "";
    looked(1 + running.registrations.length);
    return JSON.stringify(drain.report(running, { now: clock.now(), max: this.#shownOfDrain }));
  }

  /** A power of two, so that it seldom changes. */
  get #shownOfDrain(): number {
    const part = SHOWN_MAX / Math.max(1, this.#drains.size);
    const max = 2 ** Math.floor(Math.log2(Math.max(1, part)));
    return Math.min(SHOWN_OF_DRAIN_MAX, Math.max(SHOWN_OF_DRAIN_MIN, max));
  }

  #whole({ decisions, running, over }: Changes): string {
    const { clock, version, settings, ready, clouds } = this.#options;
    const status = {
      at: moment(clock.now()),
      version,
      settings,
      ready: readyReport(ready()),
      clouds: clouds().map(cloudReport),
      lookups: this.#lookupReports(),
      decisions: decisions.map(decisionReport),
      history: this.#history,
      ...(over && { over }),
    };
    // The drains come last, because their texts exist already.
    return `${JSON.stringify(status).slice(0, -1)},"running":[${running.join(",")}]}`;
  }

  #lookupReports() {
    const now = this.#options.clock.now();
    for (const [asked, { at }] of this.#lookups) if (now - at > LOOKUP_KEPT_MS) this.#lookups.delete(asked);
    return [...this.#lookups].map(([asked, { at, error }]) => ({ asked, at: moment(at), error: errorReport(error) }));
  }

  #decide(event: Decision["event"]): void {
    this.#decided += 1;
    const decision = { n: this.#decided, at: this.#options.clock.now(), event };
    this.#decisions = [decision, ...this.#decisions].slice(0, DECISIONS_MAX);
  }
}

interface Changes {
  readonly decisions: readonly Decision[];
  readonly running: readonly string[];
  /** Drains that have ended. Absent: the text has everything. */
  readonly over?: readonly string[];
}

function decisionReport({ n, at, event }: Decision) {
  const about = { n, at: moment(at), drainId: event.drainId, node: nodeReport(event.node) };
  if (event.type === "guarded") {
    const { registration, verdict, standing } = event;
    return { ...about, verdict, ...registrationReport(registration), ...withStanding(standing) };
  }
  const message = event.outcome.status === "refused" ? event.outcome.refusal.message : "";
  return { ...about, verdict: "refused" as const, message };
}

function withStanding(standing: Standing | undefined) {
  return standing === undefined ? {} : { standing: standingReport(standing) };
}

function readyReport(state: ReadyState) {
  const problems = state.status === "not-ready" ? state.problems : [];
  return {
    status: state.status,
    ...("checkedAt" in state && { checkedAt: moment(state.checkedAt) }),
    problems: problems.map(({ action, error }) => ({ ...(action && { action }), ...errorReport(error) })),
  };
}

function cloudReport({ place, quotas, index }: CloudState) {
  const { isKept, listedAt, groups, groupsRead, listedWhole, oldestReadAt, failure } = index;
  return {
    ...(place !== undefined && { place }),
    quotas: quotas.map(({ available, perSecond, ...quota }) => ({
      ...quota,
      available: rounded(available),
      perSecond: rounded(perSecond),
    })),
    index: {
      kept: isKept,
      ...(listedAt !== undefined && { listedAt: moment(listedAt) }),
      groups,
      groupsRead,
      classics: listedWhole,
      ...(oldestReadAt !== undefined && { oldestReadAt: moment(oldestReadAt) }),
      ...(failure && { failure: { at: moment(failure.at), ...errorReport(failure.error) } }),
    },
  };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
