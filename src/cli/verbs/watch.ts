import type { Command } from "commander";
import { addOptions, addServerOption } from "../options.ts";

export function declareWatch(program: Command): Command {
  const command = program
    .command("watch")
    .summary("on a node: drain it when its instance metadata says that it will go away")
    .description(
      "Runs on a node, and drains it when its own instance metadata says that it will go away: a spot interruption, scheduled maintenance, Auto Scaling's target state Terminated or Warmed. With its own credentials, or with --server through a service.",
    );
  return addServerOption(addOptions(command, "watch")).addHelpText(
    "after",
    [
      "",
      "Each notice is drained for once, and nobody can say no. Of scheduled maintenance the drain begins 65 minutes before.",
      "A drain that failed is tried again while the notice stands; one that is taken back registers nothing again.",
      "After the drain it stays and is quiet, so that a DaemonSet does not start it again: SIGTERM ends it, with code 0, and",
      "lets running drains go on for SHUTDOWN_GRACE. Pods need hostNetwork, or a hop limit of 2 for instance metadata.",
    ].join("\n"),
  );
}
