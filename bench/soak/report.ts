import { courses } from "./growth.ts";
import type { Sample } from "./sample.ts";

/** What one part of the soak has shown. */
export interface Part {
  readonly name: string;
  /** Of what: `48 h of virtual time`. */
  readonly lasted: string;
  readonly realSeconds: number;
  /** What was done, by name. */
  readonly done: Readonly<Record<string, number>>;
  /** What must not have happened, in sentences. */
  readonly faults: readonly string[];
  readonly samples: readonly Sample[];
}

/** Whether anything grows, or has gone wrong. */
export function hasFailed({ samples, faults }: Part): boolean {
  return faults.length > 0 || courses(samples).some(({ grows }) => grows);
}

/** As people read it. */
export function textOf(part: Part): string {
  const { name, lasted, realSeconds, done, faults, samples } = part;
  const head = `${name}: ${lasted}, ${samples.length} samples, ${realSeconds.toFixed(0)} s of real time`;
  const did = Object.entries(done).map(([what, count]) => `  ${what}: ${count}`);
  const rows = courses(samples).map(({ measure, thirds, grows }) => {
    const [first, second, last] = thirds.map((value) => shown(measure, value).padStart(9));
    return `  ${measure.padEnd(14)}${first}${second}${last}   ${grows ? "GROWS" : "flat"}`;
  });
  const columns = `  ${"median of".padEnd(14)}${["1st third", "2nd third", "last third"].map((text) => text.slice(0, 9).padStart(9)).join("")}`;
  return [head, ...did, columns, ...rows, ...faults.map((fault) => `  FAULT: ${fault}`)].join("\n");
}

/** As programs read it. */
export function jsonOf(part: Part) {
  return { ...part, courses: courses(part.samples), failed: hasFailed(part) };
}

function shown(measure: string, value: number): string {
  return measure.endsWith("MiB") || measure.endsWith("Ms") ? value.toFixed(1) : String(value);
}
