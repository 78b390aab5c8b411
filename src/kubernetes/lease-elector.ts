import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import type { ElectionState, Elector, LeaderRecord, Leadership } from "../drain/leadership.ts";
import { type ApiServer, segment } from "./api-server.ts";
import { KubernetesError } from "./errors.ts";
import {
  durationMsOf,
  heldBy,
  holderOf,
  LEASE_DURATION_MS,
  type Lease,
  leaderOf,
  RENEW_DEADLINE_MS,
  RETRY_PERIOD_MS,
  recordOf,
  released,
  transitionsOf,
} from "./lease.ts";

export interface LeaseElectorOptions {
  /** A server of its own: a renewal must wait neither for other requests nor for the fence. */
  readonly server: Pick<ApiServer, "request" | "find">;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** Unique: no other process has it, nor a later one on the same machine. */
  readonly identity: string;
  /** What this process publishes about itself while it leads. Called before each renewal. */
  readonly self?: () => Omit<LeaderRecord, "identity">;
  /** Whether another process should lead. Then this one leads only if no other process wants to. */
  readonly isReluctant?: () => boolean;
  readonly onState?: (state: ElectionState) => void;
  readonly random?: () => number;
}

/** Two requests that fail in a row leave time for a third. */
const REQUEST_WITHIN_MS = 4_000;
const CUT_SHORT_MS = 100;
/** Callers wait for the next leader, but only as long as this process lives. */
const OBSERVE_PERIOD_MS = 500;
const LEASES = "apis/coordination.k8s.io/v1/namespaces";

/** The Lease as it was read last. */
interface Seen {
  /** Undefined: there is no Lease. */
  readonly lease: Lease | undefined;
  /** When it was first read with this record, by this process's clock. */
  readonly at: number;
}

/**
 * Elects by a Lease as client-go does, and works beside client-go. A holder is alive as long as its record changes. No
 * time in the record counts, so that clocks may differ. Whatever the Lease says, only the API server's comparison of
 * resource versions gives it to a process. https://kubernetes.io/docs/concepts/architecture/leases/#leader-election
 */
export class LeaseElector implements Elector {
  readonly identity: string;
  readonly #options: LeaseElectorOptions;
  readonly #path: string;
  readonly #listeners = new Set<() => void>();
  #seen: Seen | undefined;
  #term: Term | undefined;
  #told: string | undefined;
  /** The highest number of a term that was read. The Lease of a cluster begins with 0. */
  #highest = -1;
  /** This process has stepped down, and no other process has led since. */
  #hasSteppedDown = false;
  #failing: { readonly since: number; readonly reasons: Set<string> } | undefined;

  constructor(options: LeaseElectorOptions) {
    this.identity = options.identity;
    this.#options = options;
    this.#path = `/${LEASES}/${segment(options.namespace)}/leases`;
  }

  get leader(): LeaderRecord | undefined {
    const { lease, at } = this.#seen ?? {};
    if (lease === undefined || at === undefined || holderOf(lease) === "") return undefined;
    const isOurs = holderOf(lease) === this.identity;
    const isOn = isOurs ? this.#term?.isOver === false : this.#now < at + durationMsOf(lease);
    return isOn ? leaderOf(lease) : undefined;
  }

  onChange(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  async run(lead: (term: Leadership) => Promise<void>, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const term = await this.#campaign(stop);
      if (term === undefined || stop.aborted) await this.#release();
      else await this.#serve(term, lead);
    }
  }

  async observe(end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      await this.#tried(() => this.#look(end), end);
      await this.#options.clock.sleep(OBSERVE_PERIOD_MS, end).catch(() => {}); // Ended.
      this.#tell();
    }
  }

  stepDown(reason: string): void {
    if (this.#term?.isOver !== false) return;
    this.#hasSteppedDown = true;
    this.#term.end(reason);
    this.#tell();
  }

  /** Resolves with a term, or without one when `stop` aborts. */
  async #campaign(stop: AbortSignal): Promise<Term | undefined> {
    while (!stop.aborted) {
      const term = await this.#tried(async () => {
        await this.#look(stop);
        return this.#mayTake() ? this.#take() : undefined;
      }, stop);
      if (term !== undefined) return term;
      await this.#pause(stop);
    }
    return undefined;
  }

  async #serve(term: Term, lead: (term: Leadership) => Promise<void>): Promise<void> {
    this.#term = term;
    this.#hasSteppedDown = false;
    this.#tell();
    const done = newAbort();
    const renewing = this.#renew(term, done.signal);
    try {
      await lead(term);
    } finally {
      term.end("its work has ended");
      done.abort(WOKEN);
      await renewing;
      await this.#release();
    }
  }

  /** Renews the Lease during the term, and watches it afterwards. Never rejects. */
  async #renew(term: Term, done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      const pauseMs = term.isOver ? RETRY_PERIOD_MS : Math.min(RETRY_PERIOD_MS, term.until - this.#now);
      await this.#options.clock.sleep(pauseMs, done).catch(() => {}); // Done.
      if (done.aborted) return;
      await this.#tried(() => (term.isOver ? this.#look(done) : this.#renewOnce(term, done)), done);
      this.#tell();
    }
  }

  /** At most one change of the Lease by another program comes between two renewals. */
  async #renewOnce(term: Term, signal: AbortSignal): Promise<void> {
    try {
      if (await this.#put(term, signal)) return;
      await this.#lookAndPut(term, signal);
    } catch (error) {
      term.failed(error as Error);
      throw error;
    }
  }

  async #lookAndPut(term: Term, signal: AbortSignal): Promise<void> {
    await this.#look(signal);
    const lease = this.#seen?.lease;
    const holder = lease && holderOf(lease);
    if (holder !== undefined && holder !== this.identity) {
      const now = holder === "" ? "was released by another program" : `is held by '${holder}' now`;
      term.end(`the Lease ${this.#name} ${now}`);
      return;
    }
    await this.#put(term, signal);
  }

  /** Writes the Lease for this process. False: another version of it exists. */
  async #put(term: Term, signal: AbortSignal): Promise<boolean> {
    const sentAt = this.#now;
    const withinMs = Math.min(REQUEST_WITHIN_MS, Math.max(term.until - sentAt, 1));
    const written = await this.#written(this.#ownLease(term.number, false), withinMs, signal);
    if (written) term.renewed(sentAt);
    return written;
  }

  /** `stop` does not interrupt it: it must be known whether this process has the Lease, so that it can be released. */
  async #take(): Promise<Term | undefined> {
    const number = this.#highest + 1;
    const sentAt = this.#now;
    if (!(await this.#written(this.#ownLease(number, true), REQUEST_WITHIN_MS, newAbort().signal))) return undefined;
    return new Term(this.#options.clock, { number, name: this.#name, sentAt });
  }

  #ownLease(leaseTransitions: number, acquires: boolean): Lease {
    const { name, namespace, self } = this.#options;
    const absent = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace } };
    const { lease = absent } = this.#seen ?? {};
    const isNew = acquires || lease === absent;
    const held = heldBy(lease, { identity: this.identity, ...self?.() }, this.#now, isNew);
    return { ...held, spec: { ...held.spec, leaseTransitions } };
  }

  /** False: it exists in another version, or not any more. */
  async #written(body: Lease, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const isThere = this.#seen?.lease !== undefined;
    const target = isThere
      ? { method: "PUT" as const, path: `${this.#path}/${segment(this.#options.name)}` }
      : { method: "POST" as const, path: this.#path };
    try {
      const lease = await this.#options.server.request<Lease>({ ...target, body, timeoutMs, turn: "first" }, signal);
      this.#see(lease);
      return true;
    } catch (error) {
      const isOther = error instanceof KubernetesError && (error.status === 409 || (isThere && error.status === 404));
      if (!isOther) throw error;
      return false;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { server, name } = this.#options;
    this.#see(await server.find<Lease>(`${this.#path}/${segment(name)}`, REQUEST_WITHIN_MS, signal));
  }

  #see(lease: Lease | undefined): void {
    const before = this.#seen;
    const record = lease && recordOf(lease);
    const isSame = before !== undefined && record === (before.lease && recordOf(before.lease));
    this.#seen = { lease, at: isSame ? before.at : this.#now };
    if (lease !== undefined) this.#highest = Math.max(this.#highest, transitionsOf(lease));
    const holder = lease && holderOf(lease);
    if (holder !== undefined && holder !== "" && holder !== this.identity) this.#hasSteppedDown = false;
    this.#tell();
  }

  /** Since when no process holds the Lease, by this process's clock. Undefined: a process holds it. */
  #freeSince(): number | undefined {
    if (this.#seen === undefined) return undefined;
    const { lease, at } = this.#seen;
    // It belongs to an earlier term of this process, which is over. Its last renewal arrived late.
    if (lease === undefined || ["", this.identity].includes(holderOf(lease))) return at;
    const expiry = at + durationMsOf(lease);
    return this.#now >= expiry ? expiry : undefined;
  }

  #mayTake(): boolean {
    const since = this.#freeSince();
    if (since === undefined) return false;
    const isReluctant = this.#hasSteppedDown || this.#options.isReluctant?.() === true;
    return !isReluctant || this.#now - since >= LEASE_DURATION_MS;
  }

  /**
   * Half a retry period to a whole one, so that replicas do not ask at the same time, but not beyond the end of the
   * lease.
   */
  async #pause(stop: AbortSignal): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    const { lease, at = 0 } = this.#seen ?? {};
    const toExpiryMs = lease === undefined ? 0 : at + durationMsOf(lease) - this.#now;
    const pauseMs = RETRY_PERIOD_MS * (0.5 + random() / 2);
    await clock.sleep(toExpiryMs > 0 ? Math.min(pauseMs, toExpiryMs) : pauseMs, stop).catch(() => {}); // Stopped.
    this.#tell();
  }

  /** So that others do not wait for the end of the lease. If it fails, they do. */
  async #release(): Promise<void> {
    const { signal } = newAbort();
    await this.#tried(async () => {
      for (let attempt = 1; attempt <= 2; attempt++) {
        const lease = this.#seen?.lease;
        if (lease === undefined || holderOf(lease) !== this.identity) return;
        if (await this.#written(released(lease, this.#now), REQUEST_WITHIN_MS, signal)) return;
        await this.#look(signal);
      }
    }, signal);
  }

  /** Reports failures, each reason once while it lasts, and their end. */
  async #tried<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      const result = await work();
      const { onState } = this.#options;
      if (this.#failing !== undefined)
        onState?.({ kind: "recovered", failedForMs: Math.round(this.#now - this.#failing.since) });
      this.#failing = undefined;
      return result;
    } catch (error) {
      if (!signal.aborted) this.#failed(error as Error);
      return undefined;
    }
  }

  #failed(error: Error): void {
    this.#failing ??= { since: this.#now, reasons: new Set() };
    const reason = error instanceof KubernetesError ? `${error.status} ${error.reason}` : error.name;
    if (this.#failing.reasons.has(reason)) return;
    this.#failing.reasons.add(reason);
    this.#options.onState?.({ kind: "failing", error });
  }

  #tell(): void {
    const leader = JSON.stringify(this.leader);
    if (leader === this.#told) return;
    this.#told = leader;
    for (const listener of this.#listeners) listener();
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  get #name(): string {
    return `${this.#options.namespace}/${this.#options.name}`;
  }
}

class Term implements Leadership {
  readonly number: number;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #over = newAbort();
  #until: number;
  #failure: Error | undefined;

  constructor(
    clock: Clock,
    { number, name, sentAt }: { readonly number: number; readonly name: string; readonly sentAt: number },
  ) {
    this.number = number;
    this.#clock = clock;
    this.#name = name;
    this.#until = sentAt + RENEW_DEADLINE_MS;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** A process that stood still finds out here, before any timer fires. */
  get isOver(): boolean {
    if (!this.over.aborted && this.#clock.now() >= this.#until) {
      const why = this.#failure === undefined ? "" : `: ${this.#failure.message}`;
      this.end(`the Lease ${this.#name} was not renewed within ${RENEW_DEADLINE_MS / 1_000} s${why}`);
    }
    return this.over.aborted;
  }

  /** When the term ends without another renewal, in milliseconds since the epoch. */
  get until(): number {
    return this.#until;
  }

  check(): void {
    if (this.isOver) throw this.over.reason;
  }

  /** `sentAt`: when the request was sent. Others count from when it arrived, which was later. */
  renewed(sentAt: number): void {
    this.#until = Math.max(this.#until, sentAt + RENEW_DEADLINE_MS);
    this.#failure = undefined;
  }

  failed(error: Error): void {
    // A request that the end of the term has aborted does not show the cause.
    if (this.#failure === undefined || this.#clock.now() + CUT_SHORT_MS < this.#until) this.#failure = error;
  }

  end(why: string): void {
    if (!this.over.aborted)
      this.#over.abort(new DrainError("not-leader", `this replica is not the leader any more: ${why}`));
  }
}
