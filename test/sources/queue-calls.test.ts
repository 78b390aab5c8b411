import { describe, expect, test } from "vitest";
import { createSqsClient } from "../../src/aws/event-clients.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { QueueCalls } from "../../src/sources/queue-calls.ts";
import { realQueue } from "../support/real-queue.ts";
import { CREDENTIALS, never } from "../support/simulated-region.ts";

async function scene({ byName = false } = {}) {
  const queue = await realQueue();
  const clock = new SystemClock();
  const sqs = createSqsClient({ region: "eu-west-1", credentials: CREDENTIALS }, queueAddress(queue.url));
  const address = queueAddress(byName ? "departures" : queue.url);
  const calls = new QueueCalls({ address, sqs, caller: new UnmeteredCaller({ clock }), clock });
  return { ...queue, calls };
}

describe("over the wire", () => {
  test.each([[false], [true]])(
    "messages are received with AWS's times, kept, and deleted (by name: %s)",
    async (byName) => {
      const { calls, send, depth } = await scene({ byName });
      const ids = await Promise.all(Array.from({ length: 12 }, (_, index) => send(`body ${index}`)));
      const received = [...(await calls.receive(60, never, never)), ...(await calls.receive(60, never, never))];
      expect(new Set(received.map(({ id }) => id))).toEqual(new Set(ids));
      expect(received[0]).toMatchObject({
        receives: 1,
        body: expect.stringMatching(/^body \d+$/),
        sentAt: expect.any(Number),
        firstReceivedAt: expect.any(Number),
      });
      expect(await depth()).toEqual({ waiting: 0, inFlight: 12 });
      await Promise.all(received.map(({ handle }) => calls.changeVisibility(handle, 0, never)));
      expect(await depth()).toEqual({ waiting: 12, inFlight: 0 });
      const again = [...(await calls.receive(60, never, never)), ...(await calls.receive(60, never, never))];
      expect(again.map(({ receives }) => receives)).toEqual(again.map(() => 2));
      await Promise.all(again.map(({ handle }) => calls.delete(handle, never)));
      expect(await depth()).toEqual({ waiting: 0, inFlight: 0 });
    },
  );

  test("one bad entry of a batch fails alone, with AWS's reason", async () => {
    const { calls, send, depth } = await scene();
    await Promise.all([send("1"), send("2")]);
    const received = await calls.receive(60, never, never);
    const handles = [...received.map(({ handle }) => handle), "no handle of anybody's"];
    const results = await Promise.allSettled(handles.map((handle) => calls.changeVisibility(handle, 0, never)));
    expect(results.slice(0, -1).map(({ status }) => status)).toEqual(received.map(() => "fulfilled"));
    expect(results.at(-1)).toMatchObject({
      reason: { code: "cloud-error", message: expect.stringMatching(/^sqs:ChangeMessageVisibility failed: \w+: ./) },
    });
    expect((await depth()).inFlight).toBe(0);
  });

  test("a queue that does not exist is named as what is missing", async () => {
    const { calls, remove } = await scene();
    await remove();
    await expect(calls.receive(60, never, never)).rejects.toMatchObject({
      code: "cloud-error",
      message: expect.stringContaining("the queue does not exist for sqs:ReceiveMessage: check QUEUE"),
    });
  });
});
