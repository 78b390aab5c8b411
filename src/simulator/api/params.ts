import { constraintError, missingParameter, validationError } from "../aws-error.ts";

/** Parameters of the query protocol, nested: `Targets.member.1.Id=x` is `{ Targets: { member: { 1: { Id: "x" } } } }`. */
export interface Params {
  readonly [name: string]: string | Params | undefined;
}

type Mutable = { [name: string]: string | Mutable };

export function parseParams(body: string): Params {
  const root: Mutable = Object.create(null);
  for (const [path, value] of new URLSearchParams(body)) {
    const names = path.split(".");
    const last = names.pop() ?? "";
    let inner = root;
    for (const name of names) {
      const known = inner[name];
      const next: Mutable = typeof known === "object" ? known : Object.create(null);
      inner[name] = next;
      inner = next;
    }
    // `Targets=` stands for an empty list beside which nothing else is sent.
    if (typeof inner[last] !== "object") inner[last] = value;
  }
  return root;
}

export function text(params: Params, name: string): string | undefined {
  const value = params[name];
  return typeof value === "string" ? value : undefined;
}

export function requiredText(params: Params, name: string): string {
  const value = text(params, name);
  if (value === undefined || value === "") throw missingParameter(name);
  return value;
}

export function integer(params: Params, name: string): number | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  if (!/^-?\d+$/.test(value)) throw validationError(`Value '${value}' at '${name}' is not a whole number`);
  return Number(value);
}

export function requiredInteger(params: Params, name: string): number {
  const value = integer(params, name);
  if (value === undefined) throw missingParameter(name);
  return value;
}

/** A list of texts: `Name.member.N` (query), or `Name.N` (ec2), in order of N. Undefined when none was sent. */
export function texts(params: Params, name: string): readonly string[] | undefined {
  return entries(params, name)?.filter((entry) => typeof entry === "string");
}

/** A list of structures. Undefined when none was sent. */
export function structures(params: Params, name: string): readonly Params[] | undefined {
  return entries(params, name)?.filter((entry) => typeof entry === "object");
}

export function structure(params: Params, name: string): Params | undefined {
  const value = params[name];
  return typeof value === "object" ? value : undefined;
}

/** Throws AWS's own complaint when a list is longer than a call may be. */
export function atMost<T>(list: readonly T[], max: number, parameter: string): readonly T[] {
  if (list.length > max) {
    throw constraintError(`'[${list.join(", ")}]'`, parameter, `Member must have length less than or equal to ${max}`);
  }
  return list;
}

function entries(params: Params, name: string): (string | Params)[] | undefined {
  const value = params[name];
  if (value === undefined) return undefined;
  if (typeof value === "string") return value === "" ? [] : undefined;
  const list = typeof value["member"] === "object" ? value["member"] : value;
  return Object.keys(list)
    .filter((key) => /^\d+$/.test(key))
    .sort((a, b) => Number(a) - Number(b))
    .map((key) => list[key] as string | Params);
}
