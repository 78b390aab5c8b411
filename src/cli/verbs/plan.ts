import type { Command } from "commander";
import { addDeadlineOption, addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";
import { addOutputOptions } from "../output.ts";

export function declarePlan(program: Command): Command {
  const command = program
    .command("plan")
    .summary("show what drain would do; changes nothing")
    .description(
      "Shows the registrations of a node, what drain would do, how long it would hold, and which traffic AWS does not allow to save. Only reads. With --scope tag, marks the pools that the IAM policy does not allow to change.",
    );
  return addOptions(addOutputOptions(addNodeArgument(addDeadlineOption(addServerOption(command)))), "plan");
}
