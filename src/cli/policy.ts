import { type Partition, type PolicyDocument, policyFor } from "../aws/policy.ts";
import { type Config, ConfigError } from "../config/config.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom } from "./options.ts";
import type { PURPOSES } from "./verbs/policy.ts";

type Purpose = (typeof PURPOSES)[number];

const HEARING: readonly Purpose[] = ["serve", "lambda"];

export interface PolicyOptions {
  readonly for: Purpose;
  readonly partition?: Partition;
}

/** Prints the policy as JSON. */
export async function runPolicy(call: Call): Promise<number> {
  const policy = printedPolicy(configFrom(call, "policy"), call.options as unknown as PolicyOptions);
  call.streams.stdout.write(`${JSON.stringify(policy, null, 2)}\n`);
  return EXIT.done;
}

/** What the verb prints. Throws `ConfigError` where options contradict each other. */
export function printedPolicy(config: Config, options: PolicyOptions): PolicyDocument {
  const {
    discovery,
    policyScope: scope,
    undo,
    clusterName,
    region,
    queue,
    terminationHook,
    hookGroups,
    givenBy,
  } = config;
  const { for: purpose, partition } = options;
  try {
    return policyFor({
      writes: purpose !== "plan",
      // A function has no callers that could cancel.
      undo,
      lambda: purpose === "lambda",
      discovery,
      scope,
      names: givenBy,
      // The other verbs get their nodes from the command line.
      ...(queue === undefined || !HEARING.includes(purpose) ? {} : { queue }),
      ownHook: terminationHook !== undefined && purpose === "watch",
      ...(hookGroups === undefined ? {} : { hookGroups: hookGroups.split(",") }),
      ...(clusterName === undefined ? {} : { clusterName }),
      ...(region === undefined ? {} : { region }),
      ...(partition === undefined ? {} : { partition }),
    });
  } catch (error) {
    if (error instanceof RangeError) throw new ConfigError([error.message]);
    throw error;
  }
}
