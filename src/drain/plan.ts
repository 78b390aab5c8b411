import type { FoundRegistrations, Node, Pool, Registration } from "./cloud-provider.ts";
import { type HoldAllowances, holdMs, propagationMs } from "./hold.ts";

/** What a drain would do now, and until when it would hold. `drain` acts on the same value that `plan` prints. */
export interface DrainPlan {
  readonly node: Node;
  readonly registrations: readonly PlannedRegistration[];
  /** Registered in pools that the configured discovery leaves out: they stay as they are. */
  readonly elsewhere: readonly Registration[];
  /** The longest hold of all, in milliseconds. */
  readonly longestHoldMs: number;
  readonly limit: DrainLimit;
  /** Sentences about the whole drain that somebody should read. */
  readonly warnings: readonly string[];
}

export interface PlannedRegistration {
  readonly registration: Registration;
  /** `hold` where somebody else has deregistered it already: traffic goes on all the same. */
  readonly action: "deregister" | "hold";
  /** How long it will be held, in milliseconds. A classic load balancer may let go earlier. */
  readonly holdMs: number;
  /** By how much the limit comes too early for this hold, in milliseconds. 0: it fits. */
  readonly shortByMs: number;
  /** What is lost even when everything goes well, because AWS leaves no way. */
  readonly unsaved: readonly UnsavedTraffic[];
}

interface UnsavedTraffic {
  readonly code: "requests-in-flight" | "long-requests" | "long-connections" | "terminated-connections";
  readonly message: string;
}

/** When a drain ends even if traffic has not. */
export interface DrainLimit {
  /** `deadline`: the machine goes. `timeout`: nobody wants to wait longer. */
  readonly reason: "deadline" | "timeout";
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface DrainTimes {
  readonly allowances: HoldAllowances;
  /** How long a drain may take, in milliseconds. Absent: the longest hold and a minute. */
  readonly timeoutMs?: number;
  /** What people call the timeout who set it. Absent: TIMEOUT. */
  readonly timeoutName?: string;
  /** A drain ends this long before its deadline, so that there is time to answer. */
  readonly deadlineMarginMs: number;
}

/** Room for reading back and noticing the end, where no timeout is configured. */
const TIMEOUT_SLACK_MS = 60_000;

export interface PlanInput {
  readonly node: Node;
  readonly found: FoundRegistrations;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly now: number;
  readonly deadline?: number;
  readonly times: DrainTimes;
}

export function makePlan({ node, found, startedAt, now, deadline, times }: PlanInput): DrainPlan {
  const holds = found.registrations.map(({ pool }) => holdMs(pool, times.allowances));
  const longestHoldMs = Math.max(0, ...holds);
  const hold = { longestMs: longestHoldMs, since: now };
  const limit = drainLimit({ startedAt, deadline, times, hold }) as DrainLimit;
  return {
    node,
    registrations: found.registrations.map((registration, index) => {
      const ownHoldMs = holds[index] ?? 0;
      return {
        registration,
        action: registration.state === "draining" ? "hold" : "deregister",
        holdMs: ownHoldMs,
        shortByMs: Math.max(0, now + ownHoldMs - limit.at),
        unsaved: unsavedTraffic(registration.pool, ownHoldMs),
      };
    }),
    elsewhere: found.elsewhere,
    longestHoldMs,
    limit,
    warnings: [
      ...warnings({
        longestHoldMs,
        now,
        limit,
        deadline,
        elsewhere: found.elsewhere,
        timeoutName: times.timeoutName,
      }),
      ...unwritableWarnings(found.registrations),
    ],
  };
}

export interface LimitInput {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly deadline: number | undefined;
  readonly times: DrainTimes;
  /** The longest hold, and when the last one began. Absent before there is a plan. */
  readonly hold?: { readonly longestMs: number; readonly since: number };
}

/**
 * The earlier of the deadline, less its margin, and the timeout. A configured timeout counts from the request. The
 * default one counts from the last deregistration, so that whoever registers a node again doesn't use up its time;
 * before there is a plan there is none.
 */
export function drainLimit({ startedAt, deadline, times, hold }: LimitInput): DrainLimit | undefined {
  const limits: DrainLimit[] = [];
  if (deadline !== undefined) limits.push({ reason: "deadline", at: deadline - marginMs(startedAt, deadline, times) });
  if (times.timeoutMs !== undefined) limits.push({ reason: "timeout", at: startedAt + times.timeoutMs });
  else if (hold !== undefined) limits.push({ reason: "timeout", at: hold.since + hold.longestMs + TIMEOUT_SLACK_MS });
  return limits.sort((a, b) => a.at - b.at)[0];
}

/** Of a short notice at most half is kept to answer: the other half can still save requests. */
function marginMs(startedAt: number, deadline: number, times: DrainTimes): number {
  return Math.min(times.deadlineMarginMs, Math.max(0, deadline - startedAt) / 2);
}

function unsavedTraffic(pool: Pool, hold: number): readonly UnsavedTraffic[] {
  switch (pool.kind) {
    case "alb":
      return pool.drainMs === 0
        ? [{ code: "requests-in-flight", message: "deregistration delay is 0: requests in flight are cut" }]
        : [{ code: "long-requests", message: `requests that take longer than ${seconds(pool.drainMs)} are cut` }];
    case "classic":
      return pool.drainMs === 0
        ? [{ code: "requests-in-flight", message: "connection draining is off: requests in flight are cut at once" }]
        : [{ code: "long-requests", message: `requests that take longer than ${seconds(pool.drainMs)} are cut` }];
    case "nlb":
      return pool.terminatesConnections
        ? [
            {
              code: "terminated-connections",
              message: `connection termination is on: connections still open after ${seconds(pool.drainMs)} are closed`,
            },
          ]
        : [
            {
              code: "long-connections",
              message: `connections still open after ${seconds(hold)} break when the node goes`,
            },
          ];
    case "gwlb":
      return [
        { code: "long-connections", message: `flows still active after ${seconds(hold)} break when the node goes` },
      ];
    case "unattached":
      return [];
    default:
      return pool.kind satisfies never;
  }
}

function warnings(input: {
  readonly longestHoldMs: number;
  readonly now: number;
  readonly limit: DrainLimit;
  readonly deadline: number | undefined;
  readonly elsewhere: readonly Registration[];
  readonly timeoutName: string | undefined;
}): readonly string[] {
  const { longestHoldMs, now, limit, deadline = limit.at, elsewhere, timeoutName = "TIMEOUT" } = input;
  const sentences: string[] = [];
  const remainingMs = limit.at - now;
  if (remainingMs < longestHoldMs) {
    sentences.push(
      limit.reason === "deadline"
        ? `the deadline leaves ${seconds(remainingMs)} (${seconds(deadline - limit.at)} are kept to answer), the longest hold needs ${seconds(longestHoldMs)}: traffic may be lost`
        : `${timeoutName} leaves ${seconds(remainingMs)}, the longest hold needs ${seconds(longestHoldMs)}: set it higher, or leave it unset`,
    );
  }
  if (elsewhere.length > 0) {
    const pools = [...new Set(elsewhere.map(({ pool }) => pool.name))].join(", ");
    sentences.push(`also registered in pools without the cluster's tag, which DISCOVERY=tag leaves alone: ${pools}`);
  }
  return sentences;
}

function unwritableWarnings(registrations: readonly Registration[]): readonly string[] {
  const denied = registrations.filter(({ pool, state }) => pool.writable === false && state !== "draining");
  if (denied.length === 0) return [];
  const pools = [...new Set(denied.map(({ pool }) => pool.name))].join(", ");
  return [`the policy does not allow deregistering from these pools, so that the drain will fail: ${pools}`];
}

/** Whether new traffic had stopped `heldMs` after a deregistration. */
export function newTrafficStopped(pool: Pool, heldMs: number, allowances: HoldAllowances): boolean {
  return heldMs >= propagationMs(pool.kind, allowances);
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`;
}
