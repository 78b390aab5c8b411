import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { BadRequest } from "./parameters.ts";
import type { SecretMask } from "./secret-mask.ts";

/** Returns whether a caller sent one of the secrets, in a time that depends on neither. */
export type SecretCheck = (sent: string) => boolean;

export function secretCheck(secrets: readonly string[]): SecretCheck {
  const expected = secrets.map(digest);
  return (sent) => {
    // Digests have one length, which the comparison needs, and reveal nothing about what was sent.
    const given = digest(sent);
    // All of them, even if one is right: the time must not show which.
    return expected.filter((each) => timingSafeEqual(each, given)).length > 0;
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Throws `BadRequest` if a secret is in the path or the query, except for `pw`. It would be taken for the name of a
 * node or a reason, which answers, logs and drains show to others.
 */
export function refuseSecretInUrl(secrets: SecretMask, { req }: Context): void {
  const { pathname, searchParams } = new URL(req.url);
  const others = [...searchParams].map(([name, value]) => (name === "pw" ? name : `${name}=${value}`));
  refuseSecretIn(secrets, [pathname, ...others]);
  // Names of nodes and drains come after the first part of a path.
  for (const name of pathname.split("/").slice(2)) refuseSecretAs(secrets, name);
}

/** The same for a body, or anything else that a caller has sent. */
export function refuseSecretIn(secrets: SecretMask, texts: readonly string[]): void {
  if (texts.some((text) => secrets.isIn(text))) throw new BadRequest(IN_THE_WRONG_PLACE);
}

/** The same for a node's name or a drain's id, which may be a short secret as a whole. */
export function refuseSecretAs(secrets: SecretMask, name: string): void {
  if (secrets.isIn(name) || secrets.isAll(name)) throw new BadRequest(IN_THE_WRONG_PLACE);
}

const IN_THE_WRONG_PLACE =
  "the secret is in a part of the request that is logged: send it only in the Authorization header";
