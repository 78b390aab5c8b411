import { newAbort, WOKEN, withAnyOf } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { DrainLimit } from "./plan.ts";

/** Why a drain's signal aborted: its time was up. */
export class LimitPassed {
  readonly limit: DrainLimit;

  constructor(limit: DrainLimit) {
    this.limit = limit;
  }
}

/** Does `work` until `limit`, when its signal aborts with `LimitPassed` and so, at the latest, does the promise. */
export async function withLimit<T>(
  {
    clock,
    limit,
    signal,
  }: { readonly clock: Clock; readonly limit: DrainLimit | undefined; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (limit === undefined) return work(signal);
  const done = newAbort();
  const passed = newAbort();
  const timer = clock.sleep(limit.at - clock.now(), done.signal).then(
    () => {
      const reason = new LimitPassed(limit);
      passed.abort(reason);
      throw reason;
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([withAnyOf([signal, passed.signal], work), timer]);
  } finally {
    done.abort(WOKEN);
  }
}
