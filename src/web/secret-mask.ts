import { SECRET_CHARACTERS_MIN } from "./secrets.ts";

/** What stands in place of a secret. */
const MASK = "…";
/** Of a longer one only the usual forms are looked for: an expression for all of them would be too large. */
const EXPRESSED_CHARACTERS_MAX = 512;
/** Where a text ends in the middle of a secret, so many of its characters give nothing away. */
const CUT_CHARACTERS_MIN = 8;

/**
 * Finds secrets in what callers have sent, whatever the secrets are made of and whatever the text was put through on its way:
 * as they are, in a URL, in JSON, in base64, each also inside another. Those of fewer than 16 characters may stand in other
 * text by chance: they are masked as whole words, and nowhere else.
 */
export class SecretMask {
  readonly #long: readonly RegExp[];
  readonly #short: readonly RegExp[];
  readonly #secrets: readonly string[];

  constructor(secrets: readonly string[]) {
    // White space around a secret is gone where a text was trimmed.
    const trimmed = [...new Set(secrets.map((secret) => secret.trim()))].filter((secret) => secret !== "");
    // One may be a part of another.
    const [long, short] = [trimmed.filter(isLong), trimmed.filter((secret) => !isLong(secret))].map((each) =>
      each.sort((a, b) => b.length - a.length),
    ) as [string[], string[]];
    this.#secrets = long;
    this.#long = long.flatMap((secret) => formsOf(secret).map((form) => new RegExp(form, "gu")));
    this.#short = short.map((secret) => new RegExp(`(?<![\\p{L}\\p{N}])${spelled(secret)}(?![\\p{L}\\p{N}])`, "gu"));
  }

  /** Whether a secret stands in the text that can't be there by chance. */
  isIn(text: string): boolean {
    return this.#long.some((form) => text.search(form) >= 0);
  }

  /** Whether the text as a whole is a secret, in any letter case. */
  isAll(text: string): boolean {
    return [...this.#long, ...this.#short].some((form) => isWhole(new RegExp(form.source, "iu"), text.trim()));
  }

  /** The text without secrets. To be called before it is shortened: the rest of a secret can't be told from other text. */
  masked(text: string): string {
    const whole = [...this.#long, ...this.#short].reduce((masked, form) => masked.replace(form, MASK), text);
    // A caller has shortened it.
    const cut = Math.max(0, ...this.#secrets.map((secret) => cutLength(whole, secret)));
    return cut < CUT_CHARACTERS_MIN ? whole : `${whole.slice(0, -cut)}${MASK}`;
  }
}

function isLong(secret: string): boolean {
  return [...secret].length >= SECRET_CHARACTERS_MIN;
}

function isWhole(form: RegExp, text: string): boolean {
  const [found] = form.exec(text) ?? [];
  return found === text;
}

/** How many of the text's last characters are the first ones of the secret. */
function cutLength(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= CUT_CHARACTERS_MIN; length -= 1)
    if (text.endsWith(secret.slice(0, length))) return length;
  return 0;
}

/** Expressions of all forms in which a secret may stand. */
function formsOf(secret: string): readonly string[] {
  // What Node reads from a header it takes for latin1.
  const read = [secret, Buffer.from(secret, "utf8").toString("latin1")];
  if (secret.length > EXPRESSED_CHARACTERS_MAX) {
    const usual = [...read, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
    return [...new Set([...usual, ...base64Of(secret)])].map(literal);
  }
  return [...new Set([...read, ...base64Of(secret)])].map(spelled);
}

/** The characters of base64 that the secret alone decides, wherever in the encoded text it begins; in both alphabets. */
function base64Of(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, "utf8");
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const [from, to] = [Math.ceil((8 * before) / 6), Math.floor((8 * (before + bytes.length)) / 6)];
    const own = encoded.slice(from, to);
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

/** The text character by character, each as it is or escaped for a URL or JSON, also more than once. */
function spelled(text: string): string {
  // Padding of base64 is often left out.
  const unpadded = text.replace(/=+$/, "");
  const padding = unpadded === text ? "" : `(?:${formsOfCharacter("=")})*`;
  return [...unpadded].map((character) => `(?:${formsOfCharacter(character)})`).join("") + padding;
}

function formsOfCharacter(character: string): string {
  const inUrl = [...Buffer.from(character, "utf8")].map((byte) => `%(?:25)*${hexadecimal(byte, 2)}`).join("");
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  const inJson = units.map((unit) => `\\\\+u${hexadecimal(unit, 4)}`).join("");
  const own = character === "\\" ? "\\\\+" : `\\\\*${literal(character)}`;
  const byForm = character === " " ? ["\\+"] : character === "+" ? [" "] : [];
  const byLetter = character === "\t" ? ["\\\\+t"] : [];
  return [/["\\/]/.test(character) ? own : literal(character), inUrl, inJson, ...byForm, ...byLetter].join("|");
}

function hexadecimal(number: number, digits: number): string {
  const text = number.toString(16).padStart(digits, "0");
  return text.replace(/[a-f]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
