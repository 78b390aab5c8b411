/** A refusal: an error by its code on the wire. */
export class Refusal {
  readonly code: string;
  readonly status: number;
  readonly message: RegExp | undefined;

  constructor(code: string, status: number, message?: RegExp) {
    this.code = code;
    this.status = status;
    this.message = message;
  }
}

export function refused(code: string, { status = 400, message }: { status?: number; message?: RegExp } = {}): Refusal {
  return new Refusal(code, status, message);
}

/** A list that has these among others, in any order. */
export class Including {
  readonly items: readonly Expected[];

  constructor(items: readonly Expected[]) {
    this.items = items;
  }
}

export const including = (...items: readonly Expected[]) => new Including(items);

/** A list that has none of these. */
export class Lacking {
  readonly items: readonly Expected[];

  constructor(items: readonly Expected[]) {
    this.items = items;
  }
}

export const lacking = (...items: readonly Expected[]) => new Lacking(items);

/** Attributes of load balancers, listeners and target groups, among others. */
export function attributes(values: Readonly<Record<string, string>>): { readonly Attributes: Including } {
  return { Attributes: including(...Object.entries(values).map(([Key, Value]) => ({ Key, Value }))) };
}

/** A member that is not there. */
export const ABSENT = Symbol("absent");
/** A list of so many. */
export const count = (length: number) => ({ length });
/** A moment, given by SDKs as a `Date`. */
export const A_DATE = Symbol("a date");

/**
 * What an answer must have: an object may have more members, a list has exactly these entries. Texts in `{braces}` are
 * names, as in calls.
 */
export type Expected =
  | string
  | number
  | boolean
  | RegExp
  | symbol
  | Refusal
  | Including
  | Lacking
  | readonly Expected[]
  | { readonly [member: string]: Expected };

/** Each place at which `actual` is not what was expected, as a sentence. */
export function differences(actual: unknown, expected: Expected, path = "answer"): readonly string[] {
  const differs = () => [`${path}: ${shown(actual)} instead of ${shown(expected)}`];
  if (expected === ABSENT) return actual === undefined ? [] : differs();
  if (expected === A_DATE) return actual instanceof Date && !Number.isNaN(actual.getTime()) ? [] : differs();
  if (expected instanceof RegExp) return typeof actual === "string" && expected.test(actual) ? [] : differs();
  if (expected instanceof Including || expected instanceof Lacking) {
    if (!Array.isArray(actual)) return differs();
    const found = (item: Expected) => actual.some((each) => differences(each, item).length === 0);
    const wrong = expected.items.filter((item) => found(item) === expected instanceof Lacking);
    return wrong.map(
      (item) => `${path}: ${shown(item)} is ${expected instanceof Lacking ? "" : "not "}in ${shown(actual)}`,
    );
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return differs();
    return expected.flatMap((item, index) => differences(actual[index], item, `${path}[${index}]`));
  }
  if (typeof expected !== "object") return actual === expected ? [] : differs();
  if (typeof actual !== "object" || actual === null) return differs();
  return Object.entries(expected).flatMap(([name, member]) =>
    differences((actual as Readonly<Record<string, unknown>>)[name], member, `${path}.${name}`),
  );
}

function shown(value: unknown): string {
  if (typeof value === "symbol" || value instanceof RegExp) return String(value);
  if (value instanceof Including || value instanceof Lacking) return `a list ${shown(value.items)}`;
  return JSON.stringify(value) ?? "nothing";
}
