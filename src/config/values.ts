/** What the values of options may be. Each reads a text, or throws `RangeError` that says what to give instead. */

/** One line of at most so many characters. */
export function text(lengthMax: number): (given: string) => string {
  return (given) => {
    if (given.length > lengthMax || CONTROL.test(given)) {
      throw new RangeError(`give at most ${lengthMax} characters, and no control characters`);
    }
    return given;
  };
}

const CONTROL = /\p{Cc}/u;

/** `true` or `1`, `false` or `0`, in either case. */
export function flag(given: string): boolean {
  const lower = given.toLowerCase();
  if (lower === "true" || lower === "1") return true;
  if (lower === "false" || lower === "0") return false;
  throw new RangeError("give true or false");
}

/** One of a few words, in either case. */
export function oneOf<const T extends string>(allowed: readonly T[]): (given: string) => T {
  return (given) => {
    const found = allowed.find((value) => value === given.toLowerCase());
    if (found === undefined) throw new RangeError(`give ${allowed.length === 1 ? "" : "one of "}${allowed.join(", ")}`);
    return found;
  };
}

/** `what` says in an error what to give. */
export function matching(pattern: RegExp, what: string): (given: string) => string {
  return (given) => {
    if (!pattern.test(given)) throw new RangeError(`give ${what}`);
    return given;
  };
}

export function wholeNumber(min: number, max: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (!/^\d+$/.test(given) || value < min || value > max) {
      throw new RangeError(`give a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

export function number(min: number, max: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (!/^\d+(\.\d+)?$/.test(given) || value < min || value > max) {
      throw new RangeError(`give a number from ${min} to ${max}, such as ${Math.min(max, Math.max(min, 1)) / 2}`);
    }
    return value;
  };
}

/** Seconds outside, fractions allowed; milliseconds inside. */
export function seconds(min: number, max: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (!/^\d+(\.\d+)?$/.test(given) || value < min || value > max) {
      throw new RangeError(`give seconds from ${min} to ${max}, such as ${Math.min(max, 60)}`);
    }
    return value * 1_000;
  };
}

/** Where something answers over plain HTTP: no user, path or query. */
export function httpOrigin(given: string): string {
  const url = given.length <= URL_LENGTH_MAX && URL.canParse(given) ? new URL(given) : undefined;
  // All that there is beside the origin would stand in the rest.
  if (url?.protocol !== "http:" || url.href !== `${url.origin}/`) {
    throw new RangeError("give an address such as http://169.254.169.254, and nothing after it");
  }
  return url.origin;
}

const URL_LENGTH_MAX = 300;

/** A proxy, by its URL or by its host and port alone. */
export function proxyUrl(given: string): string {
  const text = given.includes("://") ? given : `http://${given}`;
  const url = text.length <= URL_LENGTH_MAX && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== "/" || url.search + url.hash !== "")
    throw new RangeError("give a proxy such as http://proxy.example.com:3128");
  return url.href;
}

/** A number, or a part of what there is. */
type Share = { readonly count: number } | { readonly percent: number };

/** `3`, or `20%`. `min` holds for both. */
export function share(min: number, countMax: number): (given: string) => Share {
  return (given) => {
    const [, digits = "", sign] = /^(\d+)(%?)$/.exec(given) ?? [];
    const value = Number(digits);
    if (digits === "" || value < min || value > (sign === "%" ? 100 : countMax)) {
      throw new RangeError(`give a whole number from ${min} to ${countMax}, or a part from ${min}% to 100%`);
    }
    return sign === "%" ? { percent: value } : { count: value };
  };
}

/** The commands that take options. */
export type Verb = "serve" | "drain" | "plan" | "status" | "cancel" | "policy" | "lambda" | "watch";

/** One option: everything that help texts, documents and checks need to know of it. */
export interface Option<T = unknown> {
  readonly variable: string;
  /** As commander writes it; `--no-…` gives false. Absent where a flag would show a secret to everybody who can list processes. */
  readonly flag?: string;
  readonly help: string;
  readonly default?: T;
  /** Shown in help and documents where the default is not a value. */
  readonly defaultText?: string;
  /** Other programs read the variable in lower case too, and so does this one. */
  readonly inLowerCaseToo?: true;
  /** Never shown; white space around it counts. */
  readonly isSecret?: true;
  /** What people give it in; absent where it has no unit. Inside, times are milliseconds. */
  readonly unit?: "seconds";
  readonly usedBy: readonly Verb[];
  readonly requiredBy?: readonly Verb[];
  /** Throws `RangeError` that says what is allowed. */
  readonly parse: (text: string) => T;
  /** What was given, as messages may show it. Absent: as it is. */
  readonly printableAs?: (given: string) => string;
}

export type WithDefault<T> = Option<T> & { readonly default: T };

/** Keeps what type the option's values have. */
export function option<const T>(declared: WithDefault<T>): WithDefault<T>;
export function option<const T>(declared: Option<T>): Option<T>;
export function option<T>(declared: Option<T>): Option<T> {
  return declared;
}
