import { describe, expect, onTestFinished, test } from "vitest";
import { type Destination, EventDelivery, Undeliverable } from "../../../src/simulator/events/event-delivery.ts";
import { SqsSender } from "../../../src/simulator/events/sqs-sender.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { openQueue } from "./queue.ts";

/** Three nodes, and when messages about them are sent, in seconds since the start. */
function scene(destination: Partial<Destination> = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = [region.node(), region.node(), region.node()] as const;
  const sent: { readonly at: number; readonly body: string }[] = [];
  const givenUp: string[] = [];
  const send = async (body: string) => void sent.push({ at: clock.elapsedMs / 1_000, body });
  const delivery = new EventDelivery(world, [{ send, kinds: ["interruption"], ...destination }], {
    onGivenUp: ({ message }) => givenUp.push(message),
  });
  onTestFinished(() => delivery.close());
  return { world, clock, nodes, sent, givenUp, delivery };
}

describe("delivery", () => {
  test("sends every nth message twice, the same one", async () => {
    const { world, clock, nodes, sent } = scene({ duplicateEvery: 2 });
    for (const node of nodes) world.interruptions.interrupt(node);
    await clock.advance(0);
    const bodies = sent.map(({ body }) => body);
    expect(bodies).toHaveLength(4);
    expect(bodies[1]).toBe(bodies[2]);
    expect(new Set(bodies).size).toBe(3);
  });

  test("sends as late as it is told, while the event says when it was", async () => {
    const { world, clock, nodes, sent } = scene({ lagMs: 7_000 });
    world.interruptions.interrupt(nodes[0]);
    await clock.advance(60_000);
    expect(sent.map(({ at, body }) => [at, JSON.parse(body).time])).toEqual([[7, "2026-01-01T00:00:00Z"]]);
  });

  test("tries again, ever more slowly, until the message is taken", async () => {
    const attempts: number[] = [];
    const { world, clock, nodes, givenUp } = scene({
      send: async () => {
        attempts.push(clock.elapsedMs / 1_000);
        if (attempts.length < 4) throw new Error("down");
      },
    });
    world.interruptions.interrupt(nodes[0]);
    await clock.advance(3_600_000);
    expect(attempts).toEqual([0, 1, 3, 7]);
    expect(givenUp).toEqual([]);
  });

  test("gives a message up after 185 attempts, or at once when it is refused, and says so", async () => {
    let attempts = 0;
    const failing = scene({
      send: async () => {
        attempts += 1;
        throw new Error("down");
      },
    });
    failing.world.interruptions.interrupt(failing.nodes[0]);
    await failing.clock.advance(48 * 3_600_000);
    expect([attempts, failing.givenUp]).toEqual([185, ["down"]]);

    const refused = scene({
      send: async () => {
        throw new Undeliverable("no such queue", {});
      },
    });
    refused.world.interruptions.interrupt(refused.nodes[0]);
    await refused.clock.advance(0);
    expect(refused.givenUp).toEqual(["no such queue"]);
  });

  test("ends when it is closed: nothing is sent any more, and nobody waits", async () => {
    const { world, clock, nodes, sent, delivery, givenUp } = scene({ lagMs: 1_000 });
    world.interruptions.interrupt(nodes[0]);
    await delivery.close();
    world.interruptions.interrupt(nodes[1]);
    await clock.advance(3_600_000);
    expect([sent, givenUp, clock.sleeping]).toEqual([[], [], 0]);
  });
});

describe("an SQS queue", () => {
  test("gets the events", async () => {
    const { url, endpoint, receive } = await openQueue();
    expect(endpoint).toMatch(/^http:\/\/127\.0\.0\.1:/);
    const sender = new SqsSender({ url, region: "eu-west-1", endpoint });
    onTestFinished(() => sender.close());
    const { world, nodes, delivery, givenUp } = scene({ send: sender.send });
    world.interruptions.interrupt(nodes[0]);
    world.interruptions.interrupt(nodes[1], { action: "stop" });
    await delivery.delivered();
    const ids = (await receive()).map(({ detail }) => [detail["instance-id"], detail["instance-action"]]);
    expect(ids.sort()).toEqual([
      [nodes[0].id, "terminate"],
      [nodes[1].id, "stop"],
    ]);
    expect(givenUp).toEqual([]);
  });

  test("that does not exist gets none, which is said with its URL", async () => {
    const { url, endpoint } = await openQueue();
    const missing = url.replace("departures", "missing");
    const sender = new SqsSender({ url: missing, region: "eu-west-1", endpoint });
    onTestFinished(() => sender.close());
    const { world, nodes, delivery, givenUp } = scene({ send: sender.send });
    world.interruptions.interrupt(nodes[0]);
    await delivery.delivered();
    expect(givenUp).toEqual([expect.stringContaining(`${missing}: `)]);
  });
});
