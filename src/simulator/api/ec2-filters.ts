import { AwsError } from "../aws-error.ts";
import { matchesWildcard } from "../world/rule-conditions.ts";
import type { World } from "../world/world.ts";
import { readMarker, writeMarker } from "./paging.ts";
import { type Params, structures, text, texts } from "./params.ts";
import { isList, type XmlFields, type XmlValue } from "./xml.ts";

/** The values of a resource for a filter. */
export type Shows<T> = (resource: T, world: World) => readonly string[];

export interface Ec2Filter<T> {
  readonly shows: Shows<T>;
  readonly values: readonly string[];
}

const MAX_RESULTS = { min: 5, max: 1_000 };
const PAGE_SIZE = 1_000;
const FILTERS_MAX = 50;
const FILTER_VALUES_MAX = 200;

/** The `Filter` list of a Describe call. `named`: EC2's filters for the resource, except those of its tags. */
export function readFilters<T>(
  params: Params,
  named: ReadonlyMap<string, Shows<T>>,
  tagsOf: (resource: T) => ReadonlyMap<string, string>,
): readonly Ec2Filter<T>[] {
  const list = (structures(params, "Filter") ?? []).map((filter) => ({
    shows: filterNamed(text(filter, "Name") ?? "null", named, tagsOf),
    values: texts(filter, "Value") ?? [],
  }));
  if (list.length > FILTERS_MAX || list.some(({ values }) => values.length > FILTER_VALUES_MAX)) {
    throw new AwsError(
      "FilterLimitExceeded",
      `The maximum number of filter values specified on a single call is ${FILTER_VALUES_MAX}`,
    );
  }
  return list;
}

function filterNamed<T>(
  name: string,
  named: ReadonlyMap<string, Shows<T>>,
  tagsOf: (resource: T) => ReadonlyMap<string, string>,
): Shows<T> {
  if (name === "tag-key") return (resource) => [...tagsOf(resource).keys()];
  // EC2 takes it, though its reference does not list it any more.
  if (name === "tag-value") return (resource) => [...tagsOf(resource).values()];
  if (name.startsWith("tag:")) {
    const key = name.slice("tag:".length);
    return (resource) => [tagsOf(resource).get(key)].filter((value) => value !== undefined);
  }
  const shows = named.get(name);
  if (shows === undefined) throw new AwsError("InvalidParameterValue", `The filter '${name}' is invalid`);
  return shows;
}

/** The strings in a description below these names. Items of lists need no name. */
function shownAt(value: XmlValue, names: readonly string[]): readonly string[] {
  if (value === undefined) return [];
  if (isList(value)) return value.flatMap((each) => shownAt(each, names));
  if (typeof value !== "object") return names.length === 0 ? [String(value)] : [];
  if ("item" in value) return shownAt(value["item"], names);
  const [first, ...rest] = names;
  return first === undefined ? [] : shownAt(value[first], rest);
}

/**
 * Filters by their paths in the description. A field that no description has here, such as a public address, matches
 * nothing.
 */
export function filtersOn<T>(
  paths: Readonly<Record<string, string>>,
  describe: (resource: T, world: World) => XmlFields,
): readonly (readonly [string, Shows<T>])[] {
  return Object.entries(paths).map(([name, path]) => {
    const names = path.split(".");
    return [name, (resource, world) => shownAt(describe(resource, world), names)] as const;
  });
}

/** A filter without values matches any existing value (https://github.com/aws/aws-cli/issues/1735). */
export function matches<T>(resource: T, { shows, values }: Ec2Filter<T>, world: World): boolean {
  const own = shows(resource, world);
  if (values.length === 0) return own.length > 0;
  return own.some((value) => values.some((pattern) => matchesWildcard(pattern, value)));
}

/** One page of `items` by MaxResults and NextToken, as EC2 pages. */
export function ec2Page<T>(
  items: readonly T[],
  params: Params,
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const start = readMarker(text(params, "NextToken"));
  if (start === undefined) throw new AwsError("InvalidParameterValue", "Unable to parse pagination token");
  const end = start + (readMaxResults(params) ?? PAGE_SIZE);
  return { items: items.slice(start, end), nextToken: end < items.length ? writeMarker(end) : undefined };
}

export function readMaxResults(params: Params): number | undefined {
  const value = text(params, "MaxResults");
  if (value === undefined) return undefined;
  const { min, max } = MAX_RESULTS;
  if (!/^\d+$/.test(value) || Number(value) < min || Number(value) > max) {
    throw new AwsError(
      "InvalidParameterValue",
      `Value ( ${value} ) for parameter maxResults is invalid. Expecting a value between ${min} and ${max}.`,
    );
  }
  return Number(value);
}
