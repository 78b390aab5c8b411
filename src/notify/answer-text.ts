import { printable } from "../drain/errors.ts";

const SHOWN_CHARACTERS_MAX = 200;
/** Shorter parts of an address or a token may appear in other text by chance. */
const PART_CHARACTERS_MIN = 8;

/** The parts of a request that may be secret. */
export interface SentSecrets {
  readonly url: URL;
  readonly token?: string | undefined;
  readonly secret?: string | undefined;
}

/**
 * The beginning of a receiver's answer, for the log. Empty if the answer repeats a part of what may be secret: many
 * servers answer 404 with the path of the request, and the path of a Slack webhook is its key.
 */
export function answerText(body: string, { url, token = "", secret = "" }: SentSecrets): string {
  const { pathname, search, username, password } = url;
  const basic = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64");
  const repeated = [pathname, search, password, basic, token, secret].flatMap(partsOf);
  const text = body.toLowerCase();
  return repeated.some((part) => text.includes(part))
    ? ""
    : printable(body.trim().replace(/\s+/g, " "), SHOWN_CHARACTERS_MAX);
}

/** Only letters and digits stay the same however an answer escapes them. */
function partsOf(secret: string): readonly string[] {
  const parts = [secret, decoded(secret)].flatMap((text) => [text, ...text.split(/[^a-z0-9]+/i)]);
  return parts.filter(({ length }) => length >= PART_CHARACTERS_MIN).map((part) => part.toLowerCase());
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
