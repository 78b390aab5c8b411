import { newAbort, WOKEN, withAnyOf } from "./abort.ts";
import type { Clock } from "./clock.ts";
import {
  type CallFor,
  type CloudProvider,
  type FoundRegistrations,
  type LastKnown,
  type Node,
  poolsInOrder,
  type Registration,
  useOf,
} from "./cloud-provider.ts";
import type { Cluster } from "./cluster.ts";
import type { DrainRun } from "./drain-run.ts";
import { asDrainError, DrainError, type DrainErrorCode } from "./errors.ts";
import { type GuardedPool, type GuardOptions, guardedText, isShort, tooFewHealthy } from "./guard.ts";
import { LimitPassed, withLimit } from "./limit.ts";
import { toFind } from "./node-lookup.ts";
import type { NodeStatus, RunningDrain } from "./outcome.ts";
import {
  type DrainPlan,
  type DrainTimes,
  makePlan,
  type PlanInput,
  type PlannedGuard,
  type TermsByUse,
} from "./plan.ts";
import { podAt, readPods, unreadPods, withPods } from "./pod-targets.ts";
import type { DrainRequest, NodeReference } from "./request.ts";
import type { Ceiling, Reservations } from "./reservations.ts";

/** The longest time for which the state of a node is read. */
const STATUS_TIMEOUT_MS = 60_000;
/** If a read takes longer, the answer comes from memory. */
const STATUS_PATIENCE_MS = 500;
/**
 * With these codes the cloud can't be asked. All other failures say something about the node, or are faults of this
 * program.
 */
const CANT_BE_ASKED: ReadonlySet<DrainErrorCode> = new Set([
  "access-denied",
  "no-credentials",
  "unreachable",
  "throttled",
  "unavailable",
  "cloud-error",
]);

export interface PlannerOptions {
  readonly cloud: CloudProvider;
  /** Absent: its pods are not known. */
  readonly cluster?: Cluster;
  readonly clock: Clock;
  readonly times: DrainTimes;
  /** Absent: there is no guard. */
  readonly guard?: GuardOptions;
  readonly reservations?: Reservations;
  readonly ceiling?: Ceiling;
}

/** Returns what a drain would do, and the state of its node. Changes nothing. */
export class Planner {
  readonly #options: PlannerOptions;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /**
   * What `drain` would do now, and how long it would hold, from memory if the memory is complete. Changes nothing.
   * Throws `DrainError`.
   */
  async plan(request: DrainRequest, by: CallFor): Promise<DrainPlan> {
    const { cloud, clock } = this.#options;
    const resolved = await cloud.resolve(request.node, by);
    const startedAt = clock.now();
    const { node, pods, unread } = await this.#withPods(resolved, by.signal);
    const found = await this.known(node, by);
    const terms = await this.#termsOf(found.registrations, by);
    const guard = await this.#guardOf(node, found.registrations, request, by);
    const { deadline, timeoutMs } = request;
    const waiting = [{ askedAt: startedAt, timeoutMs }];
    const plan = this.make({ node, startedAt, deadline, assumesNotice: true, waiting, found, terms });
    const registrations = plan.registrations.map((planned) => {
      const pod = podAt(pods, planned.registration)?.name;
      return pod === undefined ? planned : { ...planned, pod };
    });
    const warnings = [...plan.warnings, ...unread, ...this.#waitWarnings(guard, request)];
    return { ...plan, registrations, ...(guard && { guard }), warnings };
  }

  /** Adds the addresses of the node's pods, if the cluster knows them. `unread`: why it does not. */
  async #withPods(node: Node, signal: AbortSignal) {
    const { cloud, cluster, clock } = this.#options;
    if (cluster === undefined || !cloud.mayHoldAddresses(node)) return { node, pods: [], unread: [] };
    try {
      const pods = await readPods(node, { cluster, clock }, signal);
      return { node: withPods(node, pods), pods, unread: [] };
    } catch (error) {
      signal.throwIfAborted();
      return { node, pods: [], unread: [unreadPods(node, asDrainError(error).message)] };
    }
  }

  /**
   * The remembered registrations of the node, or else the result of a search, and from when on they may have changed.
   */
  async known(node: Node, by: CallFor): Promise<FoundRegistrations & { readonly asOf: number }> {
    const { cloud, clock } = this.#options;
    const asOf = clock.now();
    const remembered = await cloud.remembered(node, by);
    if (remembered !== undefined) return remembered;
    const registrations: Registration[] = [];
    const elsewhere: Registration[] = [];
    const warnings = new Set<string>();
    for await (const found of cloud.findRegistrations(node, by)) {
      registrations.push(...found.registrations);
      elsewhere.push(...found.elsewhere);
      if (found.warning !== undefined) warnings.add(found.warning);
    }
    return { registrations, elsewhere, asOf, ...(warnings.size > 0 && { warning: [...warnings].join("; ") }) };
  }

  /** The plan for the registrations that were found. */
  make(input: Omit<PlanInput, "now" | "times" | "cloud">): DrainPlan {
    const { cloud, clock, times } = this.#options;
    return makePlan({ ...input, now: clock.now(), times, cloud });
  }

  /** The plan of a running drain: for what it has found until now and has not released yet. */
  planOf({ node, startedAt, deadline, waiting, elsewhere, warnings, registrations: all }: DrainRun): DrainPlan {
    const unreleased = all.filter(({ wasReleased }) => !wasReleased);
    const registrations = unreleased.map(({ registration }) => registration);
    const terms = new Map(unreleased.map(({ registration: { pool }, terms }) => [useOf(pool), terms]));
    const heldSince = new Map(
      unreleased.flatMap(({ registration, progress }) => (progress ? [[registration, progress.since]] : [])),
    );
    const found = { registrations, elsewhere, asOf: startedAt, warning: [...warnings].join("; ") || undefined };
    return this.make({ node, startedAt, deadline, waiting, found, terms, heldSince });
  }

  /** From what is known now. */
  async #guardOf(
    node: Node,
    registrations: readonly Registration[],
    request: DrainRequest,
    by: CallFor,
  ): Promise<PlannedGuard | undefined> {
    const { cloud, guard, reservations, ceiling } = this.#options;
    if (guard === undefined) return undefined;
    const inUse = registrations.filter(
      ({ pool, state }) => cloud.termsAfterDelay(pool).isUnused !== true && state !== "draining",
    );
    const pools = new Map(inUse.map(({ pool }) => [pool.id, pool]));
    const healths = await Promise.all(
      [...pools.values()].map(
        async (pool) => [pool, cloud.knownHealth(pool) ?? (await cloud.healthOf(pool, 0, by))] as const,
      ),
    );
    const forWhom = request.isVoluntary === true ? "voluntary" : "involuntary";
    const found: readonly GuardedPool[] = healths.flatMap(([pool, health]) => {
      const targets = inUse.filter((one) => one.pool.id === pool.id).map(({ target }) => target);
      const standings = reservations?.standings(pool, targets, health, forWhom) ?? [];
      return standings.map((standing) => ({ pool, ...standing }));
    });
    const guarded = poolsInOrder(found);
    if (request.isVoluntary !== true || request.force === true) return { pools: guarded };
    const short = guarded.filter(isShort);
    const nodes = Math.max(0, ...healths.map(([, health]) => health.countNodes()));
    const tooMany = healths.length === 0 ? undefined : ceiling?.refusal(nodes);
    const refusal = short.length > 0 ? tooFewHealthy(node.id, short, guard) : tooMany;
    return { ...(refusal && { refusal }), pools: guarded };
  }

  #waitWarnings(planned: PlannedGuard | undefined, { isVoluntary, force }: DrainRequest): readonly string[] {
    const { guard } = this.#options;
    const short = planned?.pools.filter(isShort) ?? [];
    if (guard === undefined || short.length === 0 || isVoluntary === true || force === true) return [];
    const wait = `${Math.round(guard.waitMs / 1_000)} s`;
    return [
      `it would wait for a replacement, at most ${wait} and as long as its hold ends before the limit: ${short.map(guardedText).join("; ")}`,
    ];
  }

  /**
   * Where the node is registered now, and the state of its drain. If the cloud does not answer soon, or can't be asked,
   * the answer is what was known last, with a warning that states its age.
   */
  async status(
    reference: NodeReference,
    drainOf: (node: Node) => RunningDrain | undefined,
    signal: AbortSignal,
  ): Promise<NodeStatus> {
    const { clock } = this.#options;
    const enough = newAbort();
    let trouble: DrainError | undefined;
    const repeats = (error: DrainError) => {
      trouble = error;
    };
    const reading = withAnyOf([signal, enough.signal], (either) => this.#read(reference, either, repeats));
    const slow = clock.sleep(STATUS_PATIENCE_MS, enough.signal).then(() => undefined);
    try {
      const read = await Promise.race([reading, slow]).catch((error: unknown) => this.#insteadOf(error, reference));
      const found = read ?? this.#lastKnown(reference, trouble) ?? (await reading);
      const drain = drainOf(found.node);
      return { ...found, ...(drain && { drain }) };
    } finally {
      // No caller waits for the read any more.
      reading.catch(() => {});
      slow.catch(() => {});
      enough.abort(WOKEN);
    }
  }

  async #read(reference: NodeReference, signal: AbortSignal, repeats: CallFor["repeats"]): Promise<LastKnown> {
    const { cloud, clock } = this.#options;
    const limit = { reason: "timeout", at: clock.now() + STATUS_TIMEOUT_MS } as const;
    try {
      return await withLimit({ clock, limit, signal }, async (within) => {
        const by = { ...toFind({ deadline: limit.at }, within), ...(repeats && { repeats }) };
        const node = await cloud.resolve(reference, by);
        return { node, ...(await this.known(node, by)) };
      });
    } catch (error) {
      if (!(error instanceof LimitPassed)) throw error;
      const waited = `${STATUS_TIMEOUT_MS / 1_000} s`;
      throw new DrainError(
        "unreachable",
        `${cloud.words.cloud} did not return the registrations of the node within ${waited}: request the drain again`,
      );
    }
  }

  /**
   * What is known when the cloud can't be asked. Throws the failure if it says something about the node, or if nothing
   * is known.
   */
  #insteadOf(failure: unknown, reference: NodeReference): LastKnown {
    const isAnswer = !(failure instanceof DrainError && CANT_BE_ASKED.has(failure.code));
    const known = isAnswer ? undefined : this.#lastKnown(reference, failure);
    if (known === undefined) throw failure;
    return known;
  }

  #lastKnown(reference: NodeReference, trouble: DrainError | undefined): LastKnown | undefined {
    const { cloud, clock } = this.#options;
    const known = cloud.lastKnown(reference);
    if (known === undefined) return undefined;
    const age = Math.round((clock.now() - known.asOf) / 1_000);
    const why = trouble?.message ?? `${cloud.words.cloud} did not answer at once`;
    const warning = `this was read ${age} s ago, and may have changed since (${why})`;
    return { ...known, warning: known.warning === undefined ? warning : `${warning}; ${known.warning}` };
  }

  async #termsOf(
    registrations: readonly Registration[],
    { urgency, onRise, signal, drains }: CallFor,
  ): Promise<TermsByUse> {
    const pools = new Map(registrations.map(({ pool }) => [useOf(pool), pool]));
    const by: CallFor = {
      urgency: () => ({ ...urgency(), purpose: "describe" }),
      signal,
      ...(onRise && { onRise }),
      ...(drains && { drains }),
    };
    const described = [...pools].map(
      async ([use, pool]) => [use, await this.#options.cloud.describe(pool, by)] as const,
    );
    return new Map(await Promise.all(described));
  }
}
