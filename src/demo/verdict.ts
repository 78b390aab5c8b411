import { type DemoRun, MEANT_PER_SECOND } from "./run.ts";

/**
 * The part of the requests meant to be sent that must be sent. Clients that send fewer wait for the processor: half of
 * their time and more, so that what they lose says more about this machine than about the way a node is taken away.
 */
const SENT_PART_MIN = 0.5;

/** What the demo has shown. `too-slow`: this machine sent too few requests, and the counts show nothing. */
export type Verdict = "shown" | "not-shown" | "too-slow";

/** Compares the first way, which is to lose requests, with the last, which is to lose none. */
export function verdictOn(runs: readonly Pick<DemoRun, "sentPerRealSecond" | "losses">[]): Verdict {
  if (slowest(runs) < MEANT_PER_SECOND * SENT_PART_MIN) return "too-slow";
  const [first, last] = [runs.at(0)?.losses.length ?? 0, runs.at(-1)?.losses.length ?? 0];
  return first > 0 && last === 0 ? "shown" : "not-shown";
}

/** For a person who reads the demo's output. */
export function tooSlowText(runs: readonly Pick<DemoRun, "sentPerRealSecond">[]): string {
  const rate = Math.round(slowest(runs));
  return (
    `This machine is too slow, or too busy, for the demo: its clients sent ${rate} requests a second of about ` +
    `${MEANT_PER_SECOND}. The counts above show nothing. Run it again when nothing else runs.`
  );
}

function slowest(runs: readonly Pick<DemoRun, "sentPerRealSecond">[]): number {
  return Math.min(...runs.map(({ sentPerRealSecond }) => sentPerRealSecond));
}
