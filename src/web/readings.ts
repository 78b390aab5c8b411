/** How many escapes a text may be nested in, such as JSON in JSON in a URL. */
const DEPTH_MAX = 3;

/**
 * A text with some of its escapes replaced by what they stand for, in UTF-8. A plus sign is a space, as it may be in a
 * URL.
 */
export interface Reading {
  readonly bytes: Buffer;
  /** The position of each byte in the text: its first character, and the one after its last. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

/**
 * The text, the text with its escapes of URLs or of JSON replaced, the same with the escapes in these replaced, and so
 * on.
 */
export function everyReading(text: string): readonly Reading[] {
  const readings = [asItIs(text)];
  let last: readonly Reading[] = readings;
  for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
    const unescapedBy = (escapeAt: EscapeAt) => last.flatMap((reading) => unescaped(reading, escapeAt) ?? []);
    // One after the other, because what looks like an escape of the one may be text that the other has escaped.
    last = [...unescapedBy(urlEscapeAt), ...unescapedBy(jsonEscapeAt)];
    readings.push(...last);
  }
  return readings.map(withSpaces);
}

function asItIs(text: string): Reading {
  const bytes = Buffer.from(text, "utf8");
  const [from, to] = [new Uint32Array(bytes.length), new Uint32Array(bytes.length)];
  let [at, index] = [0, 0];
  for (const character of text) {
    const end = at + Buffer.byteLength(character);
    from.fill(index, at, end);
    index += character.length;
    to.fill(index, at, end);
    at = end;
  }
  return { bytes, from, to };
}

const [PLUS, SPACE, PERCENT, BACKSLASH, LETTER_U] = Buffer.from("+ %\\u");

function withSpaces({ bytes, ...places }: Reading): Reading {
  return { bytes: bytes.map((byte) => (byte === PLUS ? (SPACE ?? 0) : byte)) as Buffer, ...places };
}

/** One escape: the number of bytes that it takes, and the bytes that it stands for. */
interface Escape {
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** Undefined: there is no escape. */
type EscapeAt = (bytes: Buffer, at: number) => Escape | undefined;

/** Undefined: the text has no escapes. */
function unescaped({ bytes, from, to }: Reading, escapeAt: EscapeAt): Reading | undefined {
  const result = {
    bytes: Buffer.alloc(bytes.length),
    from: new Uint32Array(bytes.length),
    to: new Uint32Array(bytes.length),
  };
  let [length, at] = [0, 0];
  while (at < bytes.length) {
    const found = escapeAt(bytes, at);
    const end = at + (found?.length ?? 1);
    for (const byte of found?.bytes ?? bytes.subarray(at, end)) {
      result.bytes[length] = byte;
      result.from[length] = from[at] ?? 0;
      result.to[length] = to[end - 1] ?? 0;
      length += 1;
    }
    at = end;
  }
  if (length === bytes.length) return undefined;
  const cut = <T extends Uint8Array | Uint32Array>(places: T) => places.subarray(0, length) as T;
  return { bytes: cut(result.bytes), from: cut(result.from), to: cut(result.to) };
}

function urlEscapeAt(bytes: Buffer, at: number): Escape | undefined {
  const code = bytes[at] === PERCENT ? hexadecimal(bytes, at + 1, 2) : undefined;
  return code === undefined ? undefined : { length: 3, bytes: Uint8Array.of(code) };
}

function jsonEscapeAt(bytes: Buffer, at: number): Escape | undefined {
  if (bytes[at] !== BACKSLASH || at + 1 >= bytes.length) return undefined;
  if (bytes[at + 1] !== LETTER_U) return letterEscape(bytes[at + 1] ?? 0);
  const unit = hexadecimal(bytes, at + 2, 4);
  if (unit === undefined) return undefined;
  const isHigh = unit >= 0xd800 && unit < 0xdc00 && bytes[at + 6] === BACKSLASH && bytes[at + 7] === LETTER_U;
  const low = isHigh ? hexadecimal(bytes, at + 8, 4) : undefined;
  const character = low === undefined ? String.fromCharCode(unit) : String.fromCharCode(unit, low);
  return { length: low === undefined ? 6 : 12, bytes: Buffer.from(character, "utf8") };
}

/** An escape of JSON, such as `\n`. Any other character stands for itself. */
function letterEscape(letter: number): Escape {
  const byLetter: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
  const control = byLetter[String.fromCharCode(letter)];
  return { length: 2, bytes: control === undefined ? Uint8Array.of(letter) : Buffer.from(control) };
}

function hexadecimal(bytes: Buffer, at: number, digits: number): number | undefined {
  const text = bytes.toString("latin1", at, at + digits);
  return text.length === digits && /^[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : undefined;
}
