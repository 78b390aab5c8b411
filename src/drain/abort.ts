import { setMaxListeners } from "node:events";

/**
 * A controller whose signal any number of waits may share. Node warns of more than ten listeners on one signal as a
 * likely leak; a node in hundreds of pools has hundreds.
 */
export function newAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** Ends a wait early. A reason of its own costs nothing; without one each abort would record a stack. */
export const WOKEN = Symbol("woken");

/**
 * Aborts as soon as one of them does. Any number of waits may share it. For signals that end together with the wait: of
 * those that live on, Node 20 keeps a trace of each signal that was made so; `withAnyOf` keeps none.
 */
export function anyOf(...signals: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...signals]);
  setMaxListeners(0, signal);
  return signal;
}

/** Does `work` with a signal that aborts as soon as one of them does. Afterwards they know nothing of it any more. */
export async function withAnyOf<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const first = newAbort();
  const onAbort = ({ target }: Event) => first.abort((target as AbortSignal).reason);
  const aborted = signals.find((signal) => signal.aborted);
  if (aborted !== undefined) first.abort(aborted.reason);
  else for (const signal of signals) signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await work(first.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", onAbort);
  }
}

/** Rejects with the signal's reason once it aborts; until then it is pending. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
