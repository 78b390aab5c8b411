import type { Command } from "commander";
import { PARTITIONS } from "../../aws/policy.ts";
import { addOptions, wordOf } from "../options.ts";

export const PURPOSES = ["serve", "drain", "plan", "watch", "lambda"] as const;
const readPurpose = wordOf("--for", PURPOSES);
const readPartition = wordOf("--partition", PARTITIONS);

export function declarePolicy(program: Command): Command {
  const command = program
    .command("policy")
    .summary("print the IAM policy that the program needs")
    .description(
      "Prints the minimal IAM policy for the given configuration, as JSON for `aws iam put-role-policy`. Does not call AWS.",
    );
  command
    .option("--for <verb>", `use of the policy: ${PURPOSES.join(", ")}; plan only reads`, readPurpose, "serve")
    .option(
      "--partition <name>",
      `AWS partition if no region is given: ${PARTITIONS.join(", ")}. Default: ${PARTITIONS[0]}`,
      readPartition,
    );
  return addOptions(command, "policy").addHelpText(
    "after",
    [
      "",
      "Without a region, the policy covers all regions of the partition. AWS can't",
      "limit read actions to resources, and can't limit a policy to a VPC: with",
      "--scope vpc, the default, drains may deregister from any target group or",
      "classic load balancer. With --scope tag, each of them must carry the tag of",
      "the cluster itself; a tag on its load balancer is not enough.",
      "",
      "Without --hook-groups, the policy allows to complete the lifecycle hooks of",
      "every Auto Scaling group of the account.",
      "",
      "--undo adds the permissions to cancel drains. --for watch with",
      "--termination-hook adds those to complete lifecycle hooks. --for lambda is for",
      "the role of a function and includes its logs: with --queue for messages of",
      "that queue, without --queue for events from EventBridge rules. Set",
      "POLICY_SCOPE=tag for plan too: it then marks the pools that the policy does",
      "not allow to change.",
    ].join("\n"),
  );
}
