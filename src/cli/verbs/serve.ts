import type { Command } from "commander";
import { addOptions } from "../options.ts";

/** `isDefault`: the program runs it if no verb is given. */
export function declareServe(program: Command, options: { readonly isDefault?: boolean } = {}): Command {
  return addOptions(
    program
      .command("serve", options)
      .summary("run the service: drain nodes on HTTP requests and on events from a queue")
      .description(
        "Runs the service. POST /drain deregisters a node from its load balancers, and answers when traffic has stopped.",
      ),
    "serve",
  );
}
