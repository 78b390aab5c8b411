import type { PolicyDocument } from "../../src/aws/policy.ts";
import { type PolicyOptions, printedPolicy } from "../../src/cli/policy.ts";
import { readConfig } from "../../src/config/config.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";

type Environment = Readonly<Record<string, string>>;

/** What `policy` prints for a configuration, given by the options' variables. */
export function printedFor(environment: Environment, options: PolicyOptions = { for: "drain" }): PolicyDocument {
  return printedPolicy(readConfig({ verb: "policy", environment }), options);
}

/** The access key that child processes sign with may do what the printed policy allows, and nothing else. */
export function restrictChildren(simulator: Simulator, environment: Environment = {}, options?: PolicyOptions): void {
  const document = printedFor({ AWS_REGION: simulator.world.region, ...environment }, options);
  simulator.access.restrict({ accessKeyId: CHILD_ACCESS_KEY_ID, document });
}

export const CHILD_ACCESS_KEY_ID = "simulated";
