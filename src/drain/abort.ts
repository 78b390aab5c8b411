import { setMaxListeners } from "node:events";

/**
 * A controller whose signal any number of waits may share. Node warns of a likely leak if one signal has more than ten
 * listeners, and a node in hundreds of pools has hundreds.
 */
export function newAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** Ends a wait early. A constant reason costs nothing. Without one, each abort would record a stack. */
export const WOKEN = Symbol("woken");

/** What has to be done when a signal aborts. One listener does all of it. */
const toDo = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly listener: () => void }>();

/**
 * Calls `aborted` when `signal` aborts, unless the returned function is called before. It does nothing if the signal
 * has aborted already. The cost does not depend on how many wait for the signal. Node walks through all listeners of a
 * signal when one is added.
 */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  if (signal.aborted) return () => {};
  const known = toDo.get(signal) ?? listenTo(signal);
  // Two callers may pass the same function.
  const call = () => aborted();
  known.all.add(call);
  return () => {
    if (!known.all.delete(call) || known.all.size > 0) return;
    signal.removeEventListener("abort", known.listener);
    if (toDo.get(signal) === known) toDo.delete(signal);
  };
}

function listenTo(signal: AbortSignal) {
  const all = new Set<() => void>();
  const listener = () => {
    for (const call of all) call();
  };
  signal.addEventListener("abort", listener, { once: true });
  const known = { all, listener };
  toDo.set(signal, known);
  return known;
}

/**
 * Aborts as soon as one of the signals aborts. Any number of waits may share it. Use it for signals that end together
 * with the wait: Node 20 keeps a trace of each combined signal in those that live on. `withAnyOf` keeps none.
 */
export function anyOf(...signals: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...signals]);
  setMaxListeners(0, signal);
  return signal;
}

/**
 * Does `work` with a signal that aborts as soon as one of the signals aborts. Afterwards the signals keep no reference
 * to it.
 */
export async function withAnyOf<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const first = newAbort();
  const aborted = signals.find((signal) => signal.aborted);
  if (aborted !== undefined) first.abort(aborted.reason);
  const forget = aborted === undefined ? signals.map((one) => onAbort(one, () => first.abort(one.reason))) : [];
  try {
    return await work(first.signal);
  } finally {
    for (const each of forget) each();
  }
}

/** Rejects with the signal's reason when it aborts. It never resolves. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else onAbort(signal, () => reject(signal.reason));
  });
}
