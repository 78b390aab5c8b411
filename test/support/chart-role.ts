import { roleText } from "../../src/kubernetes/rbac.ts";
import { CHART } from "./chart-options.ts";

export const ROLE_RULES = `${CHART}/files/role-rules.yaml`;

/** The rules of the role that `rbac` prints for a service, with their comments. */
export function roleRules(): string {
  const needs = { writes: true, watches: true };
  const printed = roleText({ needs, name: "service", namespace: "kube-system", printsServiceAccount: false });
  const [, rules = ""] = /\nrules:\n([\s\S]*?)---\n/.exec(printed) ?? [];
  return rules.replace(/^ {2}/gm, "");
}
