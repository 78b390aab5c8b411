import type { Config } from "../config/config.ts";
import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { EXIT } from "./exit-codes.ts";

/** SIGTERM in two stages: the first stops taking requests; the second, or the end of the grace, abandons drains. */
export function listenForShutdown({ shutdownGraceMs }: Pick<Config, "shutdownGraceMs">, clock: Clock) {
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
  const names = ["SIGTERM", "SIGINT"] as const;
  for (const name of names) process.on(name, onSignal);
  const ignore = () => {
    ended.abort();
    for (const name of names) process.off(name, onSignal);
  };
  return { stop: stop.signal, abandon: abandon.signal, ignore };
}

/** Aborts at the first Ctrl-C, so that the end can say how things stand. The second one ends the program. */
export function interruptSignal(): AbortSignal {
  const interrupted = newAbort();
  const onSignal = () => {
    if (interrupted.signal.aborted) process.exit(EXIT.notDrained);
    interrupted.abort();
  };
  // Listened to until the end: with nobody listening, what restores the terminal's cursor would end the program.
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
  return interrupted.signal;
}
