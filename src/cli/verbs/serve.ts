import type { Command } from "commander";
import type { Verb } from "../call.ts";
import { addOptions } from "../options.ts";

const declare = (program: Command, options: { readonly isDefault?: boolean } = {}) =>
  addOptions(
    program
      .command("serve", options)
      .summary("run the service: it drains nodes on request, and those that a queue announces")
      .description(
        "Runs the service: POST /drain takes a node out of its load balancers, and answers when traffic has ended.",
      ),
    "serve",
  );
const load = async () => (await import("../serve.ts")).runServe;

export const SERVE: Verb = { declare: (program) => declare(program), load };
/** What a program does when no verb is given. */
export const SERVE_BY_DEFAULT: Verb = { declare: (program) => declare(program, { isDefault: true }), load };
