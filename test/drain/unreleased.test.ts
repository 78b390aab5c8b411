import { describe, expect, test } from "vitest";
import type { Pool } from "../../src/drain/cloud-provider.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

const START = new VirtualClock().now();

/** A node in an NLB's pool that lists it 30 s longer, and gets new connections for 210 s. */
function scene() {
  const ledger = new MemoryLedger();
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const node = cloud.addNode("i-1");
  const tcp = cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
  const times = { deadlineMarginMs: 10_000 };
  const life = () => new Drainer({ cloud, clock, times, ledger });
  const drainer = life();
  const drain = async (by = drainer, timeoutMs?: number) => {
    const request = { node: { by: "id", value: "i-1" }, dryRun: false, ...(timeoutMs && { timeoutMs }) } as const;
    return clock.run(by.drain(request, never));
  };
  const elapsed = () => (clock.now() - START) / 1_000;
  return { clock, cloud, node, tcp, ledger, life, drain, drainer, elapsed };
}

const heldSecondsIn = (outcome: Awaited<ReturnType<Drainer["drain"]>>, pool: Pool) =>
  "registrations" in outcome
    ? outcome.registrations.filter(({ registration }) => registration.pool === pool).map(({ heldMs }) => heldMs / 1_000)
    : [];

describe("a drain that ended short is asked for again, and the cloud lists the node no more", () => {
  test("it is held until the hold of the first one has ended, and no longer", async () => {
    const { clock, cloud, tcp, drain, elapsed } = scene();
    expect((await drain(undefined, 60_000)).status).toBe("deadline-passed");
    await clock.advance(40_000);
    const again = await drain();
    expect(again.status).toBe("drained");
    expect(heldSecondsIn(again, tcp)).toEqual([210]);
    expect(elapsed()).toBe(210);
    expect(cloud.callsOf("deregister")).toHaveLength(1);
  });

  test("however often it ends short", async () => {
    const { drain, elapsed } = scene();
    for (const timeoutMs of [60_000, 30_000, 30_000])
      expect((await drain(undefined, timeoutMs)).status).toBe("deadline-passed");
    expect((await drain()).status).toBe("drained");
    expect(elapsed()).toBe(210);
  });

  test("also by another process, as long as it has the ledger", async () => {
    const { life, drain, elapsed } = scene();
    await drain(undefined, 60_000);
    expect((await drain(life())).status).toBe("drained");
    expect(elapsed()).toBe(210);
  });

  test("what is draining still is held since the first one, too", async () => {
    const { drain, elapsed } = scene();
    await drain(undefined, 10_000);
    expect((await drain()).status).toBe("drained");
    expect(elapsed()).toBe(210);
  });

  test("what is registered again by then is deregistered again, and held anew", async () => {
    const { cloud, node, tcp, drain, elapsed } = scene();
    await drain(undefined, 60_000);
    cloud.addRegistration(tcp, node);
    expect((await drain()).status).toBe("drained");
    expect(cloud.callsOf("deregister")).toHaveLength(2);
    expect(elapsed()).toBe(60 + 210);
  });

  test("whose hold has ended meanwhile has nothing to wait for", async () => {
    const { clock, drain, elapsed } = scene();
    await drain(undefined, 60_000);
    await clock.advance(150_000);
    expect((await drain()).status).toBe("nothing-registered");
    expect(elapsed()).toBe(210);
  });

  test("of which it is written down like any other, so that a restart goes on", async () => {
    const { ledger, drain } = scene();
    await drain(undefined, 60_000);
    await drain();
    const [last] = ledger.list(1);
    const steps = (await ledger.read(last?.drain ?? ""))?.map(({ type }) => type);
    expect(steps).toEqual(["accepted", "found", "deregistered", "planned", "released", "ended"]);
  });
});

describe("what a drain was holding is not forgotten", () => {
  test("for a drain that failed meanwhile, however often", async () => {
    const { clock, cloud, drain, elapsed } = scene();
    await drain(undefined, 60_000);
    cloud.before = ({ method }) => {
      if (method === "findRegistrations") throw new DrainError("access-denied", "no");
    };
    for (let times = 0; times < 8; times += 1) expect((await drain()).status).toBe("failed");
    cloud.before = () => {};
    await clock.advance(10_000);
    expect((await drain()).status).toBe("drained");
    expect(elapsed()).toBe(210);
  });

  test("for a drain that was cancelled, and could not be undone", async () => {
    const { clock, cloud, ledger, drain, drainer, elapsed } = scene();
    const running = drainer.drain({ node: { by: "id", value: "i-1" }, dryRun: false }, never);
    await clock.advance(40_000);
    cloud.before = ({ method }) => {
      if (method === "register") throw new DrainError("access-denied", "no");
    };
    await clock.run(drainer.cancel(ledger.list(1)[0]?.drain ?? "", undefined, never));
    expect((await running).status).toBe("cancelled");
    expect((await drain()).status).toBe("drained");
    expect(elapsed()).toBe(210);
  });
});

test("after a drain that was undone, nothing is held of what is gone since", async () => {
  const { clock, cloud, ledger, tcp, node, drain, drainer } = scene();
  await drain(undefined, 60_000);
  await clock.run(drainer.cancel(ledger.list(1)[0]?.drain ?? "", undefined, never));
  await cloud.deregister(
    tcp,
    () => [{ pool: tcp, target: `${node.id}:80`, state: "live", detail: "", isHealthy: true }],
    {
      urgency: () => ({ purpose: "deregister", deadline: 0 }),
      signal: never,
    },
  );
  await clock.advance(31_000);
  expect((await drain()).status).toBe("nothing-registered");
});

test.each(["fails", "hangs"])("a ledger whose reads %s stops no drain, and no hold is forgotten", async (how) => {
  const { cloud, ledger, drain, elapsed } = scene();
  await drain(undefined, 60_000);
  ledger.read = () => (how === "fails" ? Promise.reject(new Error("EIO")) : new Promise(() => {}));
  cloud.addPool("alb", "web", [cloud.addNode("i-1")], { drainMs: 30_000 });
  expect((await drain()).status).toBe("drained");
  expect(cloud.callsOf("deregister").map(({ at }) => (at - START) / 1_000)).toEqual([0, 60]);
  expect(elapsed()).toBe(210);
});
