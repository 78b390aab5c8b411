interface Shift {
  readonly zone: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * The zonal shifts of one load balancer. Those that have ended are kept too, because clients use what DNS named before.
 * https://docs.aws.amazon.com/r53recovery/latest/dg/arc-zonal-shift.html
 */
export class ZonalShifts {
  #shifts: readonly Shift[] = [];

  /** Traffic is shifted away from the zone from then on. Default: it has been for long. */
  begin(zone: string, from = Number.NEGATIVE_INFINITY): void {
    this.#shifts = [...this.#shifts, { zone, from, until: Number.POSITIVE_INFINITY }];
  }

  /** Ends those that are active then. */
  end(at: number): void {
    this.#shifts = this.#shifts.map((shift) => (at < shift.until ? { ...shift, until: at } : shift));
  }

  /** The zones that traffic was shifted away from at a moment. */
  zonesAt(moment: number): ReadonlySet<string> {
    if (this.#shifts.length === 0) return NONE;
    const active = this.#shifts.filter(({ from, until }) => from <= moment && moment < until);
    return new Set(active.map(({ zone }) => zone));
  }
}
