import type { Command } from "commander";
import { addJsonOption, checkDrainOrNode, NODE_TEXT } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";

export function declareCancel(program: Command): Command {
  const command = program
    .command("cancel")
    .summary("undo the drains of a node: register its targets again")
    .description(
      "Registers exactly the targets that a drain has deregistered, and waits until AWS lists them. Removes the exclusion label and the cordon of the drain. With --server: drains of the service, which are stopped if they still run. Without: drains that this user has run on this machine. An IP target of an ALB can be registered only after its deregistration delay.",
    );
  addFromOption(addJsonOption(addServerOption(command))).argument(
    "[drain-or-node]",
    `id of a drain, such as d-0123456789; or ${NODE_TEXT}, for all its drains that were not undone`,
    checkDrainOrNode,
  );
  return addOptions(command, "cancel");
}

export function addFromOption(command: Command): Command {
  return command.option("--from <file>", "file with the output of 'drain --json'; - reads stdin");
}
