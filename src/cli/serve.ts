import type { Command } from "commander";
import type { Config } from "../config.ts";
import { newAbort } from "../drain/abort.ts";
import { type Clock, SystemClock } from "../drain/clock.ts";
import { createLog } from "../observe/service-log.ts";
import { runService } from "../service.ts";
import { addOptions, configFrom } from "./options.ts";
import { VERSION } from "./version.ts";

/** `isDefault`: it is what the program does when no verb is given. */
export function addServeCommand(program: Command, options: { readonly isDefault?: boolean } = {}): void {
  const command = program
    .command("serve", options)
    .summary("run the service that drains nodes on request")
    .description(
      "Runs the service: POST /drain takes a node out of its load balancers, and answers when traffic has ended.",
    );
  addOptions(command, "serve").action(async () => {
    const config = configFrom(command, "serve");
    const shutdown = listenForShutdown(config, new SystemClock());
    try {
      const { stop, abandon } = shutdown;
      await runService(config, { version: VERSION, log: createLog(config.logLevel), stop, abandon });
    } finally {
      shutdown.ignore();
    }
  });
}

/** SIGTERM in two stages: the first stops taking requests; the second, or the end of the grace, abandons drains. */
function listenForShutdown({ shutdownGraceMs }: Config, clock: Clock) {
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
