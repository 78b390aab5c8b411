import { type AutoScalingClient, DescribeAutoScalingInstancesCommand } from "@aws-sdk/client-auto-scaling";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { onTestFinished } from "vitest";
import { pump } from "../../src/app/pump.ts";
import { createAutoScalingClient } from "../../src/aws/event-clients.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { readEvent } from "../../src/sources/events/read-event.ts";
import { LifecycleHooks } from "../../src/sources/lifecycle-hooks.ts";
import { undoReturned } from "../../src/sources/recommendations.ts";
import { type ReturnEvent, ReturningMachines } from "../../src/sources/returning.ts";
import type { HookEvent, QueueEvent } from "../../src/sources/source-events.ts";
import { SqsQueue } from "../../src/sources/sqs-queue.ts";
import { FakeQueue } from "./fake-queue.ts";
import type { SimulatedRegion } from "./simulated-region.ts";

/** A client of Auto Scaling that has loaded all that it needs, for which no virtual clock waits. */
async function autoScalingOf(region: SimulatedRegion): Promise<AutoScalingClient> {
  const client = createAutoScalingClient({ region: region.world.region, ...region.aws() });
  await client.send(new DescribeAutoScalingInstancesCommand({}));
  return client;
}

/** What the service does with a queue, on a region's virtual time. `options`: of the engine, by their variables. */
export async function queueOnRegion(region: SimulatedRegion, options: Readonly<Record<string, string>> = {}) {
  const { clock, world } = region;
  const queue = new FakeQueue(clock);
  const autoScaling = await autoScalingOf(region);
  const ledger = new MemoryLedger();
  const { drainer, isRunning } = region.wholeEngine(
    { UNDO: "true", QUEUE: "departures", ...options },
    [],
    () => {},
    ledger,
  );
  const events: (QueueEvent | HookEvent)[] = [];
  const returns: ReturnEvent[] = [];
  const outcomes: DrainOutcome[] = [];
  const [stop, abandon] = [newAbort(), newAbort()];
  const onEvent = (event: QueueEvent | HookEvent) => void events.push(event);
  const shared = { caller: new UnmeteredCaller({ clock }), clock };
  const machines = new ReturningMachines({
    ...{ ...shared, autoScaling, isRunning, afterwards: "register" },
    undo: (left, signal) => undoReturned(left, { ledger, drainer }, signal),
    onEvent: (event) => void returns.push(event),
  });
  const source = new SqsQueue({
    ...shared,
    address: queueAddress("http://127.0.0.1/000000000000/departures"),
    sqs: queue as Pick<SQSClient, "send">,
    hooks: new LifecycleHooks({ ...shared, autoScaling, onEvent }),
    returning: machines,
    read: readEvent,
    foreign: "release",
    maintenanceLeadMs: 3_900_000,
    dryRun: false,
    places: [{ region: world.region }],
    observers: [onEvent],
    abandon: abandon.signal,
  });
  const ended = pump(source, drainer, {
    stop: stop.signal,
    abandon: abandon.signal,
    onSettled: (outcome) => void outcomes.push(outcome),
    onUnsettled: (_, error) => {
      throw error;
    },
  });
  onTestFinished(async () => {
    stop.abort();
    abandon.abort();
    await clock.run(ended);
  });
  return { queue, events, returns, outcomes, ledger, source };
}
