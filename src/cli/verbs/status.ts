import type { Command } from "commander";
import { addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";

export function declareStatus(program: Command): Command {
  const command = program
    .command("status")
    .summary("show where a node is registered now; changes nothing")
    .description(
      "Shows where a node is registered now; with --server, also the drain that runs for it, and how it fares. Only reads.",
    );
  return addNodeArgument(addServerOption(addOptions(command, "status")));
}
