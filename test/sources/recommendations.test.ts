import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { type RecommendationEvent, Recommendations, undoRecommended } from "../../src/sources/recommendations.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

const MINUTE_MS = 60_000;
const TAKEN = { instanceId: "i-1", drainId: "d-1" };

describe("a node that was taken out on a recommendation", () => {
  function scene(undo: () => Promise<number> = async () => 1) {
    const clock = new VirtualClock();
    const events: RecommendationEvent[] = [];
    const undone: string[] = [];
    const recommendations = new Recommendations({
      clock,
      undoAfterMs: 30 * MINUTE_MS,
      undo: ({ instanceId }) => {
        undone.push(instanceId);
        return undo();
      },
      onEvent: (event) => void events.push(event),
    });
    return { clock, recommendations, undone, told: () => events.map(({ type }) => type) };
  }

  test("is registered again when no departure follows in time", async () => {
    const { clock, recommendations, undone, told } = scene();
    await clock.run(recommendations.drainEnded(TAKEN, never));
    expect(clock.elapsedMs).toBe(30 * MINUTE_MS);
    expect(undone).toEqual(["i-1"]);
    expect(told()).toEqual(["awaiting-departure", "recommendation-withdrawn"]);
  });

  test("stays out when its departure follows", async () => {
    const { clock, recommendations, undone, told } = scene();
    const settled = recommendations.drainEnded(TAKEN, never);
    await clock.advance(10 * MINUTE_MS);
    recommendations.followed("i-2");
    recommendations.followed("i-1");
    await clock.run(settled);
    expect(clock.elapsedMs).toBe(10 * MINUTE_MS);
    expect(undone).toEqual([]);
    expect(told()).toEqual(["awaiting-departure", "departure-followed"]);
  });

  test("is recommended again: the wait begins anew, and ends once", async () => {
    const { clock, recommendations, undone, told } = scene();
    const first = recommendations.drainEnded(TAKEN, never);
    await clock.advance(20 * MINUTE_MS);
    const second = recommendations.drainEnded(TAKEN, never);
    await clock.run(Promise.all([first, second]));
    expect(clock.elapsedMs).toBe(50 * MINUTE_MS);
    expect(undone).toEqual(["i-1"]);
    // No departure has followed: neither is said to have.
    expect(told()).toEqual([
      "awaiting-departure",
      "awaiting-departure",
      "recommended-again",
      "recommendation-withdrawn",
    ]);
  });

  test("stays out when its departure was announced while it was drained", async () => {
    const { clock, recommendations, undone, told } = scene();
    recommendations.followed("i-1");
    await clock.advance(MINUTE_MS);
    await clock.run(recommendations.drainEnded(TAKEN, never));
    expect(clock.elapsedMs).toBe(MINUTE_MS);
    expect(undone).toEqual([]);
    expect(told()).toEqual(["departure-followed"]);
  });

  test("has gone without a word: then nothing is to be undone", async () => {
    const { clock, recommendations, told } = scene(() => Promise.reject(new DrainError("instance-gone", "gone")));
    await clock.run(recommendations.drainEnded(TAKEN, never));
    expect(told()).toEqual(["awaiting-departure", "departure-followed"]);
  });

  test("is somebody else's to wait for once the process stops", async () => {
    const { clock, recommendations, undone } = scene();
    const stop = newAbort();
    const settled = recommendations.drainEnded(TAKEN, stop.signal);
    await clock.advance(MINUTE_MS);
    stop.abort(new Error("stopping"));
    await expect(settled).rejects.toThrow("stopping");
    expect(undone).toEqual([]);
  });

  test("that can't be registered again is told, and its message comes back", async () => {
    const { clock, recommendations, told } = scene(() => Promise.reject(new DrainError("not-registered", "gone")));
    await expect(clock.run(recommendations.drainEnded(TAKEN, never))).rejects.toThrow("gone");
    expect(told()).toEqual(["awaiting-departure", "recommendation-not-withdrawn"]);
  });
});

describe("what recommendations alone have taken out is undone", () => {
  function scene() {
    const clock = new VirtualClock();
    const cloud = new FakeCloud(clock);
    const node = cloud.addNode("i-1");
    cloud.addPool("alb", "web", [node, cloud.addNode("i-2", "10.0.0.2")]);
    const ledger = new MemoryLedger();
    const life = () => new Drainer({ cloud, clock, ledger, times: { deadlineMarginMs: 10_000 } });
    const drain = (via: string, drainer = life()): Promise<DrainOutcome> =>
      clock.run(drainer.drain({ node: { by: "id", value: "i-1" }, dryRun: false, asker: { via } }, never));
    const undo = (drainId = ledger.list(1)[0]?.drain ?? "") =>
      clock.run(undoRecommended({ instanceId: "i-1", drainId }, { ledger, drainer: life() }, never));
    const registered = () => cloud.callsOf("register").flatMap(({ nodes = [] }) => nodes);
    return { clock, ledger, drain, undo, registered };
  }

  test("whoever drained it", async () => {
    const { drain, undo, registered } = scene();
    await drain("rebalance-recommendation");
    expect(await undo()).toBe(1);
    expect(registered()).toHaveLength(1);
    expect(await undo()).toBe(0);
  });

  test("also where a second delivery has found it done", async () => {
    const { clock, drain, undo, registered } = scene();
    await drain("rebalance-recommendation");
    await clock.advance(MINUTE_MS);
    expect((await drain("rebalance-recommendation")).status).toBe("nothing-registered");
    expect(await undo()).toBe(1);
    expect(registered()).toHaveLength(1);
  });

  test("and what the ledger has forgotten can't be, which is said", async () => {
    const { drain, undo } = scene();
    await drain("rebalance-recommendation");
    await expect(undo("d-forgotten")).rejects.toMatchObject({ code: "drain-not-found" });
  });

  test("but not where anybody else has asked for it too, before or since", async () => {
    const { drain, undo, registered } = scene();
    await drain("http");
    await drain("rebalance-recommendation");
    expect(await undo()).toBe(0);
    await drain("spot-interruption");
    expect(await undo()).toBe(0);
    expect(registered()).toEqual([]);
  });
});
