import { type EventReading, nothingAsked } from "../announcement.ts";
import { autoscalingTerminate } from "./autoscaling-terminate.ts";
import { capacityReservationInterruption } from "./capacity-reservation-interruption.ts";
import { type EventBridgeKind, eventOrigin } from "./event-bridge-kind.ts";
import { type EventFields, within } from "./event-fields.ts";
import { rebalanceRecommendation } from "./rebalance-recommendation.ts";
import { scheduledChange } from "./scheduled-change.ts";
import { spotInterruption } from "./spot-interruption.ts";
import { stateChange } from "./state-change.ts";

/** All events of EventBridge that announce departures, one line for each kind. */
const KINDS: readonly EventBridgeKind[] = [
  autoscalingTerminate,
  spotInterruption,
  rebalanceRecommendation,
  stateChange,
  scheduledChange,
  capacityReservationInterruption,
];

const ORIGIN = { announcedAt: "time", eventId: "id", accountId: "account", region: "region" } as const;

export function isEventBridgeEvent(fields: EventFields): boolean {
  return fields.has("detail-type");
}

/** `version` is not required, because AWS's own samples lack it. */
export function readEventBridgeEvent(fields: EventFields): EventReading {
  const source = fields.text("source");
  const detailType = fields.text("detail-type");
  const kind = KINDS.find((each) => each.source === source && each.detailTypes.includes(detailType));
  if (kind === undefined) return nothingAsked(`${source}: ${detailType}`);
  return within(detailType, () =>
    kind.read({
      origin: eventOrigin(fields, ORIGIN),
      detail: fields.object("detail"),
      resources: fields.texts("resources"),
    }),
  );
}
