import type { AwsTime } from "../aws/aws-time.ts";
import { createAutoScalingClient, createSqsClient } from "../aws/event-clients.ts";
import { UnmeteredCaller } from "../aws/unmetered-caller.ts";
import { awsClientOptions, type Config } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import type { Drainer } from "../drain/drainer.ts";
import type { Leadership } from "../drain/leadership.ts";
import type { Ledger } from "../drain/ledger.ts";
import { type Log, writeLine } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { AnnouncedPlaces } from "../sources/announced-places.ts";
import { readEvent } from "../sources/events/read-event.ts";
import { LifecycleHooks } from "../sources/lifecycle-hooks.ts";
import { withHooksNamed } from "../sources/message-reader.ts";
import { Recommendations, undoRecommended, undoReturned } from "../sources/recommendations.ts";
import { ReturningMachines } from "../sources/returning.ts";
import { recommendationLine, returnLine, sourceLine } from "../sources/source-event-text.ts";
import type { HookEvent, QueueEvent } from "../sources/source-events.ts";
import { SqsQueue } from "../sources/sqs-queue.ts";
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
  /** What of drains is undone where nothing has followed a recommendation. */
  readonly ledger: Ledger;
  readonly drainer: Pick<Drainer, "cancel">;
  readonly isRunning: Engine["isRunning"];
}

/** The queue that a configuration names, with log and metrics. Undefined if it names none. */
export async function openQueue(
  config: Config,
  { clock, time, metrics, log, abandon, leadership, ledger, drainer, isRunning }: QueueParts,
): Promise<SqsQueue | undefined> {
  const { queue: address, dryRun } = config;
  if (address === undefined) return undefined;
  const where = { ...awsClientOptions(config), time };
  const { announced, places, autoScalingIn } = await eventPlaces(config, { clock, time });
  const onEvent = (event: QueueEvent | HookEvent) => {
    writeLine(log, sourceLine(event));
    count(metrics, event);
  };
  const recommendations = new Recommendations({
    clock,
    undoAfterMs: config.rebalanceUndoMs,
    undo: (drained) => undoRecommended(drained, { ledger, drainer }, abandon),
    onEvent: (event) => writeLine(log, recommendationLine(event)),
  });
  const calls = { caller: new UnmeteredCaller({ clock, leadership, onCall: metrics.countCall }), clock };
  const autoScaling = createAutoScalingClient(where);
  const autoScalingOf = (place: string | undefined) => autoScalingIn.get(place) ?? autoScaling;
  const hooks = new LifecycleHooks({ ...calls, autoScaling, autoScalingOf, onEvent });
  const machines = new ReturningMachines({
    ...calls,
    autoScaling,
    autoScalingOf: (instanceId) => autoScalingOf(announced.of(instanceId)),
    isRunning,
    afterwards: config.returningNodes,
    onEvent: (event) => writeLine(log, returnLine(event)),
  });
  const queue = new SqsQueue({
    ...calls,
    time,
    places,
    address,
    sqs: createSqsClient(where, address, config.sqsEndpoint),
    hooks,
    returning: { machines, undo: (taken, signal) => undoReturned(taken, { ledger, drainer }, signal) },
    read: announced.reading(withHooksNamed(config.terminationHook, readEvent)),
    foreign: config.queueForeign,
    maintenanceLeadMs: config.maintenanceLeadMs,
    dryRun,
    ...(config.rebalance === "drain" ? { recommendations } : {}),
    inFlightMax: config.queueInFlightMax,
    observers: [onEvent],
    abandon,
  });
  metrics.gauges.watchQueue({
    inFlight: () => queue.inFlight,
    isReceiving: () => queue.isReceiving,
    lastReadAt: () => queue.receiving.lastReadAt,
  });
  return queue;
}

/** Where events may be from, and what hooks are answered with there. Without AWS_PLACES that is one region of any account. */
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
const HOOKS: Partial<Record<HookEvent["type"], string>> = {
  "hook-continued": "continued",
  "hook-over": "over",
  "hook-not-completed": "not-completed",
  "hook-heartbeat-failed": "heartbeat-failed",
};

/** As the metrics name what has become of a hook. Undefined: nothing yet. */
export function hookResult({ type }: HookEvent): string | undefined {
  return HOOKS[type];
}

function count(metrics: Metrics, event: QueueEvent | HookEvent): void {
  if ("action" in event) {
    const result = hookResult(event);
    if (result !== undefined) metrics.countHook(result);
    return;
  }
  const result = event.type === "settled" ? SETTLED[event.message] : MESSAGES[event.type];
  if (result !== undefined) metrics.countMessage(result);
}
