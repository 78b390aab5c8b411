import { SEVERITIES, type Severity } from "../doctor/finding.ts";
import type { DoctorReport, FindingReport } from "../doctor/report.ts";
import { type Look, PLAIN_LOOK } from "./look.ts";
import { wrapped } from "./table.ts";

/** An audit for people: the worst findings first, resource by resource, and the counts as the last line. */
export function doctorText(report: DoctorReport, look: Look = PLAIN_LOOK): string {
  const parts = SEVERITIES.flatMap((severity) => severityLines(severity, report, look));
  const lines = [lookedAtText(report), ...parts, ...notLookedAtLines(report, look), "", countsText(report, look)];
  // Commands are copied, so they are never broken.
  return lines.map((line) => (/^ +\$ /.test(line) ? line : wrapped(line, look.width))).join("\n");
}

function lookedAtText({ region, cluster, lookedAt }: DoctorReport): string {
  const { targetGroups, classicLoadBalancers, instances, autoScalingGroups, queues, kubernetes } = lookedAt;
  const kinds = [
    counted(targetGroups, "target group"),
    counted(classicLoadBalancers, "classic load balancer"),
    counted(instances, "registered instance"),
    ...(autoScalingGroups === undefined ? [] : [counted(autoScalingGroups, "Auto Scaling group")]),
    ...(queues === undefined ? [] : [counted(queues, "queue")]),
    ...(kubernetes === true ? ["the Kubernetes cluster"] : []),
  ];
  const where = [
    ...(cluster === undefined ? [] : [`of ${cluster}`]),
    ...(region === undefined ? [] : [`in ${region}`]),
  ];
  return `Looked at ${[kinds.join(", "), ...where].join(" ")}.`;
}

const TITLES = { error: "ERRORS", warning: "WARNINGS", notice: "NOTICES" } as const;
const TONES = { error: "bad", warning: "note", notice: "title" } as const;

function severityLines(severity: Severity, { findings }: DoctorReport, look: Look): readonly string[] {
  const those = findings.filter((one) => one.severity === severity);
  if (those.length === 0) return [];
  // Findings of one resource are next to each other in the report.
  const keys = those.map(({ resource: { kind, place, id } }) => JSON.stringify([kind, place, id]));
  const resources = [...new Set(keys)].map((key) => those.filter((_, index) => keys[index] === key));
  return ["", look.paint(TONES[severity], TITLES[severity]), ...resources.flatMap((some) => resourceLines(some, look))];
}

function resourceLines(findings: readonly FindingReport[], look: Look): readonly string[] {
  const [first] = findings;
  if (first === undefined) return [];
  const { kind, name, id, place } = first.resource;
  const where = place === undefined ? "" : ` in ${place}`;
  const long = look.isWide && id !== name ? ` (${id})` : "";
  return [
    "",
    look.paint("title", `${kind} ${name}${where}${long}`),
    ...accountLines(findings, place),
    ...findings.flatMap((one) => findingLines(one, look)),
  ];
}

/** Two accounts may have resources of the same name, and the AWS CLI changes the one of its own credentials. */
function accountLines(findings: readonly FindingReport[], place = ""): readonly string[] {
  const [account = "", region] = place.split("/");
  const hasCommand = findings.some(({ mend }) => mend.some((line) => line.startsWith("aws ")));
  return region !== undefined && hasCommand ? [`  Run the commands with credentials of account ${account}.`] : [];
}

function findingLines({ code, cost, evidence, mend, advice, page }: FindingReport, look: Look): readonly string[] {
  return [
    `  ${code}: ${cost}`,
    ...evidence.map(({ read, name, value }) => `    ${name}: ${value} (${read})`),
    ...mend.map((line) => `    $ ${look.paint("good", line)}`),
    ...(advice === undefined ? [] : [`    ${advice}`]),
    `    See ${page}`,
  ];
}

const PERMISSIONS =
  "Where a permission is missing: 'hasta-la-vista policy --for doctor' prints the permissions on AWS, and 'hasta-la-vista rbac --for doctor' those in Kubernetes.";

function notLookedAtLines({ notLookedAt }: DoctorReport, look: Look): readonly string[] {
  if (notLookedAt.length === 0) return [];
  const lines = notLookedAt.map(({ what, why }) => `  ${what}: ${why}`);
  return ["", look.paint("note", "NOT LOOKED AT"), "", ...lines, `  ${PERMISSIONS}`];
}

function countsText({ counts, notLookedAt }: DoctorReport, { paint }: Look): string {
  const { error, warning, notice } = counts;
  const found = `${counted(error, "error")}, ${counted(warning, "warning")}, ${counted(notice, "notice")}`;
  const unread = notLookedAt.length === 0 ? "" : `; ${counted(notLookedAt.length, "part")} not looked at`;
  const tone = error > 0 ? "bad" : warning > 0 || notLookedAt.length > 0 ? "note" : "good";
  return paint(tone, `${found}${unread}.`);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
