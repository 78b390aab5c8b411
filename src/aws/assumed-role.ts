import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import { type AwsClientOptions, clientConfig } from "./clients.ts";
import { renewRefusedCredentials } from "./credentials.ts";
import { toDrainError } from "./errors.ts";
import type { AwsRole } from "./places.ts";

/** The name in CloudTrail of the role's account. */
const SESSION_NAME = "hasta-la-vista";
/** While STS fails, credentials that are still valid are used, and STS is asked again after this time. */
const RETRY_MS = 30_000;

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/**
 * Credentials of a role, from STS of the region of `options`, with the program's own credentials. The SDK requests them
 * five minutes before they expire, and after AWS has refused them (`forceRefresh`). Throws `DrainError`:
 * `no-credentials` if STS denies the role, which may be granted a moment later.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export function assumedRole(
  { arn, externalId, sessionName = SESSION_NAME }: AwsRole,
  options: AwsClientOptions,
  clock: Clock,
): (asked?: { readonly forceRefresh?: boolean }) => Promise<Credentials> {
  const sts = renewRefusedCredentials(new STSClient(clientConfig(options)));
  options.time?.watch(sts);
  let last: Credentials | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;
  const assume = async () => {
    const input = { RoleArn: arn, RoleSessionName: sessionName, ...(externalId && { ExternalId: externalId }) };
    const { Credentials: given } = await sts.send(new AssumeRoleCommand(input));
    const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken } = given ?? {};
    const { Expiration: expiration } = given ?? {};
    if (!accessKeyId || !secretAccessKey || !sessionToken || expiration === undefined)
      throw new DrainError("unavailable", `the answer to sts:AssumeRole for ${arn} has no credentials`);
    return { accessKeyId, secretAccessKey, sessionToken, expiration };
  };
  const stillValid = () => (last !== undefined && last.expiration.getTime() > clock.now() ? last : undefined);
  return async ({ forceRefresh = false } = {}) => {
    if (forceRefresh) last = undefined;
    const usable = stillValid();
    if (usable !== undefined && clock.now() - failedAt < RETRY_MS) return usable;
    try {
      last = await assume();
      failedAt = Number.NEGATIVE_INFINITY;
      return last;
    } catch (error) {
      failedAt = clock.now();
      if (usable !== undefined) return usable;
      throw withRole(error, arn);
    }
  };
}

function withRole(error: unknown, arn: string): DrainError {
  const failure = toDrainError(error, `sts:AssumeRole of ${arn}`);
  if (failure.code !== "access-denied") return failure;
  const advice =
    "check that the role exists, that its trust policy names this program's role and the external id, and that this program's policy allows sts:AssumeRole";
  return new DrainError("no-credentials", `${failure.message}: ${advice}`, { cause: failure.cause });
}
