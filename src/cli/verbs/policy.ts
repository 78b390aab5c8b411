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
      "Prints the least IAM policy that the given configuration needs, as JSON for `aws iam put-role-policy`. Asks AWS nothing.",
    );
  return addOptions(command, "policy")
    .option("--for <verb>", `what the policy is for: ${PURPOSES.join(", ")}; plan only reads`, readPurpose, "serve")
    .option(
      "--partition <name>",
      `the part of AWS where no region is given: ${PARTITIONS.join(", ")}. Default: ${PARTITIONS[0]}`,
      readPartition,
    )
    .addHelpText(
      "after",
      [
        "",
        "Without a region the policy is good for all of the partition's. AWS allows reads on everything or not at all, and",
        "can't narrow a policy to a VPC: --scope vpc, the default, lets drains deregister from any pool. With --scope tag a",
        "target group or classic load balancer must carry the cluster's tag itself: one on its load balancer does not count.",
        "With --undo drains can be cancelled too, which registers again what they have deregistered, in the same pools.",
        "--for watch with --termination-hook lets a node complete the hooks of Auto Scaling groups.",
        "--for lambda is for a function's role, which needs to write logs besides: with --queue for messages of that queue,",
        "which Lambda receives as the function, without for events that rules invoke it with.",
        "Give POLICY_SCOPE=tag to plan as well: it marks the pools that such a policy does not let anybody write.",
      ].join("\n"),
    );
}
