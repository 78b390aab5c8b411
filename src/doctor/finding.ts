/** The worst first. */
export const SEVERITIES = ["error", "warning", "notice"] as const;
/**
 * - `error`: requests are lost whenever a node leaves.
 * - `warning`: requests are lost when a node leaves in some way, such as a spot interruption.
 * - `notice`: no requests are lost by itself. A drain takes longer, or ends otherwise than expected.
 */
export type Severity = (typeof SEVERITIES)[number];

/** Every finding has one of these. Each is a heading of docs/doctor.md, and never changes its meaning. */
export const FINDING_CODES = [
  "nothing-found",
  "permission-missing",
  "classic-draining-off",
  "deregistration-delay-zero",
  "delay-longer-than-notice",
  "delay-longer-than-hook",
  "nlb-slower-than-notice",
  "unhealthy-cuts-flows",
  "one-node-in-zone",
  "fails-open",
  "several-clusters",
  "group-without-hook",
  "hook-unheard",
  "queue-without-dead-letters",
  "autoscaler-delay-short",
  "karpenter-grace-short",
  "readiness-gate-missing",
  "local-policy-one-node",
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly resource: Resource;
  /** What the problem costs, in a sentence. */
  readonly cost: string;
  /** What was read, and where. Never empty. */
  readonly evidence: readonly Evidence[];
  /** Commands that correct it, in order, with real ids. Empty if no command does. Then `advice` says what to do. */
  readonly mend: readonly string[];
  /** What to know before the commands are run, or what to do instead of them. */
  readonly advice?: string;
}

/** What has to be changed. */
export interface Resource {
  readonly kind:
    | "region"
    | "permissions"
    | "target-group"
    | "classic-load-balancer"
    | "auto-scaling-group"
    | "queue"
    | "deployment"
    | "node-pool"
    | "namespace"
    | "service";
  /** ARN, name or URL, as AWS or Kubernetes identifies it: `NAMESPACE/NAME` in a cluster. */
  readonly id: string;
  readonly name: string;
  /** The account and region, where there are several. */
  readonly place?: string;
}

export interface Evidence {
  /** The action of AWS, or the path of the Kubernetes API. */
  readonly read: string;
  /** The field or attribute there. */
  readonly name: string;
  readonly value: string;
}

/** The part of the documentation about a finding. */
export function pageOf(code: FindingCode): string {
  return `docs/doctor.md#${code}`;
}

/** The worst first, then by what they are about. */
export function inSeverityOrder(findings: readonly Finding[]): readonly Finding[] {
  const rank = ({ severity }: Finding) => SEVERITIES.indexOf(severity);
  return [...findings].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      compare(a.resource.kind, b.resource.kind) ||
      compare(a.resource.name, b.resource.name) ||
      compare(a.code, b.code),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
