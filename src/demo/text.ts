import { policyFor } from "../aws/policy.ts";
import { type DemoRun, SPEED } from "./run.ts";
import { LOSS_CAUSES } from "./traffic.ts";
import { verdictOn } from "./verdict.ts";

/** Simulated seconds for each character of a timeline. */
const SECONDS_PER_CHARACTER = 5;

export const INTRODUCTION = `A simulated cluster of six nodes behind an ALB (four target groups, one of them reached only by a rule), an NLB and a
classic load balancer, with real HTTP requests over new and reused connections. One node is taken away, in three ways.
One second here is ${SPEED} simulated seconds.
`;

export function comparisonText(runs: readonly DemoRun[]): string {
  const nameWidth = Math.max(...runs.map(({ strategy }) => strategy.name.length));
  const header = [
    "".padEnd(nameWidth),
    "sent".padStart(6),
    "lost".padStart(6),
    ...LOSS_CAUSES.map((cause) => cause.padStart(8)),
    "disrupted".padStart(10),
  ];
  const rows = runs.map((run) => [
    run.strategy.name.padEnd(nameWidth),
    String(run.sent).padStart(6),
    String(run.losses.length).padStart(6),
    ...LOSS_CAUSES.map((cause) => String(run.lostBy[cause] || "·").padStart(8)),
    `${run.disruptionSeconds} s`.padStart(10),
  ]);
  const timelines = runs.map((run) => `${run.strategy.name.padEnd(nameWidth)}  ${timeline(run)}`);
  return [
    [header, ...rows].map((cells) => cells.join(" ")).join("\n"),
    "",
    ...timelines,
    "",
    `Each character is ${SECONDS_PER_CHARACTER} s: · all requests answered   × some lost   D deregistered   T terminated`,
  ].join("\n");
}

/** The command to type next, in a clone, on a real account. It only reads. */
export function nextStepText(): string {
  const policy = policyFor({ writes: false, discovery: "vpc", scope: "vpc" });
  return [
    "Next, on your own account (it only reads):",
    "",
    "  node dist/cli.js plan i-…",
    "",
    "It needs this policy:",
    "",
    JSON.stringify(policy, null, 2).replace(/^/gm, "  "),
  ].join("\n");
}

export function demoReport(runs: readonly DemoRun[]) {
  return {
    verdict: verdictOn(runs),
    secondsPerCharacter: SECONDS_PER_CHARACTER,
    runs: runs.map((run) => ({
      name: run.strategy.name,
      sent: run.sent,
      lost: run.losses.length,
      lostBy: run.lostBy,
      disruptionSeconds: run.disruptionSeconds,
      durationSeconds: Math.round(run.durationSeconds),
      sentPerRealSecond: Math.round(run.sentPerRealSecond),
      timeline: timeline(run),
    })),
  };
}

function timeline({ startedAt, durationSeconds, losses, moments }: DemoRun): string {
  const slotOf = (at: number) => Math.floor((at - startedAt) / 1_000 / SECONDS_PER_CHARACTER);
  const slots = Array.from({ length: Math.ceil(durationSeconds / SECONDS_PER_CHARACTER) }, () => "·");
  for (const { at } of losses) slots[slotOf(at)] = "×";
  for (const { moment, at } of moments) slots[slotOf(at)] = moment === "deregistered" ? "D" : "T";
  return slots.join("");
}
