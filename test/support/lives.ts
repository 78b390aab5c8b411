import { createEngine } from "../../src/app/engine.ts";
import { AwsTime } from "../../src/aws/aws-time.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import type { Drainer } from "../../src/drain/drainer.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { Ledger, LedgerEntry } from "../../src/drain/ledger.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { resumedTogether } from "../../src/drain/past.ts";
import { type ClockDifference, StampedLedger } from "../../src/drain/stamped-ledger.ts";
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
  /** How much the clock of the process is ahead of AWS's, in milliseconds. */
  readonly aheadMs?: number;
  /** Which boot of which machine it runs in, if not in the same as the others. */
  readonly boot?: string;
  /** AWS's answers do not say when they were made. */
  readonly isWithoutDates?: boolean;
  readonly onDifference?: (difference: ClockDifference) => void;
  /** Hears of each entry once the ledger has it. */
  readonly onEntry?: (entry: LedgerEntry) => void;
  /** Before a call to AWS has reached it, and when its answer is there. */
  readonly onCall?: (action: string, when: "before" | "after") => void;
}

/** What the SDK hands calls to. */
interface RequestHandler {
  handle(request: { readonly body: string }, more: unknown): Promise<{ response: { headers: Record<string, string> } }>;
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
    if (options.isWithoutDates === true) delete answer.response.headers["date"];
    options.onCall?.(action, "after");
    return dead.signal.aborted ? pending() : answer;
  };
  const { aheadMs = 0, boot = "the same boot", onDifference } = options;
  const clock = {
    now: () => region.clock.now() + aheadMs,
    sleep: (ms: number, signal: AbortSignal) => region.clock.sleep(ms, signal),
    turn: () => region.clock.turn(),
  };
  const time = new AwsTime(clock);
  const bootedAt = region.clock.now() - region.clock.elapsedMs + aheadMs;
  const clocks = { boot, bootedAt: () => bootedAt, cloudAheadMs: () => time.aheadMs };
  const own = new StampedLedger(cutOff(ledger, dead.signal, options.onEntry), {
    clock,
    clocks,
    ...(onDifference && { onDifference }),
  });
  const service = { CLOUDPROVIDER: "aws", SECRET: "s", AWS_REGION: region.world.region };
  // One node is often all there is.
  const environment = { ...service, QUOTA_SHARE: "100", MIN_HEALTHY: "0" };
  const { drainer, isRunning } = createEngine(
    readConfig({ verb: "serve", environment: { ...environment, ...options.environment } }),
    {
      clock,
      time,
      aws: { ...aws, requestHandler: { ...toRegion, handle } as never },
      observers: [(event) => dead.signal.aborted || events.push(event)],
      ledger: own,
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
      const unclear = await own.needsCloudTime(never);
      if (unclear !== undefined) await isRunning(unclear, never);
      const left = (await own.unfinished(never)).map(drainRecord).filter((record) => record !== undefined);
      const together = resumedTogether(left, region.clock.now());
      await Promise.all(together.map(([record, ...others]) => drainer.resume(record, never, others)));
    },
  };
}
