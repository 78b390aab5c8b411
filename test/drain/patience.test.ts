import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { DrainScene } from "../support/drain-scene.ts";

/** A node that an ALB's pool holds for 300 s. */
function scene(times?: ConstructorParameters<typeof DrainScene>[0]) {
  const made = new DrainScene(times);
  made.cloud.addPool("alb", "web", [made.cloud.addNode("i-1")]);
  return made;
}

/** The outcome, and how many seconds after the start it came. */
async function timed(scene: DrainScene, asked: Promise<DrainOutcome>) {
  const outcome = await asked;
  return { outcome, at: scene.elapsedSeconds };
}

const ends = (scene: DrainScene) => scene.events.filter(({ type }) => type === "ended");

describe("a timeout is one caller's patience", () => {
  test("who has less of it is answered first, with the registrations as they stand, and the drain goes on for the other", async () => {
    const drains = scene();
    const [short, long] = await drains.clock.run(
      Promise.all([
        timed(drains, drains.ask("i-1", { timeoutSeconds: 60 })),
        timed(drains, drains.ask("i-1", { timeoutSeconds: 3_600 })),
      ]),
    );
    expect(short).toMatchObject({
      at: 60,
      outcome: {
        status: "deadline-passed",
        node: { id: "i-1" },
        limit: { reason: "timeout", at: drains.clock.now() - 240_000 },
        registrations: [{ state: "holding", heldMs: 60_000, newTrafficStopped: true }],
      },
    });
    expect(long).toMatchObject({ at: 300, outcome: { status: "drained" } });
    expect("drainId" in short.outcome && "drainId" in long.outcome && short.outcome.drainId).toBe(
      "drainId" in long.outcome && long.outcome.drainId,
    );
    expect(drains.cloud.callsOf("deregister")).toHaveLength(1);
    expect(ends(drains)).toHaveLength(1);
  });

  test("counts from when it asked: one who joins with more of it keeps the drain alive", async () => {
    const drains = scene();
    const first = timed(drains, drains.ask("i-1", { timeoutSeconds: 100 }));
    await drains.clock.advance(90_000);
    const second = timed(drains, drains.ask("i-1", { timeoutSeconds: 100 }));
    const [one, two] = await drains.clock.run(Promise.all([first, second]));
    expect(one).toMatchObject({ at: 100, outcome: { status: "deadline-passed" } });
    expect(two).toMatchObject({ at: 190, outcome: { status: "deadline-passed" } });
    expect(ends(drains)).toMatchObject([{ outcome: two.outcome, tookMs: 190_000 }]);
  });

  test("one who joins with less of it leaves alone", async () => {
    const drains = scene();
    const first = timed(drains, drains.ask("i-1"));
    await drains.clock.advance(10_000);
    const second = timed(drains, drains.ask("i-1", { timeoutSeconds: 20 }));
    const [one, two] = await drains.clock.run(Promise.all([first, second]));
    expect(one).toMatchObject({ at: 300, outcome: { status: "drained" } });
    expect(two).toMatchObject({ at: 30, outcome: { status: "deadline-passed", limit: { reason: "timeout" } } });
  });

  test("may be more than TIMEOUT", async () => {
    const drains = scene({ timeoutMs: 60_000 });
    expect(await drains.drain("i-1", { timeoutSeconds: 400 })).toMatchObject({ status: "drained" });
    expect(drains.elapsedSeconds).toBe(300);
  });

  test("the last one to leave ends the drain, which then makes no call more", async () => {
    const drains = scene();
    expect(await drains.drain("i-1", { timeoutSeconds: 60 })).toMatchObject({ status: "deadline-passed" });
    expect(ends(drains)).toMatchObject([{ outcome: { status: "deadline-passed" } }]);
    const calls = drains.cloud.calls.length;
    await drains.clock.advance(3_600_000);
    expect(drains.cloud.calls).toHaveLength(calls);
    expect(drains.clock.sleeping).toBe(0);
  });

  test("who set none waits for TIMEOUT, counted from its own request", async () => {
    const drains = scene({ timeoutMs: 100_000 });
    const first = timed(drains, drains.ask("i-1"));
    await drains.clock.advance(50_000);
    const second = timed(drains, drains.ask("i-1"));
    const [one, two] = await drains.clock.run(Promise.all([first, second]));
    expect([one.at, two.at]).toEqual([100, 150]);
  });

  test("also bounds the search for the node, and for its registrations", async () => {
    for (const hanging of ["resolve", "findRegistrations"]) {
      const drains = scene();
      drains.cloud.before = ({ method }) => (method === hanging ? new Promise(() => {}) : undefined);
      expect(await drains.drain("i-1", { timeoutSeconds: 30 })).toMatchObject({
        status: "deadline-passed",
        limit: { reason: "timeout" },
      });
      expect(drains.elapsedSeconds).toBe(30);
    }
  });
});

describe("a deadline is a fact about the machine", () => {
  test("and ends the drain for everybody, however patient they are, and whoever has left meanwhile", async () => {
    const drains = scene();
    const asked = [
      timed(drains, drains.ask("i-1", { timeoutSeconds: 30, deadlineSeconds: 120 })),
      timed(drains, drains.ask("i-1", { timeoutSeconds: 3_600 })),
      timed(drains, drains.ask("i-1")),
    ];
    const [first, second, third] = await drains.clock.run(Promise.all(asked));
    expect(first).toMatchObject({ at: 30, outcome: { limit: { reason: "timeout" } } });
    expect(second).toMatchObject({ at: 110, outcome: { limit: { reason: "deadline" } } });
    expect(third?.outcome).toBe(second?.outcome);
  });
});

describe("abandoning while some have left already", () => {
  test("answers the rest, ends the drain once, and leaves nothing behind", async () => {
    const drains = scene();
    const stop = newAbort();
    const left = drains.ask("i-1", { timeoutSeconds: 30, signal: stop.signal });
    const staying = [drains.ask("i-1", { signal: stop.signal }), drains.ask("i-1", { signal: stop.signal })];
    await drains.clock.advance(40_000);
    stop.abort();
    expect(await left).toMatchObject({ status: "deadline-passed" });
    expect(await Promise.all(staying)).toMatchObject([{ status: "abandoned" }, { status: "abandoned" }]);
    expect(ends(drains)).toMatchObject([{ outcome: { status: "abandoned" } }]);
    await drains.clock.advance(0);
    expect(drains.clock.sleeping).toBe(0);
  });
});

describe("how a node stands", () => {
  test("is where it is registered now, and nothing else while nobody drains it", async () => {
    const drains = scene();
    const status = await drains.drainer.status({ by: "id", value: "i-1" }, newAbort().signal);
    expect(status).toMatchObject({ node: { id: "i-1" }, registrations: [{ pool: { name: "web" }, state: "live" }] });
    expect(status.drain).toBeUndefined();
  });

  test("and during a drain: since when, why, until when at most, and how each registration fares", async () => {
    const drains = scene();
    const startedAt = drains.clock.now();
    const asked = drains.ask("i-1", { reason: "spot warning", timeoutSeconds: 60 });
    void drains.ask("i-1", { reason: "upgrade", timeoutSeconds: 200 });
    void drains.ask("i-1", { reason: "upgrade", timeoutSeconds: 10 });
    await drains.clock.advance(20_000);
    const status = await drains.drainer.status({ by: "ip", value: "10.0.0.1" }, newAbort().signal);
    expect(status).toMatchObject({
      registrations: [{ state: "draining" }],
      drain: {
        startedAt,
        reasons: ["spot warning", "upgrade"],
        limit: { reason: "timeout", at: startedAt + 200_000 },
        registrations: [{ state: "holding", heldMs: 20_000, holdMs: 300_000 }],
      },
    });
    await drains.clock.run(asked);
    await drains.clock.advance(3_600_000);
    const after = await drains.drainer.status({ by: "id", value: "i-1" }, newAbort().signal);
    expect(after).not.toHaveProperty("drain");
  });

  test("of a node that there is not is an error, and so is a cloud that does not answer within a minute", async () => {
    const drains = scene();
    const ask = (value: string) => drains.drainer.status({ by: "id", value }, newAbort().signal);
    await expect(ask("i-2")).rejects.toMatchObject({ code: "node-not-found" });
    drains.cloud.before = ({ method }) => (method === "findRegistrations" ? new Promise(() => {}) : undefined);
    const hanging = ask("i-1");
    await expect(drains.clock.run(hanging)).rejects.toEqual(
      new DrainError(
        "unreachable",
        "AWS did not return the registrations of the node within 60 s: request the drain again",
      ),
    );
    expect(drains.elapsedSeconds).toBe(60);
  });
});
