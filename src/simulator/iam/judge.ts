import { matchesWildcard } from "../world/rule-conditions.ts";
import type { PolicyStatement } from "./policy.ts";
import type { Resource } from "./resources.ts";

/** A request that a policy allows or denies. */
export interface AccessRequest {
  /** `elasticloadbalancing:DeregisterTargets` */
  readonly action: string;
  /** Each must be allowed. Empty if the action has no resources: then only `*` allows it. */
  readonly resources: readonly Resource[];
}

export type Verdict =
  /** The numbers, from 0, of the statements that allow it. */
  | { readonly type: "allowed"; readonly by: readonly number[] }
  /** `explicit`: a statement denies it. Otherwise no statement allows it. */
  | { readonly type: "denied"; readonly explicit: boolean; readonly resource?: Resource };

const ANYTHING: Resource = { arn: "*", tags: new Map() };

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html */
export function judge(statements: readonly PolicyStatement[], { action, resources }: AccessRequest): Verdict {
  const by = new Set<number>();
  let unallowed: Resource | undefined;
  for (const resource of resources.length === 0 ? [ANYTHING] : resources) {
    const about = [...statements.entries()].filter(([, statement]) => isAbout(statement, action, resource));
    if (about.some(([, { Effect }]) => Effect === "Deny")) return denied(true, resource);
    if (about.length === 0) unallowed ??= resource;
    for (const [number] of about) by.add(number);
  }
  return unallowed === undefined ? { type: "allowed", by: [...by] } : denied(false, unallowed);
}

function denied(explicit: boolean, resource: Resource): Verdict {
  return { type: "denied", explicit, ...(resource === ANYTHING ? {} : { resource }) };
}

function isAbout({ Action, Resource, Condition }: PolicyStatement, action: string, { arn, tags }: Resource): boolean {
  return (
    listOf(Action).some((pattern) => matchesWildcard(pattern.toLowerCase(), action.toLowerCase())) &&
    listOf(Resource).some((pattern) => matchesArn(pattern, arn)) &&
    holds(Condition?.StringEquals, tags, (value, tag) => value === tag) &&
    holds(Condition?.StringLike, tags, matchesWildcard)
  );
}

type Conditions = Readonly<Record<string, string | string[]>>;

/** Every key must match one of its values. A missing tag matches nothing. */
function holds(
  conditions: Conditions = {},
  tags: ReadonlyMap<string, string>,
  fits: (value: string, tag: string) => boolean,
): boolean {
  return Object.entries(conditions).every(([key, values]) => {
    const tag = tagNamed(key.slice("aws:ResourceTag/".length), tags);
    return tag !== undefined && listOf(values).some((value) => fits(value, tag));
  });
}

/** Condition keys are not case-sensitive. If two tags differ only by case, AWS uses neither. */
function tagNamed(name: string, tags: ReadonlyMap<string, string>): string | undefined {
  const named = [...tags].filter(([key]) => key.toLowerCase() === name.toLowerCase());
  return named.length === 1 ? named[0]?.[1] : undefined;
}

/** A wildcard stays within its part of the ARN. The last part may have colons. */
function matchesArn(pattern: string, arn: string): boolean {
  if (pattern === "*") return true;
  const [wanted, given] = [partsOf(pattern), partsOf(arn)];
  return wanted.length === given.length && wanted.every((part, index) => matchesWildcard(part, given[index] ?? ""));
}

function partsOf(arn: string): readonly string[] {
  const parts = arn.split(":");
  return parts.length <= 6 ? parts : [...parts.slice(0, 5), parts.slice(5).join(":")];
}

function listOf(oneOrMore: string | readonly string[]): readonly string[] {
  return typeof oneOrMore === "string" ? [oneOrMore] : oneOrMore;
}
