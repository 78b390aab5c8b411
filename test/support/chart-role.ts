import { roleText } from "../../src/kubernetes/rbac.ts";
import { CHART } from "./chart-options.ts";

/** The flags of `rbac` for which the chart has rules, and their files. */
export const ROLES: readonly (readonly [readonly string[], string])[] = [
  [[], `${CHART}/files/role-rules.yaml`],
  [["--eviction-gate"], `${CHART}/files/role-rules-eviction-gate.yaml`],
];

/** The rules of the Role, in which the chart puts the name of its Lease in the place of this one. */
export const LEASE_ROLE = `${CHART}/files/role-rules-lease.yaml`;
export const LEASE_NAME = "LEASE";

/** The rules of the Role that `rbac --lease` prints, with their comments. */
export function leaseRoleRules(lease = LEASE_NAME): string {
  const needs = { writes: true, watches: true, lease };
  const printed = roleText({ needs, name: "service", namespace: "kube-system", printsServiceAccount: false });
  const [, rules = ""] = /\nkind: Role\n[\s\S]*?\nrules:\n([\s\S]*?)---\n/.exec(printed) ?? [];
  return rules.replace(/^ {2}/gm, "");
}

/** Rules that a flag adds to any of these, at the end, and their files. */
export const ADDED_RULES: readonly (readonly [string, string])[] = [
  ["--doctor", `${CHART}/files/role-rules-doctor.yaml`],
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
    audits: flags.includes("--doctor"),
    reviewsTokens: flags.includes("--token-review"),
  };
  const printed = roleText({ needs, name: "service", namespace: "kube-system", printsServiceAccount: false });
  const [, rules = ""] = /\nrules:\n([\s\S]*?)---\n/.exec(printed) ?? [];
  return rules.replace(/^ {2}/gm, "");
}
