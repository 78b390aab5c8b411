import { keyOf, type Registration } from "../drain/cloud-provider.ts";
import type { DrainError } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { RegistrationResult } from "../drain/outcome.ts";
import { type RegistrationReport, registrationReport } from "../drain/report.ts";

/** A registration as people get to see it. `key`: unique in its drain. */
export interface ShownRegistration extends RegistrationReport {
  readonly key: string;
}

/** Times are milliseconds. */
interface ShownPlan {
  /** `holdMs`: how long it is to be held. Absent: that is told later. */
  readonly registrations: readonly { readonly registration: ShownRegistration; readonly holdMs?: number }[];
  readonly longestHoldMs: number;
  readonly warnings: readonly string[];
}

/** How a registration stands, as of the event that tells it. */
export interface ShownHold extends Pick<RegistrationResult, "state" | "heldMs" | "holdMs"> {
  readonly registration: ShownRegistration;
}

type Shown<E> = {
  readonly [K in keyof E]: K extends "registration"
    ? ShownRegistration
    : K extends "error"
      ? Pick<DrainError, "code" | "message">
      : E[K];
};
type Told<T extends DrainEvent["type"]> = Extract<DrainEvent, { readonly type: T }>;
type Base = Pick<DrainEvent, "drainId" | "node">;

/**
 * What people read of a drain while it goes on. It comes from the events of a drain of this process (`progressOf`), or from
 * the steps that a service reports (`StepProgress`).
 */
export type Progress =
  | Shown<Exclude<DrainEvent, Told<"planned" | "ended" | "undone" | "passed" | "began">>>
  | (Base & { readonly type: "planned"; readonly plan: ShownPlan })
  /** `interrupted`: the service that drained it has stopped. `reconnected`: what comes next follows on what came before. */
  | (Base & { readonly type: "ended" | "undone" | "interrupted" | "reconnected" })
  /** The drain goes on, and is not seen until `reconnected`. */
  | (Base & { readonly type: "disconnected"; readonly message: string })
  /** Asked for now and then, where the events themselves do not say it. */
  | (Base & { readonly type: "standing"; readonly holds: readonly ShownHold[] });

/** Undefined: nothing that people read. */
export function progressOf(event: DrainEvent): Progress | undefined {
  const { drainId, node } = event;
  if (event.type === "planned") {
    const { registrations, longestHoldMs, warnings } = event.plan;
    const planned = registrations.map(({ registration, holdMs }) => ({ registration: shown(registration), holdMs }));
    return { drainId, node, type: "planned", plan: { registrations: planned, longestHoldMs, warnings } };
  }
  if (event.type === "passed" || event.type === "began") return undefined;
  if (event.type === "ended" || event.type === "undone") return { drainId, node, type: event.type };
  if ("registration" in event) return { ...event, registration: shown(event.registration) } as Progress;
  return event;
}

function shown(registration: Registration): ShownRegistration {
  return { ...registrationReport(registration), key: keyOf(registration) };
}
