import {
  type CloudProvider,
  type CloudWords,
  type FoundRegistrations,
  type Node,
  type PlannedFastPath,
  type Pool,
  type PoolTerms,
  type Registration,
  type UnsavedTraffic,
  useOf,
} from "./cloud-provider.ts";
import type { GuardedPool, Refusal } from "./guard.ts";
import { inOrder } from "./load-balancer-kinds.ts";

/** What a drain would do now, and how long it would hold. `drain` acts on the same value that `plan` prints. */
export interface DrainPlan {
  readonly node: Node;
  readonly registrations: readonly PlannedRegistration[];
  /** When the data of the plan was read, in milliseconds since the epoch. It may have changed since. */
  readonly asOf: number;
  /** These registrations are not changed: see `FoundRegistrations`. */
  readonly elsewhere: readonly Registration[];
  /** The longest hold of all, in milliseconds. */
  readonly longestHoldMs: number;
  readonly limit: DrainLimit;
  /** What the guard would decide now. Absent without a guard, and in the plan of a drain that has begun. */
  readonly guard?: PlannedGuard;
  /** Absent: the fast path is not used, or is disabled. */
  readonly fastPath?: PlannedFastPath;
  /** Sentences about the whole drain that an operator should read. */
  readonly warnings: readonly string[];
}

export interface PlannedGuard {
  /** Why a voluntary drain would be refused. Absent: it would be allowed. */
  readonly refusal?: Refusal;
  /** The pools in which the node is healthy. */
  readonly pools: readonly GuardedPool[];
}

interface PlannedRegistration {
  readonly registration: Registration;
  /** The pod that the target is, as `namespace/name`. Absent: it is not a pod, or is not known. */
  readonly pod?: string;
  /** `hold` if another program has already deregistered the target. Its traffic continues all the same. */
  readonly action: "deregister" | "hold";
  /** Whether the configured policy allows the deregistration. */
  readonly isWritable: boolean;
  /** How long the deregistration waits for the request quota, in milliseconds. */
  readonly waitMs: number;
  /** How long it will be held, in milliseconds. A pool that reports the end may release earlier. */
  readonly holdMs: number;
  /** By how much the limit is too early for this hold, in milliseconds. 0: the hold fits. */
  readonly shortByMs: number;
  /** Traffic that is lost even if the drain succeeds, because the cloud offers no way to save it. */
  readonly unsaved: readonly UnsavedTraffic[];
}

/** When a drain ends even if traffic has not. */
export interface DrainLimit {
  /** `deadline`: the machine goes. `timeout`: no caller waits longer. */
  readonly reason: "deadline" | "timeout";
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface DrainTimes {
  /** How long a drain may take, in milliseconds. Absent: the longest hold and a minute. */
  readonly timeoutMs?: number;
  /** The name of the option or field that set the timeout. Absent: TIMEOUT. */
  readonly timeoutName?: string;
  /** A drain ends this long before its deadline, so that there is time to answer. */
  readonly deadlineMarginMs: number;
  /** Whether health checks may be made to fail when a notice is too short (`CloudProvider.fastPath`). */
  readonly hasFastPath?: boolean;
}

/** Shorter waits are not mentioned. */
const WAIT_SHOWN_MS = 5_000;

/** Time to read back and to notice the end, if no timeout is configured. */
const TIMEOUT_SLACK_MS = 60_000;

/** By `useOf` of the pool. Undefined: the pool has vanished. */
export type TermsByUse = ReadonlyMap<string, PoolTerms | undefined>;

export interface PlanInput {
  readonly node: Node;
  readonly found: FoundRegistrations & { readonly asOf: number };
  /** How each of the pools releases. */
  readonly terms: TermsByUse;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly now: number;
  readonly deadline?: number | undefined;
  /** Without a deadline, the fast path is planned for the shortest notice. Absent: it is not planned then. */
  readonly assumesNotice?: true;
  readonly waiting: readonly Patience[];
  readonly times: DrainTimes;
  /** When the holds of registrations began whose pools have had their call, in milliseconds since the epoch. */
  readonly heldSince?: ReadonlyMap<Registration, number>;
  readonly cloud: PlanningCloud;
}

/** The methods of the cloud that a plan needs. None of them makes a call. */
type PlanningCloud = Pick<CloudProvider, "msToDeregister" | "termsAfterDelay" | "fastPath" | "words">;

export function makePlan(input: PlanInput): DrainPlan {
  const { node, found, terms, startedAt, now, deadline, waiting, times, heldSince = new Map(), cloud } = input;
  const waits = deregisterWaits(input);
  const planned = inOrder(found.registrations.map((registration) => ({ registration }))).map(({ registration }) => {
    const { pool, state } = registration;
    const its = terms.get(useOf(pool)) ?? cloud.termsAfterDelay(pool);
    const isDraining = state === "draining";
    const since = heldSince.get(registration);
    const waitMs = isDraining || since !== undefined ? 0 : (waits.get(pool.id) ?? 0);
    return {
      registration,
      action: isDraining ? ("hold" as const) : ("deregister" as const),
      waitMs,
      since: since ?? now + waitMs,
      holdMs: its.holdMs,
      isWritable: its.writable !== false,
      unsaved: its.unsaved,
      terms: its,
    };
  });
  const longestHoldMs = Math.max(0, ...planned.map(({ holdMs }) => holdMs));
  const longestWaitMs = Math.max(0, ...planned.map(({ waitMs }) => waitMs));
  const hold = { longestMs: longestHoldMs, since: now + longestWaitMs };
  const limit = drainLimit({ startedAt, deadline, waiting, times, hold }) as DrainLimit;
  const registrations = planned.map(({ terms: _, since, ...one }) => ({
    ...one,
    shortByMs: Math.max(0, since + one.holdMs - limit.at),
  }));
  const { elsewhere } = found;
  const { timeoutName } = times;
  const { words } = cloud;
  const fast = plannedFastPath(input, planned);
  const isShort = registrations.some(({ shortByMs }) => shortByMs > 0);
  const sentences = [
    ...warnings({
      longestHoldMs,
      longestWaitMs,
      now,
      limit,
      deadline,
      waiting,
      elsewhere,
      timeoutName,
      isShort,
      words,
    }),
    ...(found.warning === undefined ? [] : [found.warning]),
    ...unwritableWarnings(registrations, words),
    ...(typeof fast === "string" ? [fast] : []),
    ...new Set(
      planned.flatMap(({ registration: { pool }, terms: { warnings = [] } }) =>
        warnings.map((why) => `${pool.name}: ${why}`),
      ),
    ),
  ];
  const added = typeof fast === "object" && { fastPath: fast };
  return { node, registrations, asOf: found.asOf, elsewhere, longestHoldMs, limit, ...added, warnings: sentences };
}

/** A string is a warning: the fast path is not used. */
function plannedFastPath(
  { found: { elsewhere }, now, deadline, assumesNotice, times, cloud }: PlanInput,
  found: readonly { readonly registration: Registration; readonly terms: PoolTerms; readonly since: number }[],
): PlannedFastPath | string | undefined {
  if (times.hasFastPath !== true || (deadline === undefined && assumesNotice !== true)) return undefined;
  return cloud.fastPath({ found, elsewhere, now, ...(deadline !== undefined && { noticeMs: deadline - now }) });
}

/** By pool id, in the order in which the pools are called: how long each waits. */
function deregisterWaits({ found, heldSince, cloud }: PlanInput): ReadonlyMap<string, number> {
  const pools = new Map<string, Pool>();
  for (const registration of found.registrations) {
    const { pool, state } = registration;
    if (state !== "draining" && heldSince?.has(registration) !== true) pools.set(pool.id, pool);
  }
  const rank = (pool: Pool) => cloud.termsAfterDelay(pool).callRank;
  const inOrder = [...pools.values()].sort((a, b) => rank(a) - rank(b));
  const waits = cloud.msToDeregister(inOrder);
  return new Map(inOrder.map(({ id }, index) => [id, waits[index] ?? 0]));
}

/** How long one caller waits for a drain. */
export interface Patience {
  /** Milliseconds since the epoch. */
  readonly askedAt: number;
  /** Its own timeout, in milliseconds. Absent: the configured one. */
  readonly timeoutMs?: number | undefined;
}

/** The longest hold, and when the last one began. */
export interface LongestHold {
  readonly longestMs: number;
  readonly since: number;
}

export interface LimitInput {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly deadline: number | undefined;
  /** All callers that wait for the drain. */
  readonly waiting: readonly Patience[];
  readonly times: DrainTimes;
  /** Absent until there is a plan. */
  readonly hold?: LongestHold | undefined;
}

/**
 * The deadline less its margin, or the moment when the last caller's timeout has passed. A deadline is a fact about the
 * machine, so that it limits the drain for all callers. A timeout is one caller's.
 */
export function drainLimit({ startedAt, deadline, waiting, times, hold }: LimitInput): DrainLimit | undefined {
  const timeouts = waiting.map((patience) => timeoutLimit(patience, times, hold));
  const last = timeouts.includes(undefined) ? undefined : (timeouts as DrainLimit[]).sort(byTime).at(-1);
  return earlier(deadlineLimit({ startedAt, deadline, times }), last);
}

export function deadlineLimit({
  startedAt,
  deadline,
  times,
}: Pick<LimitInput, "startedAt" | "deadline" | "times">): DrainLimit | undefined {
  if (deadline === undefined) return undefined;
  return { reason: "deadline", at: deadline - marginMs(startedAt, deadline, times) };
}

/**
 * A timeout that a caller gave counts from the request. The default one counts from the last deregistration if that is
 * later, so that a program that registers a node again does not use up the time. Until there is a plan there is no
 * default timeout.
 */
export function timeoutLimit(
  { askedAt, timeoutMs }: Patience,
  times: DrainTimes,
  hold: LongestHold | undefined,
): DrainLimit | undefined {
  const givenMs = timeoutMs ?? times.timeoutMs;
  if (givenMs !== undefined) return { reason: "timeout", at: askedAt + givenMs };
  if (hold === undefined) return undefined;
  return { reason: "timeout", at: Math.max(askedAt, hold.since) + hold.longestMs + TIMEOUT_SLACK_MS };
}

/** The earlier one of two limits, each of which may be absent. */
export function earlier(one: DrainLimit | undefined, other: DrainLimit | undefined): DrainLimit | undefined {
  return one === undefined || (other !== undefined && other.at < one.at) ? other : one;
}

function byTime(one: DrainLimit, other: DrainLimit): number {
  return one.at - other.at;
}

/** Of a short notice, at most half is kept for the answer. The other half can still save requests. */
function marginMs(startedAt: number, deadline: number, times: DrainTimes): number {
  return Math.min(times.deadlineMarginMs, Math.max(0, deadline - startedAt) / 2);
}

function warnings(input: {
  readonly longestHoldMs: number;
  readonly longestWaitMs: number;
  readonly now: number;
  readonly limit: DrainLimit;
  readonly deadline: number | undefined;
  readonly waiting: readonly Patience[];
  readonly elsewhere: readonly Registration[];
  readonly timeoutName: string | undefined;
  readonly isShort: boolean;
  readonly words: CloudWords;
}): readonly string[] {
  const {
    longestHoldMs,
    longestWaitMs,
    now,
    limit,
    deadline = limit.at,
    waiting,
    elsewhere,
    timeoutName = "TIMEOUT",
    isShort,
    words,
  } = input;
  const sentences: string[] = [];
  if (longestWaitMs >= WAIT_SHOWN_MS) {
    sentences.push(words.quotaDelays(seconds(longestWaitMs)));
  }
  const remainingMs = limit.at - now;
  if (isShort) {
    const needs = `${longestWaitMs < WAIT_SHOWN_MS ? "" : `${seconds(longestWaitMs)} of which may pass before the first call, `}the longest hold needs ${seconds(longestHoldMs)}`;
    sentences.push(
      limit.reason === "deadline"
        ? `the deadline leaves ${seconds(remainingMs)} (${seconds(deadline - limit.at)} are reserved by DEADLINE_MARGIN), ${needs}: traffic may be lost`
        : `${waiting.some(({ timeoutMs }) => timeoutMs !== undefined) ? "the caller's timeout" : timeoutName} leaves ${seconds(remainingMs)}, ${needs}: set it higher, or leave it unset`,
    );
  }
  if (doubtful(elsewhere).length > 0) sentences.push(possiblyRegisteredText(elsewhere));
  const untagged = elsewhere.filter(({ doubt }) => doubt === undefined);
  if (untagged.length > 0) {
    const pools = [...new Set(untagged.map(({ pool }) => pool.name))].join(", ");
    sentences.push(words.leftOut(pools));
  }
  return sentences;
}

/** The text for all drains that end as `possibly-registered`: which targets, why, and what to do. */
export function possiblyRegisteredText(elsewhere: readonly Registration[]): string {
  const targets = doubtful(elsewhere).map(({ pool, target, doubt }) => `${target} in ${pool.name} (${doubt})`);
  return `these targets may be the node's and were not deregistered: ${targets.join("; ")}. If a target is the node's, deregister it yourself and drain again. If it is not, set DISCOVERY=tag, or OTHER_VPCS=ignore, so that it is not considered`;
}

/** The registrations that may belong to another machine. */
export function doubtful(elsewhere: readonly Registration[]): readonly Registration[] {
  return elsewhere.filter(({ doubt }) => doubt !== undefined);
}

function unwritableWarnings(
  registrations: readonly PlannedRegistration[],
  { notWritable }: CloudWords,
): readonly string[] {
  const denied = registrations.filter(({ isWritable, action }) => !isWritable && action === "deregister");
  if (denied.length === 0) return [];
  const pools = [...new Set(denied.map(({ registration }) => registration.pool.name))].join(", ");
  return [notWritable(pools)];
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`;
}
