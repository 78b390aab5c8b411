import type { Command } from "commander";
import { addOptions, addServerOption } from "../options.ts";

export function declareWatch(program: Command): Command {
  const command = program
    .command("watch")
    .summary("on a node: drain it when its instance metadata announces its termination")
    .description(
      "Runs on a node, and drains it when its own instance metadata announces its termination: a spot interruption, scheduled maintenance, or the Auto Scaling target state Terminated or Warmed. Uses its own credentials, or a service with --server.",
    );
  return addOptions(addServerOption(command), "watch").addHelpText(
    "after",
    [
      "",
      "Each notice starts one drain, which is never refused. For scheduled",
      "maintenance it starts 65 minutes before. A failed drain is retried while the",
      "notice exists. If the notice disappears, targets stay deregistered. After the",
      "drain, watch keeps running, so that a DaemonSet does not restart it. SIGTERM",
      "ends it with code 0; running drains continue for SHUTDOWN_GRACE. Pods need",
      "hostNetwork, or a metadata hop limit of 2.",
    ].join("\n"),
  );
}
