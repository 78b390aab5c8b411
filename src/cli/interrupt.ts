import { newAbort } from "../drain/abort.ts";
import { EXIT } from "./exit-codes.ts";

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
