import { type GuardedPool, guardedText } from "../drain/guard.ts";
import { placeCells, seconds, times } from "./cells.ts";
import type { Progress, ShownRegistration } from "./progress.ts";

type Told<T extends Progress["type"]> = Extract<Progress, { readonly type: T }>;

/** The plan in one line, and a line for each of its warnings. */
export function planSummary({ node, plan: { registrations, longestHoldMs, warnings } }: Told<"planned">): string {
  const found = `${node.id} has ${times(registrations.length)}; longest hold ${seconds(longestHoldMs / 1_000)}`;
  return [found, ...warnings.map((warning) => `warning: ${warning}`)].join("\n");
}

/** What each line begins with. */
export function elapsedText(elapsedMs: number): string {
  return `${String(Math.round(elapsedMs / 1_000)).padStart(4)} s `;
}

/** Why a hold ended before its time. Empty: it did not. */
function idleText({ idleMs }: Told<"released">): string {
  return idleMs === undefined ? "" : `, no connection for ${seconds(idleMs / 1_000)}`;
}

/** One line for each step, for an output that is not a terminal. */
export function eventText(event: Progress, elapsedMs: number): string | undefined {
  const at = elapsedText(elapsedMs);
  switch (event.type) {
    case "planned":
      return planSummary(event).replace(/^/gm, at);
    case "joined":
      return `${at}joined the drain ${event.drainId}`;
    case "deregistered":
      return `${at}${event.foundDraining ? "found draining" : "deregistered"}  ${registrationText(event.registration)}`;
    case "guarded":
      return `${at}${guardText(event)}`;
    case "deregistering-again":
      return `${at}${event.because === "back" ? "registered again by another program" : "still registered"}: deregistering again  ${registrationText(event.registration)}`;
    case "poll-failed":
      return `${at}health read failed, will retry (${event.error.message})  ${registrationText(event.registration)}`;
    case "released":
      return `${at}released after ${seconds(event.heldMs / 1_000)}${idleText(event)}  ${registrationText(event.registration)}`;
    case "failed":
      return `${at}failed: ${event.error.message}  ${registrationText(event.registration)}`;
    case "deregister-failed":
      return `${at}deregistration failed, will retry (${event.error.message})  ${registrationText(event.registration)}`;
    case "read-failed":
      return `${at}${readFailedText(event)}`;
    case "registered":
      return `${at}registered again  ${registrationText(event.registration)}`;
    case "register-failed":
      return `${at}could not be registered again: ${event.error.message}  ${registrationText(event.registration)}`;
    case "awaiting-earlier-try":
      return `${at}waiting until ${new Date(event.until).toISOString()}: an earlier attempt may have deregistered targets that AWS no longer lists`;
    case "excluded":
    case "included":
    case "exclude-failed":
    case "include-failed":
    case "tainted":
    case "taint-failed":
    case "untainted":
    case "untaint-failed":
      return `${at}${exclusionText(event)}`;
    case "evicting":
    case "evicted":
    case "eviction-refused":
    case "evict-failed":
      return `${at}${evictionText(event)}`;
    case "interrupted":
      return `${at}the service has stopped: its next start resumes the drain`;
    case "resumed":
      return `${at}drain resumed`;
    case "disconnected":
      return `${at}${event.message}; reconnecting`;
    case "reconnected":
      return `${at}reconnected to the service`;
    default:
      // People do not need these line by line.
      return undefined;
  }
}

/** Why a drain can't continue yet. */
export function readFailedText({ what, error }: Told<"read-failed">): string {
  const read = what === "health" ? "health of the pools" : "registrations of the node";
  return `could not read the ${read}, will retry (${error.message})`;
}

type ExclusionType = "excluded" | "included" | "tainted" | "untainted" | keyof typeof FAILED;

/** What the cluster has done about the node. */
function exclusionText(event: Told<ExclusionType>): string {
  if ("error" in event) {
    return `${FAILED[event.type]} failed, will retry: ${event.error.message}`;
  }
  if (event.name === undefined) return "the cluster has no Node object for this instance";
  if (event.type === "tainted") return `node ${event.name} tainted, so that its health checks by kube-proxy fail`;
  if (event.type === "untainted") return `taint of node ${event.name} removed`;
  return event.type === "excluded"
    ? `node ${event.name} excluded from load balancers`
    : `exclusion of node ${event.name} removed`;
}

const FAILED = {
  "exclude-failed": "exclusion from load balancers",
  "include-failed": "removal of the exclusion",
  "taint-failed": "taint of the node",
  "untaint-failed": "removal of the taint",
} as const;

/** The progress of the eviction of the node's pods. */
function evictionText(event: Told<"evicting" | "evicted" | "eviction-refused" | "evict-failed">): string {
  switch (event.type) {
    case "evicting":
      return event.pods.length === 0
        ? "node cordoned: no pods to evict"
        : `node cordoned, evicting ${podsText(event.pods)}`;
    case "evicted":
      return `evicted ${podsText(event.pods)}`;
    case "eviction-refused":
      return `eviction of ${event.pod} refused${event.willRetry ? ", will retry" : ""}: ${event.error.message}`;
    case "evict-failed":
      return `eviction failed: ${event.error.message}`;
    default:
      return event satisfies never;
  }
}

export function podsText(pods: readonly string[]): string {
  return pods.length > PODS_SHOWN_MAX
    ? `${pods.length} pods: ${pods.slice(0, PODS_SHOWN_MAX).join(", ")} and more`
    : `${pods.length === 1 ? "pod" : `${pods.length} pods:`} ${pods.join(", ")}`;
}

const PODS_SHOWN_MAX = 5;

/** What the guard does with a registration. */
export function guardText(event: Told<"guarded">): string {
  const { registration, standing } = event;
  const { kind, loadBalancer, pool: name } = registration;
  const pool = { kind, id: name, name, ...(loadBalancer === undefined ? {} : { loadBalancer }) };
  const counted: GuardedPool | undefined = standing && { pool, ...standing };
  const stands = counted === undefined ? registrationText(registration) : guardedText(counted);
  switch (event.verdict) {
    case "waiting":
      return `waiting for a replacement  ${stands}`;
    case "waited":
      return `enough healthy targets remain now  ${stands}`;
    case "overridden":
      return `deregistering although ${standing === undefined ? "target health could not be read in time" : "too few healthy targets remain"}  ${stands}`;
    case "kept":
      return `kept, the last healthy target, until the machine terminates  ${stands}`;
    default:
      return event.verdict satisfies never;
  }
}

function registrationText(registration: ShownRegistration): string {
  return placeCells(registration).join(" ");
}
