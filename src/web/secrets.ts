import { createHash, timingSafeEqual } from "node:crypto";

/** Tells whether what a caller sent is one of the secrets, in a time that depends on neither. */
export type SecretCheck = (sent: string) => boolean;

/** A shorter one may be guessed, and may stand by chance in what is none. */
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
