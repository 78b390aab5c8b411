import { skewLog } from "../app/clocks.ts";
import { createEngine } from "../app/engine.ts";
import { AwsTime } from "../aws/aws-time.ts";
import type { AwsClientOptions } from "../aws/clients.ts";
import { createAutoScalingClient, createSqsClient } from "../aws/event-clients.ts";
import type { QueueAddress } from "../aws/queue-address.ts";
import { UnmeteredCaller } from "../aws/unmetered-caller.ts";
import { awsClientOptions, readConfig } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import { jsonLog, writeLine } from "../observe/log.ts";
import { drainLog, logWithoutDrain } from "../observe/logging.ts";
import { readEvent } from "../sources/events/read-event.ts";
import { LifecycleHooks } from "../sources/lifecycle-hooks.ts";
import { withHooksNamed } from "../sources/message-reader.ts";
import { QueueCalls } from "../sources/queue-calls.ts";
import { type ReturnEvent, ReturningMachines } from "../sources/returning.ts";
import { returnLine, sourceLine } from "../sources/source-event-text.ts";
import type { HookEvent, QueueEvent } from "../sources/source-events.ts";
import { Departures } from "./departures.ts";
import { EventBridgeHandler } from "./event-bridge-handler.ts";
import { SqsHandler, type SqsRecord } from "./sqs-handler.ts";

export interface HandlersOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly write: (line: string) => void;
  readonly clock: Clock;
  /** Where AWS is, when it is not AWS itself. */
  readonly aws?: Omit<AwsClientOptions, "region">;
}

export interface Handlers {
  readonly queue: SqsHandler;
  readonly rule: EventBridgeHandler;
}

/** What one process answers its invocations with, one after the other. Throws `ConfigError`. */
export function createHandlers({ environment, write, clock, aws = {} }: HandlersOptions): Handlers {
  const config = readConfig({ verb: "lambda", environment });
  const { region, dryRun, queueForeign: foreign, logLevel, terminationHook } = config;
  const log = jsonLog({ level: logLevel, now: () => clock.now(), write });
  const time = new AwsTime(clock, skewLog(log));
  const { drainer, isRunning } = createEngine(config, { clock, time, observers: [drainLog(log)], aws });
  const where = { ...awsClientOptions(config), ...aws, time };
  const onEvent = (event: QueueEvent | HookEvent) => writeLine(log, sourceLine(event));
  const calls = { caller: new UnmeteredCaller({ clock }), clock };
  const autoScaling = createAutoScalingClient(where);
  const hooks = new LifecycleHooks({ ...calls, autoScaling, onEvent });
  const tellReturn = (event: ReturnEvent) => writeLine(log, returnLine(event));
  const returning = new ReturningMachines({
    ...calls,
    autoScaling,
    isRunning,
    afterwards: config.returningNodes,
    onEvent: tellReturn,
  });
  const departures = new Departures({
    drainer,
    hooks,
    clock,
    foreign,
    dryRun,
    onEvent,
    ...(region === undefined ? {} : { region }),
    onSettled: (outcome, request) => logWithoutDrain(log, outcome, request),
    returning,
    onNotReturned: (instanceId) => tellReturn({ type: "not-registered-again", instanceId, error: undefined }),
  });
  const queues = new Map<string, QueueCalls>();
  const sqs = createSqsClient(where, { name: "" });
  const queueOf = ({ eventSourceARN }: SqsRecord) => {
    const queue = queues.get(eventSourceARN) ?? new QueueCalls({ ...calls, sqs, address: addressOf(eventSourceARN) });
    queues.set(eventSourceARN, queue);
    return queue;
  };
  const messages = {
    maintenanceLeadMs: config.maintenanceLeadMs,
    giveBack: (record: SqsRecord, seconds: number, signal: AbortSignal) =>
      queueOf(record).changeVisibility(record.receiptHandle, seconds, signal),
    putBack: (record: SqsRecord, body: string, delaySeconds: number, signal: AbortSignal) =>
      queueOf(record).send(body, delaySeconds, signal),
  };
  const shared = { departures, clock, time, read: withHooksNamed(terminationHook, readEvent), onEvent };
  return { queue: new SqsHandler({ ...shared, ...messages }), rule: new EventBridgeHandler(shared) };
}

/** `arn:aws:sqs:eu-west-1:123456789012:departures`: its URL names it in calls, wherever those go. */
function addressOf(arn: string): QueueAddress {
  const [, partition, , region = "", accountId = "", name = ""] = arn.split(":");
  const suffix = partition === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
  return { name, url: `https://sqs.${region}.${suffix}/${accountId}/${name}` };
}
