import { EventFields } from "../events/event-fields.ts";

/** Which machine this is. */
export interface InstanceIdentity {
  readonly instanceId: string;
  readonly region: string;
  /** Absent where the document does not say: nobody needs it to drain. */
  readonly accountId?: string;
}

export const IDENTITY_PATH = "/latest/dynamic/instance-identity/document";

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
 * Throws `MalformedEvent`.
 */
export function readIdentity(body: string): InstanceIdentity {
  const fields = EventFields.parse(body, "the identity document");
  const accountId = fields.optionalText("accountId");
  return {
    instanceId: fields.instanceId("instanceId"),
    region: fields.text("region"),
    ...(accountId !== undefined && { accountId }),
  };
}
