import type { EventReading } from "../announcement.ts";
import { EventFields } from "../events/event-fields.ts";

/** One thing that instance metadata says of departures. One file each. */
export interface MetadataKind {
  readonly path: string;
  /** What a body says of the machine that it is about. Pure. Throws `MalformedEvent`. */
  read(body: string, identity: InstanceIdentity): EventReading;
}

/** Which machine this is. */
export interface InstanceIdentity {
  readonly instanceId: string;
  readonly region: string;
  /** Absent where the document does not say: no drain needs it. */
  readonly accountId?: string;
  /** Its primary private IPv4 address. Absent where the document does not say. */
  readonly privateAddress?: string;
}

export const IDENTITY_PATH = "/latest/dynamic/instance-identity/document";

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
 * Throws `MalformedEvent`.
 */
export function readIdentity(body: string): InstanceIdentity {
  const fields = EventFields.parse(body, "the identity document");
  const accountId = fields.optionalText("accountId");
  const privateAddress = fields.optionalText("privateIp");
  return {
    instanceId: fields.instanceId("instanceId"),
    region: fields.text("region"),
    ...(accountId !== undefined && { accountId }),
    ...(privateAddress !== undefined && { privateAddress }),
  };
}
