import type { DrainError } from "./errors.ts";
import type { Step } from "./steps.ts";
import type { UndoneNode } from "./undo.ts";
import type { Purpose } from "./urgency.ts";

/** What is told and never written: it changes nothing, or says more of a step that is written. */
export type Notice =
  /** What the drain must know before it deregisters, or before it may, could not be read. It is read again. */
  | { readonly type: "read-failed"; readonly what: "registrations" | "health"; readonly error: DrainError }
  /** Nothing is held any more that is listed. What an earlier try has deregistered may get traffic until then. */
  | { readonly type: "awaiting-earlier-try"; readonly until: number }
  /** What the drain has done is being undone, from now on. */
  | { readonly type: "undoing" };

/** What happens in a drain, for those who watch: logs, progress. Nothing in a drain depends on who listens. */
export type DrainEvent = { readonly drainId: string; readonly node: UndoneNode } & (Step | Notice);

export type DrainObserver = (event: DrainEvent) => void;

export function notify<T>(observers: readonly ((event: T) => void)[] = [], event: T): void {
  for (const observe of observers) {
    try {
      observe(event);
    } catch {
      // An observer must not stop a drain.
    }
  }
}

/** One attempt to call the cloud. */
export interface CloudCall {
  readonly purpose: Purpose;
  /** As its permissions name it: `elasticloadbalancing:DescribeTargetHealth`. */
  readonly action: string;
  /** `ok`, or the cloud's code for the error. */
  readonly result: string;
  readonly throttled: boolean;
  /** Where it went, as a pool's. */
  readonly place?: string;
}
