import { openHooks, openReturning } from "../app/announced.ts";
import { skewLog } from "../app/clocks.ts";
import { createEngine } from "../app/engine.ts";
import { AwsTime } from "../aws/aws-time.ts";
import type { AwsClientOptions } from "../aws/clients.ts";
import { createSqsClient } from "../aws/event-clients.ts";
import type { QueueAddress } from "../aws/queue-address.ts";
import { awsClientOptions, readConfig } from "../config/config.ts";
import type { ToUndo } from "../drain/canceller.ts";
import type { Clock } from "../drain/clock.ts";
import { undoFailure } from "../drain/undo.ts";
import { undoablesOf } from "../drain/undoable.ts";
import { jsonLog, writeLine } from "../observe/log.ts";
import { drainLog, logWithoutDrain, lookupLog } from "../observe/logging.ts";
import { readEvent } from "../sources/events/read-event.ts";
import { withHooksNamed } from "../sources/message-reader.ts";
import { QueueCalls } from "../sources/queue-calls.ts";
import type { LeftMachine } from "../sources/returning.ts";
import { returnLine, sourceLine } from "../sources/source-event-text.ts";
import type { QueueEvent } from "../sources/source-events.ts";
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
  const { drainer, isRunning } = createEngine(config, {
    clock,
    time,
    observers: [drainLog(log)],
    onLookupFailed: lookupLog(log),
    aws,
  });
  const { hooks, ...calls } = openHooks(config, { clock, time, log, aws });
  const onEvent = (event: QueueEvent) => writeLine(log, sourceLine(event));
  const machines = openReturning(config, {
    clock,
    caller: calls.caller,
    autoScaling: calls.autoScaling,
    log,
    isRunning,
    undo: async (left, signal) => {
      const deregistered = deregisteredBefore(left, clock.now());
      if (deregistered === undefined) return 0;
      const failure = undoFailure(await drainer.undo(deregistered, signal));
      if (failure !== undefined) throw failure;
      return 1;
    },
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
    returning: {
      isOver: (instanceId, since, signal) => machines.isOver(instanceId, since, signal),
      settled: async (left, signal) => {
        if (deregisteredBefore(left, clock.now()) === undefined) return;
        // The next invocation would know of nothing to register again: what this one has no time for is left as it is.
        const notReturned = { type: "not-registered-again", instanceId: left.instanceId, error: undefined } as const;
        await machines.settled(left, signal).catch(() => writeLine(log, returnLine(notReturned)));
      },
    },
  });
  const queues = new Map<string, QueueCalls>();
  const sqs = createSqsClient({ ...awsClientOptions(config), ...aws, time }, { name: "" });
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

/**
 * What the drain of a machine that has left has deregistered. There is no ledger: the invocation that has drained it knows.
 * Undefined: nothing.
 */
function deregisteredBefore({ drainId, outcome }: LeftMachine, now: number): ToUndo | undefined {
  if (drainId === undefined || outcome === undefined || !("registrations" in outcome)) return undefined;
  const undoables = undoablesOf(outcome.registrations, [], now).filter(
    ({ deregisteredBy }) => deregisteredBy === "drain",
  );
  return outcome.node && undoables.length > 0 ? { drainId, node: outcome.node, undoables } : undefined;
}
