import { printable } from "../../drain/errors.ts";
import { nodeReference } from "../../drain/request.ts";

/** AWS's names, ids and codes are not longer. */
const TEXT_CHARACTERS_MAX = 255;
const BEGINNING_CHARACTERS_MAX = 16;

/** The fields of an object from outside. A field without the requested form throws `MalformedEvent`. */
export class EventFields {
  readonly #values: Readonly<Record<string, unknown>>;
  /** The object's path in messages: `detail.`. */
  readonly #path: string;

  private constructor(values: unknown, path: string, what: string) {
    if (!isObject(values)) throw new MalformedEvent(`${what} is ${kindOf(values)}, not an object`);
    this.#values = values;
    this.#path = path;
  }

  /** `what` names the text in messages. */
  static parse(text: string, what: string): EventFields {
    return new EventFields(parseJson(text, what), "", what);
  }

  /**
   * The same for a list of objects. One object is a list of one. An item that is not an object is skipped, and reported
   * to `odd`.
   */
  static parseList(text: string, what: string, odd: (problem: string) => void): readonly EventFields[] {
    const parsed = parseJson(text, what);
    return EventFields.#each(isObject(parsed) ? [parsed] : parsed, what, odd);
  }

  /** JSON's null counts as absent. */
  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  /** One line of printable characters, at least one, because it goes to logs, to the ledger and back to AWS. */
  text(name: string): string {
    const text = this.anyText(name);
    if (text === "" || printable(text, TEXT_CHARACTERS_MAX) !== text) {
      throw this.#not(name, `1 to ${TEXT_CHARACTERS_MAX} printable characters`);
    }
    return text;
  }

  /** As given: of any length, with any characters. Not for logs. */
  anyText(name: string): string {
    const value = this.#given(name);
    if (typeof value !== "string") throw new MalformedEvent(`${this.#path}${name} is ${kindOf(value)}, not a text`);
    return value;
  }

  /**
   * A name that its owner has chosen, 1 to 255 characters of any kind. AWS allows format characters, tabs and line
   * breaks in the names of Auto Scaling groups, and requires them unchanged. Logs get it through `printable`.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
   */
  name(name: string): string {
    const text = this.anyText(name);
    if (text === "" || [...text.slice(0, 2 * TEXT_CHARACTERS_MAX + 1)].length > TEXT_CHARACTERS_MAX)
      throw this.#not(name, `1 to ${TEXT_CHARACTERS_MAX} characters`);
    return text;
  }

  /** A text only for readers of logs. Undefined if it is missing, or not a string. It must be made printable first. */
  hint(name: string): string | undefined {
    const value = this.#value(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  /** `what` names the expected value in a problem. */
  optionalMatch(name: string, pattern: RegExp, what: string): string | undefined {
    if (!this.has(name)) return undefined;
    const text = this.text(name);
    if (!pattern.test(text)) throw this.#not(name, what);
    return text;
  }

  instanceId(name: string): string {
    const text = this.anyText(name);
    if (!isInstanceId(text)) throw this.#not(name, "an instance id");
    return text;
  }

  /** Milliseconds since the epoch. */
  optionalTime(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const at = eventTime(this.anyText(name));
    if (at === undefined) throw this.#not(name, "a time");
    return at;
  }

  object(name: string): EventFields {
    return new EventFields(this.#given(name), `${this.#path}${name}.`, this.#path + name);
  }

  /**
   * The objects in a list. None if the list is absent. An item that is not an object is skipped, and reported to `odd`.
   */
  objects(name: string, odd: (problem: string) => void): readonly EventFields[] {
    return EventFields.#each(this.#value(name) ?? [], this.#path + name, odd);
  }

  /** The strings in a list. None if it is absent, or not a list. */
  texts(name: string): readonly string[] {
    const list = this.#value(name);
    return Array.isArray(list) ? list.filter((each: unknown) => typeof each === "string") : [];
  }

  /** The object that a string contains as JSON. */
  document(name: string): EventFields {
    return EventFields.parse(this.anyText(name), this.#path + name);
  }

  static #each(list: unknown, path: string, odd: (problem: string) => void): readonly EventFields[] {
    if (!Array.isArray(list)) throw new MalformedEvent(`${path} is ${kindOf(list)}, not a list`);
    return eachAlone(
      list.entries(),
      ([index, each]: [number, unknown]) => {
        return [new EventFields(each, `${path}[${index}].`, `${path}[${index}]`)];
      },
      odd,
    );
  }

  #value(name: string): unknown {
    return this.#values[name] ?? undefined;
  }

  #given(name: string): unknown {
    const value = this.#value(name);
    if (value === undefined) throw new MalformedEvent(`${this.#path}${name} is missing`);
    return value;
  }

  #not(name: string, what: string): MalformedEvent {
    return new MalformedEvent(`${this.#path}${name} is '${printable(this.anyText(name))}', not ${what}`);
  }
}

/**
 * The result of `read` for each item. A malformed one does not hide the others: it is skipped, and reported to `odd`.
 */
export function eachAlone<T, R>(
  items: Iterable<T>,
  read: (item: T) => readonly R[],
  odd: (problem: string) => void,
): readonly R[] {
  return [...items].flatMap((item) => {
    try {
      return read(item);
    } catch (error) {
      if (!(error instanceof MalformedEvent)) throw error;
      odd(error.message);
      return [];
    }
  });
}

export function isInstanceId(text: string): boolean {
  try {
    nodeReference("id", text);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Only its beginning, because its parts, such as the operator's own metadata, can't be distinguished.
    throw new MalformedEvent(`${what} is not JSON: it begins with '${printable(text, BEGINNING_CHARACTERS_MAX)}'`);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** In words, for a value of any size and depth. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return "a text";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/**
 * `2022-08-11T14:00:00Z`, the form of EventBridge, Auto Scaling and EC2. Without a zone it is UTC, because AWS uses no
 * other.
 */
const ISO_8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/;
/** `Tue, 29 Aug 2023 03:30:00 GMT`, the form of AWS Health. Instance metadata omits the day of the week. */
const RFC_1123 = /^(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/** Milliseconds since the epoch. Undefined: it has neither of AWS's two forms, or is not a valid time. */
function eventTime(text: string): number | undefined {
  // Date.parse alone would take `1` for a time in 2001, and texts without a zone for local time.
  const iso = ISO_8601.exec(text);
  if (iso === null && !RFC_1123.test(text)) return undefined;
  const at = Date.parse(iso !== null && iso[1] === undefined ? `${text}Z` : text);
  return Number.isNaN(at) ? undefined : at;
}

/**
 * Why a body can't be parsed. The message names the field and the given value, on one line of limited length, so that
 * it is safe to log.
 */
export class MalformedEvent extends Error {
  override readonly name = "MalformedEvent";
}

/** Adds the place of a problem that `read` finds. */
export function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedEvent) throw new MalformedEvent(`${what}: ${error.message}`, { cause: error });
    throw error;
  }
}
