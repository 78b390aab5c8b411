import type { Facts, Unread } from "./facts.ts";
import { type Evidence, type Finding, pageOf, type Resource, SEVERITIES, type Severity } from "./finding.ts";

/** The answer of doctor, as JSON. */
export interface DoctorReport {
  /** When it began to read: RFC 3339. */
  readonly asOf: string;
  readonly region?: string;
  readonly cluster?: string;
  /** What was read. Kinds that are not configured are absent. */
  readonly lookedAt: LookedAt;
  /** The worst first. */
  readonly findings: readonly FindingReport[];
  /** Parts that were not read. The report says nothing about them. */
  readonly notLookedAt: readonly Unread[];
  readonly counts: Readonly<Record<Severity, number>>;
}

interface LookedAt {
  readonly targetGroups: number;
  readonly classicLoadBalancers: number;
  readonly instances: number;
  readonly autoScalingGroups?: number;
  readonly queues?: number;
  readonly kubernetes?: boolean;
}

export interface FindingReport extends Omit<Finding, "evidence" | "mend" | "resource"> {
  readonly resource: Resource;
  readonly evidence: readonly Evidence[];
  readonly mend: readonly string[];
  /** Where the documentation explains it. */
  readonly page: string;
}

interface ReportInput {
  readonly facts: Facts;
  readonly findings: readonly Finding[];
  readonly region: string | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export function doctorReport({ facts, findings, region, at }: ReportInput): DoctorReport {
  const { pools, cluster, scalingGroups, queue, kubernetes, unread } = facts;
  const classic = pools.filter(({ pool }) => pool.kind === "classic").length;
  const registered = new Set(pools.flatMap(({ targets }) => targets.flatMap(({ instanceId }) => instanceId ?? [])));
  const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length;
  return {
    asOf: new Date(at).toISOString(),
    ...(region === undefined ? {} : { region }),
    ...(cluster === undefined ? {} : { cluster }),
    lookedAt: {
      targetGroups: pools.length - classic,
      classicLoadBalancers: classic,
      instances: registered.size,
      ...(scalingGroups && { autoScalingGroups: scalingGroups.length }),
      ...(queue && { queues: 1 }),
      ...(kubernetes && { kubernetes: true }),
    },
    findings: findings.map((finding) => ({ ...finding, page: pageOf(finding.code) })),
    notLookedAt: unread,
    counts: { error: count("error"), warning: count("warning"), notice: count("notice") },
  };
}

/** Whether one of the findings is as bad as `least`, or worse. */
export function hasAtLeast({ findings }: Pick<DoctorReport, "findings">, least: Severity): boolean {
  return findings.some(({ severity }) => SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(least));
}
