import { describe, expect, test } from "vitest";
import { DrainScene } from "../support/drain-scene.ts";
import { never } from "../support/simulated-region.ts";

/** A node in an ALB's pool, if `isThere`, and an NLB's that it is not in. Somebody has asked for it before, at `start`. */
function scene({ isThere = true } = {}) {
  const made = new DrainScene();
  const [node, other] = [made.cloud.addNode("i-1"), made.cloud.addNode("i-2", "10.0.0.2")];
  made.cloud.addPool("alb", "web", isThere ? [node] : []);
  made.cloud.addPool("nlb", "tcp", [other]);
  const start = made.clock.now();
  const drain = (firstTriedAt?: number, timeoutSeconds?: number) => {
    const asked = made.request("i-1", timeoutSeconds === undefined ? {} : { timeoutSeconds });
    const request = firstTriedAt === undefined ? asked : { ...asked, firstTriedAt };
    return made.clock.run(made.drainer.drain(request, never));
  };
  const awaited = () =>
    made.events.flatMap((event) => (event.type === "awaiting-earlier-try" ? [(event.until - start) / 1_000] : []));
  return { clock: made.clock, made, start, drain, awaited };
}

describe("a request that was tried before", () => {
  test("holds what is draining from then on, not from now", async () => {
    const { made, clock, start, drain, awaited } = scene();
    await drain(undefined, 1);
    await clock.advance(119_000);
    expect(await drain(start)).toMatchObject({ status: "drained", registrations: [{ heldMs: 300_000 }] });
    expect(made.elapsedSeconds).toBe(300);
    expect(awaited()).toEqual([]);
  });

  test("holds what is registered from now on", async () => {
    const { made, clock, start, drain } = scene();
    await clock.advance(120_000);
    expect((await drain(start)).status).toBe("drained");
    expect(made.elapsedSeconds).toBe(120 + 300);
  });

  test("holds what is draining from now on, when that can't have begun then", async () => {
    const { made, clock, start, drain } = scene();
    await clock.advance(3_600_000);
    await drain(undefined, 1);
    await clock.advance(9_000);
    expect((await drain(start)).status).toBe("drained");
    expect(made.elapsedSeconds).toBe(3_610 + 300);
  });

  test("waits while a pool may send traffic that does not list the node any more, and says so", async () => {
    const { made, clock, start, drain, awaited } = scene({ isThere: false });
    await clock.advance(60_000);
    expect((await drain(start)).status).toBe("nothing-registered");
    expect(made.elapsedSeconds).toBe(210);
    expect(awaited()).toEqual([210]);
  });

  test("waits for nothing when that was long ago", async () => {
    const { made, clock, start, drain, awaited } = scene({ isThere: false });
    await clock.advance(210_000);
    expect((await drain(start)).status).toBe("nothing-registered");
    expect(made.elapsedSeconds).toBe(210);
    expect(awaited()).toEqual([]);
  });
});
