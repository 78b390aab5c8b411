import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

/** As `openssl rand -base64 24` makes one. Each of its special characters means something in a URL or in JSON. */
export const RANDOM_SECRET = "Zm9/Yx+Kq3TzbW8vE1+hGf/2dw==";

const SECRET_CHARACTERS_MIN = 7;
/** So many characters of a long secret, one after the other, give it away. */
const PART_CHARACTERS = 12;

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
  // Most forms of a secret are the same, and so are the beginnings of thousands of tokens.
  const forms = [...new Set([...secrets].flatMap(formsOf))];
  const leaking = outputs.filter(({ text }) => forms.some((form) => text.includes(form)));
  outputs.length = 0;
  secrets.clear();
  return leaking.map(({ test, what }) => `a secret stands in ${what}, in the test '${test}'`);
}

/**
 * As it is, and as it would stand in a URL, in JSON and in base64; and the beginning of each form, as a shortened text would
 * have it. A secret that consists of words is looked for as a whole alone.
 */
function formsOf(secret: string): readonly string[] {
  const inUrl = encodeURIComponent(secret);
  const lowerCase = inUrl.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  const inForm = new URLSearchParams([["", secret]]).toString().slice(1);
  const inJson = JSON.stringify(secret).slice(1, -1);
  const read = Buffer.from(secret).toString("latin1");
  const base64 = [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), Buffer.from(secret)])
      .toString("base64")
      .slice(Math.ceil((8 * before) / 6), Math.floor((8 * (before + Buffer.byteLength(secret))) / 6)),
  );
  const whole = [
    secret,
    secret.replaceAll("+", " "),
    inUrl,
    lowerCase,
    inForm,
    inJson,
    inJson.replaceAll("/", "\\/"),
    read,
  ];
  const all = [...whole, ...base64];
  const isOfWords = /^[a-z -]+$/i.test(secret);
  return isOfWords ? all : all.map((form) => (form.length > PART_CHARACTERS ? form.slice(0, PART_CHARACTERS) : form));
}
