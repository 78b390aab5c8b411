import { type Command, Option as Flag } from "commander";
import {
  type Config,
  OPTIONS,
  type Option,
  type OptionName,
  printableDefault,
  readConfig,
  type Verb,
} from "../config/config.ts";
import { OPTION_TEXTS } from "../config/option-texts.ts";
import { oneOf, type ValueKind } from "../config/values.ts";
import type { Clock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import type { Call } from "./call.ts";
import { UsageError } from "./failure.ts";

const TABLE = Object.entries(OPTIONS) as [OptionName, Option][];

/**
 * Adds the flag of every option that a verb uses. Its help names the variable, type, range, default and an example. It
 * must be called last, because help lists flags in the order in which they are added, and those of the verb come first.
 */
export function addOptions(command: Command, verb: Verb): Command {
  const used = TABLE.filter(([, { usedBy }]) => usedBy.includes(verb));
  for (const [name, option] of used) {
    if (option.flag === undefined) continue;
    const description = `${OPTION_TEXTS[name].description}\n${factsOf(name, option)}`;
    command.addOption(wordsKnown(new Flag(option.flag, description).helpGroup(OPTIONS_HEADING), option.words));
    const alias = ALIASES[name];
    if (alias === undefined) continue;
    const same = `the same as ${option.flag.split(" ")[0]}, by kubectl's name`;
    command.addOption(new Flag(alias, same).helpGroup(OPTIONS_HEADING));
  }
  // Only if the help is requested, because every start declares the options.
  command.addHelpText("after", ({ command: asked }) => [...variablesOnly(asked, used), CHANGE_TEXT].join("\n"));
  return command;
}

/** What Kubernetes needs is loaded only if a cluster is configured. */
export async function clusterFor({ environment }: Call, config: Config, clock: Clock) {
  if (config.kubernetes === undefined) return undefined;
  const { openCluster } = await import("../app/cluster.ts");
  return openCluster(config, { clock, environment });
}

/** By kubectl's names for them: kubectl passes on everything after the plug-in's name. */
const ALIASES: Readonly<Partial<Record<OptionName, string>>> = {
  kubernetes: "--kubeconfig <path>",
  kubernetesContext: "--context <name>",
};

const OPTIONS_HEADING = "Configuration, as flags or as the variables in brackets:";
const CHANGE_TEXT = "\ndocs/configuration.md says when to change each option.";

function variablesOnly(command: Command, used: typeof TABLE): readonly string[] {
  const flagless = used.filter(([, { flag }]) => flag === undefined);
  if (flagless.length === 0) return [];
  const wrapped = (text: string) => command.createHelp().boxWrap(text, 68).replace(/^/gm, " ".repeat(10)).trimStart();
  const lines = flagless.map(
    ([name, option]) =>
      `  ${option.variable}  ${wrapped(`${OPTION_TEXTS[name].description}\n${factsOf(name, option)}`)}`,
  );
  return ["", "Configuration, only as variables:", ...lines];
}

export interface ServerOptions {
  readonly server?: URL;
}

export function addServerOption(command: Command): Command {
  return command.option(
    "--server <url>",
    "URL of a service that does the work, instead of AWS credentials of your own; requires its SECRET",
    readServer,
  );
}

/** The configuration from the command's flags and the environment. Throws `ConfigError`. */
export function configFrom({ command, environment }: Call, verb: Verb): Config {
  return readConfig({ verb, environment, flags: flagsFrom(command) });
}

/** The options that were given as flags. */
export function flagsFrom(command: Command): Readonly<Partial<Record<OptionName, string | boolean>>> {
  const given = command.opts<Record<string, string | boolean>>();
  const flags: Partial<Record<OptionName, string | boolean>> = {};
  for (const [name, { flag }] of TABLE) {
    if (flag === undefined) continue;
    const alias = ALIASES[name];
    const own = given[camelCase(flag)];
    const byAlias = alias === undefined ? undefined : given[camelCase(alias)];
    if (own !== undefined && byAlias !== undefined)
      throw new UsageError(`${flag.split(" ")[0]} and ${alias?.split(" ")[0]} are the same: give one of them`);
    const value = own ?? byAlias;
    // Without `--no-…` on the command line, commander sets it to true.
    if (value !== undefined && !(flag.startsWith("--no-") && value === true)) flags[name] = value;
  }
  return flags;
}

/**
 * The parser of a flag that is not an option of the configuration: a number in digits, within bounds. `advice`: what to
 * give instead.
 */
export function numberOf(
  flag: string,
  isAllowed: (value: number) => boolean,
  advice: string,
): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (/^\d+(\.\d+)?$/.test(given) && isAllowed(value)) return value;
    throw new UsageError(`${flag} is '${printable(given)}': give ${advice}`);
  };
}

/** The same for one of a few words, in upper or lower case. */
export function wordOf<const T extends string>(flag: string, words: readonly T[]): (given: string) => T {
  return kindOf(flag, oneOf(words));
}

/** The same for any kind of value. */
export function kindOf<T>(flag: string, { parse, words }: ValueKind<T>): (given: string) => T {
  const read = (given: string) => {
    try {
      return parse(given);
    } catch (error) {
      throw new UsageError(`${flag} is '${printable(given)}': ${(error as Error).message}`);
    }
  };
  return wordsKnown(read, words);
}

const WORDS = new WeakMap<object, readonly string[]>();

/**
 * Records which words a flag, an argument or a parser accepts, for the completion of the shell. Returns its argument.
 */
export function wordsKnown<T extends object>(what: T, words: readonly string[] | undefined): T {
  if (words !== undefined) WORDS.set(what, words);
  return what;
}

/** Undefined: any text, or none. */
export function wordsOf(what: object): readonly string[] | undefined {
  return WORDS.get(what);
}

/** `[TIMEOUT: seconds, from 1 to 86400; default 60; example 90]` */
function factsOf(name: OptionName, option: Option): string {
  const { variable, type, range, isSecret } = option;
  const shown = printableDefault(option);
  return `[${[
    `${variable}: ${type}, ${range}`,
    ...(shown === undefined ? [] : [`default: ${shown}`]),
    ...(isSecret === true ? [] : [`example: ${OPTION_TEXTS[name].example}`]),
  ].join("; ")}]`;
}

/** The name that commander gives to the value of `--log-level <level>`: `logLevel`. For `--no-wait` it is `wait`. */
function camelCase(flag: string): string {
  const name = flag.split(" ")[0]?.replace(/^--(no-)?/, "") ?? "";
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function readServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(
      `--server is '${printable(text)}': give the URL of the service, such as http://localhost:8080`,
    );
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    // The value is not repeated, because it may contain a password.
    throw new UsageError(
      "--server has more than an address: give only scheme, host, port and path; the secret comes from SECRET or SECRET_FILE",
    );
  }
  return url;
}
