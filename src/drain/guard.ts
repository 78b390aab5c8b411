import { type HealthyMinimum, type Pool, poolsInOrder } from "./cloud-provider.ts";

/** The guard reads health again if its last read is older than this. */
export const HEALTH_CACHED_MS = 10_000;

/** A number, or a percentage of all. */
export type Share = { readonly count: number } | { readonly percent: number };

export interface GuardOptions {
  /** What must remain in every pool. */
  readonly minHealthy: Share;
  /** How long an involuntary drain waits for a replacement at most, in milliseconds. */
  readonly waitMs: number;
  /** The number of voluntary drains that may run at once, or the percentage of the nodes. */
  readonly maxVoluntary: Share;
  /** The names of the options that set the two. Absent: MIN_HEALTHY and MAX_VOLUNTARY. */
  readonly names?: { readonly minHealthy: string; readonly maxVoluntary: string };
}

/**
 * The unit that is counted: a pool, or one zone of it if each zone has only its own targets. All numbers are targets.
 */
export interface Count {
  /** Absent if the whole pool is counted. */
  readonly zone?: string;
  /** All that are listed, including those that are draining. */
  readonly registered: number;
  /** The registered ones that are not draining. */
  readonly serving: number;
  /** Those that the cloud reports as healthy. */
  readonly healthy: number;
  /** Healthy ones that other drains deregister. */
  readonly leaving: number;
  /** Healthy ones of the node in question. 0: the pool loses nothing. */
  readonly own: number;
}

/** What a pool would have without the node. */
export interface Standing {
  readonly zone?: string;
  readonly healthyNow: number;
  readonly wouldStay: number;
  readonly needed: number;
  /** The pool's own minimum is higher than MIN_HEALTHY. */
  readonly isPoolMinimum?: true;
}

/** A pool in which the node is healthy. */
export interface GuardedPool extends Standing {
  readonly pool: Pool;
}

/** Why a voluntary drain did not begin. Nothing was deregistered. */
export interface Refusal {
  /**
   * `too-few-healthy`: too few would remain in `pools`. `too-many-drains`: other voluntary drains have to end first.
   */
  readonly reason: "too-few-healthy" | "too-many-drains";
  /** The problem, and what to do. */
  readonly message: string;
  readonly pools: readonly GuardedPool[];
}

/** Ends a drain that was refused. */
export class Refused {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    this.refusal = refusal;
  }
}

/** The number that a share of `all` is. A percentage is rounded up, so that it is never 0. */
export function amountOf(share: Share, all: number): number {
  return "count" in share ? share.count : Math.ceil((share.percent * all) / 100);
}

export function isNothing(share: Share): boolean {
  return "count" in share ? share.count === 0 : share.percent === 0;
}

export function printableShare(share: Share): string {
  return "count" in share ? String(share.count) : `${share.percent}%`;
}

/**
 * What the pool would have: the higher one of `minHealthy` and of the cloud's own `minimum` is needed. Undefined if
 * nothing of the node is healthy, because then nothing is lost.
 */
export function standingOf(
  { zone, registered, serving, healthy, leaving, own }: Count,
  minHealthy: Share,
  minimum: HealthyMinimum = { count: 0, percent: 0 },
): Standing | undefined {
  if (own === 0) return undefined;
  const configured = amountOf(minHealthy, registered);
  const percent = amountOf({ percent: minimum.percent }, Math.max(0, serving - leaving - own));
  const ofPool = Math.max(minimum.count, percent);
  return {
    ...(zone === undefined ? {} : { zone }),
    healthyNow: healthy,
    wouldStay: Math.max(0, healthy - leaving - own),
    needed: Math.max(configured, ofPool),
    ...(ofPool > configured && { isPoolMinimum: true }),
  };
}

export function isShort({ wouldStay, needed }: Standing): boolean {
  return wouldStay < needed;
}

/** The one that lacks most. Undefined of an empty list. */
export function worstOf(standings: readonly Standing[]): Standing | undefined {
  const lack = ({ wouldStay, needed }: Standing) => needed - wouldStay;
  return standings.reduce<Standing | undefined>(
    (worst, one) => (worst === undefined || lack(one) > lack(worst) ? one : worst),
    undefined,
  );
}

/** The refusal of a voluntary drain of the node, after which the pools `short` would have too few. */
export function tooFewHealthy(
  nodeId: string,
  short: readonly GuardedPool[],
  { minHealthy, names }: Pick<GuardOptions, "minHealthy" | "names">,
): Refusal {
  const name = names?.minHealthy ?? "MIN_HEALTHY";
  const pools = poolsInOrder(short);
  const zonal = pools.some(({ zone }) => zone !== undefined)
    ? " Cross-zone load balancing is off, or could not be read, so that each zone needs healthy targets of its own: turn it on, allow elasticloadbalancing:DescribeLoadBalancerAttributes, or add a node in that zone."
    : "";
  const ofPool = pools.some(({ isPoolMinimum }) => isPoolMinimum === true)
    ? " The target group's own minimum of healthy targets (target_group_health) is higher than the option's."
    : "";
  return {
    reason: "too-few-healthy",
    message: `too few healthy targets would remain without ${nodeId} (${name} is ${printableShare(minHealthy)}): ${pools.map(guardedText).join("; ")}.${zonal}${ofPool} Nothing was deregistered. Retry when more targets are healthy, or use force`,
    pools,
  };
}

export function tooManyDrains(
  { running, allowed, nodes }: { readonly running: number; readonly allowed: number; readonly nodes?: number },
  { maxVoluntary, names }: Pick<GuardOptions, "maxVoluntary" | "names">,
): Refusal {
  const of = nodes === undefined ? "" : `, ${allowed} of ${nodes} nodes`;
  const set = `${names?.maxVoluntary ?? "MAX_VOLUNTARY"} is ${printableShare(maxVoluntary)}${of}`;
  const drains = running === 1 ? "1 voluntary drain runs" : `${running} voluntary drains run`;
  return {
    reason: "too-many-drains",
    message: `${drains} already (${set}). Nothing was deregistered. Check that this many drains are intended, and request it again when some have ended, or use force`,
    pools: [],
  };
}

/** `front / web in eu-west-1a: 1 healthy now, 0 would remain, 1 needed` */
export function guardedText({ pool, zone, healthyNow, wouldStay, needed }: GuardedPool): string {
  const name = pool.loadBalancer === undefined || pool.loadBalancer === pool.name ? "" : `${pool.loadBalancer} / `;
  const where = zone === undefined ? "" : ` in ${zone}`;
  return `${name}${pool.name}${where}: ${healthyNow} healthy now, ${wouldStay} would remain, ${needed} needed`;
}
