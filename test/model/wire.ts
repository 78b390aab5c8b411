import { newAbort } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";
import type { CallFor } from "../../src/drain/cloud-provider.ts";
import type { CallLog, Method } from "./call-log.ts";
import type { Faults } from "./faults.ts";
import type { WorldPool } from "./world.ts";

const GIVEN_UP_AFTER_MS = 30_000;
const NEVER = newAbort().signal;

export interface WireOptions {
  readonly faults: Faults;
  readonly calls: CallLog;
  /** Of the process that calls. */
  readonly clock: Clock;
  /** What is on its way arrives, whoever dies meanwhile. */
  readonly worldClock: Clock;
  readonly nextLatencyMs: () => number;
  /** Aborts when the process dies. */
  readonly dead: AbortSignal;
}

/** Between one process and the cloud: how long calls take, and how they fail. */
export class Wire {
  readonly #options: WireOptions;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Resolves when the call may be made. */
  async permit(signal: AbortSignal): Promise<void> {
    const { clock, calls, nextLatencyMs, dead } = this.#options;
    if (dead.aborted || calls.isLoop) return pending();
    signal.throwIfAborted();
    const waitMs = nextLatencyMs();
    if (waitMs > 0) await clock.sleep(waitMs, signal);
  }

  /** Resolves with what `effect` says when the call has reached the cloud and come back. */
  async send<T>(
    call: { readonly method: Method; readonly pool: WorldPool | undefined; readonly by: CallFor },
    effect: (now: number) => T,
  ): Promise<T> {
    const { faults, clock, worldClock, nextLatencyMs, dead } = this.#options;
    const { method, by } = call;
    const { fault, error } = faults.of(method, clock.now()) ?? {};
    if (fault === "hanging") await clock.sleep(GIVEN_UP_AFTER_MS, by.signal);
    const [thereMs, backMs] = [nextLatencyMs(), nextLatencyMs()];
    const isActedOn = error === undefined || fault === "lost";
    const act = () => (isActedOn ? effect(worldClock.now()) : undefined);
    const answer = thereMs === 0 ? act() : await unlessAborted(worldClock.sleep(thereMs, NEVER).then(act), by.signal);
    if (backMs > 0) await clock.sleep(backMs, by.signal);
    if (dead.aborted) return pending();
    by.signal.throwIfAborted();
    if (error === undefined) return answer as T;
    by.repeats?.(error);
    throw error;
  }
}

/** What is on its way goes on; whoever waits for it may leave. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

function pending<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
