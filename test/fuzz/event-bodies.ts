import fc, { type Arbitrary } from "fast-check";
import { HOSTILE } from "../support/schema-arbitrary.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** What means something somewhere in an event. */
const WORDS = [
  ...["terminate", "hibernate", "shutting-down", "running", "closed", "RESOLVED", "WarmPool", "Notification"],
  ...["i-0123456789abcdef0", "i-abcd1111", "i-1234", "arn:aws:ec2:eu-west-1:123456789012:instance/i-abcd1111"],
  ...["2022-08-11T14:00:00Z", "9999-99-99T99:99:99Z", "Tue, 29 Aug 2023 03:30:00 GMT", "Xyz, 99 Xyz 2023 99:99:99 GMT"],
  ...["aws.ec2", "aws.health", "aws.autoscaling", "AWS Health Event", "autoscaling:EC2_INSTANCE_TERMINATING"],
];
const NAMES = ["detail", "detail-type", "source", "Message", "Type", "TopicArn", "Event", "Records", "__proto__"];

/** In place of what stands somewhere; undefined: nothing. */
const INSTEAD: Arbitrary<unknown> = fc.oneof(HOSTILE, fc.constantFrom(...WORDS), fc.constant(undefined));

type Change = readonly [place: number, value: unknown, name: string];

const CHANGES: Arbitrary<readonly Change[]> = fc.array(
  fc.tuple(fc.nat(), INSTEAD, fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 }))),
  { minLength: 1, maxLength: 3 },
);

/** The bodies with one to three of their values, in whatever depth, replaced, taken away, or with company. */
export function nearlyRight(bodies: readonly string[]): Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...bodies), CHANGES)
    .map(([body, changes]) => JSON.stringify(changes.reduce(changedOnce, JSON.parse(body))) ?? "");
}

function changedOnce(whole: Json, [place, value, name]: Change): Json {
  const paths = [...pathsIn(whole)];
  const path = paths[place % paths.length] ?? [];
  return replaced(whole, path, (old) => {
    // An object gets a field more as often as it goes.
    if (place % 2 === 0 && isObject(old)) return { ...old, [name]: value };
    return value;
  }) as Json;
}

/** Through the JSON that SNS puts into a text as well. */
function* pathsIn(value: Json): Generator<readonly string[]> {
  yield [];
  for (const [name, inner] of Object.entries(opened(value) ?? {}))
    for (const path of pathsIn(inner as Json)) yield [name, ...path];
}

function replaced(value: Json, [step, ...rest]: readonly string[], change: (old: Json) => unknown): unknown {
  if (step === undefined) return change(value);
  const container = opened(value) as Record<string, Json>;
  const inner = replaced(container[step] ?? null, rest, change);
  const after = Array.isArray(container) ? container.with(Number(step), inner) : { ...container, [step]: inner };
  return typeof value === "string" ? JSON.stringify(after) : after;
}

function opened(value: Json): object | undefined {
  if (typeof value === "object") return value ?? undefined;
  if (typeof value !== "string" || !value.startsWith("{")) return undefined;
  try {
    return JSON.parse(value) as object;
  } catch {
    return undefined;
  }
}

function isObject(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The bodies with pieces of their text cut out, put in or replaced. */
export function mangled(bodies: readonly string[]): Arbitrary<string> {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 10 }),
    fc.constantFrom(...['"', "\\", "{", "}", "[", "]", ",", ":", "null", "\\u0000", "\n", "1e999", "\ufeff"]),
  );
  const places = fc.array(fc.tuple(fc.nat(), fc.nat(12), piece), { minLength: 1, maxLength: 3 });
  return fc.tuple(fc.constantFrom(...bodies), places).map(([body, changes]) =>
    changes.reduce((text, [place, length, put]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + put + text.slice(at + length);
    }, body),
  );
}

/** As a queue would hand on what is no text. */
export function bytes(): Arbitrary<string> {
  return fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each).toString("utf8"));
}
