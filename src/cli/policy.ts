import type { AwsPlace } from "../aws/places.ts";
import {
  joinedPolicies,
  type Partition,
  type PolicyDocument,
  policyFor,
  type TrustDocument,
  trustPolicyFor,
} from "../aws/policy.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { printable } from "../drain/errors.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom } from "./options.ts";
import type { PURPOSES } from "./verbs/policy.ts";

type Purpose = (typeof PURPOSES)[number];

const HEARING: readonly Purpose[] = ["serve", "lambda", "doctor"];
const READING: readonly Purpose[] = ["plan", "doctor"];

export interface PolicyOptions {
  readonly for: Purpose;
  readonly partition?: Partition;
  /** Whether the service also answers `GET /doctor` completely. */
  readonly doctor?: true;
  /** A role of AWS_PLACES that the policy is for. Absent: it is for the program itself. */
  readonly role?: string;
  /** The trust policy of `role` is printed, which lets this role or user assume it. */
  readonly trust?: string;
}

/** Prints the policy as JSON. */
export async function runPolicy(call: Call): Promise<number> {
  const config = configFrom(call, "policy");
  const options = call.options as unknown as PolicyOptions;
  const policy = options.trust === undefined ? printedPolicy(config, options) : printedTrust(config, options);
  call.streams.stdout.write(`${JSON.stringify(policy, null, 2)}\n`);
  return EXIT.done;
}

/** The output of the verb. Throws `ConfigError` if options contradict each other. */
export function printedPolicy(config: Config, options: PolicyOptions): PolicyDocument {
  const { awsPlaces } = config;
  const { role } = options;
  if (awsPlaces === undefined && role === undefined) return policyIn(config, options);
  const places = role === undefined ? (awsPlaces ?? []) : placesOf(role, config);
  if (role !== undefined)
    return joinedPolicies(places.map(({ region }) => policyIn({ ...config, region }, options, { isAssumed: true })));
  const assumes = [...new Set(places.flatMap((place) => place.role?.arn ?? []))];
  const own = places.filter((place) => place.role === undefined);
  const parts = own.map(({ region }) => policyIn({ ...config, region }, options));
  return joinedPolicies([...parts, policyIn(config, options, { assumes, drains: false })]);
}

/** The principals that may assume the role. Throws `ConfigError` if AWS_PLACES does not name it. */
function printedTrust(config: Config, { role, trust = "" }: PolicyOptions): TrustDocument {
  if (role === undefined) throw new ConfigError(["--trust requires --role: give the role of AWS_PLACES, by its ARN"]);
  const [place] = placesOf(role, config);
  return trustPolicyFor(trust, place?.role?.externalId);
}

function placesOf(arn: string, { awsPlaces = [], givenBy }: Config): readonly AwsPlace[] {
  const places = awsPlaces.filter(({ role }) => role?.arn === arn);
  if (places.length > 0) return places;
  throw new ConfigError([
    `--role is '${printable(arn, 200)}', which ${givenBy.awsPlaces} does not name: give one of its RoleArn`,
  ]);
}

interface WhosePolicy {
  /** The role is assumed by the program, which receives the messages with its own credentials. */
  readonly isAssumed?: boolean;
  readonly assumes?: readonly string[];
  readonly drains?: boolean;
}

function policyIn(
  config: Config,
  options: PolicyOptions,
  { isAssumed = false, ...whose }: WhosePolicy = {},
): PolicyDocument {
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
  const { for: purpose, partition, doctor = false } = options;
  try {
    return policyFor({
      writes: !READING.includes(purpose),
      audits: doctor || purpose === "doctor",
      receives: purpose !== "doctor",
      // A function has no callers that could cancel a drain.
      undo,
      lambda: purpose === "lambda",
      discovery,
      scope,
      names: givenBy,
      // The other verbs get their nodes from the command line.
      ...(queue === undefined || !HEARING.includes(purpose) || isAssumed ? {} : { queue }),
      ownHook: (terminationHook !== undefined && purpose === "watch") || (isAssumed && queue !== undefined),
      ...whose,
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
