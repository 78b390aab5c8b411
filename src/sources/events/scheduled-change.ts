import { printable } from "../../drain/errors.ts";
import { announced, nothingAsked } from "../announcement.ts";
import { type EventBridgeEvent, type EventBridgeKind, eventOrigin } from "./event-bridge-kind.ts";
import { type EventFields, eachAlone, isInstanceId } from "./event-fields.ts";

/**
 * The machine stops, is terminated, retires, or boots again: all that it serves then is lost. Not the maintenance of its
 * network: it runs on, health checks take it out for that while and back in, and a drain would take it out for good.
 */
const TAKES_MACHINE =
  /^AWS_EC2_[A-Z_]*(?:RETIREMENT|STOP|TERMINATION|REBOOT|POWER)_(?:[A-Z]+_)*(?:SCHEDULED|EXPEDITED)$/;
/** It is up again by itself afterwards. */
const REBOOTS = /_(?:REBOOT|POWER)_/;
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
    // The code says both; what says otherwise is another kind of event.
    const service = detail.hint("service") ?? "EC2";
    const category = detail.hint("eventTypeCategory") ?? "scheduledChange";
    if (service !== "EC2" || category !== "scheduledChange" || !TAKES_MACHINE.test(code))
      return nothingAsked(`AWS Health: ${code}`);
    if (detail.hint("statusCode") === "closed") return nothingAsked(`AWS Health: ${code}, closed`);
    const { ids, problems } = affectedInstances(event);
    if (ids.size === 0) {
      if (problems[0] !== undefined) return { reading: "malformed", problem: problems[0] };
      return nothingAsked(`AWS Health: ${code}, of no instance`);
    }
    const reboots = REBOOTS.test(code) ? ({ reboots: true } as const) : {};
    const reason = `scheduled change: ${printable(code)}`;
    const said = { kind: "scheduled-change", ...affected(event), ...reboots, reason } as const;
    return announced(
      [...ids].map((instanceId) => ({ instanceId, ...said })),
      problems,
    );
  },
};

/** Where the list of entities is missing, or one of them can't be read, the event's resources name its instances. */
function affectedInstances({ detail, resources }: EventBridgeEvent) {
  const problems: string[] = [];
  const odd = (problem: string) => void problems.push(`AWS Health Event: ${problem}`);
  const entities = detail.objects("affectedEntities", odd);
  const named = eachAlone(entities, (entity) => [entityOf(entity)], odd);
  const ids = new Set(named.filter(({ isResolved }) => !isResolved).map(({ id }) => id));
  const known = new Set(named.map(({ id }) => id));
  if (!detail.has("affectedEntities") || problems.length > 0)
    for (const resource of resources.map(idOf)) if (!known.has(resource)) ids.add(resource);
  return { ids: new Set([...ids].filter(isInstanceId)), problems };
}

/** Hosts and volumes are entities too; what is resolved was replaced or moved already. */
function entityOf(entity: EventFields): { readonly id: string; readonly isResolved: boolean } {
  return { id: idOf(entity.anyText("entityValue")), isResolved: entity.hint("status") === "RESOLVED" };
}

function idOf(entity: string): string {
  return entity.replace(INSTANCE_ARN, "");
}

/**
 * The envelope says where the event was delivered, and to an organization's account. AWS Health delivers each event in
 * the region that it affects, and a copy in another one: https://docs.aws.amazon.com/health/latest/ug/choosing-a-region.html
 */
function affected({ origin, detail }: EventBridgeEvent) {
  const deadline = detail.optionalTime("startTime");
  const own = eventOrigin(detail, { accountId: "affectedAccount", region: "eventRegion" });
  const isCopy = own.region !== undefined && origin.region !== undefined && own.region !== origin.region;
  return {
    ...origin,
    ...own,
    ...(deadline !== undefined && { deadline }),
    ...(isCopy && ({ isCopy } as const)),
  };
}
