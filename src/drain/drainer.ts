import { randomBytes } from "node:crypto";
import { newAbort, onAbort, WOKEN, whenAborted } from "./abort.ts";
import { Canceller, type ToUndo } from "./canceller.ts";
import type { Clock } from "./clock.ts";
import type { CloudProvider, Node } from "./cloud-provider.ts";
import type { Cluster } from "./cluster.ts";
import { DrainGuard } from "./drain-guard.ts";
import type { DrainRecord } from "./drain-record.ts";
import { DrainRun, type DrainRunOptions } from "./drain-run.ts";
import { DrainSteps } from "./drain-steps.ts";
import type { DrainingRegistration } from "./draining-registration.ts";
import type { EarlyRelease, EarlyReleaseFor } from "./early-release.ts";
import type { DrainError } from "./errors.ts";
import { type Accepted, withoutDrain } from "./event-source.ts";
import type { DrainObserver } from "./events.ts";
import { EVICT_ALL } from "./eviction.ts";
import type { Exclusion } from "./exclusion.ts";
import { type EarlierTryOptions, Finder, untilEarlierTryIsOver } from "./finder.ts";
import type { GuardOptions } from "./guard.ts";
import { type InCluster, inCluster, prepareInCluster } from "./in-cluster.ts";
import { Journal } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import { withLimit } from "./limit.ts";
import { NodeLookups, toFind } from "./node-lookup.ts";
import { NodeWatch } from "./node-watch.ts";
import { type DrainOutcome, endBefore, type NodeStatus, type RunningDrain, Superseded, verdictOf } from "./outcome.ts";
import { isStale, lastDrainOf, mostPatientFirst, type ResumedState, requestsOf, resumedStateOf } from "./past.ts";
import { type DrainLimit, type DrainPlan, type DrainTimes, drainLimit } from "./plan.ts";
import { Planner } from "./planner.ts";
import { PoolWorkers } from "./pool-workers.ts";
import type { AskedRequest, Asker, DrainRequest, NodeReference } from "./request.ts";
import { Ceiling, Reservations } from "./reservations.ts";
import type { UndoneNode, UndoOutcome } from "./undo.ts";
import { WorkTurns } from "./work-turns.ts";

/** Short enough to read out in a call, and long enough that a day's logs have each id once. */
function newDrainId(): string {
  return `d-${randomBytes(5).toString("hex")}`;
}

export interface DrainerOptions {
  readonly cloud: CloudProvider;
  /** The cluster of the nodes. Absent: none is configured. */
  readonly cluster?: Cluster;
  readonly clock: Clock;
  readonly times: DrainTimes;
  /** Settings of the health guard. Absent: drains may leave pools without healthy targets. */
  readonly guard?: GuardOptions;
  readonly observers?: readonly DrainObserver[];
  /** Absent: drains are forgotten when the process ends. */
  readonly ledger?: Ledger;
  /** Called for each failed attempt to find a node that will be retried. There is no drain yet. */
  readonly onLookupFailed?: (asked: NodeReference, error: DrainError) => void;
  /** Every drain evicts the node's pods, unless the owner of the machine evicts them. */
  readonly evictsAlways?: boolean;
  /** The targets of a machine that runs again are registered again. */
  readonly registersAgain?: boolean;
  /** Ends holds early. It is loaded only if it is configured. Absent: every hold lasts for its whole time. */
  readonly earlyRelease?: EarlyReleaseFor;
}

interface Begun extends Pick<DrainRunOptions, "id" | "node" | "startedAt" | "steps"> {
  /** Aborts when the program stops. */
  readonly abandon: AbortSignal;
  /** What remained of the drain when an earlier process ended. */
  readonly resumed?: ResumedState;
}

/** Deregisters nodes from their load balancers, and reports when traffic to them has stopped. */
export class Drainer {
  readonly #options: DrainerOptions;
  readonly #nodeWatch: NodeWatch;
  readonly #planner: Planner;
  readonly #finder: Finder;
  readonly #lookups: NodeLookups;
  readonly #runs = new Map<string, DrainRun>();
  readonly #workers: PoolWorkers;
  /** Shared by the guards of all drains. */
  readonly #guards: { readonly reservations: Reservations; readonly ceiling: Ceiling } | undefined;
  readonly #canceller: Canceller;
  /** Divides the work of all drains over turns of the event loop. */
  readonly #turns: WorkTurns;
  /** Receives the connection counts of the agents on nodes. Absent: holds do not end early. */
  readonly earlyRelease: EarlyRelease | undefined;

  constructor(options: DrainerOptions) {
    this.#options = options;
    this.#nodeWatch = new NodeWatch(options.cloud, options.clock);
    const { guard } = options;
    this.#guards = guard && { reservations: new Reservations(guard.minHealthy), ceiling: new Ceiling(guard) };
    this.#planner = new Planner({ ...options, ...this.#guards });
    this.#finder = new Finder(options);
    this.#turns = new WorkTurns(options.clock);
    this.#workers = new PoolWorkers({ ...options, turns: this.#turns });
    this.earlyRelease = options.earlyRelease?.({
      clock: options.clock,
      runs: this.#runs,
      onProven: (draining) => this.#workers.lookAgain(draining),
    });
    this.#lookups = new NodeLookups({ ...options, running: (id) => this.#runs.get(id)?.node });
    this.#canceller = new Canceller({
      ...options,
      runs: this.#runs,
      release: (run) => this.#workers.release(run),
      stepsOf: (record) => this.#stepsOf(record.id, record.node, [record]),
    });
  }

  /**
   * Resolves when no load balancer sends traffic to the node any more, or when the drain's limit has passed.
   *
   * A drain that fails is an outcome, not an exception, so that every request gets an answer. The same applies to an
   * aborted `signal` (`abandoned`). Targets that were deregistered stay deregistered. Requests for one node share one
   * drain: the earliest of their deadlines ends it, and no request waits longer than its own timeout.
   */
  async drain(request: DrainRequest, signal: AbortSignal): Promise<DrainOutcome> {
    return (await this.accept(request, signal)).outcome;
  }

  /** The first half of `drain`: resolves when the node's drain has begun, or when the request has joined it. */
  async accept(request: DrainRequest, signal: AbortSignal): Promise<Accepted> {
    const { clock, times } = this.#options;
    const asked = { ...request, ...this.#evictionFor(request), askedAt: clock.now() };
    const limit = drainLimit({ startedAt: asked.askedAt, deadline: request.deadline, waiting: [asked], times });
    if (request.dryRun) return this.#acceptDryRun(request, limit, signal);
    const { node, trouble, error } = await this.#lookups.find(asked, limit, signal);
    if (node === undefined) return withoutDrain(endBefore(error, trouble, signal));
    const { run, recorded } = this.#runFor(node, asked, signal);
    const outcome = run.join(asked, signal).then((ended) => this.#withUndo(ended));
    return { drain: { id: run.id, node: run.node }, recorded, begun: run.begun, outcome };
  }

  #evictionFor({ evict, isEvictedByOwner }: DrainRequest): Pick<DrainRequest, "evict"> {
    const isOurs = this.#options.evictsAlways === true && isEvictedByOwner !== true;
    return isOurs && evict === undefined ? { evict: EVICT_ALL } : {};
  }

  /** See `Planner.plan`. */
  plan(request: DrainRequest, signal: AbortSignal): Promise<DrainPlan> {
    return this.#planner.plan(request, toFind(request, signal));
  }

  /** Where the node is registered now, and the state of its drain. Changes nothing. Throws `DrainError`. */
  async status(reference: NodeReference, signal: AbortSignal): Promise<NodeStatus> {
    const status = await this.#planner.status(reference, (node) => this.#runs.get(node.id)?.report, signal);
    if (status.drain !== undefined) return status;
    const { ledger } = this.#options;
    const lastDrain = ledger && (await lastDrainOf(status.node.id, ledger, signal));
    return lastDrain === undefined ? status : { ...status, lastDrain };
  }

  /**
   * Resumes a drain that an earlier process has begun, under its id and with its original requests. Targets that it had
   * deregistered are held from their deregistration, even if the cloud does not list them any more. Targets that are
   * registered are deregistered again. Requests for the node join the resumed drain. Resolves when the drain has ended.
   * A drain whose last entry is more than a day old is only marked as ended. `others`: further unfinished drains of the
   * node. They continue as this one, which holds everything that any of them held.
   */
  async resume(record: DrainRecord, signal: AbortSignal, others: readonly DrainRecord[] = []): Promise<void> {
    const { id, node, startedAt, undo } = record;
    if (undo !== undefined && undo.end === undefined) return this.#canceller.resume(record, signal);
    const steps = this.#stepsOf(id, node, [record, ...others]);
    if (isStale(record, this.#options.clock.now())) return steps.dropped();
    // That drain began after this process started, so the resumed one follows it.
    for (let other = this.#runs.get(node.id); other !== undefined; other = this.#runs.get(node.id)) await other.ended;
    signal.throwIfAborted();
    const { asker } = requestsOf(record)[0] ?? {};
    steps.noticed({ type: "began", startedAt, ...(asker && { asker }) });
    steps.happened({ type: "resumed" });
    const resumed = resumedStateOf(record, ...others);
    const run = this.#begin({ id, node, startedAt, steps, abandon: signal, resumed });
    const patient = mostPatientFirst([record, ...others].flatMap(requestsOf), this.#options.times);
    await Promise.all(patient.map(async (asked) => this.#withUndo(await run.join(asked, signal))));
  }

  /**
   * Stops the drain if it runs, and registers again what it has deregistered. Resolves when the cloud shows the targets
   * as registered, or when it is known that they can't be. A second cancellation during that time gets the same
   * outcome. A caller that disconnects stops nothing. Throws `drain-not-found`, `another-drain`, `ledger-unavailable`,
   * or `signal`'s reason.
   */
  cancel(drainId: string, asker: Asker | undefined, signal: AbortSignal): Promise<UndoOutcome> {
    return this.#canceller.cancel(drainId, asker, signal);
  }

  /** As `cancel`, for a drain that is known from its report only. */
  undo(toUndo: ToUndo, signal: AbortSignal): Promise<UndoOutcome> {
    return this.#canceller.undo(toUndo, signal);
  }

  /** The current state of a running drain. */
  running(drainId: string): RunningDrain | undefined {
    return [...this.#runs.values()].find(({ id }) => id === drainId)?.report;
  }

  /** As `running`, by the node's id. */
  runningOf(nodeId: string): RunningDrain | undefined {
    return this.#runs.get(nodeId)?.report;
  }

  /** The drain of one node, step by step. `resumed`: what remained of it when the earlier process ended. */
  async #takeOut(run: DrainRun, abandon: AbortSignal, resumed?: ResumedState): Promise<void> {
    let guard: DrainGuard | undefined;
    try {
      await this.#whileMeant(run, abandon, async (signal) => {
        const { exclusion, pods, eviction } = this.#inCluster(run, signal);
        const deregister = (registrations: readonly DrainingRegistration[]) => this.#workers.deregister(registrations);
        const withPods = pods?.before(deregister) ?? deregister;
        const takeOut = exclusion?.before(withPods) ?? withPods;
        guard = this.#guardOf(run, { takeOut, exclusion, resumed }, signal);
        const proceed = (registrations: readonly DrainingRegistration[]) =>
          guard === undefined ? takeOut(registrations) : guard.found(registrations);
        const searchedAt = this.#options.clock.now();
        const onFailure = this.#readFailed(run, "registrations");
        await prepareInCluster({ exclusion, pods, eviction }, resumed !== undefined);
        const isThere = await this.#finder.find(run, { resumed, proceed, signal, onFailure });
        run.passed("search");
        const unseenUntil = exclusion?.unseenUntil;
        await guard?.decide();
        run.passed("guard");
        await exclusion?.begin();
        await run.untilAll(({ terms, isOver }) => terms !== undefined || isOver);
        await this.#turns.next(run.registrations.length);
        const plan = this.#reportPlan(run);
        exclusion?.taintAsPlanned(plan);
        const held = isThere ? this.#hold(run, { searchedAt, resumed, unseenUntil }, signal) : Promise.resolve();
        await eviction.evictAfter(held);
        await held;
        await run.untilAll(({ isOver }) => isOver);
        if (isThere) await pods?.lookAgain(() => this.#finder.find(run, { proceed: takeOut, signal, onFailure }));
        await this.#turns.next(run.registrations.length);
      });
    } finally {
      this.#workers.release(run);
      guard?.end();
    }
  }

  #guardOf(
    run: DrainRun,
    {
      takeOut: proceed,
      exclusion,
      resumed,
    }: {
      readonly takeOut: (registrations: readonly DrainingRegistration[]) => void;
      readonly exclusion: Exclusion | undefined;
      readonly resumed: ResumedState | undefined;
    },
    signal: AbortSignal,
  ): DrainGuard | undefined {
    const { cloud, clock, guard } = this.#options;
    if (guard === undefined || this.#guards === undefined) return undefined;
    const { past = [], open = [], isVoluntary = false } = resumed ?? {};
    const isDecided = isVoluntary && past.length > 0;
    const begun = isDecided ? [...past, ...open] : past;
    const keeps = () => exclusion?.takeBack();
    const onFailure = this.#readFailed(run, "health");
    const parts = { cloud, clock, guard, proceed, keeps, onFailure, ...this.#guards, begun, isDecided };
    return new DrainGuard(run, parts, signal);
  }

  #readFailed({ steps }: DrainRun, what: "registrations" | "health") {
    return (error: DrainError) => steps.noticed({ type: "read-failed", what, error });
  }

  #inCluster(run: DrainRun, signal: AbortSignal): InCluster {
    return inCluster(run, { ...this.#options, planner: this.#planner }, signal);
  }

  /** Holds every registration except targets that leave with their pods. */
  async #hold(
    run: DrainRun,
    known: Pick<EarlierTryOptions, "searchedAt" | "resumed" | "unseenUntil">,
    signal: AbortSignal,
  ): Promise<void> {
    await run.untilAll(({ isOver, isWithPod }) => isOver || isWithPod);
    await untilEarlierTryIsOver(run, { ...this.#options, ...known }, signal);
  }

  /** Reports what can be expected of the drain. Called when everything about it is known. */
  #reportPlan(run: DrainRun): DrainPlan {
    const plan = this.#planner.planOf(run);
    run.planned(plan);
    run.happened({ type: "planned", plan });
    return plan;
  }

  /**
   * A terminated machine receives no traffic, so that nothing remains to be done or waited for. A machine that runs
   * again must not be drained if the only reason for the drain was that it had stopped.
   */
  async #whileMeant(run: DrainRun, abandon: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const within = newAbort();
    const { signal } = within;
    if (run.signal.aborted) within.abort(run.signal.reason);
    const forget = onAbort(run.signal, () => within.abort(run.signal.reason));
    const decided = this.#nodeWatch
      .untilDecided(run, () => run.asked.holdsWhileStopped, signal)
      .then((end) => {
        if (end === "runs") return this.#supersede(run, abandon);
        for (const draining of run.registrations) draining.released(this.#options.clock.now());
        return undefined;
      });
    try {
      await Promise.race([work(signal), decided]);
    } finally {
      forget();
      within.abort(WOKEN);
    }
  }

  /** Ends the drain, and begins to undo it where that is allowed. Rejects with the reason why the drain ended. */
  async #supersede(run: DrainRun, abandon: AbortSignal): Promise<void> {
    const why = new Superseded(`${run.node.id} is running again: it does not leave`);
    if (this.#options.registersAgain === true) this.#canceller.supersede(run, why, abandon);
    else void run.end(why);
    await whenAborted(run.signal);
  }

  /** Adds the result of the undo to the outcome, once it is known. */
  async #withUndo(outcome: DrainOutcome): Promise<DrainOutcome> {
    if (outcome.status !== "superseded" || outcome.drainId === undefined) return outcome;
    const undone = await this.#canceller.undoing(outcome.drainId)?.catch(() => undefined); // The program stops.
    return undone === undefined ? outcome : { ...outcome, undone: undone.registrations };
  }

  #runFor(
    node: Node,
    asked: AskedRequest,
    abandon: AbortSignal,
  ): { readonly run: DrainRun; readonly recorded: Promise<void> } {
    const running = this.#runs.get(node.id);
    if (running !== undefined) {
      running.happened({ type: "joined", request: asked });
      return { run: running, recorded: running.steps.accepted };
    }
    const id = newDrainId();
    const steps = this.#stepsOf(id, node);
    steps.happened({ type: "accepted", node, request: asked });
    return { run: this.#begin({ id, node, startedAt: asked.askedAt, steps, abandon }), recorded: steps.accepted };
  }

  /** `records`: what earlier processes have written. Those after the first one continue as the first one. */
  #stepsOf(drainId: string, node: UndoneNode, records: readonly DrainRecord[] = []): DrainSteps {
    const { ledger, clock, observers } = this.#options;
    const journalOf = (record: DrainRecord) => ledger && new Journal({ ledger, clock, drainId: record.id, record });
    const [first, ...others] = records;
    const journal = first === undefined ? ledger && new Journal({ ledger, clock, drainId }) : journalOf(first);
    return new DrainSteps({ drainId, node, journal, joined: others.map(journalOf), observers });
  }

  #begin({ id, node, startedAt, steps, abandon, resumed }: Begun): DrainRun {
    const { clock, cloud, times } = this.#options;
    this.#canceller.drainBegins(node.id, id);
    const isGuarded = this.#guards !== undefined;
    const run = new DrainRun({ id, node, startedAt, clock, cloud, times, isGuarded, steps });
    run.rises.on(() => this.#workers.urgencyChanged(run));
    this.#runs.set(node.id, run);
    const onEnd = (outcome: DrainOutcome) => {
      this.#runs.delete(node.id);
      const { deadline } = run;
      const tookMs = clock.now() - startedAt;
      run.happened({ type: "ended", outcome, tookMs, ...(deadline !== undefined && { deadline }) });
      if (verdictOf(outcome) === "can-go") this.#options.cluster?.release(run.node);
    };
    run.begin((begun) => this.#takeOut(begun, abandon, resumed), onEnd);
    return run;
  }

  async #acceptDryRun(request: DrainRequest, limit: DrainLimit | undefined, signal: AbortSignal): Promise<Accepted> {
    const { clock } = this.#options;
    try {
      return withoutDrain(await withLimit({ clock, limit, signal }, (within) => this.#planned(request, within)));
    } catch (error) {
      return withoutDrain(endBefore(error, undefined, signal));
    }
  }

  async #planned(request: DrainRequest, signal: AbortSignal): Promise<DrainOutcome> {
    const startedAt = this.#options.clock.now();
    const plan = await this.plan(request, signal);
    const { node } = plan;
    const drainId = newDrainId();
    const outcome: DrainOutcome = { status: "planned", drainId, node, plan };
    // A dry run writes nothing to the ledger.
    const steps = new DrainSteps({ drainId, node, observers: this.#options.observers });
    steps.happened({ type: "planned", plan, dryRun: true });
    steps.happened({ type: "ended", outcome, tookMs: this.#options.clock.now() - startedAt });
    return outcome;
  }
}
