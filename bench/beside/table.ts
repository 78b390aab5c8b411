import type { BesideRow } from "./comparison.ts";
import { callsOf, pairsOf } from "./goals.ts";

const COLUMNS: readonly (readonly [heading: string, cell: (row: BesideRow) => string])[] = [
  ["load balancers", ({ kind }) => NAMES[kind]],
  ["program", ({ program }) => program],
  ["first s", ({ firstDeregisterSeconds }) => firstDeregisterSeconds.toFixed(1)],
  ["last s", ({ lastDeregisterSeconds }) => lastDeregisterSeconds.toFixed(1)],
  ["hook s", ({ hookSeconds }) => hookSeconds.toFixed(1)],
  ["result", ({ hookResult }) => hookResult],
  ["calls", (row) => String(callsOf(row))],
  ["ELBv2", (row) => String(callsOf(row, "elasticloadbalancing:"))],
  ["classic", (row) => String(callsOf(row, "classic:"))],
  ["EC2", (row) => String(callsOf(row, "ec2:"))],
  ["Auto Scaling", (row) => String(callsOf(row, "autoscaling:"))],
  ["background", ({ indexCalls }) => String(indexCalls)],
  ["lost", ({ requestsLost }) => String(requestsLost)],
  ["of requests", ({ requestsSent }) => String(requestsSent)],
];
/** These are texts; all others are numbers, and stand to the right. */
const TEXTS = ["load balancers", "program", "result"];
const NAMES = { alb: "ALB", classic: "classic", nlb: "NLB" };

/** The rows as a Markdown table, and a line below it for each kind of load balancer. */
export function besideTable(rows: readonly BesideRow[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const ratios = pairsOf(rows).map(
    ({ kind, firstDeregistrationRatio, hookRatio }) =>
      `- ${NAMES[kind]}: lifecycle-manager took ${Math.floor(firstDeregistrationRatio)} times as long to its first deregistration, and ${hookRatio.toFixed(1)} times as long to the end of its hook.`,
  );
  return [
    line(COLUMNS.map(([heading]) => heading)),
    `|${COLUMNS.map(([heading]) => (TEXTS.includes(heading) ? "---" : "--:")).join("|")}|`,
    ...rows.map((row) => line(COLUMNS.map(([, cell]) => cell(row)))),
    ...(ratios.length > 0 ? ["", ...ratios] : []),
  ].join("\n");
}
