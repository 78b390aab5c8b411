import type { AwsClientOptions } from "../aws/clients.ts";
import { printable } from "../drain/errors.ts";
import { type GuardOptions, isNothing, printableShare, type Share } from "../drain/guard.ts";
import type { DrainTimes } from "../drain/plan.ts";
import { OPTIONS, type OptionName } from "./options.ts";
import type { Option, Verb, WithDefault } from "./values.ts";

export { OPTIONS, type Option, type OptionName, type Verb };

/** The checked configuration. An option without a value is absent. */
export type Config = {
  readonly [Name in OptionName]: (typeof OPTIONS)[Name] extends WithDefault<infer T>
    ? T
    : ReturnType<(typeof OPTIONS)[Name]["parse"]> | undefined;
} & {
  /** The name of each option in messages: its flag where it was given as a flag, its variable otherwise. */
  readonly givenBy: Readonly<Record<OptionName, string>>;
};

/** All problems of a configuration together, so that one start shows all of them. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export interface ConfigInput {
  readonly verb: Verb;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The values from the command line, by the option's name. A flag wins over its variable. */
  readonly flags?: Readonly<Partial<Record<OptionName, string | boolean>>>;
  /** The verb calls a service, which needs the secret. */
  readonly isRemote?: boolean;
}

/** Reads and checks the whole configuration of a verb. Throws `ConfigError` with every problem at once. */
export function readConfig({ verb, environment, flags = {}, isRemote = false }: ConfigInput): Config {
  const problems: string[] = [];
  const values: Partial<Record<OptionName, unknown>> = {};
  const givenBy: Partial<Record<OptionName, string>> = {};
  const refused = new Set<OptionName>();
  for (const [name, declared] of Object.entries(OPTIONS) as [OptionName, Option][]) {
    const fromFlag = flags[name];
    const source = fromFlag === undefined ? declared.variable : (declared.flag?.split(" ")[0] ?? declared.variable);
    givenBy[name] = source;
    if (!declared.usedBy.includes(verb)) {
      values[name] = declared.default;
      continue;
    }
    const given = fromFlag === undefined ? inEnvironment(declared, environment) : String(fromFlag);
    try {
      values[name] =
        given === undefined || given.trim() === ""
          ? declared.default
          : declared.parse(declared.isSecret === true ? given : given.trim());
    } catch (error) {
      const { printableAs = (text: string) => text } = declared;
      const what = declared.isSecret === true ? "can't be used" : `is '${printable(printableAs(given ?? ""))}'`;
      refused.add(name);
      problems.push(`${source} ${what}: ${(error as Error).message}`);
      continue;
    }
    if (values[name] === undefined && declared.requiredBy?.includes(verb) === true) {
      problems.push(`${declared.variable} is not set: give ${declared.range}`);
    }
  }
  const config = { ...values, givenBy } as unknown as Config;
  if (verb === "serve" || isRemote)
    problems.push(...secretProblems(config, verb, refused), ...tlsProblems(config, refused));
  if (config.policyScope === "tag" && config.clusterName === undefined && !refused.has("clusterName")) {
    problems.push(`${givenBy.policyScope} is tag, and CLUSTERNAME is not set: give the name of the cluster`);
  }
  if (config.rebalance === "drain" && !config.undo && !refused.has("undo")) {
    problems.push(
      `${givenBy.rebalance} is drain, and UNDO is not set: set UNDO=true, so that a node that is not interrupted can be registered again`,
    );
  }
  if (verb === "serve" && config.kubernetes !== undefined && config.nodeTriggers?.triggers.size > 0 && !config.undo) {
    problems.push(
      `${givenBy.kubernetes} is set, and UNDO is not: set UNDO=true, so that a node that stays after all can be registered again, or NODE_TRIGGERS=none`,
    );
  }
  if (verb === "lambda" && (inEnvironment(OPTIONS.awsPlaces, environment) ?? "").trim() !== "") {
    problems.push("AWS_PLACES is set: deploy one function for each account and region instead");
  }
  if (verb === "lambda" && (inEnvironment(OPTIONS.rebalance, environment) ?? "").trim() === "drain") {
    problems.push(
      "REBALANCE is drain: a function can't register the node again later, because no invocation knows what another one did. Use the service or the agent for recommendations, and leave REBALANCE out",
    );
  }
  if (verb === "serve")
    problems.push(
      ...gateProblems(config, refused),
      ...tokenProblems(config, refused),
      ...leaseProblems(config, refused),
    );
  problems.push(...fastPathProblems(config, verb, refused));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

function inEnvironment(
  { variable, inLowerCaseToo }: Option,
  environment: ConfigInput["environment"],
): string | undefined {
  const given = environment[variable];
  const isUnset = given === undefined || given.trim() === "";
  return isUnset && inLowerCaseToo === true ? environment[variable.toLowerCase()] : given;
}

/** The endpoint of AWS, and how to reach it. */
export function awsClientOptions({ region, httpsProxy: url, noProxy }: Config): AwsClientOptions {
  return {
    ...(region === undefined ? {} : { region }),
    ...(url === undefined ? {} : { proxy: { url, ...(noProxy === undefined ? {} : { except: noProxy }) } }),
  };
}

/** The part of a configuration that the core uses. */
export function drainTimes(config: Config): DrainTimes {
  const { timeoutMs, deadlineMarginMs, givenBy } = config;
  const hasFastPath = config.nlbFastPath && config.kubernetes !== undefined;
  return {
    deadlineMarginMs,
    ...(hasFastPath && { hasFastPath }),
    ...(timeoutMs === undefined ? {} : { timeoutMs, timeoutName: givenBy.timeoutMs }),
  };
}

/** The options of the guard. Undefined: there is no guard. */
export function drainGuard({ minHealthy, guardWaitMs, maxVoluntary, givenBy }: Config): GuardOptions | undefined {
  return isNothing(minHealthy) ? undefined : { minHealthy, waitMs: guardWaitMs, maxVoluntary, names: givenBy };
}

/** The address of the instance metadata service. */
export function metadataOrigin({ metadataEndpoint, metadataEndpointMode: mode }: Config): string {
  return metadataEndpoint ?? (mode === "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
}

/** The default in the form in which people give it. Undefined: there is none. */
export function printableDefault({ default: value, defaultText, unit }: Option): string | undefined {
  if (defaultText !== undefined || value === undefined) return defaultText;
  if (typeof value === "object") return printableShare(value as Share);
  return String(unit === "seconds" ? Number(value) / 1_000 : value);
}

/** How a caller authenticates, and what a service accepts. */
const SECRETS = ["secret", "secretFile", "tokenFile"] as const;

function secretProblems(config: Config, verb: Verb, refused: ReadonlySet<OptionName>): readonly string[] {
  const given = SECRETS.filter((name) => config[name] !== undefined || refused.has(name));
  if (given.length === 1) return [];
  const [first, second = first] = given.map((name) => (name === "secret" ? "SECRET" : config.givenBy[name]));
  if (first !== undefined) return [`${first} and ${second} are both set: set only one`];
  return verb === "serve"
    ? ["SECRET is not set: give the secret that callers must send, or SECRET_FILE"]
    : ["SECRET is not set: give the secret of the service, or SECRET_FILE, or TOKEN_FILE for a token of the cluster"];
}

/** Tokens are reviewed by the API server. */
function tokenProblems(
  { tokenReview, kubernetes, givenBy }: Config,
  refused: ReadonlySet<OptionName>,
): readonly string[] {
  if (!tokenReview || kubernetes !== undefined || refused.has("kubernetes")) return [];
  return [`${givenBy.tokenReview} is true, and KUBERNETES is not set: name the cluster whose tokens are accepted`];
}

/** The API server calls webhooks only by HTTPS. */
function gateProblems(config: Config, refused: ReadonlySet<OptionName>): readonly string[] {
  if (!config.evictionGate) return [];
  const needed = [
    ["kubernetes", "the cluster whose evictions are reviewed"],
    ["evictionGateCertFile", "the certificate that the API server sees"],
    ["evictionGateKeyFile", "the private key of that certificate"],
  ] as const;
  return needed
    .filter(([name]) => config[name] === undefined && !refused.has(name))
    .map(([name, what]) => `${config.givenBy.evictionGate} is set, and ${OPTIONS[name].variable} is not: give ${what}`);
}

/** Replicas find each other through their cluster. */
function leaseProblems(config: Config, refused: ReadonlySet<OptionName>): readonly string[] {
  if (config.lease === undefined) return [];
  const ofPod = (field: string) => `set it from the field ${field} of the pod (downward API)`;
  const needed = [
    ["kubernetes", "give the cluster that the Lease is in"],
    ["stateDir", "give a directory of this pod for the ledger, such as an emptyDir"],
    ["podName", ofPod("metadata.name")],
    ["podNamespace", ofPod("metadata.namespace")],
    ["podIp", ofPod("status.podIP")],
    ["nodeName", ofPod("spec.nodeName")],
  ] as const;
  return needed
    .filter(([name]) => config[name] === undefined && !refused.has(name))
    .map(([name, advice]) => `${config.givenBy.lease} is set, and ${OPTIONS[name].variable} is not: ${advice}`);
}

/** The taint is set in a cluster, and only an undo removes it. */
function fastPathProblems(config: Config, verb: Verb, refused: ReadonlySet<OptionName>): readonly string[] {
  const { nlbFastPath, kubernetes, undo, givenBy } = config;
  if (nlbFastPath !== true) return [];
  if (kubernetes === undefined && !refused.has("kubernetes"))
    return [`${givenBy.nlbFastPath} is true, and KUBERNETES is not set: name the cluster whose nodes are tainted`];
  if (verb === "serve" && !undo && !refused.has("undo"))
    return [`${givenBy.nlbFastPath} is true, and UNDO is not set: set UNDO=true, so that the taint can be removed`];
  return [];
}

/** A certificate needs its key, and client certificates need TLS. */
function tlsProblems(config: Config, refused: ReadonlySet<OptionName>): readonly string[] {
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile, givenBy } = config;
  if (refused.has("tlsCertFile") || refused.has("tlsKeyFile")) return [];
  if (tlsCertFile !== undefined && tlsKeyFile === undefined) {
    return [`${givenBy.tlsCertFile} is set, and TLS_KEY_FILE is not: give the private key of the certificate`];
  }
  if (tlsCertFile === undefined && tlsKeyFile !== undefined) {
    return [`${givenBy.tlsKeyFile} is set, and TLS_CERT_FILE is not: give the certificate of the private key`];
  }
  return tlsCertFile === undefined && tlsClientCaFile !== undefined
    ? [
        `${givenBy.tlsClientCaFile} is set, and TLS_CERT_FILE is not: client certificates need TLS, so give the certificate of the service`,
      ]
    : [];
}
