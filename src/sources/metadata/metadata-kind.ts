import type { EventReading } from "../announcement.ts";
import type { InstanceIdentity } from "./identity-document.ts";

/** One thing that instance metadata says of departures. One file each. */
export interface MetadataKind {
  readonly path: string;
  /** What a body says of the machine that it is about. Pure. Throws `MalformedEvent`. */
  read(body: string, identity: InstanceIdentity): EventReading;
}
