import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import { postpone } from "../../src/sources/postponing.ts";
import { ALL_CASES } from "../support/cases.ts";
import { queueOnRegion } from "../support/queue-on-region.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LEAD_MS = 65 * 60_000;

/** A node behind an ALB, and AWS Health's word that it will be retired in so long. */
async function scene(inMs: number) {
  const region = new SimulatedRegion();
  const { clock, world } = region;
  const nodes = [region.node(), region.node()] as const;
  region.group({ name: "web", nodes, delaySeconds: 60 });
  const service = await queueOnRegion(region);
  const startsAt = clock.now() + inMs;
  const event = {
    "detail-type": "AWS Health Event",
    source: "aws.health",
    region: world.region,
    time: new Date(clock.now()).toISOString(),
    detail: {
      eventTypeCode: "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
      startTime: new Date(startsAt).toUTCString(),
      affectedEntities: [{ entityValue: nodes[0].id }],
    },
  };
  service.queue.put(JSON.stringify(event));
  const deregisteredAt = () => region.calls.find(({ action }) => action === "DeregisterTargets")?.at;
  const told = (type: string) => service.events.filter((one) => one.type === type);
  return { region, clock, startsAt, deregisteredAt, told, ...service };
}

describe("scheduled maintenance of which a queue tells", () => {
  test("is drained for MAINTENANCE_LEAD before it begins, and its message waits in the queue until then", async () => {
    const { clock, queue, deregisteredAt, told } = await scene(8 * HOUR_MS);
    await clock.advance(60_000);
    expect([deregisteredAt(), queue.size, told("announced")]).toEqual([undefined, 1, []]);
    expect(told("postponed")).toHaveLength(1);
    await clock.advance(8 * HOUR_MS);
    const leadMs = 8 * HOUR_MS - (deregisteredAt() ?? 0);
    // Times without fractions of a second, and a poll.
    expect(Math.abs(leadMs - LEAD_MS)).toBeLessThan(25_000);
    expect(queue.size).toBe(0);
  });

  // Longer than a queue keeps a message unless it is told otherwise: four days.
  test.each([ALL_CASES ? 15 : 5])(
    "%i days ahead outlasts AWS's 12 hours, retention, and the dead-letter queue",
    async (days) => {
      const { clock, queue, deregisteredAt } = await scene(days * DAY_MS);
      let received = 0;
      for (let hours = 0; hours < (days - 1) * 24; hours += 24) {
        await clock.advance(24 * HOUR_MS);
        expect([queue.size, deregisteredAt()]).toEqual([1, undefined]);
        received = Math.max(received, ...queue.received());
      }
      // No message is a day old, nor received so often that a redrive policy would take it.
      expect(received).toBeLessThanOrEqual(2);
      expect(queue.oldestMs()).toBeLessThan(DAY_MS + HOUR_MS);
      await clock.advance(DAY_MS);
      expect(Math.abs(days * DAY_MS - (deregisteredAt() ?? 0) - LEAD_MS)).toBeLessThan(25_000);
      expect(queue.size).toBe(0);
    },
  );

  test("is drained for at once where AWS takes no copy of its message: it would be lost", async () => {
    const { clock, queue, deregisteredAt, told } = await scene(5 * DAY_MS);
    queue.intercept = ({ name }) => {
      if (name === "SendMessage") throw Object.assign(new Error("no"), { name: "AccessDenied", $fault: "client" });
    };
    await clock.advance(13 * HOUR_MS);
    expect(told("not-postponed")).toMatchObject([{ error: { code: "access-denied" } }]);
    expect(deregisteredAt()).toBeDefined();
    expect(queue.size).toBe(0);
  });

  test("is kept in the queue through failures that pass", async () => {
    const { clock, queue, deregisteredAt } = await scene(2 * DAY_MS);
    queue.intercept = ({ name }) => {
      if (name === "SendMessage")
        throw Object.assign(new Error("no"), { name: "x", $metadata: { httpStatusCode: 503 } });
    };
    await clock.advance(13.5 * HOUR_MS);
    expect([queue.size, deregisteredAt()]).toEqual([1, undefined]);
    queue.intercept = () => undefined;
    await clock.advance(2 * DAY_MS);
    expect([queue.size, deregisteredAt() === undefined]).toEqual([0, false]);
  });
});

describe("a message that is not due", () => {
  const calls: (readonly [string, number])[] = [];
  const postponed = (receives: number, forMs: number) => {
    calls.splice(0);
    return postpone({ body: "b", receives }, forMs, {
      hide: async (seconds) => void calls.push(["hide", seconds]),
      send: async (_, seconds) => void calls.push(["send", seconds]),
    });
  };

  test.each([
    [1, HOUR_MS, [["hide", 3_600]], "hidden"],
    [1, 30 * DAY_MS, [["hide", 43_140]], "hidden"],
    [
      2,
      30 * DAY_MS,
      [
        ["hide", 3_600],
        ["send", 900],
      ],
      "delete",
    ],
    [
      2,
      90_500,
      [
        ["hide", 91],
        ["send", 91],
      ],
      "delete",
    ],
  ] as const)("received %i times, %i ms too soon: %j", async (receives, forMs, made, result) => {
    expect(await postponed(receives, forMs)).toBe(result);
    expect(calls).toEqual(made);
  });

  test.each([
    ["throttled", 2, "hidden"],
    ["throttled", 4, "throws"],
    ["access-denied", 2, "throws"],
  ] as const)("is not deleted where its copy was not taken: %s, received %i times, %s", async (code, receives, end) => {
    const send = () => Promise.reject(new DrainError(code, "no"));
    const hidden: number[] = [];
    const hide = async (seconds: number) => void hidden.push(seconds);
    const postponed = await postpone({ body: "b", receives }, 5 * HOUR_MS, { hide, send }).catch(() => "throws");
    expect(postponed).toBe(end);
    // Each receipt brings it nearer to the dead-letter queue: it does not come back soon.
    expect(hidden).toEqual([3_600]);
  });
});
