interface Shift {
  readonly zone: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * The zonal shifts of one load balancer. Ended shifts are kept, because clients still use earlier answers of DNS.
 * https://docs.aws.amazon.com/r53recovery/latest/dg/arc-zonal-shift.html
 */
export class ZonalShifts {
  #shifts: readonly Shift[] = [];

  /** Shifts traffic away from the zone, beginning at `from`. Default: since long ago. */
  begin(zone: string, from = Number.NEGATIVE_INFINITY): void {
    this.#shifts = [...this.#shifts, { zone, from, until: Number.POSITIVE_INFINITY }];
  }

  /** Ends the shifts that are active at this time. */
  end(at: number): void {
    this.#shifts = this.#shifts.map((shift) => (at < shift.until ? { ...shift, until: at } : shift));
  }

  /** The zones that traffic is shifted away from at a moment. */
  zonesAt(moment: number): ReadonlySet<string> {
    if (this.#shifts.length === 0) return NONE;
    const active = this.#shifts.filter(({ from, until }) => from <= moment && moment < until);
    return new Set(active.map(({ zone }) => zone));
  }
}
