import { announced, nothingAsked } from "../announcement.ts";
import { type EventBridgeEvent, type EventBridgeKind, eventOrigin } from "./event-bridge-kind.ts";
import { type EventFields, isInstanceId } from "./event-fields.ts";

/**
 * The machine stops, is terminated, retires, or boots again: all that it serves then is lost. Not the maintenance of its
 * network: it runs on, health checks take it out for that while and back in, and a drain would take it out for good.
 */
const TAKES_MACHINE =
  /^AWS_EC2_[A-Z_]*(?:RETIREMENT|STOP|TERMINATION|REBOOT|POWER)_(?:[A-Z]+_)*(?:SCHEDULED|EXPEDITED)$/;
/** Stands before the id where the instance is named by its ARN. */
const INSTANCE_ARN = /^arn:[^:]*:ec2:[^:]*:[^:]*:instance\//;

/**
 * AWS Health's word of what it will do with machines, often days ahead; many in one event, and more on further pages,
 * each page an event of its own: https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
 */
export const scheduledChange: EventBridgeKind = {
  source: "aws.health",
  detailTypes: ["AWS Health Event"],
  read(event) {
    const { detail } = event;
    const code = detail.text("eventTypeCode");
    const isAboutMachines = detail.text("service") === "EC2" && detail.text("eventTypeCategory") === "scheduledChange";
    if (!isAboutMachines || !TAKES_MACHINE.test(code)) return nothingAsked(`AWS Health: ${code}`);
    if (detail.optionalText("statusCode") === "closed") return nothingAsked(`AWS Health: ${code}, closed`);
    const ids = new Set(detail.objects("affectedEntities").flatMap(affectedInstance));
    if (ids.size === 0) return nothingAsked(`AWS Health: ${code}, of no instance`);
    const said = { kind: "scheduled-change", ...affected(event), reason: `scheduled change: ${code}` } as const;
    return announced([...ids].map((instanceId) => ({ instanceId, ...said })));
  },
};

/** Hosts and volumes are entities too; resolved ones were replaced or moved already. */
function affectedInstance(entity: EventFields): readonly string[] {
  const id = entity.anyText("entityValue").replace(INSTANCE_ARN, "");
  return isInstanceId(id) && entity.optionalText("status") !== "RESOLVED" ? [id] : [];
}

/** The envelope says where the event was delivered, which may be another region, and an organization's account. */
function affected({ origin, detail }: EventBridgeEvent) {
  const deadline = detail.optionalTime("startTime");
  return {
    ...origin,
    ...eventOrigin(detail, { accountId: "affectedAccount", region: "eventRegion" }),
    ...(deadline !== undefined && { deadline }),
  };
}
