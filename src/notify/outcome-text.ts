import { type DrainOutcome, type RegistrationResult, verdictOf } from "../drain/outcome.ts";
import { possiblyRegisteredText } from "../drain/plan.ts";
import type { Level, NotificationEvent } from "./notification.ts";

/** The text about a drain that has ended. */
interface OutcomeText {
  readonly event: NotificationEvent;
  readonly level: Level;
  /** What happened to the node: `was drained`. */
  readonly title: string;
  readonly text: string;
}

const CHECK_TRAFFIC = "Load balancers may still send requests to the node.";
const SEE = "`hasta-la-vista status` shows where it is registered.";

/** Undefined: no drain has ended. The program stops, or was asked for a plan. */
export function outcomeText(outcome: DrainOutcome): OutcomeText | undefined {
  switch (outcome.status) {
    case "drained":
      return done("was drained", `${targets(outcome.registrations)}. Traffic from every load balancer has ended.`);
    case "nothing-registered":
      return done("was registered nowhere", "No load balancer sends traffic to it.");
    case "instance-gone":
      return done("is terminated", outcome.message);
    case "cancelled":
      return done("is not drained any more", "The drain was cancelled. Its targets are being registered again.");
    case "superseded":
      return done("does not leave", outcome.message);
    case "possibly-registered":
      return {
        event: "failed",
        level: "warning",
        title: "was drained, but may still be registered",
        text: `${targets(outcome.registrations)}. ${CHECK_TRAFFIC} ${sentence(possiblyRegisteredText(outcome.elsewhere))}`,
      };
    case "refused":
      return {
        event: "refused",
        level: "warning",
        title: "may not be drained",
        text: `${sentence(outcome.refusal.message)} Nothing was deregistered.`,
      };
    case "deadline-passed":
      return {
        event: "failed",
        level: "error",
        title: "was not drained in time",
        text: `${targets(outcome.registrations)}${because(outcome.error)}. ${
          verdictOf(outcome) === "can-go" ? "The machine goes now, and requests may be lost." : CHECK_TRAFFIC
        }${outcome.searched ? "" : ` Not every load balancer had been searched. ${SEE}`}`,
      };
    case "failed":
      return {
        event: "failed",
        level: "error",
        title: "was not drained",
        text: `${targets(outcome.registrations)}${because(outcome.error)}. ${CHECK_TRAFFIC} ${SEE}`,
      };
    case "abandoned":
    case "planned":
      return undefined;
    default:
      return outcome satisfies never;
  }
}

function done(title: string, text: string): OutcomeText {
  return { event: "done", level: "info", title, text };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function because(error: { readonly message: string } | undefined): string {
  return error === undefined ? "" : `: ${error.message}`;
}

const STATES: readonly RegistrationResult["state"][] = ["released", "holding", "registered", "failed", "kept"];
const WORDS = {
  released: "released",
  holding: "deregistered but not released yet",
  registered: "still registered",
  failed: "failed",
  kept: "kept as the last healthy target",
} as const satisfies Record<RegistrationResult["state"], string>;

/** `3 targets released, 1 failed` */
function targets(results: readonly RegistrationResult[]): string {
  if (results.length === 0) return "No target was deregistered";
  const counts = STATES.map((state) => ({ state, count: results.filter((one) => one.state === state).length }));
  const [first, ...others] = counts.filter(({ count }) => count > 0);
  if (first === undefined) return "No target was deregistered";
  const noun = first.count === 1 ? "target" : "targets";
  return [`${first.count} ${noun} ${WORDS[first.state]}`, ...others.map((o) => `${o.count} ${WORDS[o.state]}`)].join(
    ", ",
  );
}
