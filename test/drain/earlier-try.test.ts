import { describe, expect, test } from "vitest";
import { Drainer } from "../../src/drain/drainer.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { ALLOWANCES, DrainScene } from "../support/drain-scene.ts";
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
      times: { allowances: ALLOWANCES, deadlineMarginMs: 10_000 },
      observers: [(event) => made.events.push(event)],
    });
    expect((await drain(undefined, undefined, drainer)).status).toBe("drained");
    await clock.advance(1_000);
    expect((await drain(start, undefined, drainer)).status).toBe("nothing-registered");
    expect(made.elapsedSeconds).toBe(301);
    expect(awaited()).toEqual([]);
  });
});
