import { type Config, ConfigError, OPTIONS, type OptionName, readConfig, type Verb } from "../config/config.ts";
import { OptionFileError, readOptionFile, readSecrets } from "../config/files.ts";
import type { TlsIdentity } from "../config/tls.ts";
import type { Call } from "./call.ts";
import { flagsFrom } from "./options.ts";
import { RemoteService } from "./remote-service.ts";

/** The options that a service lets its callers choose. All others are its own configuration. */
const FOR_CALLERS: readonly OptionName[] = [
  "secretFile",
  "tokenFile",
  "tlsCertFile",
  "tlsKeyFile",
  "timeoutMs",
  "dryRun",
];

const OF_CALLERS: readonly OptionName[] = ["secret", "secretFile", "tokenFile", "tlsCertFile", "tlsKeyFile"];

/**
 * The service to use, and the values of the flags. Throws `ConfigError` for flags that would have no effect. `own`:
 * options of the verb itself, which mean the same without a service.
 */
export async function remoteFrom(
  { command, environment: given }: Call,
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
    throw new ConfigError(names.map((name) => `${name} has no effect with --server: leave it out`));
  }
  // Only the variables that identify the caller are read from the environment. The others are for use without a
  // service.
  const counting = [...OF_CALLERS, ...own].map((name) => OPTIONS[name].variable);
  const environment = Object.fromEntries(counting.map((variable) => [variable, given[variable]]));
  const config = readConfig({ verb, environment, flags, isRemote: true });
  try {
    const [secret, identity] = await Promise.all([secretOf(config), identityOf(config)]);
    return { service: new RemoteService({ url, secret, ...(identity === undefined ? {} : { identity }) }), config };
  } catch (error) {
    throw error instanceof OptionFileError ? new ConfigError([error.message]) : error;
  }
}

/** All headers of a request together may have 16 KiB. */
const TOKEN_BYTES_MAX = 16 * 1_024;

/** The secret or token that is sent. Throws `OptionFileError`. */
async function secretOf(config: Config): Promise<() => Promise<string>> {
  const { tokenFile, givenBy } = config;
  if (tokenFile === undefined) {
    const [secret = ""] = await readSecrets(config);
    return async () => secret;
  }
  const read = () =>
    readOptionFile({ option: givenBy.tokenFile, path: tokenFile }, TOKEN_BYTES_MAX, (text) => {
      const token = text.trim();
      if (/^[\w.-]+$/.test(token)) return token;
      throw new Error(token === "" ? "it is empty" : "it is not a token: give a file that contains the token alone");
    });
  let token = await read();
  return async () => {
    // The kubelet replaces it before it expires. A pipe can be read only once.
    token = await read().catch(() => token);
    return token;
  };
}

/** For a client with a certificate, loads the code that reads certificates. */
async function identityOf(config: Config): Promise<TlsIdentity | undefined> {
  if (config.tlsCertFile === undefined) return undefined;
  const { readTlsIdentity } = await import("../config/tls.ts");
  return await readTlsIdentity(config);
}
