import type { Config } from "../config.ts";
import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";

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
