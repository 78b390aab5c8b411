import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";

/** What Lambda says of an invocation, as far as it is used here. */
export interface LambdaContext {
  readonly getRemainingTimeInMillis: () => number;
  readonly awsRequestId?: string;
  readonly functionName?: string;
  readonly invokedFunctionArn?: string;
}

/** After its drains have ended an invocation still completes hooks and hands messages back. */
const SETTLE_MS = 10_000;
/** Of a short invocation, this part. */
const SETTLE_SHARE = 1 / 3;
/** Lambda ends the process at its limit: nothing may be under way then. */
const SPARE_MS = 500;

/** The two limits of one invocation. Whatever waits takes one of them. */
export interface InvocationTime {
  /** Aborts when drains have to end as they stand. */
  readonly drains: AbortSignal;
  /** Aborts when the answer has to be given. */
  readonly settling: AbortSignal;
}

/** Does `work` in the time that Lambda leaves, and leaves nothing behind: between invocations the process stands still. */
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
