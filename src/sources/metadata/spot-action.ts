import { printable } from "../../drain/errors.ts";
import { announced } from "../announcement.ts";
import { EventFields } from "../events/event-fields.ts";
import type { MetadataKind } from "./metadata-kind.ts";

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html */
export const spotAction: MetadataKind = {
  path: "/latest/meta-data/spot/instance-action",
  read(body, identity) {
    const fields = EventFields.parse(body, "the body");
    // Any action, one that is not known yet as well, takes the machine.
    const deadline = fields.optionalTime("time");
    const action = deadline === undefined ? fields.text("action") : (fields.hint("action") ?? "terminate");
    return announced([
      {
        kind: "spot-interruption",
        ...identity,
        ...(deadline === undefined ? {} : { deadline }),
        reason: `spot interruption: ${printable(action)}`,
      },
    ]);
  },
};
