import { randomBytes } from "node:crypto";
import { anyOf, newAbort } from "./abort.ts";
import { Ceiling } from "./ceiling.ts";
import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Node } from "./cloud-provider.ts";
import { byPool, type Departure } from "./departure.ts";
import { DrainGuard } from "./drain-guard.ts";
import { DrainRun } from "./drain-run.ts";
import { asDrainError, DrainError } from "./errors.ts";
import type { AcceptedDrain } from "./event-source.ts";
import type { DrainEvent, DrainObserver } from "./events.ts";
import type { GuardOptions } from "./guard.ts";
import type { JoiningRequest } from "./joint-request.ts";
import { LimitPassed, withLimit } from "./limit.ts";
import type { NodeStatus } from "./node-status.ts";
import { NodeWatch } from "./node-watch.ts";
import type { DrainOutcome } from "./outcome.ts";
import { type DrainPlan, type DrainTimes, deadlineLimit, drainLimit, type Patience } from "./plan.ts";
import { Planner } from "./planner.ts";
import { PoolWorker } from "./pool-worker.ts";
import { repeatWhilePassing } from "./repeat.ts";
import type { DrainRequest, NodeReference } from "./request.ts";
import { Reservations } from "./reservations.ts";

/** A look at a node that takes longer has no answer. */
const STATUS_TIMEOUT_MS = 60_000;

export interface DrainerOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly times: DrainTimes;
  /** Absent: pools may be left without healthy targets. */
  readonly guard?: GuardOptions;
  readonly observers?: readonly DrainObserver[];
}

/** What a request has come to so far. */
export interface Accepted {
  /** Absent where there is none: in dry run, and when the node was not found. */
  readonly drain?: AcceptedDrain;
  readonly outcome: DrainOutcome | Promise<DrainOutcome>;
}

/** Takes nodes out of their load balancers, and says when traffic to them has stopped. */
export class Drainer {
  readonly #options: DrainerOptions;
  readonly #nodeWatch: NodeWatch;
  readonly #planner: Planner;
  readonly #runs = new Map<string, DrainRun>();
  /** One a pool that somebody leaves, by the pool's id. */
  readonly #workers = new Map<string, PoolWorker>();
  /** What the guards of all drains share. */
  readonly #guards: { readonly reservations: Reservations; readonly ceiling: Ceiling } | undefined;
  #turns = 0;

  constructor(options: DrainerOptions) {
    this.#options = options;
    this.#nodeWatch = new NodeWatch(options.cloud, options.clock);
    const { guard } = options;
    this.#guards = guard && { reservations: new Reservations(guard.minHealthy), ceiling: new Ceiling(guard) };
    this.#planner = new Planner({ ...options, ...this.#guards });
  }

  /**
   * Resolves when no load balancer sends the node traffic any more, or once the drain's limit has passed.
   *
   * Failing to drain is an outcome, not an exception, so that every request gets an answer; so is an aborted
   * `signal` (`abandoned`). Deregistrations already made stay made. Requests for one node share one drain: it ends by
   * the earliest of their deadlines, and each waits no longer than its own timeout.
   */
  async drain(request: DrainRequest, signal: AbortSignal): Promise<DrainOutcome> {
    return (await this.accept(request, signal)).outcome;
  }

  /** `drain` in two steps: resolves once the node's drain has begun, or was joined. */
  async accept(request: DrainRequest, signal: AbortSignal): Promise<Accepted> {
    const { clock, times } = this.#options;
    const asked = { ...request, askedAt: clock.now() };
    const limit = drainLimit({ startedAt: asked.askedAt, deadline: request.deadline, waiting: [asked], times });
    let trouble: DrainError | undefined;
    const toResolve = (within: AbortSignal): CallFor => ({
      ...toFind(request, within),
      repeats: (error) => {
        trouble = error;
      },
    });
    try {
      if (request.dryRun)
        return { outcome: await withLimit({ clock, limit, signal }, (within) => this.#planned(request, within)) };
      const node = await withLimit({ clock, limit, signal }, (within) =>
        this.#resolve(request, asked, toResolve(within)),
      );
      const run = this.#runFor(node, asked);
      return { drain: { id: run.id, node: run.node }, outcome: run.join(asked, signal) };
    } catch (error) {
      return { outcome: withoutDrain(error, trouble, signal) };
    }
  }

  /** Who has a deadline has nobody to ask again later: until then, what fails in passing is tried again. */
  #resolve(request: DrainRequest, { askedAt }: Patience, to: CallFor): Promise<Node> {
    const { cloud, clock, times } = this.#options;
    const limit = deadlineLimit({ startedAt: askedAt, deadline: request.deadline, times });
    const until = () => limit?.at ?? Number.NEGATIVE_INFINITY;
    const { by, value } = request.node;
    const known = by === "id" ? cloud.recall(value) : undefined;
    if (known !== undefined) return Promise.resolve(known);
    return repeatWhilePassing({ clock, until, signal: to.signal }, () => cloud.resolve(request.node, to));
  }

  /** See `Planner.plan`. */
  plan(request: DrainRequest, signal: AbortSignal): Promise<DrainPlan> {
    return this.#planner.plan(request, toFind(request, signal));
  }

  /** Where the node is registered now, and how its drain stands. Changes nothing. Throws `DrainError`. */
  async status(reference: NodeReference, signal: AbortSignal): Promise<NodeStatus> {
    const { cloud, clock } = this.#options;
    const limit = { reason: "timeout", at: clock.now() + STATUS_TIMEOUT_MS } as const;
    try {
      return await withLimit({ clock, limit, signal }, async (within) => {
        const by = toFind({ deadline: limit.at }, within);
        const node = await cloud.resolve(reference, by);
        const found = await this.#planner.known(node, by);
        const run = this.#runs.get(node.id);
        return { node, ...found, ...(run && { drain: run.report }) };
      });
    } catch (error) {
      if (!(error instanceof LimitPassed)) throw error;
      const waited = `${STATUS_TIMEOUT_MS / 1_000} s`;
      throw new DrainError("unreachable", `AWS did not say within ${waited} where the node is registered: ask again`);
    }
  }

  /** The drain of one node, step by step. */
  async #takeOut(run: DrainRun): Promise<void> {
    let guard: DrainGuard | undefined;
    try {
      await this.#untilTerminated(run, async (signal) => {
        guard = this.#guardOf(run, signal);
        await this.#find(run, guard, signal);
        run.searched();
        await guard?.decide();
        await run.untilAll(({ terms, isOver }) => terms !== undefined || isOver);
        this.#tellPlan(run);
        await run.untilAll(({ isOver }) => isOver);
      });
    } finally {
      this.#release(run);
      guard?.end();
    }
  }

  #guardOf(run: DrainRun, signal: AbortSignal): DrainGuard | undefined {
    const { cloud, clock, guard } = this.#options;
    if (guard === undefined || this.#guards === undefined) return undefined;
    const letGo = (departures: readonly Departure[]) => this.#deregister(departures);
    return new DrainGuard(run, { cloud, clock, guard, letGo, ...this.#guards }, signal);
  }

  /** Deregisters what is found as soon as it is, unless there is a guard that has to decide, and searches again where AWS has failed in passing. */
  async #find(run: DrainRun, guard: DrainGuard | undefined, signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    await repeatWhilePassing({ clock, until: () => run.searchUntil, signal }, async () => {
      const foundBefore = run.known();
      for await (const found of cloud.findRegistrations(run.node, run.callFor(signal))) {
        const departures = run.found(found, foundBefore);
        if (guard === undefined) this.#deregister(departures);
        else guard.found(departures);
      }
    });
  }

  /** Everywhere at once, and from then on each pool is held by its own rule. A slow or refusing pool delays no other. */
  #deregister(departures: readonly Departure[]): void {
    const { cloud, clock, times } = this.#options;
    const { allowances } = times;
    for (const [pool, leaving] of byPool(departures)) {
      const worker =
        this.#workers.get(pool.id) ?? new PoolWorker(pool, { cloud, clock, allowances, turn: ++this.#turns });
      this.#workers.set(pool.id, worker);
      worker.add(leaving);
    }
  }

  /** Says what can be expected of the drain, now that everything is known. */
  #tellPlan(run: DrainRun): void {
    const { node, startedAt, deadline, waiting, departures, elsewhere } = run;
    const registrations = departures.map(({ registration }) => registration);
    const terms = new Map(departures.map((departure) => [departure.registration.pool.id, departure.terms]));
    const heldSince = new Map(
      departures.flatMap(({ registration, progress }) => (progress ? [[registration, progress.since]] : [])),
    );
    const found = { registrations, elsewhere, asOf: startedAt };
    const plan = this.#planner.make({ node, startedAt, deadline, waiting, found, terms, heldSince });
    run.planned(plan);
    this.#notify({ type: "planned", drainId: run.id, node, plan });
  }

  /** A machine that is terminated gets no traffic: then there is nothing more to do or to wait for. */
  async #untilTerminated(run: DrainRun, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const done = newAbort();
    const signal = anyOf(run.signal, done.signal);
    const terminated = this.#nodeWatch.untilTerminated(run.node, signal).then(() => {
      for (const departure of run.departures) departure.released(this.#options.clock.now());
    });
    try {
      await Promise.race([work(signal), terminated]);
    } finally {
      done.abort();
    }
  }

  #runFor(node: Node, { askedAt: startedAt, reason, force }: JoiningRequest): DrainRun {
    const because = {
      ...(reason === undefined ? {} : { reason }),
      ...(force === true ? { forced: true as const } : {}),
    };
    const running = this.#runs.get(node.id);
    if (running !== undefined) {
      this.#notify({ type: "joined", drainId: running.id, node, ...because });
      return running;
    }
    const { clock, times } = this.#options;
    const run = new DrainRun({
      id: newDrainId(),
      node,
      startedAt,
      clock,
      times,
      isGuarded: this.#guards !== undefined,
      heard: ({ id }, registration, event) => this.#notify({ drainId: id, node, registration, ...event }),
    });
    this.#runs.set(node.id, run);
    this.#notify({ type: "started", drainId: run.id, node, ...because });
    const onEnd = (outcome: DrainOutcome) => {
      this.#runs.delete(node.id);
      this.#notify({ type: "ended", drainId: run.id, node, outcome, tookMs: clock.now() - startedAt });
    };
    run.begin((begun) => this.#takeOut(begun), onEnd);
    return run;
  }

  async #planned(request: DrainRequest, signal: AbortSignal): Promise<DrainOutcome> {
    const startedAt = this.#options.clock.now();
    const plan = await this.plan(request, signal);
    const { node } = plan;
    const drainId = newDrainId();
    const outcome: DrainOutcome = { status: "planned", drainId, node, plan };
    this.#notify({ type: "planned", drainId, node, plan });
    this.#notify({ type: "ended", drainId, node, outcome, tookMs: this.#options.clock.now() - startedAt });
    return outcome;
  }

  #release(run: DrainRun): void {
    for (const [pool, departures] of byPool(run.departures)) {
      const worker = this.#workers.get(pool.id);
      worker?.drop(departures);
      if (worker?.isIdle === true) this.#workers.delete(pool.id);
    }
  }

  #notify(event: DrainEvent): void {
    for (const observe of this.#options.observers ?? []) {
      try {
        observe(event);
      } catch {
        // Whoever watches can't be allowed to stop a drain.
      }
    }
  }
}

function toFind({ deadline = Number.POSITIVE_INFINITY }: Pick<DrainRequest, "deadline">, signal: AbortSignal): CallFor {
  return { urgency: () => ({ purpose: "find", deadline }), signal };
}

/** The outcome where there is no drain yet: the node was not found, or the program is stopping. */
function withoutDrain(error: unknown, trouble: DrainError | undefined, signal: AbortSignal): DrainOutcome {
  if (error instanceof LimitPassed) {
    const why = trouble === undefined ? {} : { error: trouble };
    return { status: "deadline-passed", limit: error.limit, searched: false, ...why, registrations: [] };
  }
  if (signal.aborted) return { status: "abandoned", registrations: [] };
  const failure = asDrainError(error);
  if (failure.code === "instance-gone") return { status: "instance-gone", message: failure.message };
  return { status: "failed", error: failure, registrations: [] };
}

/** Short enough to read out, long enough not to repeat in a day's logs. */
function newDrainId(): string {
  return `d-${randomBytes(5).toString("hex")}`;
}
