import type { Command } from "commander";
import { addJsonOption, addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";

export function declareHold(program: Command): Command {
  const command = program
    .command("hold")
    .summary("in a pod of a node: keep the pod until the service has drained the node")
    .description(
      "Runs in a pod of a DaemonSet on the node. When the pod is terminated (SIGTERM), keeps it running until the service has drained the node, so that Karpenter does not terminate the machine before. Ends at once if the node is not being drained. Requires --server.",
    );
  return addOptions(addJsonOption(addNodeArgument(addServerOption(command))), "hold").addHelpText(
    "after",
    [
      "",
      "The pod's terminationGracePeriodSeconds limits the wait. The pod must not tolerate",
      "the taint karpenter.sh/disrupted: docs/kubernetes.md has a DaemonSet.",
    ].join("\n"),
  );
}
