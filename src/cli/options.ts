import { type Command, InvalidArgumentError } from "commander";
import {
  type Config,
  type ConfigError,
  OPTIONS,
  type Option,
  type OptionName,
  processEnvironment,
  readConfig,
  shownDefault,
  type Verb,
} from "../config.ts";

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

/** The configuration from the command's flags and the environment. Throws `ConfigError`. */
export function configFrom(command: Command, verb: Verb): Config {
  return readConfig({ verb, environment: processEnvironment(), flags: flagsFrom(command) });
}

/** The options that were given as flags. */
export function flagsFrom(command: Command): Readonly<Partial<Record<OptionName, string | boolean>>> {
  const given = command.opts<Record<string, string | boolean>>();
  const flags: Partial<Record<OptionName, string | boolean>> = {};
  for (const [name, { flag }] of TABLE) {
    if (flag === undefined) continue;
    const value = given[camelCase(flag)];
    if (value !== undefined) flags[name] = value;
  }
  return flags;
}

/** Seconds from now, as given to `--deadline`. */
export function readDeadlineSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > 86_400) {
    throw new InvalidArgumentError("Give the seconds until the machine may be gone, such as 120.");
  }
  return seconds;
}

export function configProblems(error: ConfigError): string {
  const [first, ...others] = error.problems;
  return others.length === 0 ? `${first}` : `${error.problems.length} problems:\n  ${error.problems.join("\n  ")}`;
}

function sourceOf(option: Option): string {
  const shown = shownDefault(option);
  return `[${option.variable}${shown === undefined ? "" : `, default: ${shown}`}]`;
}

/** `--log-level <level>` as commander names its value: `logLevel`. */
function camelCase(flag: string): string {
  const name = flag.split(" ")[0]?.slice(2) ?? "";
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
