import { randomBytes } from "node:crypto";
import { anyOf, newAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CloudProvider, Node, Pool } from "./cloud-provider.ts";
import { Departure } from "./departure.ts";
import { DrainRun } from "./drain-run.ts";
import { asDrainError, DrainError } from "./errors.ts";
import type { AcceptedDrain } from "./event-source.ts";
import type { DrainEvent, DrainObserver } from "./events.ts";
import { LimitPassed, withLimit } from "./limit.ts";
import type { NodeStatus } from "./node-status.ts";
import { NodeWatch } from "./node-watch.ts";
import type { DrainOutcome } from "./outcome.ts";
import { type DrainPlan, type DrainTimes, drainLimit, makePlan, type Patience } from "./plan.ts";
import { PoolWorker } from "./pool-worker.ts";
import type { DrainRequest, NodeReference } from "./request.ts";

/** A look at a node that takes longer has no answer. */
const STATUS_TIMEOUT_MS = 60_000;

export interface DrainerOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly times: DrainTimes;
  readonly observers?: readonly DrainObserver[];
}

/** What a request has come to so far. */
export interface Accepted {
  /** Absent where there is none: in dry run, and when the node was not found. */
  readonly drain?: AcceptedDrain;
  readonly outcome: DrainOutcome | Promise<DrainOutcome>;
}

/** By pool id. */
type Workers = ReadonlyMap<string, PoolWorker>;

/** Takes nodes out of their load balancers, and says when traffic to them has stopped. */
export class Drainer {
  readonly #options: DrainerOptions;
  readonly #nodeWatch: NodeWatch;
  readonly #runs = new Map<string, DrainRun>();
  readonly #workers = new Map<string, { readonly worker: PoolWorker; users: number }>();

  constructor(options: DrainerOptions) {
    this.#options = options;
    this.#nodeWatch = new NodeWatch(options.cloud, options.clock);
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
    const { clock, times, cloud } = this.#options;
    const asked = { ...request, askedAt: clock.now() };
    const limit = drainLimit({ startedAt: asked.askedAt, deadline: request.deadline, waiting: [asked], times });
    try {
      if (request.dryRun)
        return { outcome: await withLimit({ clock, limit, signal }, (within) => this.#planned(request, within)) };
      const node = await withLimit({ clock, limit, signal }, (within) => cloud.resolve(request.node, within));
      const run = this.#runFor(node, asked);
      return { drain: { id: run.id, node: run.node }, outcome: run.join(asked, signal) };
    } catch (error) {
      return { outcome: withoutDrain(error, signal) };
    }
  }

  /** What `drain` would do now, and until when it would hold. Changes nothing. Throws `DrainError`. */
  async plan(request: DrainRequest, signal: AbortSignal): Promise<DrainPlan> {
    const node = await this.#options.cloud.resolve(request.node, signal);
    const { deadline, timeoutMs } = request;
    const startedAt = this.#options.clock.now();
    return this.#plan(node, { startedAt, deadline, waiting: [{ askedAt: startedAt, timeoutMs }] }, signal);
  }

  /** Where the node is registered now, and how its drain stands. Changes nothing. Throws `DrainError`. */
  async status(reference: NodeReference, signal: AbortSignal): Promise<NodeStatus> {
    const { cloud, clock } = this.#options;
    const limit = { reason: "timeout", at: clock.now() + STATUS_TIMEOUT_MS } as const;
    try {
      return await withLimit({ clock, limit, signal }, async (within) => {
        const node = await cloud.resolve(reference, within);
        const found = await cloud.findRegistrations(node, within);
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
    const plan = await this.#plan(run.node, run, run.signal);
    this.#notify({ type: "planned", drainId: run.id, node: run.node, plan });
    run.planned(plan, this.#departures(run, plan));

    const workers = this.#workersFor(plan);
    try {
      await this.#untilTerminated(run, (signal) => this.#leaveEveryPool(run, workers, signal));
    } finally {
      this.#release(workers);
    }
  }

  async #plan(
    node: Node,
    asked: Pick<DrainRun, "startedAt" | "deadline" | "waiting">,
    signal: AbortSignal,
  ): Promise<DrainPlan> {
    const { cloud, clock, times } = this.#options;
    const found = await cloud.findRegistrations(node, signal);
    // Read only now: a request that has joined meanwhile may have brought an earlier deadline.
    const { startedAt, deadline, waiting } = asked;
    return makePlan({ node, found, startedAt, now: clock.now(), deadline, waiting, times });
  }

  /** Everywhere at once: deregister, then hold. A slow or refusing pool delays no other. */
  async #leaveEveryPool(run: DrainRun, workers: Workers, signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...workers].map(async ([poolId, worker]) => {
        const departures = run.departures.filter(({ registration }) => registration.pool.id === poolId);
        await worker.deregister(departures, signal);
        await Promise.all(departures.map((departure) => worker.hold(departure, signal)));
      }),
    );
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

  #runFor(node: Node, { askedAt: startedAt, reason }: Patience & Pick<DrainRequest, "reason">): DrainRun {
    const because = reason === undefined ? {} : { reason };
    const running = this.#runs.get(node.id);
    if (running !== undefined) {
      this.#notify({ type: "joined", drainId: running.id, node, ...because });
      return running;
    }
    const { clock, times } = this.#options;
    const run = new DrainRun({ id: newDrainId(), node, startedAt, clock, times });
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

  #departures(run: DrainRun, plan: DrainPlan): readonly Departure[] {
    return plan.registrations.map(
      (planned) =>
        new Departure(run.node, planned, this.#options.times.allowances, (registration, event) =>
          this.#notify({ ...event, drainId: run.id, node: run.node, registration }),
        ),
    );
  }

  /** One worker a pool, shared by every drain that uses the pool meanwhile. */
  #workersFor(plan: DrainPlan): Workers {
    const { cloud, clock, times } = this.#options;
    const pools = new Map<string, Pool>(plan.registrations.map(({ registration: { pool } }) => [pool.id, pool]));
    const workers = new Map<string, PoolWorker>();
    for (const pool of pools.values()) {
      const shared = this.#workers.get(pool.id) ?? {
        worker: new PoolWorker(pool, { cloud, clock, allowances: times.allowances }),
        users: 0,
      };
      shared.users += 1;
      this.#workers.set(pool.id, shared);
      workers.set(pool.id, shared.worker);
    }
    return workers;
  }

  #release(workers: Workers): void {
    for (const poolId of workers.keys()) {
      const shared = this.#workers.get(poolId);
      if (shared === undefined) continue;
      shared.users -= 1;
      if (shared.users === 0) this.#workers.delete(poolId);
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

/** The outcome where there is no drain yet: the node was not found, or the program is stopping. */
function withoutDrain(error: unknown, signal: AbortSignal): DrainOutcome {
  if (error instanceof LimitPassed) return { status: "deadline-passed", limit: error.limit, registrations: [] };
  if (signal.aborted) return { status: "abandoned", registrations: [] };
  const failure = asDrainError(error);
  if (failure.code === "instance-gone") return { status: "instance-gone", message: failure.message };
  return { status: "failed", error: failure, registrations: [] };
}

/** Short enough to read out, long enough not to repeat in a day's logs. */
function newDrainId(): string {
  return `d-${randomBytes(5).toString("hex")}`;
}
