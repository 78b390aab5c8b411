import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";

/** The fields of Lambda's context that are used here. */
export interface LambdaContext {
  readonly getRemainingTimeInMillis: () => number;
  readonly awsRequestId?: string;
  readonly functionName?: string;
  readonly invokedFunctionArn?: string;
}

/** After its drains have ended, an invocation still completes hooks and returns messages. */
const SETTLE_MS = 10_000;
/** Of a short invocation, this share. */
const SETTLE_SHARE = 1 / 3;
/** Lambda ends the process at its limit. No call may be in progress then. */
const SPARE_MS = 500;

/** The two limits of one invocation. Everything that waits takes one of them. */
export interface InvocationTime {
  /** Aborts when drains have to end as they are. */
  readonly drains: AbortSignal;
  /** Aborts when the answer is due. */
  readonly settling: AbortSignal;
}

/**
 * Does `work` within the time that Lambda leaves. Nothing runs afterwards, because the process stands still between
 * invocations.
 */
export async function withinInvocation<T>(
  { getRemainingTimeInMillis }: LambdaContext,
  clock: Clock,
  work: (time: InvocationTime) => Promise<T>,
): Promise<T> {
  const remainingMs = getRemainingTimeInMillis();
  const settleMs = Math.min(SETTLE_MS, remainingMs * SETTLE_SHARE);
  const [done, drains, settling] = [newAbort(), newAbort(), newAbort()];
  const abortAfter = (ms: number, what: AbortController) =>
    clock.sleep(Math.max(0, ms), done.signal).then(
      () => what.abort(),
      () => {}, // The work was done first.
    );
  const timers = [abortAfter(remainingMs - settleMs, drains), abortAfter(remainingMs - SPARE_MS, settling)];
  try {
    return await work({ drains: drains.signal, settling: settling.signal });
  } finally {
    done.abort();
    await Promise.all(timers);
  }
}
