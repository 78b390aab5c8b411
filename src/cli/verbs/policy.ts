import type { Command } from "commander";
import { PARTITIONS } from "../../aws/policy.ts";
import { matching } from "../../config/values.ts";
import { addOptions, kindOf, wordOf } from "../options.ts";

export const PURPOSES = ["serve", "drain", "plan", "watch", "lambda", "doctor"] as const;
const readPurpose = wordOf("--for", PURPOSES);
const readPartition = wordOf("--partition", PARTITIONS);

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/;
const PRINCIPAL = /^arn:aws[a-z-]*:iam::\d{12}:(?:root|(?:role|user)\/[\w+=,.@/-]+)$/;
const readRole = kindOf("--role", matching(ROLE, "the ARN of a role, such as arn:aws:iam::444455556666:role/drainer"));
const readPrincipal = kindOf(
  "--trust",
  matching(PRINCIPAL, "the ARN of a role or user, such as arn:aws:iam::111122223333:role/hasta-la-vista"),
);

export function declarePolicy(program: Command): Command {
  const command = program
    .command("policy")
    .summary("print the IAM policy that the program needs")
    .description(
      "Prints the minimal IAM policy for the given configuration, as JSON for `aws iam put-role-policy`. Does not call AWS.",
    );
  command
    .option(
      "--for <verb>",
      `use of the policy: ${PURPOSES.join(", ")}; plan and doctor only read`,
      readPurpose,
      "serve",
    )
    .option("--doctor", "also allow what 'doctor' reads, so that the service answers GET /doctor in full")
    .option(
      "--partition <name>",
      `AWS partition if no region is given: ${PARTITIONS.join(", ")}. Default: ${PARTITIONS[0]}`,
      readPartition,
    );
  command
    .option("--role <arn>", "role of AWS_PLACES that the policy is for. Default: the program's own role", readRole)
    .option(
      "--trust <arn>",
      "print the trust policy of --role instead, for this role or user, which is the program's own",
      readPrincipal,
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
      "With --aws-places, the policy of the program's own role also allows to assume",
      "the other roles. Print the policy of each with --role, and its trust policy",
      "with --role and --trust.",
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
