import { everyReading, type Reading } from "./readings.ts";

/** A shorter secret can be guessed, and may appear by chance in other text. */
export const SECRET_CHARACTERS_MIN = 16;
/** Replaces a secret. */
const MASK = "…";
/**
 * A JSON web token of Kubernetes or OpenID Connect: three parts in base64url, of which the first two are JSON objects.
 * It is matched only from the beginning of a word, so that no text takes long.
 */
const JSON_WEB_TOKEN = /(?<![\w-])[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/g;
/** If a text ends in the middle of a secret, fewer characters than this reveal nothing. */
const CUT_CHARACTERS_MIN = 8;

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Finds secrets in what callers have sent, whatever they consist of and however the text was encoded: as they are, in a
 * URL, in JSON, in base64, and nested. Secrets of fewer than 16 characters may appear in other text by chance, so they
 * are masked only as whole words. JSON web tokens are found by their form, because those of callers are not known in
 * advance.
 */
export class SecretMask {
  readonly #all: readonly string[];
  readonly #long: readonly string[];
  /** What is searched for anywhere, and what as a whole word. */
  readonly #anywhere: readonly Buffer[];
  readonly #words: readonly Buffer[];

  constructor(secrets: readonly string[]) {
    // A trimmed text has lost the white space around a secret.
    this.#all = [...new Set(secrets.map((secret) => secret.trim()))].filter((secret) => secret !== "");
    this.#long = this.#all.filter(isLong);
    this.#anywhere = this.#long.flatMap(formsOf);
    this.#words = this.#all.filter((secret) => !isLong(secret)).map((secret) => sought(secret));
  }

  /** The same mask with this secret added. */
  and(secret: string): SecretMask {
    return new SecretMask([...this.#all, secret]);
  }

  /** Whether the text contains a secret that can't be there by chance. */
  isIn(text: string): boolean {
    return everyReading(text).some(
      (reading) => this.#anywhere.some((form) => reading.bytes.includes(form)) || tokens(reading).length > 0,
    );
  }

  /** Whether the text as a whole is a secret, in upper or lower case. */
  isAll(text: string): boolean {
    const secrets = this.#all.map((secret) => sought(secret).toString().toLowerCase());
    return everyReading(text.trim()).some(({ bytes }) => {
      const whole = withoutPadding(bytes.toString().trim().toLowerCase());
      return secrets.includes(whole);
    });
  }

  /**
   * The text without secrets. It must be called before the text is shortened, because the rest of a secret can't be
   * recognized.
   */
  masked(text: string): string {
    const ranges = everyReading(text).flatMap((reading) => [
      ...this.#anywhere.flatMap((form) => occurrences(reading, form)),
      ...this.#words.flatMap((form) => occurrences(reading, form, true)),
      ...tokens(reading),
    ]);
    const whole = withMasks(text, ranges);
    // A caller has shortened it.
    const cut = Math.max(0, ...this.#long.map((secret) => cutLength(whole, secret)));
    return cut === 0 ? whole : `${whole.slice(0, -cut)}${MASK}`;
  }
}

function isLong(secret: string): boolean {
  return [...secret].length >= SECRET_CHARACTERS_MIN;
}

/** The number of the text's last characters that are the first ones of the secret. */
function cutLength(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= CUT_CHARACTERS_MIN; length -= 1)
    if (text.endsWith(secret.slice(0, length))) return length;
  return 0;
}

/** All forms that a secret may have in a decoded text. */
function formsOf(secret: string): readonly Buffer[] {
  // Node decodes headers as latin1.
  const misread = Buffer.from(secret, "utf8").toString("latin1");
  return [...new Set([secret, misread, ...base64Of(secret)])].map(sought);
}

/**
 * The characters of base64 that only the secret determines, wherever it begins in the encoded text, in both alphabets.
 */
function base64Of(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, "utf8");
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const [from, to] = [Math.ceil((8 * before) / 6), Math.floor((8 * (before + bytes.length)) / 6)];
    const own = encoded.slice(from, to);
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

/** In the form of readings: a plus sign may have been a space. The padding of base64 is often missing. */
function sought(secret: string): Buffer {
  return Buffer.from(withoutPadding(secret).replaceAll("+", " "), "utf8");
}

function withoutPadding(text: string): string {
  return text.replace(/(?<=[^=])=+$/, "");
}

const [PADDING] = Buffer.from("=");

function occurrences({ bytes, from, to }: Reading, form: Buffer, isWord = false): readonly Range[] {
  const ranges: Range[] = [];
  for (let at = bytes.indexOf(form); at >= 0; at = bytes.indexOf(form, at + 1)) {
    let end = at + form.length;
    if (isWord && (isOfWord(bytes[at - 1]) || isOfWord(bytes[end]))) continue;
    while (bytes[end] === PADDING) end += 1;
    ranges.push({ from: from[at] ?? 0, to: to[end - 1] ?? 0 });
  }
  return ranges;
}

function tokens({ bytes, from, to }: Reading): readonly Range[] {
  // Few texts have one. In latin1 each byte is one character.
  if (!bytes.includes(".eyJ")) return [];
  return [...bytes.toString("latin1").matchAll(JSON_WEB_TOKEN)].map(({ index, 0: { length } }) => ({
    from: from[index] ?? 0,
    to: to[index + length - 1] ?? 0,
  }));
}

/** Letters and digits, and everything that is not ASCII. */
function isOfWord(byte: number | undefined): boolean {
  return byte !== undefined && (byte >= 0x80 || /[a-z0-9]/i.test(String.fromCharCode(byte)));
}

function withMasks(text: string, ranges: readonly Range[]): string {
  let masked = "";
  let done = 0;
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from || b.to - a.to)) {
    // It is inside another one, or begins in it.
    if (from >= done) masked += `${text.slice(done, from)}${MASK}`;
    done = Math.max(done, to);
  }
  return masked + text.slice(done);
}
