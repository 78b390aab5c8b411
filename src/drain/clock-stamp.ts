/**
 * What two other clocks showed when an entry was made. With them a later process knows how much time has passed since,
 * whatever its own clock and that of the earlier process are set to.
 */
export interface ClockStamp {
  /** Identifies the boot of the machine, or the process if the operating system does not name its boots. */
  readonly boot: string;
  /** Time since that boot by a clock that can't be set, in milliseconds. */
  readonly up: number;
  /** How far the cloud's clock was ahead of the process's, in milliseconds. Absent: not known yet. */
  readonly cloud?: number;
}

/** An entry, or now: `at` by the clock of its process, in milliseconds since the epoch. */
export interface Stamped {
  readonly at: number;
  readonly clock?: ClockStamp;
}

/** The clocks of this process, for the stamps of its entries. */
export interface StampClocks {
  readonly boot: string;
  /** The time of that boot by this process's clock, in milliseconds since the epoch. */
  readonly bootedAt: () => number;
  /** How far the cloud's clock is ahead, in milliseconds. Undefined: not known yet. */
  readonly cloudAheadMs: () => number | undefined;
}

/** The evidence for the time between two entries. */
export type ElapsedBasis = "boot" | "cloud" | "own";

export interface Elapsed {
  readonly ms: number;
  readonly basis: ElapsedBasis;
}

const DAY_MS = 86_400_000;

export function stampAt(at: number, { boot, bootedAt, cloudAheadMs }: StampClocks): ClockStamp {
  const cloud = cloudAheadMs();
  return { boot, up: Math.round(at - bootedAt()), ...(cloud !== undefined && { cloud: Math.round(cloud) }) };
}

/** When an entry was written, without the rest of it. */
export function stampedAt({ at, clock }: Stamped): Stamped {
  return clock === undefined ? { at } : { at, clock };
}

/**
 * How much time has passed between two entries, of one process or of two. Undefined: both have stamps that can't be
 * compared. Entries of versions without stamps have only their own times.
 *
 * The machine's own count decides, because it is exact. The exception is a difference of a day from the cloud's clock:
 * a machine that was suspended, or restored from a snapshot, has not counted that time.
 */
export function elapsedBetween(earlier: Stamped, later: Stamped): Elapsed | undefined {
  const [one, other] = [sound(earlier.clock), sound(later.clock)];
  if (one === undefined || other === undefined) return { ms: later.at - earlier.at, basis: "own" };
  const byBoot = one.boot === other.boot ? other.up - one.up : undefined;
  const byCloud =
    one.cloud !== undefined && other.cloud !== undefined
      ? later.at + other.cloud - (earlier.at + one.cloud)
      : undefined;
  if (byBoot !== undefined && !(byCloud !== undefined && Math.abs(byCloud - byBoot) >= DAY_MS))
    return { ms: byBoot, basis: "boot" };
  return byCloud === undefined ? undefined : { ms: byCloud, basis: "cloud" };
}

/** A stamp from the file. An invalid stamp is ignored. */
function sound(stamp: ClockStamp | undefined): ClockStamp | undefined {
  if (typeof stamp !== "object" || stamp === null) return undefined;
  const { boot, up, cloud } = stamp;
  if (typeof boot !== "string" || !Number.isFinite(up)) return undefined;
  return { boot, up, ...(cloud !== undefined && Number.isFinite(cloud) && { cloud }) };
}
