import { areCredentialsRefused } from "./errors.ts";

/** Looks up credentials for an AWS client: cached ones, unless a caller wants new ones. */
type Credentials = (options: { readonly forceRefresh: boolean }) => Promise<unknown>;

/** The part of every client that is used here. */
interface Client {
  readonly config: { readonly credentials: Credentials };
  readonly middlewareStack: {
    add(middleware: Middleware, options: { readonly step: "initialize"; readonly name: string }): void;
  };
}

// The SDK's own types differ between clients.
type Middleware = <A, R>(next: (args: A) => Promise<R>) => (args: A) => Promise<R>;

/**
 * Reads credential files each time that credentials are looked up. Otherwise the SDK reads each file once per process,
 * and also remembers that it was missing: a file that is created or replaced later would be used only after a restart.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
 */
export const READ_FILES_AGAIN = { ignoreCache: true } as const;

/**
 * After AWS has refused the client's credentials, the next call looks up new ones first. The SDK itself does so only
 * when their time has passed, and keeps credentials without an expiration, such as those of a file, for ever.
 */
export function renewRefusedCredentials<C>(client: C): C {
  // Every client has them.
  const { config, middlewareStack } = client as unknown as Client;
  let wereRefused = false;
  const renewing: Middleware = (next) => async (args) => {
    try {
      if (wereRefused) await config.credentials({ forceRefresh: true });
      wereRefused = false;
      return await next(args);
    } catch (error) {
      if (areCredentialsRefused(error)) wereRefused = true;
      throw error;
    }
  };
  middlewareStack.add(renewing, { step: "initialize", name: "renewRefusedCredentials" });
  return client;
}
