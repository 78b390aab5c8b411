import { openHooks, openReturning } from "../app/announced.ts";
import { skewLog } from "../app/clocks.ts";
import { createEngine } from "../app/engine.ts";
import { heardBy, tracingOf } from "../app/tracing.ts";
import { AwsTime } from "../aws/aws-time.ts";
import type { AwsClientOptions } from "../aws/clients.ts";
import { createSqsClient } from "../aws/event-clients.ts";
import type { QueueAddress } from "../aws/queue-address.ts";
import { awsClientOptions, readConfig } from "../config/config.ts";
import type { ToUndo } from "../drain/canceller.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import { undoFailure } from "../drain/undo.ts";
import { undoablesOf } from "../drain/undoable.ts";
import { jsonLog, type Log, writeLine } from "../observe/log.ts";
import { drainLog, logWithoutDrain, lookupLog } from "../observe/logging.ts";
import { readEvent } from "../sources/events/read-event.ts";
import { withHooksNamed } from "../sources/message-reader.ts";
import { QueueCalls } from "../sources/queue-calls.ts";
import type { LeftMachine } from "../sources/returning.ts";
import { returnLine, sourceLine } from "../sources/source-event-text.ts";
import type { QueueEvent } from "../sources/source-events.ts";
import { Departures } from "./departures.ts";
import { EventBridgeHandler } from "./event-bridge-handler.ts";
import { toldInvocation } from "./invocation-log.ts";
import { type SqsBatchResponse, SqsHandler, type SqsRecord } from "./sqs-handler.ts";

export interface HandlersOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly write: (line: string) => void;
  readonly clock: Clock;
  readonly version: string;
  /** Absent: the configured traces. */
  readonly openTracing?: typeof tracingOf;
  /** The endpoint of AWS, if it is not AWS itself. */
  readonly aws?: Omit<AwsClientOptions, "region">;
}

export interface Handlers {
  readonly queue: Pick<SqsHandler, "answer">;
  readonly rule: Pick<EventBridgeHandler, "answer">;
}

/** The handlers of one process, which answer its invocations one after the other. Throws `ConfigError`. */
export async function createHandlers(options: HandlersOptions): Promise<Handlers> {
  const { environment, write, clock, version, aws = {}, openTracing = tracingOf } = options;
  const config = readConfig({ verb: "lambda", environment });
  const { region, dryRun, queueForeign: foreign, logLevel, terminationHook } = config;
  const untraced = jsonLog({ level: logLevel, now: () => clock.now(), write });
  const tracing = await openedOrNone(openTracing(config, { clock, log: untraced, version }), untraced);
  const log = tracing?.inLog(untraced) ?? untraced;
  const { observers, called } = heardBy(tracing);
  const time = new AwsTime(clock, skewLog(log));
  const { drainer, isRunning } = createEngine(config, {
    clock,
    time,
    observers: [...observers, drainLog(log)],
    onCall: called,
    onLookupFailed: lookupLog(log),
    aws,
  });
  const { hooks, ...calls } = openHooks(config, { clock, time, log, aws, onCall: called });
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
        // The next invocation knows nothing about targets to register again, so those for which this one has no time
        // stay deregistered.
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
  const told = { log, clock, tracing };
  const [queue, rule] = [new SqsHandler({ ...shared, ...messages }), new EventBridgeHandler(shared)];
  return {
    queue: {
      answer: (records, context) => {
        const about = { handler: "sqs", messages: records.length, context } as const;
        const failedOf = ({ batchItemFailures }: SqsBatchResponse) => batchItemFailures.length;
        return toldInvocation({ ...told, ...about, failedOf }, () => queue.answer(records, context));
      },
    },
    rule: {
      answer: (event, context) =>
        toldInvocation({ ...told, handler: "eventbridge", context }, () => rule.answer(event, context)),
    },
  };
}

/** A node that leaves is more important than its trace. */
async function openedOrNone<T>(opening: Promise<T>, log: Log): Promise<T | undefined> {
  try {
    return await opening;
  } catch (error) {
    const why = `lambda-tracing.mjs can't be loaded, add it to the zip file: ${asDrainError(error).message}`;
    log("trace export failed", { error: why, lost: 0 });
    return undefined;
  }
}

/** `arn:aws:sqs:eu-west-1:123456789012:departures`: calls name the queue by its URL, whatever the endpoint. */
function addressOf(arn: string): QueueAddress {
  const [, partition, , region = "", accountId = "", name = ""] = arn.split(":");
  const suffix = partition === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
  return { name, url: `https://sqs.${region}.${suffix}/${accountId}/${name}` };
}

/**
 * What the drain of a departed machine has deregistered. There is no ledger, but the invocation that drained it knows.
 * Undefined: nothing.
 */
function deregisteredBefore({ drainId, outcome }: LeftMachine, now: number): ToUndo | undefined {
  if (drainId === undefined || outcome === undefined || !("registrations" in outcome)) return undefined;
  const undoables = undoablesOf(outcome.registrations, [], now).filter(
    ({ deregisteredBy }) => deregisteredBy === "drain",
  );
  return outcome.node && undoables.length > 0 ? { drainId, node: outcome.node, undoables } : undefined;
}
