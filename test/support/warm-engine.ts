import { onTestFinished } from "vitest";
import type { Engine } from "../../src/app/engine.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { Ledger } from "../../src/drain/ledger.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { never, type SimulatedRegion } from "./simulated-region.ts";

export interface KeptEngine extends Engine {
  readonly events: readonly DrainEvent[];
  /** Asks without letting time pass. */
  readonly ask: (node: { readonly id: string }, more?: AskOptions) => Promise<DrainOutcome>;
  /** Ends the index. Resolves when it has. */
  readonly stop: () => Promise<void>;
}

interface AskOptions {
  readonly deadlineSeconds?: number;
  readonly signal?: AbortSignal;
}

/** An engine whose index runs until the test ends. */
export function keptEngine(
  region: SimulatedRegion,
  options: Readonly<Record<string, string>> = {},
  ledger?: Ledger,
): KeptEngine {
  const events: DrainEvent[] = [];
  const engine = region.wholeEngine(options, events, () => {}, ledger);
  const stopping = newAbort();
  const kept = engine.maintainIndex(stopping.signal);
  const stop = () => {
    stopping.abort();
    return kept;
  };
  onTestFinished(stop);
  const ask: KeptEngine["ask"] = ({ id }, { deadlineSeconds, signal = never } = {}) =>
    engine.drainer.drain(
      {
        node: { by: "id", value: id },
        dryRun: false,
        ...(deadlineSeconds === undefined ? {} : { deadline: region.clock.now() + deadlineSeconds * 1_000 }),
      },
      signal,
    );
  return { ...engine, events, ask, stop };
}

/** The same, when the index has read everything, between two of its calls. */
export async function warmEngine(
  region: SimulatedRegion,
  options: Readonly<Record<string, string>> = {},
  ledger?: Ledger,
): Promise<KeptEngine> {
  const engine = keptEngine(region, options, ledger);
  const pools = region.world.targetGroups.size + region.world.classics.size;
  await region.clock.advance((2 * pools + 2) * 1_000 + 500);
  return engine;
}
