import type { Command } from "commander";
import { addOptions, addServerOption, wordOf } from "../options.ts";
import { addOutputOptions } from "../output.ts";

/** The severities that a script can ask for: see `SEVERITIES` in `doctor/finding.ts`. */
const FAIL_ON = ["error", "warning", "notice"] as const;

export function declareDoctor(program: Command): Command {
  const command = program
    .command("doctor")
    .summary("find what would make drains lose requests; changes nothing")
    .description(
      "Audits load balancers, target groups, Auto Scaling groups and their hooks, the queue, permissions, and with --kubernetes the cluster. Says for each finding what it costs, what was read, and the command that mends it. Only reads.",
    )
    .option(
      "--fail-on <severity>",
      `least severity of a finding for exit code 3: ${FAIL_ON.join(", ")}`,
      wordOf("--fail-on", FAIL_ON),
      "error",
    );
  return addOptions(addOutputOptions(addServerOption(command)), "doctor").addHelpText(
    "after",
    [
      "",
      "Without --cluster-name, every load balancer of the region is audited, or of the",
      "VPC that --vpc-id names. Give the service's own --queue, --termination-hook and",
      "--kubernetes: what they name is audited too. 'policy --for doctor' and",
      "'rbac --for doctor' print the permissions that all of it needs.",
      "",
      "Exit codes: 0 nothing at or above --fail-on, 1 something could not be read, or no",
      "load balancer was found, 2 usage or configuration error, 3 findings at or above",
      "--fail-on.",
    ].join("\n"),
  );
}
