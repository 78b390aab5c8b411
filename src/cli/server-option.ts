import { type Command, InvalidArgumentError } from "commander";
import {
  type Config,
  ConfigError,
  OPTIONS,
  type OptionName,
  processEnvironment,
  readConfig,
  type Verb,
} from "../config/config.ts";
import { OptionFileError, readSecrets } from "../config/files.ts";
import { readTlsIdentity } from "../config/tls.ts";
import { flagsFrom } from "./options.ts";
import { RemoteService } from "./remote-service.ts";

export interface ServerOptions {
  readonly server?: URL;
}

/** What a service lets its callers choose; everything else is its own configuration. */
const FOR_CALLERS: readonly OptionName[] = ["secretFile", "tlsCertFile", "tlsKeyFile", "timeoutMs", "dryRun"];

const OF_CALLERS: readonly OptionName[] = ["secret", "secretFile", "tlsCertFile", "tlsKeyFile"];

export function addServerOption(command: Command): Command {
  return command.option(
    "--server <url>",
    "go through the service at this address, with its SECRET, instead of AWS credentials of your own",
    readServer,
  );
}

/**
 * The service to go through, and what the flags say. Throws `ConfigError` for flags that would do nothing there. `own`
 * are options of the verb itself, which mean the same without a service.
 */
export async function remoteFrom(
  command: Command,
  verb: Verb,
  url: URL,
  own: readonly OptionName[] = [],
): Promise<{ readonly service: RemoteService; readonly config: Config }> {
  const flags = flagsFrom(command);
  const useless = (Object.keys(flags) as OptionName[]).filter(
    (name) => !FOR_CALLERS.includes(name) && !own.includes(name),
  );
  const names = useless.map((name) => OPTIONS[name].flag?.split(" ")[0] ?? name);
  if (names.length > 0) {
    throw new ConfigError(names.map((name) => `${name} does nothing with --server: leave it out`));
  }
  // Of the environment what says who the caller is: what else stands there is about the way without a service.
  const given = processEnvironment();
  const counting = [...OF_CALLERS, ...own].map((name) => OPTIONS[name].variable);
  const environment = Object.fromEntries(counting.map((variable) => [variable, given[variable]]));
  const config = readConfig({ verb, environment, flags, isRemote: true });
  try {
    const [[secret = ""], identity] = await Promise.all([readSecrets(config), readTlsIdentity(config)]);
    return { service: new RemoteService({ url, secret, ...(identity === undefined ? {} : { identity }) }), config };
  } catch (error) {
    throw error instanceof OptionFileError ? new ConfigError([error.message]) : error;
  }
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
