import { createHash, timingSafeEqual } from "node:crypto";
import { readTextFile } from "../text-file.ts";

/** More than a header can carry. */
const SECRET_FILE_BYTES_MAX = 16 * 1_024;

/** Tells whether what a caller sent is the secret, in a time that depends on neither. */
export type SecretCheck = (sent: string) => boolean;

export function secretCheck(secret: string): SecretCheck {
  const expected = digest(secret);
  // Digests have one length, which the comparison needs, and give nothing away of what was sent.
  return (sent) => timingSafeEqual(expected, digest(sent));
}

/** The secret that a file holds, without the line's end that editors add. Throws when there is none. */
export async function readSecretFile(path: string): Promise<string> {
  const secret = (await readTextFile(path, SECRET_FILE_BYTES_MAX)).replace(/\r?\n$/, "");
  if (secret.trim() === "") throw new Error("it is empty");
  return secret;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
