import { type Config, OPTIONS } from "./config.ts";
import { readOptionFile } from "./files.ts";

/** More than a header can carry, and room for a few secrets. */
const SECRET_FILE_BYTES_MAX = 16 * 1_024;

/**
 * One secret by SECRET, or as many as SECRET_FILE has lines: a service takes each of them, a caller sends the first.
 * Throws `OptionFileError`.
 */
export async function readSecrets({
  secret,
  secretFile = "",
  givenBy,
}: Pick<Config, "secret" | "secretFile" | "givenBy">): Promise<readonly string[]> {
  if (secret !== undefined) return [secret];
  return readOptionFile({ option: givenBy.secretFile, path: secretFile }, SECRET_FILE_BYTES_MAX, secretsIn);
}

/** One a line. White space around a secret counts, but a line of nothing else is none. */
function secretsIn(text: string): readonly string[] {
  const secrets = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (secrets.length === 0) throw new Error("it is empty");
  return secrets.map(OPTIONS.secret.parse);
}
