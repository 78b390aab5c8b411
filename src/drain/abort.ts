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

/** What is to be done when a signal aborts: one listener does all of it. */
const toDo = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly listener: () => void }>();

/**
 * Calls `aborted` once `signal` aborts, unless the returned function is called before. Nothing is called of a signal that
 * has aborted already. Costs the same however many wait for the signal, where a listener of its own would walk through
 * all others when it is added.
 */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  if (signal.aborted) return () => {};
  const known = toDo.get(signal) ?? listenTo(signal);
  // Two may hand over the same function.
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
  const aborted = signals.find((signal) => signal.aborted);
  if (aborted !== undefined) first.abort(aborted.reason);
  const forget = aborted === undefined ? signals.map((one) => onAbort(one, () => first.abort(one.reason))) : [];
  try {
    return await work(first.signal);
  } finally {
    for (const each of forget) each();
  }
}

/** Rejects with the signal's reason once it aborts; until then it is pending. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else onAbort(signal, () => reject(signal.reason));
  });
}
