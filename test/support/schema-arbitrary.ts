import fc, { type Arbitrary } from "fast-check";

/** What a JSON schema says of a value, as far as the project's schemas go. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
}

export interface ArbitraryOptions {
  /** Texts that mean something where the values go: names of what there is. */
  readonly words: readonly string[];
  /** One value in so many is not as the schema has it, at each place. 0: all are. */
  readonly oneWrongIn: number;
}

/** Whatever has ever upset a parser. */
export const HOSTILE: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, "", " ", "0", "null", "\0", "\u001b[31m", "\u202e", "\ud800", "\r\n", "__proto__", "constructor"],
    ...[0, -0, -1, 0.1, 1e21, 1e308, Number.MAX_SAFE_INTEGER + 2, "1e309", "NaN", "9".repeat(400), "x".repeat(5_000)],
    ...["$(x)", "%00", "%zz", "../..", "*", "&a", "<<", "!!js/function x", "2026-01-01", [], {}, [[]], [null]],
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Values by a schema, some of them nearly. */
export function bySchema(schema: Schema, options: ArbitraryOptions): Arbitrary<unknown> {
  const right = fitting(schema, options);
  if (options.oneWrongIn === 0) return right;
  return fc.oneof({ arbitrary: right, weight: options.oneWrongIn - 1 }, { arbitrary: HOSTILE, weight: 1 });
}

function fitting(schema: Schema, options: ArbitraryOptions): Arbitrary<unknown> {
  if (Object.hasOwn(schema, "const")) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined && schema.properties === undefined)
    return fc.oneof(...choices.map((choice) => bySchema(choice, options)));
  switch (schema.type) {
    case "string":
      return texts(schema, options);
    case "integer":
      return fc.integer({ min: schema.minimum ?? -10, max: Math.min(schema.maximum ?? 100, 2 ** 31 - 1) });
    case "number":
      return fc.double({ min: schema.minimum ?? -10, max: schema.maximum ?? 100_000, noNaN: true });
    case "boolean":
      return fc.boolean();
    case "array":
      return lists(schema, options);
    case "object":
      return objects(schema, options);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

/** Those whose patterns few texts fit. */
const FORMATS: Readonly<Record<string, Arbitrary<string>>> = {
  ipv4: fc.ipV4(),
  ipv6: fc.ipV6(),
  cidrv4: fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map((parts) => parts.join("/")),
  cidrv6: fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map((parts) => parts.join("/")),
};

function texts(
  { format = "", pattern, allOf = [], minLength, maxLength }: Schema,
  { words }: ArbitraryOptions,
): Arbitrary<string> {
  const form = pattern ?? allOf.find((each) => each.pattern !== undefined)?.pattern;
  const known = form === undefined ? words : words.filter((word) => new RegExp(form).test(word));
  const bounds = { minLength: minLength ?? 0, maxLength: Math.max(minLength ?? 0, Math.min(maxLength ?? 20, 300)) };
  const made = FORMATS[format] ?? (form === undefined ? fc.string(bounds) : matching(form));
  return known.length === 0 ? made : fc.oneof({ arbitrary: fc.constantFrom(...known), weight: 3 }, made);
}

/** What a pattern says by looking ahead, of which fast-check knows nothing, sorts texts out afterwards. */
function matching(pattern: string): Arbitrary<string> {
  const whole = new RegExp(pattern);
  const without = pattern.replace(/\(\?[!=](?:[^()\\]|\\.)*\)/g, "");
  return fc.stringMatching(new RegExp(without), { size: "small" }).filter((text) => whole.test(text));
}

function lists({ items = {}, prefixItems, minItems = 0, maxItems }: Schema, options: ArbitraryOptions) {
  if (prefixItems !== undefined) return fc.tuple(...prefixItems.map((item) => bySchema(item, options)));
  const maxLength = Math.max(minItems, Math.min(maxItems ?? 2, 2));
  return fc.array(bySchema(items, options), { minLength: minItems, maxLength });
}

function objects({ properties = {}, required = [], additionalProperties }: Schema, options: ArbitraryOptions) {
  if (typeof additionalProperties === "object") {
    const names = fc.oneof(fc.constantFrom(...options.words), fc.string({ maxLength: 8 }));
    return fc.dictionary(names, bySchema(additionalProperties, options), { maxKeys: 3 });
  }
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [name, bySchema(property, options)]),
  );
  const known = fc.record(fields, { requiredKeys: [...required] });
  return options.oneWrongIn === 0 ? known : known.chain((fitted) => nearly(fitted, options));
}

/** Mostly as it is; else with a field less, or one more. */
function nearly(fitted: object, { oneWrongIn }: ArbitraryOptions): Arbitrary<unknown> {
  const fields = Object.entries(fitted);
  const less = fc.constantFrom(...fields, ["", 0]).map(([gone]) => fields.filter(([name]) => name !== gone));
  const more = fc.tuple(fc.string({ maxLength: 8 }), HOSTILE).map((field) => [...fields, field]);
  const spoilt = fc.oneof(less, more).map((entries) => Object.fromEntries(entries));
  return fc.oneof({ arbitrary: fc.constant(fitted), weight: oneWrongIn * 2 }, { arbitrary: spoilt, weight: 1 });
}
