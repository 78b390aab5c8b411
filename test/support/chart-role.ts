import { roleText } from "../../src/kubernetes/rbac.ts";
import { CHART } from "./chart-options.ts";

/** The flags of `rbac` for which the chart has rules, and their files. */
export const ROLES: readonly (readonly [readonly string[], string])[] = [
  [[], `${CHART}/files/role-rules.yaml`],
  [["--eviction-gate"], `${CHART}/files/role-rules-eviction-gate.yaml`],
];

/** Rules that a flag adds to any of these, at the end, and their files. */
export const ADDED_RULES: readonly (readonly [string, string])[] = [
  ["--token-review", `${CHART}/files/role-rules-token-review.yaml`],
];

/** The rules that a flag of `rbac` adds. */
export function addedRules(flag: string): string {
  return roleRules([flag]).slice(roleRules([]).length);
}

/** The rules of the role that `rbac` prints for a service, with their comments. */
export function roleRules(flags: readonly string[]): string {
  const needs = {
    writes: true,
    watches: true,
    gates: flags.includes("--eviction-gate"),
    reviewsTokens: flags.includes("--token-review"),
  };
  const printed = roleText({ needs, name: "service", namespace: "kube-system", printsServiceAccount: false });
  const [, rules = ""] = /\nrules:\n([\s\S]*?)---\n/.exec(printed) ?? [];
  return rules.replace(/^ {2}/gm, "");
}
