import { randomBytes } from "node:crypto";

const TTL_SECONDS_MAX = 21_600;

/** The session tokens of one instance's metadata service. */
export class SessionTokens {
  /** When each ends, in milliseconds since the epoch. */
  readonly #ends = new Map<string, number>();

  /** A new token; undefined where `ttlSeconds`, as it was given in a header, is not one that AWS takes. */
  issue(ttlSeconds: string | undefined, now: number): string | undefined {
    if (ttlSeconds === undefined || !/^\d{1,5}$/.test(ttlSeconds)) return undefined;
    const seconds = Number(ttlSeconds);
    if (seconds < 1 || seconds > TTL_SECONDS_MAX) return undefined;
    for (const [token, end] of this.#ends) if (end <= now) this.#ends.delete(token);
    const token = `${randomBytes(40).toString("base64url")}==`;
    this.#ends.set(token, now + seconds * 1_000);
    return token;
  }

  /** How many whole seconds a token is still good for; undefined where it is not good at all. */
  restSeconds(token: string, now: number): number | undefined {
    const end = this.#ends.get(token);
    return end === undefined || end <= now ? undefined : Math.floor((end - now) / 1_000);
  }
}
