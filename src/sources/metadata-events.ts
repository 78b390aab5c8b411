import type { DrainError } from "../drain/errors.ts";
import type { Announcement } from "./announcement.ts";

/** What there is to tell of instance metadata. */
export type MetadataEvent =
  /** `drainAt`: it is acted upon from then on, in milliseconds since the epoch. Absent: at once. */
  | { readonly type: "noticed"; readonly announcement: Announcement; readonly drainAt?: number }
  /** It stands there no more. What was drained stays drained. */
  | { readonly type: "withdrawn"; readonly announcement: Announcement }
  /** Told once, until it says something else. */
  | { readonly type: "malformed"; readonly path: string; readonly problem: string }
  /** Told when the reason changes. It is read again, and ever more seldom. */
  | { readonly type: "unreadable"; readonly error: DrainError }
  | { readonly type: "readable" };

export type MetadataObserver = (event: MetadataEvent) => void;
