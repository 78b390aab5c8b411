import type * as z from "zod";
import { nearest } from "./nearest.ts";

/** How many characters of a value a message repeats. */
const SHOWN_MAX = 40;

/**
 * The message for a value whose schema has no message of its own: what is wrong, and the value to give instead. For
 * `safeParse`, so that users see no message of the schema library.
 */
export const shapeAdvice: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "unrecognized_keys":
      return unknownKeys(issue.keys, keysOf(issue.inst));
    case "invalid_type":
      return wrong(issue.input, TYPES[issue.expected] ?? issue.expected);
    case "invalid_value":
      return wrong(issue.input, anyOf(issue.values.map(String)));
    case "invalid_format":
      return wrong(issue.input, FORMATS[issue.format] ?? "in the expected form");
    case "too_small":
      return outside(issue, `${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`);
    case "too_big":
      return outside(issue, `${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}`);
    case "invalid_union":
      return unionAdvice(issue);
    default:
      return wrong(issue.input, "allowed here");
  }
};

const TYPES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a text",
  // The only tuple is a range of lags.
  tuple: "a list of two numbers, such as [4000, 18000]",
};

const FORMATS: Readonly<Record<string, string>> = {
  cidrv4: "an IPv4 range such as 10.0.0.0/16",
  cidrv6: "an IPv6 range such as fd00::/64",
  ipv4: "an IPv4 address",
  ipv6: "an IPv6 address",
  url: "a URL",
};

function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  const what = `unknown ${keys.length === 1 ? "key" : "keys"} ${keys.map((key) => shown(key)).join(", ")}`;
  const guesses = keys.map((key) => nearest(key, known)).filter((guess) => guess !== undefined);
  if (guesses.length === keys.length) return `${what}: did you mean ${guesses.join(", ")}?`;
  return known.length === 0 ? what : `${what}: the keys here are ${known.join(", ")}`;
}

/** The keys of the object that an issue is about. */
function keysOf(schema: unknown): readonly string[] {
  const { shape = {} } =
    (schema as { readonly _zod?: { readonly def?: { readonly shape?: object } } })?._zod?.def ?? {};
  return Object.keys(shape);
}

function wrong(value: unknown, needed: string): string {
  return value === undefined ? `is missing: it must be ${needed}` : `${shown(value)} is not ${needed}`;
}

function outside({ input }: { readonly input?: unknown }, bound: string): string {
  if (typeof input === "string") return `has ${input.length} characters: give ${bound}`;
  if (Array.isArray(input)) return `has ${input.length} entries: give ${bound}`;
  return `is ${shown(input)}: give ${bound}`;
}

/** If a field tells the kinds of an object apart, the problem is the value of that field. */
function unionAdvice({
  input,
  discriminator = "",
  options,
}: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string {
  if (!Array.isArray(options)) return wrong(input, "allowed here");
  const given = typeof input === "object" && input !== null ? Reflect.get(input, discriminator) : input;
  return wrong(given, anyOf(options.map(String)));
}

function anyOf(words: readonly string[]): string {
  return words.length === 1 ? `${words[0]}` : `one of ${words.join(", ")}`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return `'${value.length > SHOWN_MAX ? `${value.slice(0, SHOWN_MAX)}…` : value}'`;
}
