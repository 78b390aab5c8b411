import { counted, duration } from "./format.ts";
import type { DrainDetails } from "./reports.ts";

type Outcome = NonNullable<DrainDetails["outcome"]>;
type Step = DrainDetails["steps"][number];

/** The end of a drain, as a sentence. docs/http-api.md has the meanings. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome.status) {
    case "drained":
      return "Traffic from every load balancer has ended";
    case "nothing-registered":
      return "The node was registered nowhere";
    case "possibly-registered":
      return "Drained, but another VPC lists a target that may be this node. It must not be terminated";
    case "deadline-passed":
      return outcome.limit.reason === "deadline"
        ? "The deadline passed before all traffic had ended"
        : "The timeout passed before all traffic had ended";
    case "refused":
    case "superseded":
    case "instance-gone":
      return outcome.message;
    case "cancelled":
      return "The drain was cancelled, and its targets were to be registered again";
    case "abandoned":
      return "The service stopped first";
    case "failed":
      return `${outcome.error.message} (${outcome.error.code})`;
    default:
      return outcome satisfies never;
  }
}

const UNDONE = {
  registered: "registered again",
  untouched: "never deregistered",
  left: "deregistered by another program before",
  failed: "not registered again",
} as const;

/** The results for the targets of a cancelled drain. */
export function undoText({ registrations }: NonNullable<DrainDetails["undo"]>): string {
  if (registrations === undefined) return "Its targets are being registered again.";
  const counts = Object.entries(UNDONE).flatMap(([state, text]) => {
    const count = registrations.filter((one) => one.state === state).length;
    return count === 0 ? [] : [`${counted(count, "target")} ${text}`];
  });
  const why = registrations.flatMap(({ error }) => error?.message ?? []);
  return `Undo: ${[counts.join(", "), ...new Set(why)].join(". ")}.`;
}

/** One step, as a line. */
export function stepText(step: Step): string {
  const name = step.type.replaceAll("-", " ");
  const about = detailsOf(step);
  return about === "" ? name : `${name}: ${about}`;
}

function detailsOf(step: Step): string {
  const targets = "registrations" in step ? step.registrations.map(({ pool, target }) => `${pool} ${target}`) : [];
  const of = targets.length > 3 ? `${counted(targets.length, "target")}` : targets.join(", ");
  switch (step.type) {
    case "planned":
      return [`longest hold ${duration(step.longestHoldSeconds * 1_000)}`, ...step.warnings].join(". ");
    case "guarded":
      return `${step.verdict} ${of}`;
    case "deregistering-again":
      return `${of} (${step.because === "back" ? "registered by another program" : "the call had no effect"})`;
    case "deregister-failed":
    case "poll-failed":
    case "failed":
    case "register-failed":
      return `${of}: ${step.error.message}`;
    case "exclude-failed":
    case "include-failed":
    case "taint-failed":
    case "untaint-failed":
    case "evict-failed":
      return step.error.message;
    case "evicting":
    case "evicted":
      return counted(step.pods.length, "pod");
    case "eviction-refused":
      return `${step.pod}: ${step.error.message}`;
    case "accepted":
    case "joined":
      return step.request.reason ?? "";
    case "ended":
      return step.outcome?.status ?? "";
    default:
      return of;
  }
}
