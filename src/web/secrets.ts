import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";

/** Tells whether what a caller sent is the secret, in a time that depends on neither. */
export type SecretCheck = (sent: string) => boolean;

export function secretCheck(secret: string): SecretCheck {
  const expected = digest(secret);
  // Digests have one length, which the comparison needs, and give nothing away of what was sent.
  return (sent) => timingSafeEqual(expected, digest(sent));
}

/** The secret that a file holds, without the line's end that editors add. Throws when there is none. */
export async function readSecretFile(path: string): Promise<string> {
  const secret = (await readFile(path, "utf8")).replace(/\r?\n$/, "");
  if (secret === "") throw new Error("the file is empty");
  return secret;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
