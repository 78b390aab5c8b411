type Path = readonly PropertyKey[];

/** A problem of a scenario, and its place. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
}

/** A scenario that can't be used, with all of its problems. */
export class ScenarioError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ScenarioError";
    this.problems = problems;
  }
}

/** `loadBalancers[1].listeners[0]: no …` */
export function problemText({ path, message }: Problem): string {
  const place = path.map((key, index) => (typeof key === "number" ? `[${key}]` : named(String(key), index === 0)));
  return place.length === 0 ? message : `${place.join("")}: ${message}`;
}

function named(key: string, isFirst: boolean): string {
  if (!/^[\w-]+$/.test(key)) return `["${key}"]`;
  return isFirst ? key : `.${key}`;
}

export interface Found {
  readonly value: unknown;
  readonly path: Path;
}

/**
 * All values at a path, where `*` means each entry of a list. Missing values and values of another shape are left out.
 */
export function findAll(data: unknown, ...keys: readonly string[]): readonly Found[] {
  return keys.reduce<readonly Found[]>(
    (found, key) =>
      found.flatMap(({ value, path }) => step(value, key).map((next) => ({ ...next, path: [...path, ...next.path] }))),
    [{ value: data, path: [] }],
  );
}

function step(value: unknown, key: string): readonly Found[] {
  if (typeof value !== "object" || value === null) return [];
  if (key === "*") return Array.isArray(value) ? value.map((entry, index) => ({ value: entry, path: [index] })) : [];
  return Object.hasOwn(value, key) ? [{ value: (value as Record<string, unknown>)[key], path: [key] }] : [];
}
