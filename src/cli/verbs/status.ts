import type { Verb } from "../call.ts";
import { addNodeArgument } from "../node-argument.ts";
import { addOptions } from "../options.ts";
import { addServerOption } from "../server-option.ts";

export const STATUS: Verb = {
  declare: (program) => {
    const command = program
      .command("status")
      .summary("show where a node is registered now; changes nothing")
      .description(
        "Shows where a node is registered now; with --server, also the drain that runs for it, and how it fares. Only reads.",
      );
    return addNodeArgument(addServerOption(addOptions(command, "status")));
  },
  load: async () => (await import("../status.ts")).runStatus,
};
