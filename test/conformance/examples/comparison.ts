import type { Json, JsonObject } from "./example.ts";

/**
 * What AWS makes up, and neither an input nor a world decides: moments, UUIDs, ids, digits of ARNs and of DNS names, hosted
 * zones, and addresses of interfaces.
 */
const MADE_UP: readonly (readonly [kind: string, form: RegExp])[] = [
  ["moment", /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g],
  ["uuid", /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g],
  ["number", /(?<=-)\d{6,}(?=\.[a-z-]+\d\.elb\.)/g],
  ["hosted zone", /\bZ(?=[A-Z]*\d)[0-9A-Z]{10,}\b/g],
  ["digits", /(?<=\/)[0-9a-f]{16}\b/g],
  ["id", /(?<=\b[a-z]+-)(?:[0-9a-f]{17}|[0-9a-f]{8})\b(?!-)/g],
  ["hardware address", /\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g],
];

/** A place at which an answer departs from an example's. */
export interface Difference {
  /** `LoadBalancers[0].State.Code`; `Tags.length` where a list has more or fewer entries. */
  readonly place: string;
  readonly answered: Json | undefined;
  readonly shown: Json;
}

/**
 * Compares an answer with the one that an example shows. The answer may have more members, because AWS adds some over the
 * years, and has its lists in any order; lists of attributes by key may have more entries. `known`: texts that are the same
 * in both. All else of the forms above may be another one of the same form.
 */
export function compare(answered: Json, shown: Json, known: ReadonlySet<string>): readonly Difference[] {
  return new Comparison(known).differences(answered, shown, "");
}

class Comparison {
  readonly #known: ReadonlySet<string>;

  constructor(known: ReadonlySet<string>) {
    this.#known = known;
  }

  differences(answered: Json | undefined, shown: Json, place: string): readonly Difference[] {
    if (isList(shown) && isList(answered)) return this.#ofLists(answered, shown, place);
    if (isObject(shown) && isObject(answered))
      return Object.entries(shown).flatMap(([name, member]) =>
        this.differences(answered[name], member, place === "" ? name : `${place}.${name}`),
      );
    const isSame =
      typeof answered === "string" && typeof shown === "string"
        ? this.#formOf(answered) === this.#formOf(shown)
        : answered === shown;
    return isSame ? [] : [{ place, answered, shown }];
  }

  /** Entries that have the same in both are found first. Each other one is compared with the one that is most like it. */
  #ofLists(answered: readonly Json[], shown: readonly Json[], place: string): readonly Difference[] {
    const rest = [...answered];
    const take = (one: Json) => rest.splice(rest.indexOf(one), 1);
    const others = shown
      .map((entry, index) => ({ entry, inside: `${place}[${index}]` }))
      .filter(({ entry, inside }) => {
        const same = rest.find((one) => this.differences(one, entry, inside).length === 0);
        if (same !== undefined) take(same);
        return same === undefined;
      });
    const inside = others.flatMap(({ entry, inside }) => {
      const candidates = rest.map((one) => ({ one, found: this.differences(one, entry, inside) }));
      const unlike = ({ one, found }: (typeof candidates)[number]) =>
        found.length - (keyOf(one) === keyOf(entry) ? 1 : 0);
      const [nearest] = candidates.sort((a, b) => unlike(a) - unlike(b));
      if (nearest !== undefined) take(nearest.one);
      return nearest?.found ?? [];
    });
    const mayBeLonger = shown.length > 0 && shown.every((entry) => isObject(entry) && isAttribute(entry));
    if (answered.length === shown.length || (mayBeLonger && answered.length > shown.length)) return inside;
    return [...inside, { place: `${place}.length`, answered: answered.length, shown: shown.length }];
  }

  #formOf(text: string): string {
    let form = text;
    for (const [kind, pattern] of MADE_UP)
      form = form.replace(pattern, (made, offset: number, whole: string) =>
        this.#isKnown(made, offset, whole) ? made : `{${kind}}`,
      );
    return form;
  }

  /** Whether what is found is, or is part of, a known text. */
  #isKnown(made: string, offset: number, whole: string): boolean {
    for (const known of this.#known) {
      const within = known.indexOf(made);
      if (within >= 0 && whole.startsWith(known, offset - within)) return true;
    }
    return false;
  }
}

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of a tag or an attribute. */
function keyOf(entry: Json): Json | undefined {
  return isObject(entry) ? entry["Key"] : undefined;
}

/** Of a load balancer or a target group. AWS has more of them each year. */
function isAttribute(entry: JsonObject): boolean {
  return Object.keys(entry).sort().join() === "Key,Value" && /\./.test(String(entry["Key"]));
}
