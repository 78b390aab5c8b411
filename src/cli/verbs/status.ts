import type { Command } from "commander";
import { addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";
import { addOutputOptions } from "../output.ts";

export function declareStatus(program: Command): Command {
  const command = program
    .command("status")
    .summary("show the registrations of a node; changes nothing")
    .description("Shows the current registrations of a node. With --server, also shows its running drain. Only reads.");
  return addOptions(addOutputOptions(addNodeArgument(addServerOption(command))), "status");
}
