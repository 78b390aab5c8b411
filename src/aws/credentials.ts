import { areCredentialsRefused } from "./errors.ts";

/** Credentials as an AWS client looks them up: cached, unless a caller wants others. */
type Credentials = (options: { readonly forceRefresh: boolean }) => Promise<unknown>;

/** The part of every client that this file needs. */
interface Client {
  readonly config: { readonly credentials: Credentials };
  readonly middlewareStack: {
    add(middleware: Middleware, options: { readonly step: "initialize"; readonly name: string }): void;
  };
}

// The SDK's own types differ from client to client.
type Middleware = <A, R>(next: (args: A) => Promise<R>) => (args: A) => Promise<R>;

/**
 * Read credential files each time that credentials are looked up. The SDK reads each file once per process otherwise, and
 * remembers also that it was not there: a file that comes later, or is replaced, would count only after a restart.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
 */
export const READ_FILES_AGAIN = { ignoreCache: true } as const;

/**
 * After AWS has refused the client's credentials, the next call looks for others first. The SDK itself does so only when
 * their time has passed, and credentials without an expiration, such as those of a file, it keeps for ever.
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
