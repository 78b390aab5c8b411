import type { Command } from "commander";
import { addJsonOption, addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";
import { addFromOption } from "./cancel.ts";

export function declareUncordon(program: Command): Command {
  const command = program
    .command("uncordon")
    .summary("put a node back into service: undo its drains, and make it schedulable")
    .description(
      "Undoes 'drain': does what 'cancel' of the node does, and makes the node schedulable, whichever program has cordoned it, as 'kubectl uncordon' does. Safe to repeat. Without --server it requires KUBERNETES for that; pods that were evicted do not return.",
    );
  return addOptions(addFromOption(addJsonOption(addNodeArgument(addServerOption(command)))), "uncordon");
}
