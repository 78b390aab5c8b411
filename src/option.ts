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
  /** Never shown; white space around it counts. */
  readonly isSecret?: true;
  /** What people give it in; absent where it has no unit. Inside, times are milliseconds. */
  readonly unit?: "seconds";
  readonly usedBy: readonly Verb[];
  readonly requiredBy?: readonly Verb[];
  /** Throws `RangeError` that says what is allowed. */
  readonly parse: (text: string) => T;
  /** What was given, as messages may show it. Absent: as it is. */
  readonly shownAs?: (given: string) => string;
}

export type WithDefault<T> = Option<T> & { readonly default: T };

/** Keeps what type the option's values have. */
export function option<const T>(declared: WithDefault<T>): WithDefault<T>;
export function option<const T>(declared: Option<T>): Option<T>;
export function option<T>(declared: Option<T>): Option<T> {
  return declared;
}
