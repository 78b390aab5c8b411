import { counted, duration, poolName } from "./format.ts";
import type { LiveDrain, LiveRegistration, Standing } from "./reports.ts";

/** The state of one registration, ready to be drawn. Times are milliseconds since the epoch by the service's clock. */
export interface PoolRow {
  readonly key: string;
  readonly name: string;
  readonly kind: string;
  /** Empty: the node itself, on the one port that all pools use. */
  readonly target: string;
  readonly state: LiveRegistration["state"];
  /** Whether an operator should look at it. */
  readonly isAttention: boolean;
  /** Why it waits, or how it has ended. */
  readonly reason: string;
  /** The remaining time of the hold. Undefined: there is no hold, or its end is not known. */
  readonly leftMs: number | undefined;
  /** By how much the hold ends after the limit of the drain. 0: it fits. */
  readonly shortMs: number;
  /** Parts of the bar between 0 and 1: the time that has passed, and the limit. Undefined: the limit comes later. */
  readonly done: number;
  readonly limitAt: number | undefined;
}

export interface DrainRow {
  readonly drain: LiveDrain;
  readonly pools: readonly PoolRow[];
  /** Registrations that are not among `pools`. */
  readonly hidden: number;
  readonly total: number;
  readonly released: number;
  readonly isAttention: boolean;
  /** What the drain waits for, in one sentence. */
  readonly summary: string;
  readonly startedAt: number;
  /** When the last hold ends, as far as it is known. */
  readonly endsAt: number | undefined;
  /** When the drain ends at the latest. */
  readonly limitAt: number | undefined;
  readonly shortMs: number;
  /**
   * Parts of the time from the beginning to the end of the last hold: the time that has passed, and the limit if it
   * comes too early.
   */
  readonly done: number;
  readonly cutAt: number | undefined;
}

const SLACK_MS = 5_000;

/** Those that need attention first, then by the time of their beginning. */
export function drainRows(running: readonly LiveDrain[], now: number): readonly DrainRow[] {
  const rows = running.map((drain) => drainRow(drain, now));
  return rows.sort(
    (one, other) =>
      Number(other.isAttention) - Number(one.isAttention) ||
      one.startedAt - other.startedAt ||
      one.drain.node.name.localeCompare(other.drain.node.name, "en", { numeric: true }),
  );
}

function drainRow(drain: LiveDrain, now: number): DrainRow {
  const limitAt = drain.limit && Date.parse(drain.limit.at);
  const pools = drain.registrations.map((registration) =>
    poolRow(registration, { now, limitAt, nodeId: drain.node.id }),
  );
  const total = Object.values(drain.counts).reduce((sum, count) => sum + (count ?? 0), 0);
  const released = (drain.counts.released ?? 0) + (drain.counts.kept ?? 0);
  const ends = pools.flatMap(({ leftMs }) => (leftMs === undefined ? [] : [now + leftMs]));
  const startedAt = Date.parse(drain.startedAt);
  const endsAt = ends.length > 0 ? Math.max(...ends) : undefined;
  const wholeMs = endsAt === undefined ? 0 : endsAt - startedAt;
  const shortMs = Math.max(0, ...pools.map((pool) => pool.shortMs));
  const isFailing = drain.trouble !== undefined || drain.pods?.refused !== undefined;
  return {
    drain,
    pools,
    hidden: total - pools.length,
    total,
    released,
    isAttention: isFailing || pools.some(({ isAttention }) => isAttention),
    summary: summaryOf(drain, pools, { now, total, released }),
    startedAt,
    endsAt,
    limitAt,
    shortMs,
    done: wholeMs > 0 ? part((now - startedAt) / wholeMs) : total > 0 ? released / total : 0,
    cutAt: shortMs > 0 && wholeMs > 0 ? part(1 - shortMs / wholeMs) : undefined,
  };
}

interface Times {
  readonly now: number;
  readonly limitAt: number | undefined;
  readonly nodeId: string;
}

function poolRow(registration: LiveRegistration, { now, limitAt, nodeId }: Times): PoolRow {
  const { kind, loadBalancer, pool, place, target, state, heldSince, holdSeconds, error } = registration;
  const since = heldSince === undefined ? undefined : Date.parse(heldSince);
  const holdMs = holdSeconds === undefined ? undefined : holdSeconds * 1_000;
  const isOpen = state === "holding" || state === "registered";
  const end = isOpen && holdMs !== undefined ? (since ?? now) + holdMs : undefined;
  const over = end !== undefined && limitAt !== undefined ? end - limitAt : 0;
  const shortMs = over > SLACK_MS ? over : 0;
  const isWaiting = registration.waitsForGuard !== undefined;
  const length = holdMs === undefined || holdMs === 0 ? undefined : holdMs;
  return {
    key: [place, kind, loadBalancer, pool, target].join("|"),
    name: poolName(registration),
    kind: KINDS[kind],
    target: target === nodeId ? "" : target.startsWith(`${nodeId}:`) ? target.slice(nodeId.length) : target,
    state,
    isAttention: isWaiting || shortMs > 0 || error !== undefined || state === "failed",
    reason: reasonOf(registration, { now, end, shortMs }),
    leftMs: end === undefined ? undefined : Math.max(0, end - now),
    shortMs,
    done: isOpen ? passed(since, length, now) : 1,
    limitAt: shortMs > 0 && length !== undefined ? part(1 - shortMs / length) : undefined,
  };
}

function passed(since: number | undefined, length: number | undefined, now: number): number {
  if (since === undefined || length === undefined) return 0;
  return part((now - since) / length);
}

function part(ratio: number): number {
  return Math.min(1, Math.max(0, ratio));
}

const KINDS: Readonly<Record<LiveRegistration["kind"], string>> = {
  alb: "ALB",
  nlb: "NLB",
  gwlb: "GWLB",
  classic: "Classic",
  unknown: "Unknown kind",
  unattached: "No load balancer",
};

/** Which traffic arrives during a hold. docs/reliability.md has the rules. */
const HOLDS: Readonly<Record<LiveRegistration["kind"], readonly [before: string, after: string]>> = {
  alb: ["new requests may still arrive", "requests in flight may run until the deregistration delay ends"],
  nlb: ["the NLB may still open connections", "connections may last until the deregistration delay ends"],
  gwlb: ["new flows may still arrive", "existing flows last until they are idle"],
  classic: ["requests may still arrive", "requests in flight may run until AWS ends the draining"],
  unknown: ["traffic may still arrive", "existing connections may last until the hold ends"],
  unattached: ["waiting for AWS to confirm the deregistration", "waiting for AWS to confirm the deregistration"],
};

function reasonOf(
  registration: LiveRegistration,
  { now, end, shortMs }: { readonly now: number; readonly end: number | undefined; readonly shortMs: number },
): string {
  const { kind, state, heldSeconds, newTrafficStopped, waitsForGuard, guard, cameBack, error } = registration;
  const again = cameBack > 0 ? ` Registered again by another program ${counted(cameBack, "time")}.` : "";
  const short = shortMs > 0 ? ` ${duration(shortMs)} of the hold do not fit before the deadline.` : "";
  const overridden = guard === "overridden" ? " Deregistered although too few healthy targets remain." : "";
  const failing = error === undefined ? "" : ` ${error.message} (${error.code})`;
  switch (state) {
    case "released":
      return `Released after ${duration((heldSeconds ?? 0) * 1_000)}.${again}${overridden}`;
    case "kept":
      return "Kept: the last healthy target, registered until the machine goes.";
    case "failed":
      return `Failed:${failing}${again}`;
    case "registered":
      if (waitsForGuard !== undefined) return `The guard waits for healthy targets: ${standingText(waitsForGuard)}.`;
      return `${error === undefined ? "Waits for its deregistration." : `Not deregistered yet:${failing}`}${again}${short}`;
    case "holding": {
      if (error !== undefined) return `Held, and AWS cannot be asked:${failing}${again}`;
      if (end !== undefined && end <= now) return `The hold is over. Waiting for AWS to confirm it.${again}`;
      const [before, after] = HOLDS[kind];
      const why = newTrafficStopped ? after : before;
      return `Held: ${why}.${again}${short}${overridden}`;
    }
    default:
      return state satisfies never;
  }
}

/** `1 healthy now, 0 would remain, 1 needed`. */
export function standingText({ zone, healthyNow, wouldStay, needed }: Standing): string {
  if (healthyNow === undefined) return "their health could not be read";
  const where = zone === undefined ? "" : `${zone}: `;
  return `${where}${healthyNow} healthy now, ${wouldStay ?? 0} would remain, ${needed ?? 0} needed`;
}

const TROUBLE: Readonly<Record<NonNullable<LiveDrain["trouble"]>["what"], string>> = {
  registrations: "Its registrations could not be read",
  health: "The health of its targets could not be read",
  cluster: "The Kubernetes API failed",
};

function summaryOf(
  { cancelled, trouble, searched, earlierTryUntil, pods, counts }: LiveDrain,
  pools: readonly PoolRow[],
  { now, total, released }: { readonly now: number; readonly total: number; readonly released: number },
): string {
  if (cancelled === true) return "Being cancelled: its targets are registered again.";
  if (trouble !== undefined) return `${TROUBLE[trouble.what]}, retrying: ${trouble.message} (${trouble.code})`;
  if (total === 0 && !searched) return "Looking for its load balancers.";
  const attention = pools.filter(({ isAttention }) => isAttention);
  const [first] = attention;
  const more = attention.length > 1 ? ` And ${counted(attention.length - 1, "more pool")}.` : "";
  if (first !== undefined) return `${first.name}: ${first.reason}${more}`;
  if (pods !== undefined && released === total) return podsText(pods);
  if (earlierTryUntil !== undefined && released === total)
    return `Waiting for what an earlier try may have deregistered: ${duration(Date.parse(earlierTryUntil) - now)}.`;
  const [holding, registered] = [counts.holding ?? 0, counts.registered ?? 0];
  const waiting = registered > 0 ? `${counted(registered, "target")} to deregister, ` : "";
  return `${waiting}${holding} held, ${released} of ${counted(total, "target")} released.`;
}

function podsText({ evicted, remaining, refused }: NonNullable<LiveDrain["pods"]>): string {
  const why = refused === undefined ? "" : ` Refused: ${refused}`;
  return `Evicting pods: ${evicted} gone, ${remaining} left.${why}`;
}
