import type { EventReading } from "../announcement.ts";
import type { InstanceIdentity } from "./identity-document.ts";

/** One thing that instance metadata says of departures. One file each. */
export interface MetadataKind {
  readonly path: string;
  /**
   * So long before its deadline a notice is acted upon, in milliseconds. Absent: at once. What is announced weeks ahead
   * would leave a machine without work for weeks.
   */
  readonly leadMs?: number;
  /** What a body says of the machine that it is about. Pure. Throws `MalformedEvent`. */
  read(body: string, identity: InstanceIdentity): EventReading;
}
