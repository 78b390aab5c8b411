import { createEngine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import type { Drainer } from "../../src/drain/drainer.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { Ledger, LedgerEntry } from "../../src/drain/ledger.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { resumedTogether } from "../../src/drain/past.ts";
import { cutOff } from "./cut-off-ledger.ts";
import { never, type SimulatedRegion } from "./simulated-region.ts";

/** One process on a ledger that outlives it. */
export interface Life {
  readonly drainer: Drainer;
  readonly events: readonly DrainEvent[];
  /** Asks without letting time pass. */
  ask(id: string, more?: { readonly timeoutMs?: number; readonly deadline?: number }): Promise<DrainOutcome>;
  /** From now on nothing that it does reaches AWS or the ledger, and nothing reaches it. */
  die(): void;
  readonly isDead: boolean;
  /** Takes up what is left. Resolves when that has ended. */
  takeUp(): Promise<void>;
}

export interface LifeOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Hears of each entry once the ledger has it. */
  readonly onEntry?: (entry: LedgerEntry) => void;
  /** Before a call to AWS has reached it, and when its answer is there. */
  readonly onCall?: (action: string, when: "before" | "after") => void;
}

/** What the SDK hands calls to. */
interface RequestHandler {
  handle(request: { readonly body: string }, more: unknown): Promise<unknown>;
}

const pending = <T>() => new Promise<T>(() => {});

/** A process that ends when a test says so: the engine on a region on virtual time. */
export function live(region: SimulatedRegion, ledger: Ledger, options: LifeOptions = {}): Life {
  const events: DrainEvent[] = [];
  const dead = newAbort();
  const { requestHandler, ...aws } = region.aws();
  const toRegion: RequestHandler = requestHandler;
  const handle: RequestHandler["handle"] = async (request, more) => {
    const action = new URLSearchParams(request.body).get("Action") ?? "";
    options.onCall?.(action, "before");
    if (dead.signal.aborted) return pending();
    const answer = await toRegion.handle(request, more);
    options.onCall?.(action, "after");
    return dead.signal.aborted ? pending() : answer;
  };
  const service = { CLOUDPROVIDER: "aws", SECRET: "s", AWS_REGION: region.world.region };
  // One node is often all there is.
  const environment = { ...service, QUOTA_SHARE: "100", MIN_HEALTHY: "0" };
  const { drainer } = createEngine(
    readConfig({ verb: "serve", environment: { ...environment, ...options.environment } }),
    {
      clock: region.clock,
      aws: { ...aws, requestHandler: { ...toRegion, handle } as never },
      observers: [(event) => dead.signal.aborted || events.push(event)],
      ledger: cutOff(ledger, dead.signal, options.onEntry),
    },
  );
  return {
    drainer,
    events,
    ask: (id, more = {}) => drainer.drain({ node: { by: "id", value: id }, dryRun: false, ...more }, never),
    die: () => dead.abort(),
    get isDead() {
      return dead.signal.aborted;
    },
    async takeUp() {
      const left = (await ledger.unfinished(never)).map(drainRecord).filter((record) => record !== undefined);
      const together = resumedTogether(left, region.clock.now());
      await Promise.all(together.map(([record, ...others]) => drainer.resume(record, never, others)));
    },
  };
}
