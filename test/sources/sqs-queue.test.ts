import type { SQSClient } from "@aws-sdk/client-sqs";
import { describe, expect, onTestFinished, test } from "vitest";
import { pump } from "../../src/app/pump.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { newAbort, whenAborted } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import type { Announcement, EventReading } from "../../src/sources/announcement.ts";
import type { LifecycleHooks } from "../../src/sources/lifecycle-hooks.ts";
import type { HookEvent, QueueEvent } from "../../src/sources/source-events.ts";
import { SqsQueue, type SqsQueueOptions } from "../../src/sources/sqs-queue.ts";
import { FakeQueue } from "../support/fake-queue.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const URL = "http://127.0.0.1/000000000000/departures";
const id = (number: number) => `i-${String(number).padStart(8, "0")}`;

const spot = (number: number, more: Partial<Announcement> = {}): Announcement => ({
  kind: "spot-interruption",
  instanceId: id(number),
  reason: "spot interruption: terminate",
  ...more,
});
const hooked = (number: number): Announcement =>
  spot(number, {
    kind: "autoscaling-terminate",
    lifecycleAction: { groupName: "workers", hookName: "drain", token: `token-${number}` },
  });
/** Bodies of these tests are what they read as. */
const body = (...announcements: readonly Announcement[]) => JSON.stringify({ reading: "announced", announcements });
const read = (text: string): EventReading => JSON.parse(text);

const DRAINED: DrainOutcome = { status: "instance-gone", message: "gone" };
const FAILED: DrainOutcome = { status: "failed", error: new DrainError("throttled", "why"), registrations: [] };
const FOREIGN: DrainOutcome = { status: "failed", error: new DrainError("other-cluster", "why"), registrations: [] };

interface Asked {
  readonly request: DrainRequest;
  readonly end: (outcome: DrainOutcome) => void;
}

/** A queue, its source, and drains that end when the test says so. */
function scene(
  options: Partial<SqsQueueOptions> = {},
  { complete = async () => {} }: { complete?: (signal: AbortSignal) => Promise<void> } = {},
) {
  const clock = new VirtualClock();
  const queue = new FakeQueue(clock);
  const events: (QueueEvent | HookEvent)[] = [];
  const steps: string[] = [];
  const [stop, abandon] = [newAbort(), newAbort()];
  const hooks = {
    deadlineOf: async (_: unknown, since: number) => since + 6_000 * SECOND_MS,
    sendHeartbeats: async (_: unknown, __: number, signal: AbortSignal) => {
      steps.push("kept waiting");
      await new Promise<void>((resolve) => {
        const end = () => {
          steps.push("no longer kept waiting");
          resolve();
        };
        signal.addEventListener("abort", end, { once: true });
      });
    },
    complete: async (_: unknown, signal: AbortSignal) => {
      steps.push("completed");
      await complete(signal);
    },
  } as unknown as LifecycleHooks;
  const source = new SqsQueue({
    address: queueAddress(URL),
    sqs: queue as Pick<SQSClient, "send">,
    caller: new UnmeteredCaller({ clock }),
    clock,
    hooks,
    read,
    foreign: "release",
    maintenanceLeadMs: 3_900_000,
    dryRun: false,
    observers: [(event) => events.push(event)],
    abandon: abandon.signal,
    ...options,
  });
  const asked: Asked[] = [];
  const unsettled: unknown[] = [];
  const drainer = {
    accept: async (request: DrainRequest, signal: AbortSignal) => {
      const outcome = new Promise<DrainOutcome>((resolve) => {
        const abandoned = () => resolve({ status: "abandoned", registrations: [] });
        if (signal.aborted) abandoned();
        signal.addEventListener("abort", abandoned, { once: true });
        asked.push({ request, end: resolve });
      });
      return { recorded: Promise.resolve(), outcome };
    },
  };
  const onUnsettled = (_: unknown, error: unknown) => void unsettled.push(error);
  const ended = pump(source, drainer, { stop: stop.signal, abandon: abandon.signal, onSettled: () => {}, onUnsettled });
  onTestFinished(async () => {
    stop.abort();
    abandon.abort();
    await clock.run(ended);
    expect(clock.sleeping).toBe(0);
  });
  const told = (type: string) => events.filter((event) => event.type === type);
  return { clock, queue, source, asked, stop, abandon, ended, told, events, steps, unsettled };
}

describe("a message", () => {
  test("is kept from everybody else while its drain runs, and deleted when that has ended", async () => {
    const { clock, queue, asked, told, source } = scene();
    const message = queue.put(body(spot(1, { eventId: "e-1" })));
    await clock.advance(SECOND_MS);
    expect(asked.map(({ request }) => request)).toEqual([
      {
        node: { by: "id", value: id(1) },
        reason: "spot interruption: terminate",
        asker: { via: "spot-interruption", event: "e-1" },
        dryRun: false,
      },
    ]);
    for (let minute = 0; minute < 60; minute += 1) {
      await clock.advance(60 * SECOND_MS);
      expect(queue.hiddenSeconds(message)).toBeGreaterThan(30);
    }
    expect(source.inFlight).toBe(1);
    expect(queue.callsOf("DeleteMessageBatch")).toEqual([]);
    asked[0]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    expect(queue.has(message)).toBe(false);
    expect(source.inFlight).toBe(0);
    expect(asked).toHaveLength(1);
    expect(told("settled")).toEqual([expect.objectContaining({ instanceIds: [id(1)], message: "delete" })]);
  });

  test("is kept through failed extensions, and drained on when it comes back all the same", async () => {
    const { clock, queue, asked, told } = scene();
    const message = queue.put(body(spot(1)));
    await clock.advance(SECOND_MS);
    queue.intercept = ({ name }) => {
      if (name === "ChangeMessageVisibilityBatch") throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return undefined;
    };
    await clock.advance(90 * SECOND_MS);
    expect(told("not-hidden").length).toBeGreaterThan(0);
    expect(told("redelivered").length).toBeGreaterThan(0);
    expect(asked).toHaveLength(1);
    queue.intercept = () => undefined;
    asked[0]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    // By the handle of its latest delivery: with an older one AWS need not delete it.
    expect(queue.has(message)).toBe(false);
  });

  test("that is kept for twelve hours is let go and joins its drain again", async () => {
    const { clock, queue, asked, told } = scene();
    const message = queue.put(body(spot(1)));
    await clock.advance(30 * HOUR_MS);
    expect(told("hidden-too-long")).toHaveLength(2);
    expect(told("redelivered")).toHaveLength(2);
    expect(told("not-hidden")).toEqual([]);
    expect(asked).toHaveLength(1);
    asked[0]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    expect(queue.has(message)).toBe(false);
  });

  test("comes back, untouched, when its drain has failed", async () => {
    const { clock, queue, asked, told } = scene();
    const message = queue.put(body(spot(1)));
    await clock.advance(SECOND_MS);
    asked[0]?.end(FAILED);
    await clock.advance(SECOND_MS);
    expect(queue.hiddenSeconds(message)).toBeGreaterThan(0);
    expect(told("settled")).toEqual([expect.objectContaining({ message: "leave" })]);
    await clock.advance(60 * SECOND_MS);
    expect(asked).toHaveLength(2);
  });

  test("that announces several nodes is deleted when all of them are drained", async () => {
    const { clock, queue, asked } = scene();
    const message = queue.put(body(spot(1), spot(2), spot(3)));
    await clock.advance(SECOND_MS);
    expect(asked.map(({ request }) => request.node.value)).toEqual([id(1), id(2), id(3)]);
    asked[2]?.end(DRAINED);
    asked[0]?.end(DRAINED);
    await clock.advance(300 * SECOND_MS);
    expect(queue.has(message)).toBe(true);
    asked[1]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    expect(queue.has(message)).toBe(false);
  });

  test("that announces several nodes comes back when one of them could not be drained", async () => {
    const { clock, queue, asked } = scene();
    const message = queue.put(body(spot(1), spot(2)));
    await clock.advance(SECOND_MS);
    asked[0]?.end(FAILED);
    asked[1]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    expect(queue.has(message)).toBe(true);
  });

  test("of another cluster is released at once, and later each time it comes back", async () => {
    const { clock, queue, asked } = scene();
    const message = queue.put(body(spot(1)));
    const answered = async () => {
      await clock.advance(0);
      asked.at(-1)?.end(FOREIGN);
      await clock.advance(100);
    };
    await answered();
    expect(asked).toHaveLength(2);
    await answered();
    expect(queue.hiddenSeconds(message)).toBeGreaterThan(0.5);
    for (let minutes = 0; minutes < 10; minutes += 1) {
      await answered();
      await clock.advance(60 * SECOND_MS);
    }
    expect(asked.length).toBeLessThan(20);
    expect(queue.has(message)).toBe(true);
  });

  test("of another cluster is deleted where that is configured", async () => {
    const { clock, queue, asked } = scene({ foreign: "delete" });
    const message = queue.put(body(spot(1)));
    await clock.advance(SECOND_MS);
    asked[0]?.end(FOREIGN);
    await clock.advance(SECOND_MS);
    expect(queue.has(message)).toBe(false);
  });

  test("about a machine that nobody knows is deleted, unless it is of another account than the queue", async () => {
    const address = queueAddress("http://127.0.0.1/123456789012/departures");
    const { clock, queue, asked, steps } = scene({ address });
    const ours = queue.put(body({ ...hooked(1), accountId: "123456789012" }));
    const theirs = queue.put(body({ ...hooked(2), accountId: "210987654321" }));
    await clock.advance(SECOND_MS);
    const error = new DrainError("node-not-found", "why");
    for (const { end } of asked) end({ status: "failed", error, registrations: [] });
    await clock.advance(SECOND_MS);
    expect([queue.has(ours), queue.has(theirs)]).toEqual([false, true]);
    expect(steps.filter((step) => step === "completed")).toHaveLength(1);
  });

  test("about a machine in another region is nobody's drain here", async () => {
    const { clock, queue, asked, told } = scene({ places: [{ region: "eu-west-1" }], foreign: "delete" });
    const message = queue.put(body(spot(1, { region: "us-east-1" })));
    const mixed = queue.put(body(spot(2, { region: "us-east-1" }), spot(3, { region: "eu-west-1" })));
    await clock.advance(SECOND_MS);
    expect(asked.map(({ request }) => request.node.value)).toEqual([id(3)]);
    expect(told("foreign")).toHaveLength(2);
    expect(queue.has(message)).toBe(false);
    expect(queue.has(mixed)).toBe(true);
  });

  test("that asks for nothing, or only recommends something, is deleted", async () => {
    const { clock, queue, asked, told } = scene();
    const nothing = queue.put(JSON.stringify({ reading: "nothing-asked", what: "a test notification" }));
    const voluntary = queue.put(body(spot(1, { isVoluntary: true, reason: "rebalance recommendation" })));
    await clock.advance(SECOND_MS);
    expect([queue.has(nothing), queue.has(voluntary), asked.length]).toEqual([false, false, 0]);
    expect(told("nothing-asked").map((event) => "what" in event && event.what)).toEqual([
      "a test notification",
      "rebalance recommendation",
    ]);
  });

  test.each([
    ["is no JSON", "<html>", /not valid JSON/],
    ["is malformed", JSON.stringify({ reading: "malformed", problem: "no instance id" }), /^no instance id$/],
    ["names no instance", body(spot(1, { instanceId: "web-1" })), /'web-1' is not an instance id/],
    ["is of another shape", "null", /./],
  ])("that %s is left to the dead-letter queue with the reason, and stops no other", async (_, bad, problem) => {
    const { clock, queue, asked, told } = scene();
    const message = queue.put(bad);
    queue.put(body(spot(1)));
    await clock.advance(SECOND_MS);
    expect(asked).toHaveLength(1);
    await clock.advance(100 * SECOND_MS);
    expect(queue.has(message)).toBe(true);
    expect(queue.callsOf("DeleteMessageBatch")).toEqual([]);
    expect(told("malformed")).toEqual([1, 2].map((receives) => expect.objectContaining({ receives })));
    expect(told("malformed")[0]).toMatchObject({ problem: expect.stringMatching(problem) });
  });

  test("is neither deleted nor completed in a dry run, whatever the plan comes to", async () => {
    const { clock, queue, asked, steps } = scene({
      dryRun: true,
      foreign: "delete",
      places: [{ region: "eu-west-1" }],
    });
    const elsewhere = spot(3, { region: "us-east-1" });
    const ids = [body(hooked(1)), body(spot(2)), body(elsewhere), '{"reading":"nothing-asked","what":"x"}'].map(
      (text) => queue.put(text),
    );
    await clock.advance(SECOND_MS);
    expect(asked.every(({ request }) => request.dryRun)).toBe(true);
    asked[0]?.end(FOREIGN);
    asked[1]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    expect(ids.map((each) => queue.has(each))).toEqual([true, true, true, true]);
    expect(queue.callsOf("DeleteMessageBatch")).toEqual([]);
    expect(steps).toEqual([]);
  });
});

describe("deleting", () => {
  const settleAll = async (count: number, intercept: FakeQueue["intercept"]) => {
    const made = scene();
    const ids = Array.from({ length: count }, (_, index) => made.queue.put(body(spot(index + 1))));
    await made.clock.advance(SECOND_MS);
    made.queue.intercept = intercept;
    for (const { end } of made.asked) end(DRAINED);
    await made.clock.advance(10 * SECOND_MS);
    return { ...made, ids, deletes: made.queue.callsOf("DeleteMessageBatch") };
  };

  test("takes few calls for many messages", async () => {
    const { queue, ids, deletes } = await settleAll(60, () => undefined);
    expect(ids.filter((each) => queue.has(each))).toEqual([]);
    expect(deletes).toHaveLength(6);
  });

  test("of one that AWS fails is tried again by itself, and the others are deleted", async () => {
    let failed = 0;
    const { queue, ids, deletes } = await settleAll(5, ({ name, input }) => {
      const entries = input.Entries ?? [];
      if (name !== "DeleteMessageBatch" || failed >= 2) return undefined;
      failed += 1;
      const Failed = [{ Id: "2", Code: "InternalError", SenderFault: false }];
      if (entries.length === 1) return { Failed: [{ ...Failed[0], Id: "0" }] };
      // It has deleted the others.
      return { Failed, Successful: entries.filter(({ Id }) => Id !== "2").map(({ Id }) => ({ Id })) };
    });
    expect(deletes.map(({ input }) => input.Entries?.length)).toEqual([5, 1, 1]);
    expect(queue.has(ids[2] ?? "")).toBe(false);
  });

  test("is not believed of an answer that says nothing", async () => {
    let empty = 0;
    const { queue, ids } = await settleAll(2, ({ name }) => {
      if (name !== "DeleteMessageBatch") return undefined;
      empty += 1;
      return empty > 1 ? undefined : {};
    });
    expect(ids.filter((each) => queue.has(each))).toEqual([]);
  });

  test("that is denied is told, and the message comes back", async () => {
    const { told, unsettled, source } = await settleAll(1, ({ name }) => {
      if (name === "DeleteMessageBatch") throw Object.assign(new Error("no"), { name: "AccessDenied" });
      return undefined;
    });
    expect(told("not-settled")).toEqual([
      expect.objectContaining({ error: expect.objectContaining({ code: "access-denied" }) }),
    ]);
    expect(unsettled).toHaveLength(1);
    expect(source.inFlight).toBe(0);
  });
});

describe("a hook", () => {
  test("is kept waiting while the drain runs, and completed before the message is deleted", async () => {
    let wasThere: boolean | undefined;
    const complete = async () => {
      wasThere = made.queue.has(message);
    };
    const made = scene({}, { complete });
    const message = made.queue.put(body(hooked(1)));
    await made.clock.advance(100 * SECOND_MS);
    expect(made.steps).toEqual(["kept waiting"]);
    made.asked[0]?.end(DRAINED);
    await made.clock.advance(SECOND_MS);
    expect(made.steps).toEqual(["kept waiting", "no longer kept waiting", "completed"]);
    expect([wasThere, made.queue.has(message)]).toEqual([true, false]);
  });

  test("that can't be completed keeps its message", async () => {
    const complete = () => Promise.reject(new DrainError("access-denied", "no"));
    const { clock, queue, asked } = scene({}, { complete });
    const message = queue.put(body(hooked(1)));
    await clock.advance(SECOND_MS);
    asked[0]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    expect(queue.has(message)).toBe(true);
    await clock.advance(60 * SECOND_MS);
    expect(asked).toHaveLength(2);
  });

  test("is left alone when the drain has failed", async () => {
    const { clock, queue, asked, steps } = scene();
    queue.put(body(hooked(1)));
    await clock.advance(SECOND_MS);
    asked[0]?.end(FAILED);
    await clock.advance(SECOND_MS);
    expect(steps).toEqual(["kept waiting", "no longer kept waiting"]);
  });

  test("bounds its drain from when it began to wait", async () => {
    const { clock, queue, asked } = scene();
    const since = clock.now() - 50 * SECOND_MS;
    queue.put(body({ ...hooked(1), announcedAt: since }));
    await clock.advance(SECOND_MS);
    expect(asked[0]?.request.deadline).toBe(since + 6_000 * SECOND_MS);
  });
});

describe("a deadline", () => {
  const deadlineOf = async (aheadMs: number, behindMs = 0) => {
    const { clock, queue, asked } = scene();
    queue.behindMs = behindMs;
    queue.put(body(spot(1, { deadline: clock.now() + aheadMs - behindMs })));
    await clock.advance(0);
    return (asked[0]?.request.deadline ?? Number.NaN) - clock.now();
  };

  test("is the event's", async () => {
    expect(await deadlineOf(120 * SECOND_MS)).toBe(120 * SECOND_MS);
  });

  test.each([
    ["that is almost over", 5 * SECOND_MS],
    ["of an event for a time just past", -60 * SECOND_MS],
  ])("%s leaves time to deregister", async (_, aheadMs) => {
    expect(await deadlineOf(aheadMs)).toBe(30 * SECOND_MS);
  });

  test("of an event for a time long past is none: the machine that still runs was spared", async () => {
    expect(await deadlineOf(-48 * HOUR_MS)).toBeNaN();
  });

  test("of a reboot that has passed is none either, and nothing is drained for it", async () => {
    const { clock, queue, asked, told } = scene();
    const id = queue.put(body(spot(1, { kind: "scheduled-change", reboots: true, deadline: clock.now() - HOUR_MS })));
    await clock.advance(SECOND_MS);
    expect({ asked, isThere: queue.has(id) }).toEqual({ asked: [], isThere: false });
    expect(told("nothing-asked")).toHaveLength(1);
  });

  test("of a stop or a retirement that is overdue is none, and it is drained for while the machine runs", async () => {
    const { clock, queue, asked } = scene();
    queue.put(body(spot(1, { kind: "scheduled-change", deadline: clock.now() - HOUR_MS })));
    await clock.advance(SECOND_MS);
    expect(asked).toMatchObject([{ request: { holdsWhile: { machine: "runs" } } }]);
    expect(asked[0]?.request).not.toHaveProperty("deadline");
  });

  test.each([
    ["fast", HOUR_MS],
    ["slow", -HOUR_MS],
  ])("is as far away as AWS means it on a machine whose clock is %s", async (_, behindMs) => {
    expect(await deadlineOf(120 * SECOND_MS, behindMs)).toBe(120 * SECOND_MS);
  });
});

describe("receiving", () => {
  test("stops while too many drains run, and goes on when some have ended", async () => {
    const { clock, queue, asked, source } = scene({ inFlightMax: 30 });
    for (let number = 1; number <= 50; number += 1) queue.put(body(spot(number)));
    await clock.advance(SECOND_MS);
    expect(source.inFlight).toBe(30);
    for (const { end } of asked.slice(0, 10)) end(DRAINED);
    await clock.advance(SECOND_MS);
    expect(source.inFlight).toBe(30);
    expect(asked).toHaveLength(40);
  });

  test("asks for the messages of ten minutes in 30 long polls where there are none, after a first one that does not wait", async () => {
    const { clock, queue } = scene();
    await clock.advance(599 * SECOND_MS);
    expect(queue.callsOf("ReceiveMessage")).toHaveLength(1 + 30);
    expect(queue.callsOf("ReceiveMessage")[1]?.input).toMatchObject({ WaitTimeSeconds: 20, MaxNumberOfMessages: 10 });
  });

  test("does not turn in circles when somebody answers at once that there is nothing", async () => {
    const { clock, queue } = scene();
    await clock.advance(25 * SECOND_MS);
    queue.intercept = ({ name }) => (name === "ReceiveMessage" ? {} : undefined);
    const before = queue.calls.length;
    await clock.advance(60 * SECOND_MS);
    expect(queue.calls.length - before).toBeLessThan(65);
  });

  test.each<[string, object, string, RegExp]>([
    [
      "a queue that does not exist",
      { name: "QueueDoesNotExist" },
      "cloud-error",
      /the queue does not exist for sqs:ReceiveMessage/,
    ],
    ["no permission", { name: "AccessDenied" }, "access-denied", /AWS denied sqs:ReceiveMessage: allow it/],
    ["no network", { code: "ENOTFOUND", hostname: "sqs.nowhere" }, "unreachable", /could not reach sqs\.nowhere/],
  ])("is tried on and on with %s, which is reported each time, and its end once", async (_, error, code, message) => {
    const { clock, queue, asked, told, source } = scene();
    expect(source.receiving.isKnown).toBe(false);
    await clock.advance(0);
    // Whether it can be read is known at once: the first read does not wait for messages.
    expect([source.receiving.isKnown, source.isReceiving]).toEqual([true, true]);
    expect(queue.callsOf("ReceiveMessage").map(({ input }) => input.WaitTimeSeconds)).toEqual([0, 20]);
    await clock.advance(25 * SECOND_MS);
    queue.intercept = ({ name }) => {
      if (name === "ReceiveMessage") throw Object.assign(new Error("what AWS says"), error);
      return undefined;
    };
    await clock.advance(HOUR_MS);
    expect(told("not-receiving").length).toBeGreaterThan(40);
    expect(new Set(told("not-receiving").map((event) => (event as { error: DrainError }).error.code))).toEqual(
      new Set([code]),
    );
    expect(told("not-receiving")[0]).toMatchObject({ error: { message: expect.stringMatching(message) } });
    expect(source.isReceiving).toBe(false);
    expect(queue.callsOf("ReceiveMessage").length).toBeLessThan(600);
    queue.intercept = () => undefined;
    queue.put(body(spot(1)));
    await clock.advance(120 * SECOND_MS);
    expect(asked).toHaveLength(1);
    expect(told("receiving")).toHaveLength(1);
    expect(source.isReceiving).toBe(true);
  });

  test("finds a queue by its name", async () => {
    const { clock, queue, asked } = scene({ address: queueAddress("departures") });
    queue.put(body(spot(1)));
    await clock.advance(SECOND_MS);
    expect(asked).toHaveLength(1);
    expect(queue.callsOf("GetQueueUrl").map(({ input }) => input)).toEqual([{ QueueName: "departures" }]);
    expect(queue.callsOf("ReceiveMessage")[0]?.input["QueueUrl"]).toBe("http://127.0.0.1/000000000000/found");
  });
});

describe("a stop", () => {
  test("asks no more, lets drains end, and deletes their messages", async () => {
    const { clock, queue, asked, stop, ended } = scene();
    const message = queue.put(body(spot(1)));
    await clock.advance(SECOND_MS);
    stop.abort();
    await clock.advance(100 * SECOND_MS);
    const { length } = queue.callsOf("ReceiveMessage");
    expect(queue.hiddenSeconds(message)).toBeGreaterThan(0);
    const later = queue.put(body(spot(2)));
    await clock.advance(100 * SECOND_MS);
    expect(queue.callsOf("ReceiveMessage")).toHaveLength(length);
    expect(asked).toHaveLength(1);
    asked[0]?.end(DRAINED);
    await clock.run(ended);
    expect([queue.has(message), queue.hiddenSeconds(later)]).toEqual([false, 0]);
  });

  test("releases what the last poll still gets, for AWS goes on with one whose caller has left", async () => {
    const { clock, queue, asked, stop, ended } = scene();
    await clock.advance(SECOND_MS);
    stop.abort();
    await clock.advance(SECOND_MS);
    const message = queue.put(body(spot(1)));
    await clock.run(ended);
    expect(asked).toEqual([]);
    expect(queue.callsOf("ChangeMessageVisibilityBatch")).toHaveLength(1);
    expect(queue.hiddenSeconds(message)).toBe(0);
  });

  test("that abandons drains hands their messages back at once, also those that its last poll gets again", async () => {
    const { clock, queue, stop, abandon, ended, steps, source } = scene();
    const ids = Array.from({ length: 25 }, (_, index) => queue.put(body(hooked(index + 1))));
    await clock.advance(SECOND_MS);
    const stoppedAt = clock.now();
    stop.abort();
    abandon.abort();
    await clock.run(ended);
    expect(clock.now() - stoppedAt).toBeLessThanOrEqual(5 * SECOND_MS);
    expect(ids.map((each) => queue.hiddenSeconds(each))).toEqual(ids.map(() => 0));
    expect(source.inFlight).toBe(0);
    expect(steps).not.toContain("completed");
  });

  test("cuts off a hook that AWS does not let be completed", async () => {
    const { clock, queue, asked, stop, abandon, ended, unsettled } = scene({}, { complete: whenAborted });
    const message = queue.put(body(hooked(1)));
    await clock.advance(SECOND_MS);
    stop.abort();
    asked[0]?.end(DRAINED);
    await clock.advance(SECOND_MS);
    const abandonedAt = clock.now();
    abandon.abort();
    await clock.run(ended);
    expect(clock.now() - abandonedAt).toBeLessThanOrEqual(10 * SECOND_MS);
    expect(queue.has(message)).toBe(true);
    expect(unsettled).toHaveLength(1);
  });

  test("does not wait for ever for an AWS that does not answer", async () => {
    const { clock, queue, stop, abandon, ended } = scene();
    queue.put(body(spot(1)));
    await clock.advance(SECOND_MS);
    queue.intercept = () => new Promise(() => {});
    const stoppedAt = clock.now();
    stop.abort();
    abandon.abort();
    await clock.run(ended);
    expect(clock.now() - stoppedAt).toBeLessThanOrEqual(5 * SECOND_MS);
  });
});

test.each([
  ["as AWS writes them", "https://sqs.eu-west-1.amazonaws.com/000000000000/departures", true],
  ["with more in its path", "http://127.0.0.1:4566/queue/eu-west-1/000000000000/departures", true],
  ["that says nothing of an account", "http://127.0.0.1:4566/departures", false],
])(
  "a queue by its name may be at a URL %s, and another account's event is not deleted where that is known",
  async (_, url, isKnown) => {
    const { clock, queue, asked } = scene({ address: queueAddress("departures") });
    queue.intercept = ({ name }) => (name === "GetQueueUrl" ? { QueueUrl: url } : undefined);
    const id = queue.put(body(spot(1, { accountId: "111122223333" })));
    await clock.advance(SECOND_MS);
    const error = new DrainError("node-not-found", "why");
    asked[0]?.end({ status: "failed", error, registrations: [] });
    await clock.advance(SECOND_MS);
    expect({ wasAsked: asked.length > 0, isThere: queue.has(id) }).toEqual({ wasAsked: true, isThere: isKnown });
  },
);
