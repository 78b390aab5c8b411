import type { Command } from "commander";
import { addOptions } from "../options.ts";

/** `isDefault`: it is what the program does when no verb is given. */
export function declareServe(program: Command, options: { readonly isDefault?: boolean } = {}): Command {
  return addOptions(
    program
      .command("serve", options)
      .summary("run the service: it drains nodes on request, and those that a queue announces")
      .description(
        "Runs the service: POST /drain takes a node out of its load balancers, and answers when traffic has ended.",
      ),
    "serve",
  );
}
