import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

const SECRET_CHARACTERS_MIN = 7;

interface Output {
  readonly test: string;
  /** Which of its outputs: `stdout of service`, `GET /ready`. */
  readonly what: string;
  readonly text: string;
}

const secrets = new Set<string>();
const outputs: Output[] = [];

/** From now on it is looked for in every output of this file's tests, the ones before included. */
export function keepSecret(secret: string): void {
  if (!canBeRecognised(secret))
    throw new Error(`the secret '${secret}' can't be told from other text: tests give others`);
  secrets.add(secret);
}

/** Whether it can't stand by chance in what is no leak. */
export function canBeRecognised(secret: string): boolean {
  return secret.trim().length >= SECRET_CHARACTERS_MIN && !secret.includes("\0");
}

/** Something that the product has said, which must not hold a secret. */
export function searchForSecrets(what: string, text: string): void {
  outputs.push({ test: expect.getState().currentTestName ?? "", what, text });
}

/** The same of every file in a folder that the product writes to. */
export function searchFolderForSecrets(what: string, folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) searchForSecrets(`${path} of ${what}`, readFileSync(path, "utf8"));
  }
}

/** Where secrets have been found so far. The secrets themselves are not named. Both are forgotten then. */
export function takeLeaks(): readonly string[] {
  const forms = [...secrets].flatMap(formsOf);
  const leaking = outputs.filter(({ text }) => forms.some((form) => text.includes(form)));
  outputs.length = 0;
  secrets.clear();
  return leaking.map(({ test, what }) => `a secret stands in ${what}, in the test '${test}'`);
}

/** As it is, and as it would stand in a URL, in JSON, and in basic authentication. */
function formsOf(secret: string): readonly string[] {
  const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), base64];
}
