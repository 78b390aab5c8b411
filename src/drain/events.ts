import type { CallFor } from "./cloud-provider.ts";
import type { DrainError } from "./errors.ts";
import type { Asker } from "./request.ts";
import type { Step } from "./steps.ts";
import type { UndoneNode } from "./undo.ts";
import type { Purpose } from "./urgency.ts";

/**
 * An event that observers get and that is never written: it changes nothing, or adds detail to a step that is written.
 */
export type Notice =
  /** A read failed that the drain needs before it deregisters, or before it may deregister. It is retried. */
  | { readonly type: "read-failed"; readonly what: "registrations" | "health"; readonly error: DrainError }
  /**
   * Nothing that the cloud lists is held any more. Targets that an earlier try has deregistered may get traffic until
   * then.
   */
  | { readonly type: "awaiting-earlier-try"; readonly until: number }
  /** Every pool was read, or the guard holds back only what waits for a replacement. */
  | { readonly type: "passed"; readonly what: "search" | "guard" }
  /** Of a resumed drain: when its first request arrived, in milliseconds since the epoch, and who sent it. */
  | { readonly type: "began"; readonly startedAt: number; readonly asker?: Asker }
  /** The undo of the drain begins. */
  | { readonly type: "undoing" };

/** What happens in a drain, for observers such as logs and progress displays. No drain depends on its observers. */
export type DrainEvent = { readonly drainId: string; readonly node: UndoneNode } & (Step | Notice);

export type DrainObserver = (event: DrainEvent) => void;

export function notify<T>(observers: readonly ((event: T) => void)[] = [], event: T): void {
  for (const observe of observers) {
    try {
      observe(event);
    } catch {
      // A failing observer must not stop a drain.
    }
  }
}

/** One attempt to call the cloud. */
export interface CloudCall {
  readonly purpose: Purpose;
  /** As its permissions name it: `elasticloadbalancing:DescribeTargetHealth`. */
  readonly action: string;
  /** `ok`, or the cloud's error code. */
  readonly result: string;
  readonly throttled: boolean;
  /** The place that the call was sent to: see `Pool`. */
  readonly place?: string;
  /** Which attempt of the same call this is: 1, then 2 when the first one has failed temporarily. */
  readonly attempt: number;
  /**
   * When the call was requested, sent, and answered, in milliseconds since the epoch. Between the first two it waits
   * for the request quota.
   */
  readonly wantedAt: number;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** The cloud's id of the request. Absent: there was no answer, or the answer had none. */
  readonly requestId?: string;
  /** The status of the HTTP answer. Absent: there was no answer. */
  readonly httpStatus?: number;
  /** See `CallFor`. Read it at once: it changes later. */
  readonly drains?: CallFor["drains"];
}
