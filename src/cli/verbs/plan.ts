import type { Command } from "commander";
import { addDeadlineOption, addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";

export function declarePlan(program: Command): Command {
  const command = program
    .command("plan")
    .summary("show what drain would do; changes nothing")
    .description(
      "Shows where a node is registered, what drain would do, how long it would hold, and what AWS will not let anybody save. Only reads. With --scope tag it marks the pools that a policy for the cluster's tag does not let anybody write.",
    );
  return addNodeArgument(addDeadlineOption(addServerOption(addOptions(command, "plan"))));
}
