import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { BadRequest } from "./parameters.ts";

/** Returns whether a caller sent one of the secrets, in a time that depends on neither. */
export type SecretCheck = (sent: string) => boolean;

/** A shorter one can be guessed, and may appear by chance in other text. */
export const SECRET_CHARACTERS_MIN = 16;

export function secretCheck(secrets: readonly string[]): SecretCheck {
  const expected = secrets.map(digest);
  return (sent) => {
    // Digests have one length, which the comparison needs, and give nothing away of what was sent.
    const given = digest(sent);
    // All of them, also when one is right: it must not show which.
    return expected.filter((each) => timingSafeEqual(each, given)).length > 0;
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Throws `BadRequest` where the secret that opened the door stands in the path or the query as well, `pw` aside: there
 * it would be taken for a node's name or a reason, which answers, logs and drains show to others.
 */
export function refuseSecretInUrl(secret: string, { req }: Context): void {
  const { pathname, searchParams } = new URL(req.url);
  const others = [...searchParams].map(([name, value]) => (name === "pw" ? name : `${name}=${value}`));
  refuse(secret, [pathname, unescaped(pathname, /%([0-9a-f]{2})/gi), ...others]);
}

/** The same of a body. */
export function refuseSecretInBody(secret: string, body: string): void {
  refuse(secret, [body, unescaped(body, /\\u([0-9a-f]{4})/gi), body.replace(/\\(["\\/])/g, "$1")]);
}

function refuse(secret: string, texts: readonly string[]): void {
  if (secret.length < SECRET_CHARACTERS_MIN || !texts.some((text) => text.includes(secret))) return;
  throw new BadRequest(
    "the secret is in a part of the request that is logged: send it only in the Authorization header",
  );
}

function unescaped(text: string, escapes: RegExp): string {
  return text.replace(escapes, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
