/** What a process holds at one moment when nothing is under way. */
export interface Sample {
  /** Since the soak began: virtual time where that is what passes. */
  readonly atSeconds: number;
  /** By the measure's name. */
  readonly values: Readonly<Record<string, number>>;
}
