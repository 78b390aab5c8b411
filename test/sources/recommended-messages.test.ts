import type { SQSClient } from "@aws-sdk/client-sqs";
import { expect, onTestFinished, test } from "vitest";
import { pump } from "../../src/app/pump.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import type { Announcement, EventReading } from "../../src/sources/announcement.ts";
import type { LifecycleHooks } from "../../src/sources/lifecycle-hooks.ts";
import { type DrainedNode, Recommendations } from "../../src/sources/recommendations.ts";
import { SqsQueue } from "../../src/sources/sqs-queue.ts";
import { FakeQueue } from "../support/fake-queue.ts";

const MINUTE_MS = 60_000;
const NODE = { id: "i-00000001", name: "n", network: "vpc-1", addresses: [], addressPrefixes: [] };
const RECOMMENDED: Announcement = {
  kind: "rebalance-recommendation",
  instanceId: NODE.id,
  reason: "rebalance recommendation",
  isVoluntary: true,
};
const SPOT: Announcement = { kind: "spot-interruption", instanceId: NODE.id, reason: "spot interruption: terminate" };
const DRAINED: DrainOutcome = { status: "drained", drainId: "d-1", node: NODE, elsewhere: [], registrations: [] };
const FAILED: DrainOutcome = { status: "failed", error: new DrainError("throttled", "why"), registrations: [] };
const REFUSED = { status: "refused", drainId: "d-1", node: NODE, refusal: { message: "no" } } as never as DrainOutcome;

/** A queue whose messages are drained at once, and recommendations that are undone after half an hour. */
function scene({ heeds = true, outcome = DRAINED } = {}) {
  const clock = new VirtualClock();
  const queue = new FakeQueue(clock);
  const [stop, abandon] = [newAbort(), newAbort()];
  const undone: string[] = [];
  const undo = async ({ instanceId }: DrainedNode) => undone.push(instanceId);
  const recommendations = new Recommendations({ clock, undoAfterMs: 30 * MINUTE_MS, undo, onEvent: () => {} });
  const asked: DrainRequest[] = [];
  const source = new SqsQueue({
    address: queueAddress("http://127.0.0.1/000000000000/departures"),
    sqs: queue as Pick<SQSClient, "send">,
    caller: new UnmeteredCaller({ clock }),
    ...{
      clock,
      foreign: "release",
      maintenanceLeadMs: 3_900_000,
      dryRun: false,
      observers: [],
      abandon: abandon.signal,
      inFlightMax: 10,
    },
    hooks: {} as LifecycleHooks,
    read: (text): EventReading => ({ reading: "announced", announcements: [JSON.parse(text)] }),
    ...(heeds ? { recommendations } : {}),
  });
  const drainer = {
    accept: async (request: DrainRequest) => {
      asked.push(request);
      return { recorded: Promise.resolve(), outcome };
    },
  };
  const signals = { stop: stop.signal, abandon: abandon.signal };
  const ended = pump(source, drainer, { ...signals, onSettled: () => {}, onUnsettled: () => {} });
  onTestFinished(async () => {
    stop.abort();
    abandon.abort();
    await clock.run(ended);
    expect(clock.sleeping).toBe(0);
  });
  return { clock, queue, asked, undone, stop, ended };
}

test("a recommendation asks for nothing unless it is heeded", async () => {
  const { clock, queue, asked } = scene({ heeds: false });
  queue.put(JSON.stringify(RECOMMENDED));
  await clock.advance(MINUTE_MS);
  expect(asked).toEqual([]);
  expect(queue.size).toBe(0);
});

test("a recommendation is drained as one that can be told no, and undone when nothing follows", async () => {
  const { clock, queue, asked, undone } = scene();
  queue.put(JSON.stringify(RECOMMENDED));
  await clock.advance(29 * MINUTE_MS);
  expect(asked).toMatchObject([{ isVoluntary: true }]);
  // Kept from others, so that whoever takes over knows of it.
  expect({ size: queue.size, undone }).toEqual({ size: 1, undone: [] });
  await clock.advance(2 * MINUTE_MS);
  expect({ size: queue.size, undone }).toEqual({ size: 0, undone: [NODE.id] });
});

test("an interruption that follows a recommendation ends the wait for it", async () => {
  const { clock, queue, asked, undone } = scene();
  queue.put(JSON.stringify(RECOMMENDED));
  await clock.advance(10 * MINUTE_MS);
  queue.put(JSON.stringify(SPOT));
  await clock.advance(MINUTE_MS);
  expect({ size: queue.size, undone, asked: asked.length }).toEqual({ size: 0, undone: [], asked: 2 });
  await clock.advance(60 * MINUTE_MS);
  expect(undone).toEqual([]);
});

test("waiting for departures keeps no room from those that are announced", async () => {
  const { clock, queue, asked, undone } = scene();
  for (let count = 0; count < 12; count += 1)
    queue.put(JSON.stringify({ ...RECOMMENDED, instanceId: `i-000000${10 + count}` }));
  await clock.advance(10 * MINUTE_MS);
  queue.put(JSON.stringify({ ...SPOT, instanceId: "i-00000011" }));
  await clock.advance(MINUTE_MS);
  expect({ asked: asked.length, undone }).toEqual({ asked: 13, undone: [] });
});

test("what a recommended drain has taken out is undone too, though it failed elsewhere", async () => {
  const failed: DrainOutcome = { ...FAILED, drainId: "d-1", node: NODE } as never;
  const { clock, queue, undone } = scene({ outcome: failed });
  queue.put(JSON.stringify(RECOMMENDED));
  await clock.advance(31 * MINUTE_MS);
  expect({ size: queue.size, undone }).toEqual({ size: 0, undone: [NODE.id] });
});

test("a recommendation that is refused is done with", async () => {
  const { clock, queue, undone } = scene({ outcome: REFUSED });
  queue.put(JSON.stringify(RECOMMENDED));
  await clock.advance(MINUTE_MS);
  expect({ size: queue.size, undone }).toEqual({ size: 0, undone: [] });
});

test("a stop hands a recommendation back at once", async () => {
  const { clock, queue, undone, stop, ended } = scene();
  queue.put(JSON.stringify(RECOMMENDED));
  await clock.advance(5 * MINUTE_MS);
  stop.abort();
  await clock.run(ended);
  expect({ size: queue.size, undone }).toEqual({ size: 1, undone: [] });
  const changes = queue.calls.filter(({ name }) => name === "ChangeMessageVisibilityBatch");
  expect(changes.at(-1)?.input.Entries?.map(({ VisibilityTimeout }) => VisibilityTimeout)).toEqual([0]);
});

test("a message that comes again is asked about as tried before, since its first time", async () => {
  const { clock, queue, asked } = scene({ outcome: FAILED });
  const start = clock.now();
  queue.put(JSON.stringify(SPOT));
  await clock.advance(5 * MINUTE_MS);
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.map(({ firstTriedAt }) => firstTriedAt)).toEqual([undefined, ...asked.slice(1).map(() => start)]);
});
