import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

/** A node in an ALB's pool alone, or in an NLB's beside one, or beside both. Somebody has asked for it before, at `start`. */
function scene(where: "alb" | "nlb" | "nowhere" = "alb") {
  const made = new DrainScene();
  const [node, other] = [made.cloud.addNode("i-1"), made.cloud.addNode("i-2", "10.0.0.2")];
  made.cloud.addPool("alb", "web", where === "alb" ? [node, other] : [other]);
  if (where !== "alb") made.cloud.addPool("nlb", "tcp", where === "nlb" ? [node, other] : [other]);
  const start = made.clock.now();
  const drain = (firstTriedAt?: number, timeoutSeconds?: number, drainer = made.drainer) => {
    const asked = made.request("i-1", timeoutSeconds === undefined ? {} : { timeoutSeconds });
    const request = firstTriedAt === undefined ? asked : { ...asked, firstTriedAt };
    return made.clock.run(drainer.drain(request, never));
  };
  const awaited = () =>
    made.events.flatMap((event) => (event.type === "awaiting-earlier-try" ? [(event.until - start) / 1_000] : []));
  return { clock: made.clock, made, start, drain, awaited };
}

describe("a request that was tried before, by another process", () => {
  test("holds what is draining as long as AWS lists it, and does not begin its delay anew", async () => {
    const { made, clock, start, drain, awaited } = scene();
    await drain(undefined, 1);
    await clock.advance(119_000);
    expect((await drain(start)).status).toBe("drained");
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(300);
    expect(made.elapsedSeconds).toBeLessThanOrEqual(315);
    expect(awaited()).toEqual([]);
  });

  test("holds it for what a load balancer is late by at least, from when it was found", async () => {
    const { made, clock, start, drain } = scene("nlb");
    await drain(undefined, 1);
    await clock.advance(199_000);
    expect((await drain(start)).status).toBe("drained");
    expect(made.elapsedSeconds).toBe(200 + 210);
  });

  test("cuts no hold of what somebody else has deregistered long after the first try", async () => {
    const { made, clock, start, drain } = scene();
    await clock.advance(1_800_000);
    await drain(undefined, 1);
    expect((await drain(start)).status).toBe("drained");
    expect(made.elapsedSeconds).toBeGreaterThanOrEqual(1_800 + 300);
  });

  test("holds what is registered from now on", async () => {
    const { made, clock, start, drain } = scene();
    await clock.advance(120_000);
    expect((await drain(start)).status).toBe("drained");
    expect(made.elapsedSeconds).toBe(120 + 300);
  });

  test("waits while a pool may send traffic that does not list the node any more, and says so", async () => {
    const { made, clock, start, drain, awaited } = scene("nowhere");
    await clock.advance(60_000);
    expect((await drain(start)).status).toBe("nothing-registered");
    expect(made.elapsedSeconds).toBe(60 + 210);
    expect(awaited()).toEqual([60 + 210]);
  });

  test("waits for nothing that it knows of by itself", async () => {
    const { made, clock, start, drain, awaited } = scene("nlb");
    const drainer = new Drainer({
      ...{ cloud: made.cloud, clock, ledger: new MemoryLedger() },
      times: { deadlineMarginMs: 10_000 },
      observers: [(event) => made.events.push(event)],
    });
    expect((await drain(undefined, undefined, drainer)).status).toBe("drained");
    await clock.advance(1_000);
    expect((await drain(start, undefined, drainer)).status).toBe("nothing-registered");
    expect(made.elapsedSeconds).toBe(301);
    expect(awaited()).toEqual([]);
  });
});

/** A queue's message for a node of an NLB, which lists it 30 s and may send until 210 s; and replicas that get it. */
function replicas() {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const node = cloud.addNode("i-1");
  const start = clock.now();
  cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
  const elapsed = () => (clock.now() - start) / 1_000;
  const replica = (ledger = new MemoryLedger()) => {
    const died = newAbort();
    const times = { deadlineMarginMs: 10_000 };
    const drainer = new Drainer({ cloud, clock, times, ledger });
    const receive = (isFirst: boolean, event: string | undefined = "message-1", timeoutMs?: number) =>
      drainer.drain(
        {
          ...{ node: { by: "id", value: "i-1" }, dryRun: false },
          ...(event !== undefined && { asker: { via: "asg-termination", event } }),
          ...(isFirst ? {} : { firstTriedAt: start }),
          ...(timeoutMs !== undefined && { timeoutMs }),
        },
        died.signal,
      );
    const takeUp = async () => {
      const records = (await ledger.unfinished()).map(drainRecord).filter((record) => record !== undefined);
      await Promise.all(records.map((record) => drainer.resume(record, died.signal)));
    };
    return { ledger, receive, takeUp, die: () => died.abort(), drainer };
  };
  return { clock, cloud, node, start, elapsed, replica };
}

describe("a message that another replica tried first", () => {
  /** The first replica deregisters and dies at 40 s, the second gets the message at 60 s. */
  async function secondReplica() {
    const scene = replicas();
    const { clock, replica } = scene;
    const one = replica();
    const lost = one.receive(true);
    await clock.advance(40_000);
    one.die();
    await lost;
    await clock.advance(20_000);
    const two = replica();
    const received = two.receive(false);
    await clock.advance(20_000);
    return { ...scene, two, received };
  }

  test("is answered by the second one once its load balancer sends nothing any more", async () => {
    const { clock, received, elapsed } = await secondReplica();
    expect((await clock.run(received)).status).toBe("nothing-registered");
    expect(elapsed()).toBe(60 + 210);
  });

  test("and no sooner where the second one is restarted meanwhile, whichever way it comes again", async () => {
    const { clock, two, received, elapsed, replica } = await secondReplica();
    two.die();
    expect((await received).status).toBe("abandoned");
    const restarted = replica(two.ledger);
    const [, again] = await clock.run(Promise.all([restarted.takeUp(), restarted.receive(false)]));
    expect(again.status).toBe("nothing-registered");
    expect(elapsed()).toBe(60 + 210);
    expect((await clock.run(restarted.receive(false))).status).toBe("nothing-registered");
    expect(elapsed()).toBe(60 + 210);
  });

  test("is not known to a replica whose own drain failed before it had asked every pool", async () => {
    const { clock, cloud, elapsed, replica } = replicas();
    const [one, two] = [replica(), replica()];
    cloud.before = ({ method }) => {
      if (method === "findRegistrations") throw new DrainError("access-denied", "no");
    };
    expect((await clock.run(one.receive(true))).status).toBe("failed");
    cloud.before = () => {};
    await clock.advance(60_000);
    const lost = two.receive(false);
    await clock.advance(5_000);
    two.die();
    await lost;
    await clock.advance(60_000);
    expect((await clock.run(one.receive(false))).status).toBe("nothing-registered");
    expect(elapsed()).toBe(125 + 210);
  });
});

describe("a message that the same replica tried first", () => {
  test("joins the drain that its next start has taken up, and is held no longer for that", async () => {
    const { clock, elapsed, replica } = replicas();
    const one = replica();
    const lost = one.receive(true);
    await clock.advance(90_000);
    one.die();
    await lost;
    await clock.advance(10_000);
    const restarted = replica(one.ledger);
    const [, again] = await clock.run(Promise.all([restarted.takeUp(), restarted.receive(false)]));
    expect(again.status).toBe("drained");
    expect(elapsed()).toBe(210);
  });

  test("has nothing to wait for once its drain has ended, however short that was", async () => {
    const { clock, cloud, node, elapsed, replica } = replicas();
    const { receive } = replica();
    cloud.addPool("classic", "front", [node], { drainMs: 10_000 });
    expect((await clock.run(receive(true, "message-1", 5_000))).status).toBe("deadline-passed");
    await clock.advance(215_000);
    expect((await clock.run(receive(false))).status).toBe("nothing-registered");
    expect(elapsed()).toBe(220);
  });

  test("is known by its event, and another event's first try says nothing of it", async () => {
    const { clock, cloud, elapsed, replica } = replicas();
    const one = replica();
    const lost = one.receive(true);
    await clock.advance(1_000);
    one.die();
    await lost;
    await clock.advance(59_000);
    const { receive } = replica();
    // An operator's request comes to the other replica first, which finds nothing listed.
    expect((await clock.run(receive(true, "other"))).status).toBe("nothing-registered");
    expect(cloud.callsOf("deregister")).toHaveLength(1);
    expect((await clock.run(receive(false))).status).toBe("nothing-registered");
    expect(elapsed()).toBe(60 + 210);
  });
});
