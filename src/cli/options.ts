import { type Command, InvalidArgumentError } from "commander";
import {
  type Config,
  OPTIONS,
  type Option,
  type OptionName,
  printableDefault,
  readConfig,
  type Verb,
} from "../config/config.ts";
import { oneOf } from "../config/values.ts";
import { printable } from "../drain/errors.ts";
import type { Call } from "./call.ts";
import { UsageError } from "./failure.ts";

const TABLE = Object.entries(OPTIONS) as [OptionName, Option][];

/** Adds every flag of a verb, and says in its help which variables do the same. */
export function addOptions(command: Command, verb: Verb): Command {
  const used = TABLE.filter(([, { usedBy }]) => usedBy.includes(verb));
  for (const [, option] of used) {
    if (option.flag !== undefined) command.option(option.flag, `${option.help} ${sourceOf(option)}`);
  }
  const flagless = used.filter(([, { flag }]) => flag === undefined);
  if (flagless.length > 0) {
    const lines = flagless.map(([, { variable, help }]) => `  ${variable}  ${help}`);
    command.addHelpText("after", `\nOnly as environment variables:\n${lines.join("\n")}`);
  }
  return command;
}

export interface ServerOptions {
  readonly server?: URL;
}

export function addServerOption(command: Command): Command {
  return command.option(
    "--server <url>",
    "go through the service at this address, with its SECRET, instead of AWS credentials of your own",
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
    const value = given[camelCase(flag)];
    // Where nobody gave `--no-…`, commander says that it is true.
    if (value !== undefined && !(flag.startsWith("--no-") && value === true)) flags[name] = value;
  }
  return flags;
}

/**
 * The value of a flag that is no option of the configuration: a number in digits, within bounds. `advice` says what to
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

/** The same for one of a few words, in either case. */
export function wordOf<const T extends string>(flag: string, words: readonly T[]): (given: string) => T {
  const read = oneOf(words);
  return (given) => {
    try {
      return read(given);
    } catch (error) {
      throw new UsageError(`${flag} is '${printable(given)}': ${(error as Error).message}`);
    }
  };
}

function sourceOf(option: Option): string {
  const shown = printableDefault(option);
  return `[${option.variable}${shown === undefined ? "" : `, default: ${shown}`}]`;
}

/** `--log-level <level>` as commander names its value: `logLevel`. `--no-wait` is `wait`. */
function camelCase(flag: string): string {
  const name = flag.split(" ")[0]?.replace(/^--(no-)?/, "") ?? "";
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function readServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new InvalidArgumentError("Give the service's address, such as http://localhost:8080.");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new InvalidArgumentError("Give the address alone: the secret comes from SECRET or SECRET_FILE.");
  }
  return url;
}
