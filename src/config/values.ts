/** The kinds of values that options have. */

import { NODE_TRIGGERS, type NodeTrigger } from "../drain/cluster.ts";

/**
 * A kind of value: how it is parsed, and what documents and help say about its range. Both come from the same numbers.
 */
export interface ValueKind<T> {
  /** `whole number`, `text` and so on. */
  readonly type: string;
  /** The allowed values of the type. */
  readonly range: string;
  /** The unit in which people give it. Absent: it has none. Inside the program, times are milliseconds. */
  readonly unit?: "seconds";
  /** All allowed values, if there are only a few. */
  readonly words?: readonly string[];
  /** A pattern that every allowed value matches, if it says more than `range`. The schema of the chart contains it. */
  readonly pattern?: RegExp;
  /** Throws `RangeError` that says which value to give instead. */
  readonly parse: (given: string) => T;
}

/** The limit of Linux. */
export const PATH_LENGTH_MAX = 4_096;

/** One line of at most `lengthMax` characters. */
export function text(lengthMax: number, type = "text"): ValueKind<string> {
  return {
    type,
    range: `at most ${lengthMax} characters`,
    parse: (given) => {
      if (given.length > lengthMax || CONTROL.test(given)) {
        throw new RangeError(`give at most ${lengthMax} characters, and no control characters`);
      }
      return given;
    },
  };
}

const CONTROL = /\p{Cc}/u;

/** `true` or `1`, `false` or `0`, in upper or lower case. */
export const flag: ValueKind<boolean> = {
  type: "boolean",
  range: "true or false",
  words: ["true", "false"],
  parse: (given) => {
    const lower = given.toLowerCase();
    if (lower === "true" || lower === "1") return true;
    if (lower === "false" || lower === "0") return false;
    throw new RangeError("give true or false");
  },
};

/** One of a few words, in upper or lower case. */
export function oneOf<const T extends string>(allowed: readonly T[]): ValueKind<T> {
  const range = `${allowed.length === 1 ? "" : "one of "}${allowed.join(", ")}`;
  return {
    type: "word",
    range,
    words: allowed,
    parse: (given) => {
      const found = allowed.find((value) => value === given.toLowerCase());
      if (found === undefined) throw new RangeError(`give ${range}`);
      return found;
    },
  };
}

/** `range` describes in words which texts match the pattern. */
export function matching(pattern: RegExp, range: string): ValueKind<string> {
  return {
    type: "text",
    range,
    pattern,
    parse: (given) => {
      if (!pattern.test(given)) throw new RangeError(`give ${range}`);
      return given;
    },
  };
}

/** Names of Auto Scaling groups, in the form in which IAM's resources may name them. */
export const GROUP_NAMES: ValueKind<string> = matching(
  /^[\w./=+@*?()-]{1,255}(,[\w./=+@*?()-]{1,255}){0,49}$/,
  "1 to 50 names of Auto Scaling groups with commas between them; * and ? stand for other characters",
);

export function wholeNumber(min: number, max: number): ValueKind<number> {
  const range = `from ${min} to ${max}`;
  return {
    type: "whole number",
    range,
    parse: (given) => {
      const value = Number(given);
      if (!/^\d+$/.test(given) || value < min || value > max) throw new RangeError(`give a whole number ${range}`);
      return value;
    },
  };
}

export function number(min: number, max: number): ValueKind<number> {
  const range = `from ${min} to ${max}`;
  return {
    type: "number",
    range,
    parse: (given) => {
      const value = Number(given);
      if (!/^\d+(\.\d+)?$/.test(given) || value < min || value > max) {
        throw new RangeError(`give a number ${range}, such as ${Math.min(max, Math.max(min, 1)) / 2}`);
      }
      return value;
    },
  };
}

/** People give seconds, with fractions. The value is in milliseconds. */
export function seconds(min: number, max: number): ValueKind<number> {
  const range = `from ${min} to ${max}`;
  return {
    type: "seconds",
    range,
    unit: "seconds",
    parse: (given) => {
      const value = Number(given);
      if (!/^\d+(\.\d+)?$/.test(given) || value < min || value > max) {
        throw new RangeError(`give seconds ${range}, such as ${Math.min(max, 60)}`);
      }
      return value * 1_000;
    },
  };
}

/** The origin of a server that speaks plain HTTP: without user, path or query. */
export const httpOrigin: ValueKind<string> = {
  type: "URL",
  range: "http://, a host, and a port if it is not 80",
  parse: (given) => {
    const url = given.length <= URL_LENGTH_MAX && URL.canParse(given) ? new URL(given) : undefined;
    // Anything beside the origin would make the normalized URL longer.
    if (url?.protocol !== "http:" || url.href !== `${url.origin}/`) {
      throw new RangeError("give an address such as http://169.254.169.254, and nothing after it");
    }
    return url.origin;
  },
};

const URL_LENGTH_MAX = 300;

/** A proxy, by its URL or only by its host and port. */
export const proxyUrl: ValueKind<string> = {
  type: "URL",
  range: "http:// or https://, a host and a port, with user and password if the proxy needs them",
  parse: (given) => {
    const whole = given.includes("://") ? given : `http://${given}`;
    const url = whole.length <= URL_LENGTH_MAX && URL.canParse(whole) ? new URL(whole) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== "/" || url.search + url.hash !== "")
      throw new RangeError("give a proxy such as http://proxy.example.com:3128");
    return url.href;
  },
};

/** A number, or a percentage of a total. */
type Share = { readonly count: number } | { readonly percent: number };

/** `3`, or `20%`. `min` is the minimum of both. */
export function share(min: number, countMax: number): ValueKind<Share> {
  const range = `from ${min} to ${countMax}, or from ${min}% to 100%`;
  return {
    type: "whole number or percentage",
    range,
    parse: (given) => {
      const [, digits = "", sign] = /^(\d+)(%?)$/.exec(given) ?? [];
      const value = Number(digits);
      if (digits === "" || value < min || value > (sign === "%" ? 100 : countMax)) {
        throw new RangeError(`give a whole number or percentage ${range}`);
      }
      return sign === "%" ? { percent: value } : { count: value };
    },
  };
}

/** The parts of a Node object that announce its departure. */
export interface NodeTriggers {
  readonly triggers: ReadonlySet<NodeTrigger>;
  /** The keys of the taints that `taint:KEY` names. */
  readonly taints: ReadonlySet<string>;
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const TAINT = /^taint:((?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)$/;

/** `none`, or words with commas between them. */
export const nodeTriggers: ValueKind<NodeTriggers> = {
  type: "list",
  range: `none, or some of ${NODE_TRIGGERS.filter((word) => word !== "taint").join(", ")}, taint:KEY`,
  parse: (given) => {
    const triggers = new Set<NodeTrigger>();
    const taints = new Set<string>();
    for (const word of given === "none" ? [] : given.split(",").map((each) => each.trim())) {
      const [, key] = TAINT.exec(word) ?? [];
      const known = NODE_TRIGGERS.find((trigger) => trigger !== "taint" && trigger === word);
      if (key !== undefined) taints.add(key);
      else if (known !== undefined) triggers.add(known);
      else throw new RangeError(`give ${nodeTriggers.range}`);
    }
    if (taints.size > 0) triggers.add("taint");
    return { triggers, taints };
  },
};

/**
 * What help and documents say about an option in addition to its type, range and default, which come from its check.
 */
export interface OptionText {
  /** What the option sets, in sentences. */
  readonly description: string;
  /** A value in the form in which people give it. */
  readonly example: string;
  /** When to change the default, in a sentence. */
  readonly changeWhen: string;
}

/** The commands that take options. */
export type Verb =
  | "serve"
  | "drain"
  | "plan"
  | "status"
  | "drains"
  | "cancel"
  | "uncordon"
  | "policy"
  | "rbac"
  | "lambda"
  | "watch"
  | "hold"
  | "doctor";

/** One option of the configuration. Its texts are in option-texts.ts. */
export interface Option<T = unknown> extends ValueKind<T> {
  readonly variable: string;
  /**
   * In the form of commander. `--no-…` gives false. Absent if every user of the machine could read a secret from it.
   */
  readonly flag?: string;
  readonly default?: T;
  /** Shown in help and documents if the default is not a value. */
  readonly defaultText?: string;
  /** Other programs read the variable in lower case too, and so does this one. */
  readonly inLowerCaseToo?: true;
  /** It is never shown, and white space around it counts. */
  readonly isSecret?: true;
  readonly usedBy: readonly Verb[];
  readonly requiredBy?: readonly Verb[];
  /** The given value as messages may show it. Absent: unchanged. */
  readonly printableAs?: (given: string) => string;
}

export type WithDefault<T> = Option<T> & { readonly default: T };

/** Keeps the type of the option's values. */
export function option<const T>(declared: WithDefault<T>): WithDefault<T>;
export function option<const T>(declared: Option<T>): Option<T>;
export function option<T>(declared: Option<T>): Option<T> {
  return declared;
}
