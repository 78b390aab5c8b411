import type { AwsTime } from "../aws/aws-time.ts";
import { createAutoScalingClient, createSqsClient } from "../aws/event-clients.ts";
import { awsClientOptions, type Config } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import type { Drainer } from "../drain/drainer.ts";
import type { Leadership } from "../drain/leadership.ts";
import type { Ledger } from "../drain/ledger.ts";
import { type Log, writeLine } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { AnnouncedPlaces } from "../sources/announced-places.ts";
import { readEvent } from "../sources/events/read-event.ts";
import { withHooksNamed } from "../sources/message-reader.ts";
import { undoReturned } from "../sources/recommendations.ts";
import { sourceLine } from "../sources/source-event-text.ts";
import type { HookEvent, QueueEvent } from "../sources/source-events.ts";
import { SqsQueue } from "../sources/sqs-queue.ts";
import { hookResult, openHooks, openRecommendations, openReturning } from "./announced.ts";
import type { Engine } from "./engine.ts";
import { placesAccess } from "./places.ts";

interface QueueParts {
  readonly clock: Clock;
  readonly time: AwsTime;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly abandon: AbortSignal;
  /** Absent: no other process acts on the same nodes. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** The ledger shows what has to be undone if a recommendation was followed by nothing. */
  readonly ledger: Ledger;
  readonly drainer: Pick<Drainer, "cancel">;
  readonly isRunning: Engine["isRunning"];
}

/** The queue that a configuration names, with log and metrics. Undefined if it names none. */
export async function openQueue(config: Config, parts: QueueParts): Promise<SqsQueue | undefined> {
  const { queue: address, dryRun } = config;
  if (address === undefined) return undefined;
  const { clock, time, metrics, log, abandon, leadership, ledger, drainer, isRunning } = parts;
  const { announced, places, autoScalingIn } = await eventPlaces(config, { clock, time });
  const { hooks, ...calls } = openHooks(config, {
    clock,
    time,
    log,
    leadership,
    onCall: metrics.countCall,
    autoScalingOf: (place) => autoScalingIn.get(place),
    onHook: (event) => count(metrics, event),
  });
  const returning = openReturning(config, {
    ...calls,
    log,
    isRunning,
    autoScalingOf: (instanceId) => calls.autoScalingOf(announced.of(instanceId)),
    undo: (left, signal) => undoReturned(left, { ledger, drainer }, signal),
  });
  const recommendations = openRecommendations(config, parts);
  const queue = new SqsQueue({
    clock,
    time,
    address,
    places,
    hooks,
    returning,
    dryRun,
    abandon,
    caller: calls.caller,
    sqs: createSqsClient({ ...awsClientOptions(config), time }, address, config.sqsEndpoint),
    read: announced.reading(withHooksNamed(config.terminationHook, readEvent)),
    foreign: config.queueForeign,
    maintenanceLeadMs: config.maintenanceLeadMs,
    ...(recommendations && { recommendations }),
    inFlightMax: config.queueInFlightMax,
    observers: [
      (event) => {
        writeLine(log, sourceLine(event));
        count(metrics, event);
      },
    ],
  });
  metrics.gauges.watchQueue({
    inFlight: () => queue.inFlight,
    isReceiving: () => queue.isReceiving,
    lastReadAt: () => queue.receiving.lastReadAt,
  });
  return queue;
}

/**
 * The places from which events are accepted, and the clients that answer hooks there. Without AWS_PLACES that is one
 * region of any account.
 */
async function eventPlaces(config: Config, { clock, time }: Pick<QueueParts, "clock" | "time">) {
  const { awsPlaces, region } = config;
  if (awsPlaces === undefined) {
    return { announced: new AnnouncedPlaces([]), places: [{ region }], autoScalingIn: NO_CLIENTS };
  }
  const places = awsPlaces.map(({ name, region, role }) => ({ name, region, accountId: role?.accountId }));
  const accessTo = await placesAccess(config, { clock, aws: { time } });
  const where = { ...awsClientOptions(config), time };
  const clients = awsPlaces.map((place) => {
    return [place.name, createAutoScalingClient({ ...where, ...accessTo(place) })] as const;
  });
  return {
    announced: new AnnouncedPlaces(places),
    places,
    autoScalingIn: new Map(clients) as Clients,
  };
}

type Clients = ReadonlyMap<string | undefined, ReturnType<typeof createAutoScalingClient>>;
const NO_CLIENTS: Clients = new Map();

const MESSAGES: Partial<Record<QueueEvent["type"], string>> = {
  "nothing-asked": "nothing-asked",
  malformed: "malformed",
  redelivered: "joined",
  "not-settled": "not-settled",
};
const SETTLED = { delete: "deleted", leave: "left", release: "released" } as const;

function count(metrics: Metrics, event: QueueEvent | HookEvent): void {
  if ("action" in event) {
    const result = hookResult(event);
    if (result !== undefined) metrics.countHook(result);
    return;
  }
  const result = event.type === "settled" ? SETTLED[event.message] : MESSAGES[event.type];
  if (result !== undefined) metrics.countMessage(result);
}
