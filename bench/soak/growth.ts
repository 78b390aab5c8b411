import type { Sample } from "./sample.ts";

/** How one measure went. `grows`: more at the end than can be chance. */
export interface Course {
  readonly measure: string;
  /** Medians of the thirds. The first one is for warming up. */
  readonly thirds: readonly [first: number, second: number, last: number];
  readonly grows: boolean;
}

/** Memory is never quite the same: so much more in the last third than in the second is growth. */
const HEAP_SHARE_MAX = 0.05;
const THIRDS = 3;

/** Memory grows by its medians; of what is counted the last third's median must not be above all of the second third. */
export function courses(samples: readonly Sample[]): readonly Course[] {
  const measures = Object.keys(samples[0]?.values ?? {});
  return measures.map((measure) => courseOf(measure, samples));
}

function courseOf(measure: string, samples: readonly Sample[]): Course {
  const values = samples.map((sample) => sample.values[measure] ?? Number.NaN);
  const size = Math.floor(values.length / THIRDS);
  if (size === 0) throw new Error(`${values.length} samples tell nothing: three at least are needed`);
  // What does not divide belongs to warming up.
  const [second, last] = [values.slice(-2 * size, -size), values.slice(-size)];
  const thirds = [median(values.slice(0, -2 * size)), median(second), median(last)] as const;
  // How long the event loop stalls depends on what else the machine is at: it is told, and not judged.
  if (measure.endsWith("Ms")) return { measure, thirds, grows: false };
  const allowed = measure.startsWith("heap") ? thirds[1] * (1 + HEAP_SHARE_MAX) : Math.max(...second);
  return { measure, thirds, grows: !(thirds[2] <= allowed) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
