import type { Config } from "../config/config.ts";
import { newAbort } from "../drain/abort.ts";
import type { Call, SignalName, Streams } from "./call.ts";
import { EXIT } from "./exit-codes.ts";

const NAMES: readonly SignalName[] = ["SIGTERM", "SIGINT"];

/**
 * SIGTERM in two stages: the first one stops accepting requests. The second one, or the end of the grace period,
 * abandons drains.
 */
export function listenForShutdown(
  { shutdownGraceMs }: Pick<Config, "shutdownGraceMs">,
  { signals, clock }: Pick<Streams, "signals" | "clock">,
) {
  const stop = newAbort();
  const abandon = newAbort();
  const ended = newAbort();
  const onSignal = () => {
    if (stop.signal.aborted) return abandon.abort();
    stop.abort();
    clock.sleep(shutdownGraceMs, ended.signal).then(
      () => abandon.abort(),
      () => {}, // The drains ended before the grace did.
    );
  };
  for (const name of NAMES) signals.on(name, onSignal);
  const ignore = () => {
    ended.abort();
    for (const name of NAMES) signals.off(name, onSignal);
  };
  return { stop: stop.signal, abandon: abandon.signal, ignore };
}

/** Aborts at the first Ctrl-C, so that the end can report the state. The second one ends the run. */
export function interruptSignal({ streams: { signals }, endNow }: Pick<Call, "streams" | "endNow">): AbortSignal {
  const interrupted = newAbort();
  const onSignal = () => {
    if (interrupted.signal.aborted) endNow(EXIT.notDrained);
    interrupted.abort();
  };
  // It listens until the end: without a listener, the code that restores the terminal's cursor would end the program.
  for (const name of NAMES) signals.on(name, onSignal);
  return interrupted.signal;
}

/** Resolves at the first Ctrl-C or SIGTERM. A second one ends the program and its processes. */
export function nextInterrupt({ signals }: Pick<Streams, "signals">): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = () => {
      for (const name of NAMES) signals.off(name, onSignal);
      resolve();
    };
    for (const name of NAMES) signals.on(name, onSignal);
  });
}
