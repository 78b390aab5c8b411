import type { Config } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import { TokenReviews } from "../kubernetes/token-reviews.ts";
import type { Log } from "../observe/log.ts";
import { TokenCheck, type TokenChecking } from "../web/token-check.ts";
import { openApiServer } from "./cluster-access.ts";

/**
 * Two requests for each caller that is new, or was last seen more than a minute ago. This is enough for a thousand at
 * once.
 */
const PACE = { inFlightMax: 30, perSecond: 200, burst: 1_000 };

export interface TokenParts {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

export interface OpenedTokens extends TokenChecking {
  close(): void;
}

/** The configured review of callers' tokens. Throws `ConfigError`. Does not call the API server. */
export async function openTokens(config: Config, { log, ...parts }: TokenParts): Promise<OpenedTokens | undefined> {
  // With its own pace, so that callers and drains do not wait for each other.
  const server = await openApiServer(config, { ...parts, pace: PACE });
  if (server === undefined) return undefined;
  const { tokenAudience: audience } = config;
  const reviews = new TokenReviews({ server, audience });
  return {
    audience,
    check: (guard) =>
      new TokenCheck({
        ...guard,
        review: (token, signal) => reviews.review(token, signal),
        onFailure: (error) => {
          const { code, message } = asDrainError(error);
          log("token review failed", { code, error: message });
        },
      }),
    close: () => server.close(),
  };
}
