import { keyOf, type Registration } from "../drain/cloud-provider.ts";
import type { DrainError } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { RegistrationResult } from "../drain/outcome.ts";
import { type RegistrationReport, registrationReport } from "../drain/report.ts";

/** A registration as it is shown to people. `key`: unique in its drain. */
export interface ShownRegistration extends RegistrationReport {
  readonly key: string;
}

/** Times are milliseconds. */
interface ShownPlan {
  /** `holdMs`: the planned length of its hold. Absent: it is reported later. */
  readonly registrations: readonly { readonly registration: ShownRegistration; readonly holdMs?: number }[];
  readonly longestHoldMs: number;
  readonly warnings: readonly string[];
}

/** The state of a registration at the event that contains it. */
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
 * What people read about a drain while it runs. It comes from the events of a drain of this process (`progressOf`), or
 * from the steps that a service reports (`StepProgress`).
 */
export type Progress =
  | Shown<Exclude<DrainEvent, Told<"planned" | "ended" | "undone" | "passed" | "began">>>
  | (Base & { readonly type: "planned"; readonly plan: ShownPlan })
  /**
   * `interrupted`: the service that ran the drain has stopped. `reconnected`: the next events continue the earlier
   * ones.
   */
  | (Base & { readonly type: "ended" | "undone" | "interrupted" | "reconnected" })
  /** The drain continues, and its events are not seen until `reconnected`. */
  | (Base & { readonly type: "disconnected"; readonly message: string })
  /** The states of registrations, which are read now and then if the events do not contain them. */
  | (Base & { readonly type: "standing"; readonly holds: readonly ShownHold[] });

/** Undefined: people do not read it. */
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
