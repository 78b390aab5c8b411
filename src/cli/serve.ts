import type { Command } from "commander";
import { runService } from "../app/service.ts";
import { SystemClock } from "../drain/clock.ts";
import { createLog } from "../observe/service-log.ts";
import { addOptions, configFrom } from "./options.ts";
import { listenForShutdown } from "./shutdown.ts";
import { VERSION } from "./version.ts";

/** `isDefault`: it is what the program does when no verb is given. */
export function addServeCommand(program: Command, options: { readonly isDefault?: boolean } = {}): void {
  const command = program
    .command("serve", options)
    .summary("run the service: it drains nodes on request, and those that a queue announces")
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
