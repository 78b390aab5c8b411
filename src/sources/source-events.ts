import type { DrainError } from "../drain/errors.ts";
import type { Announcement, LifecycleAction } from "./announcement.ts";
import type { Settlement } from "./settlement.ts";

/** The events of a lifecycle action. */
export type HookEvent = { readonly action: LifecycleAction; readonly instanceId: string } & (
  | { readonly type: "hook-heartbeat" }
  /** It will be retried. */
  | { readonly type: "hook-heartbeat-failed"; readonly error: DrainError }
  | { readonly type: "hook-continued" }
  /** Another program has completed it, or its time is up. */
  | { readonly type: "hook-over" }
  | { readonly type: "hook-not-completed"; readonly error: DrainError }
);

/** The events of messages of a queue. `messageId` is AWS's. */
export type QueueEvent =
  | {
      readonly type: "announced";
      readonly messageId: string;
      readonly announcement: Announcement;
      /** When the machine may be gone, by this machine's clock, in milliseconds since the epoch. */
      readonly deadline?: number;
    }
  /** It is not due yet, and stays in the queue until then. `until`: in milliseconds since the epoch. */
  | {
      readonly type: "postponed";
      readonly messageId: string;
      readonly announcements: readonly Announcement[];
      readonly until: number;
    }
  /** It is not due yet, and AWS does not let it wait, so it is acted upon now. */
  | { readonly type: "not-postponed"; readonly messageId: string; readonly error: DrainError }
  /** Some of its items could not be read; the others are acted upon. */
  | { readonly type: "partly-malformed"; readonly messageId: string; readonly problems: readonly string[] }
  /** A copy of an event that another region has got too. */
  | { readonly type: "copy"; readonly messageId: string; readonly announcement: Announcement }
  /** Delivered again while its drains run. */
  | { readonly type: "redelivered"; readonly messageId: string }
  /** It asks for nothing, and is deleted. */
  | { readonly type: "nothing-asked"; readonly messageId: string; readonly what: string }
  | { readonly type: "malformed"; readonly messageId: string; readonly problem: string; readonly receives: number }
  /** It is about a machine in another region than the configured one. */
  | { readonly type: "foreign"; readonly messageId: string; readonly announcement: Announcement }
  | {
      readonly type: "settled";
      readonly messageId: string;
      readonly instanceIds: readonly string[];
      readonly message: Settlement["message"];
    }
  /** The message is redelivered, whatever the result of the drain was. */
  | { readonly type: "not-settled"; readonly messageId: string; readonly error: DrainError }
  /** It can't be hidden any longer. Its drains continue, and its next delivery joins them. */
  | { readonly type: "hidden-too-long"; readonly messageId: string }
  | { readonly type: "not-hidden"; readonly messageId: string; readonly error: DrainError }
  /** Nothing can be received. It is retried. Reported when the reason changes. */
  | { readonly type: "not-receiving"; readonly error: DrainError }
  | { readonly type: "receiving" };

export type SourceObserver = (event: QueueEvent) => void;
