import type { Clock } from "../src/simulator/clock.ts";
import type { Departures } from "./departures.ts";
import type { BenchScenario } from "./scenarios.ts";
import type { Tally } from "./tally.ts";
import type { Wire } from "./wire.ts";

/** The share of AWS's quota that a client with a limiter of its own takes. */
export const QUOTA_SHARE = 0.8;

/** What a client works in, and where it reports. */
export interface Scene {
  readonly scenario: BenchScenario;
  readonly clock: Clock;
  readonly wire: Wire;
  readonly tally: Tally;
  readonly departures: Departures;
  /** Where every node is registered is known before it is asked for. */
  readonly isWarm: boolean;
  /** Aborts when the row is given up. Nothing waits beyond it. */
  readonly signal: AbortSignal;
}

export interface Client {
  /** For clients that can learn beforehand where nodes are: resolves when they know. */
  warm?(): Promise<void>;

  /**
   * Drains nodes that are asked for at the same moment, and reports the end of each drain to `departures`. Resolves
   * when all have ended, however they end.
   */
  drain(nodes: readonly string[]): Promise<void>;
}
