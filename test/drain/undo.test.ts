import { describe, expect, onTestFinished, test } from "vitest";
import { newAbort, whenAborted } from "../../src/drain/abort.ts";
import type { Pool } from "../../src/drain/cloud-provider.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import { type UndoOutcome, undo } from "../../src/drain/undo.ts";
import { undoablesOf, undoablesOfRecord } from "../../src/drain/undoable.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

/** A node in an ALB's and an NLB's pool, another one beside it in the first, and a drainer with a ledger. */
function scene() {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const [node, other] = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  const web = cloud.addPool("alb", "web", [node, other]);
  const tcp = cloud.addPool("nlb", "tcp", [node]);
  const ledger = new MemoryLedger();
  const events: DrainEvent[] = [];
  const life = (observers = [(event: DrainEvent) => void events.push(event)]) =>
    new Drainer({ cloud, clock, ledger, observers, times: { deadlineMarginMs: 10_000 } });
  const drainer = life();
  const ask = (id = "i-1", by = drainer) => by.drain({ node: { by: "id", value: id }, dryRun: false }, never);
  const drainId = () => ledger.list(9).at(-1)?.drain ?? "";
  const cancel = (by = drainer) => by.cancel(drainId(), { via: "test" }, never);
  const registered = async (pool: Pool) => {
    const registration = { pool, target: "i-1:80", state: "live", detail: "", isHealthy: true } as const;
    const by = { urgency: () => ({ purpose: "poll", deadline: 0 }) as const, signal: never };
    return (await cloud.observe(pool, () => [registration], by)).states.get("i-1:80");
  };
  const targets = (method: "register" | "deregister") => cloud.callsOf(method).flatMap(({ nodes = [] }) => nodes);
  return { clock, cloud, node, web, tcp, ledger, events, life, drainer, ask, drainId, cancel, registered, targets };
}

const statesOf = ({ registrations }: UndoOutcome) =>
  Object.fromEntries(registrations.map(({ registration, state }) => [registration.pool.name, state]));
const errorsOf = ({ registrations }: UndoOutcome) => registrations.map(({ error }) => error?.code);

test("what another program deregistered, and again after it had come back, is no drain's to undo, also by its record", () => {
  const pool = { kind: "alb", id: "web", name: "web" } as const;
  const registration = { pool, target: "i-1:80", state: "draining", detail: "draining", isHealthy: false } as const;
  const known = { registration, state: "holding", since: 1_000, cameBack: 1, isOurs: false } as const;
  const result = { registration, state: "holding", heldMs: 0, newTrafficStopped: true, cameBack: 1 } as const;
  expect(undoablesOfRecord({ registrations: [known] })).toEqual([{ registration, deregisteredBy: "others" }]);
  expect(undoablesOf([result], [], 1_000)).toEqual([{ registration, deregisteredBy: "others" }]);
});

describe("a drain is cancelled", () => {
  test("while it searches: nothing was deregistered, and nothing is registered", async () => {
    const { clock, cloud, ask, cancel, targets } = scene();
    cloud.before = ({ method }, signal) =>
      method === "findRegistrations" && new Promise((_, reject) => signal.addEventListener("abort", reject));
    const drain = ask();
    await clock.advance(1_000);
    const undone = await clock.run(cancel());
    expect(undone.registrations).toEqual([]);
    expect(await drain).toMatchObject({ status: "cancelled", registrations: [] });
    expect([...targets("deregister"), ...targets("register")]).toEqual([]);
  });

  test("while the turn of its deregistration comes: it is not taken along", async () => {
    const { clock, cloud, ask, cancel, targets, registered, web } = scene();
    let hasTurn = () => {};
    const turn = new Promise<void>((resolve) => {
      hasTurn = resolve;
    });
    const deregister = cloud.deregister.bind(cloud);
    cloud.deregister = async (...call) => {
      await turn;
      await deregister(...call);
    };
    const drain = ask();
    await clock.advance(2_000);
    const undone = cancel();
    hasTurn();
    expect(statesOf(await clock.run(undone))).toEqual({ web: "untouched", tcp: "untouched" });
    expect(await drain).toMatchObject({ status: "cancelled" });
    expect([...targets("deregister"), ...targets("register")]).toEqual([]);
    expect(await registered(web)).toBe("live");
  });

  test("and a read that shows what was so before proves nothing: it is registered until it is there", async () => {
    const { clock, cloud, ask, cancel, registered, web, targets } = scene();
    const drain = ask();
    await clock.advance(3_000);
    // Accepted and not done, and for a moment the pool lists the target as it was before the drain.
    cloud.ignoresRegistering = true;
    cloud.force(web, "live");
    const undone = cancel();
    await clock.advance(9_000);
    cloud.force(web, undefined);
    expect(await registered(web)).toBe("draining");
    cloud.ignoresRegistering = false;
    expect(statesOf(await clock.run(undone))).toMatchObject({ web: "registered" });
    expect(await registered(web)).not.toBe("draining");
    expect(targets("register").length).toBeGreaterThan(2);
    await drain;
  });

  test("while it waits for the cloud's quota: what waits never leaves", async () => {
    const { clock, cloud, ask, cancel, targets, registered, web, tcp } = scene();
    cloud.before = ({ method }) => {
      if (method === "deregister") throw new DrainError("throttled", "no");
    };
    const drain = ask();
    await clock.advance(2_000);
    cloud.before = () => {};
    const undone = await clock.run(cancel());
    await clock.advance(60_000);
    expect(await drain).toMatchObject({ status: "cancelled", registrations: [{ state: "registered" }, {}] });
    expect(statesOf(undone)).toEqual({ web: "untouched", tcp: "untouched" });
    expect(targets("register")).toEqual([]);
    expect([await registered(web), await registered(tcp)]).toEqual(["live", "live"]);
  });

  test("while a deregistration is under way that the cloud takes: it is noticed, and taken back", async () => {
    const { clock, cloud, ask, cancel, registered, web } = scene();
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const known = cloud.deregister.bind(cloud);
    cloud.deregister = async (pool, take, by) => {
      await known(pool, take, by);
      if (pool.id === web.id) await answered;
    };
    const drain = ask();
    await clock.advance(1_000);
    const undone = clock.run(cancel());
    expect(statesOf(await undone)).toEqual({ web: "registered", tcp: "registered" });
    answer();
    expect((await drain).status).toBe("cancelled");
    expect(await registered(web)).not.toBe("draining");
  });

  test("while it is held: each is registered again, and seen, and the callers learn that the node can't go", async () => {
    const { clock, cloud, ask, cancel, targets, registered, web, tcp, events } = scene();
    const drains = [ask(), ask()];
    await clock.advance(60_000);
    const undone = await clock.run(cancel());
    expect(statesOf(undone)).toEqual({ web: "registered", tcp: "registered" });
    expect(targets("register")).toEqual(["i-1:80", "i-1:80"]);
    expect([await registered(web), await registered(tcp)]).toEqual(["initial", "initial"]);
    expect(await Promise.all(drains)).toMatchObject([{ status: "cancelled" }, { status: "cancelled" }]);
    await clock.advance(600_000);
    expect(cloud.callsOf("deregister")).toHaveLength(2);
    expect(events.map(({ type }) => type).slice(-5)).toEqual([
      "ended",
      "undoing",
      "registered",
      "registered",
      "undone",
    ]);
    expect(clock.sleeping).toBe(0);
  });

  test("when one pool has let go and another one has not", async () => {
    const { clock, cloud, ask, cancel, registered, web, tcp } = scene();
    const quick = cloud.addPool("alb", "quick", [cloud.addNode("i-3")], { drainMs: 0 });
    cloud.addRegistration(quick, { ...(await scene().node), id: "i-1" });
    void ask();
    await clock.advance(120_000);
    expect(await registered(quick)).toBe("absent");
    expect(statesOf(await clock.run(cancel()))).toEqual({ web: "registered", tcp: "registered", quick: "registered" });
    for (const pool of [web, tcp, quick]) expect(await registered(pool)).toBe("initial");
  });

  test("when it has ended, from the ledger; and a second time nothing is left to do", async () => {
    const { clock, cloud, ask, cancel, registered, web, tcp } = scene();
    expect((await clock.run(ask())).status).toBe("drained");
    expect(statesOf(await clock.run(cancel()))).toEqual({ web: "registered", tcp: "registered" });
    expect([await registered(web), await registered(tcp)]).toEqual(["initial", "initial"]);
    expect(statesOf(await clock.run(cancel()))).toEqual({ web: "registered", tcp: "registered" });
    expect(cloud.callsOf("register")).toHaveLength(2);
  });

  test("by several at once: they share one undo", async () => {
    const { clock, cloud, ask, cancel } = scene();
    void ask();
    await clock.advance(60_000);
    const [first, second] = await clock.run(Promise.all([cancel(), cancel()]));
    expect(first).toBe(second);
    expect(cloud.callsOf("register")).toHaveLength(2);
  });

  test("while other nodes leave the same pool: those go on", async () => {
    const { clock, ask, cancel } = scene();
    void ask();
    const other = ask("i-2");
    await clock.advance(60_000);
    await clock.run(cancel());
    expect((await clock.run(other)).status).toBe("drained");
  });
});

describe("what can't be registered again is named", () => {
  test.each<[string, (made: ReturnType<typeof scene>) => void, string | undefined]>([
    ["refused by the cloud", ({ cloud }) => cloud.refused.add("i-1:80"), "not-registered"],
    [
      "the address is another machine's",
      ({ cloud, web, tcp }) => {
        for (const { id } of [web, tcp]) cloud.movedAway.add(`${id}|i-1:80`);
      },
      "not-registered",
    ],
    ["the machine is terminated", ({ cloud }) => cloud.terminated.add("i-1"), "instance-gone"],
    [
      "the call is denied",
      ({ cloud }) => {
        cloud.before = ({ method }) => {
          if (method === "register") throw new DrainError("access-denied", "no");
        };
      },
      "access-denied",
    ],
    [
      "the cloud says yes and does nothing",
      ({ cloud }) => {
        cloud.ignoresRegistering = true;
      },
      "not-registered",
    ],
    [
      "the cloud keeps failing",
      ({ cloud }) => {
        cloud.before = ({ method }) => {
          if (method === "register") throw new DrainError("unavailable", "no");
        };
      },
      "unavailable",
    ],
  ])("%s", async (_, go, code) => {
    const made = scene();
    await made.clock.run(made.ask());
    go(made);
    const undone = await made.clock.run(made.cancel());
    expect(statesOf(undone)).toEqual({ web: "failed", tcp: "failed" });
    expect(errorsOf(undone)).toEqual([code, code]);
    expect(made.clock.sleeping).toBe(0);
  });

  test("and the others are registered; what failed is tried again by cancelling once more", async () => {
    const { clock, cloud, web, ask, cancel } = scene();
    await clock.run(ask());
    cloud.before = ({ method, pool }) => {
      if (method === "register" && pool === web.id) throw new DrainError("access-denied", "no");
    };
    expect(statesOf(await clock.run(cancel()))).toEqual({ web: "failed", tcp: "registered" });
    cloud.before = () => {};
    expect(statesOf(await clock.run(cancel()))).toEqual({ web: "registered", tcp: "registered" });
  });

  test("a failure in passing is repeated", async () => {
    const { clock, cloud, ask, cancel } = scene();
    await clock.run(ask());
    let failures = 3;
    cloud.before = ({ method }) => {
      if (method === "register" && failures-- > 0) throw new DrainError("throttled", "no");
    };
    expect(statesOf(await clock.run(cancel()))).toEqual({ web: "registered", tcp: "registered" });
  });
});

test("what somebody else had deregistered before the drain stays so, and is named", async () => {
  const { clock, cloud, ask, cancel, targets, web } = scene();
  cloud.force(web, "draining");
  void ask();
  await clock.advance(60_000);
  expect(statesOf(await clock.run(cancel()))).toEqual({ web: "left", tcp: "registered" });
  expect(targets("register")).toEqual(["i-1:80"]);
});

test("an ALB gets an address again only once its deregistration delay has passed", async () => {
  const { clock, cloud, web, ask, cancel } = scene();
  const pods = cloud.addPool("alb", "pods", []);
  const known = cloud.addRegistration(pods, cloud.addNode("10.9.9.9"));
  const found = cloud.findRegistrations.bind(cloud);
  cloud.findRegistrations = async function* (node, by) {
    for await (const { registrations, elsewhere } of found(node, by))
      yield { registrations: [...registrations, known], elsewhere };
  };
  const begun = clock.now();
  void ask();
  await clock.advance(30_000);
  expect(statesOf(await clock.run(cancel()))).toMatchObject({ pods: "registered", web: "registered" });
  const secondsOf = (pool: Pool) => cloud.callsOf("register", pool).map(({ at }) => Math.round((at - begun) / 1_000));
  expect(secondsOf(web)).toEqual([30]);
  expect(secondsOf(pods)).toHaveLength(1);
  expect(secondsOf(pods)[0]).toBeGreaterThanOrEqual(300);
});

test("a drain that nobody knows is not found", async () => {
  const { drainer } = scene();
  await expect(drainer.cancel("d-0", undefined, never)).rejects.toMatchObject({ code: "drain-not-found" });
});

test("while another drain of the node runs a drain is not undone, and the other one is named", async () => {
  const { clock, cloud, ask, cancel, drainer, ledger, web } = scene();
  await clock.run(ask());
  cloud.addRegistration(web, { ...cloud.addNode("i-1") });
  const second = ask();
  await clock.advance(1_000);
  const [running] = ledger.list(1);
  await expect(cancel()).rejects.toMatchObject({
    code: "another-drain",
    message: expect.stringContaining(running?.drain ?? "?"),
  });
  await clock.run(drainer.cancel(running?.drain ?? "", undefined, never));
  expect((await second).status).toBe("cancelled");
});

test("a drain that begins while another one is undone wins, and what was not registered yet is named", async () => {
  const { clock, cloud, ask, cancel } = scene();
  await clock.run(ask());
  cloud.ignoresRegistering = true;
  const undone = cancel();
  await clock.advance(1_000);
  void ask();
  await clock.advance(1_000);
  expect(errorsOf(await undone)).toEqual(["another-drain", "another-drain"]);
});

describe("after a restart", () => {
  const record = async (ledger: MemoryLedger, drainId: string) => {
    const known = drainRecord((await ledger.read(drainId)) ?? []);
    if (known === undefined) throw new Error("there is no record");
    return known;
  };

  test.each([0, 1, 2, 3, 4, 5, 6, 7])(
    "an undo that ended after %s of its entries goes on, and not the drain",
    async (kept) => {
      const made = scene();
      const { clock, cloud, ledger, life, registered, web, tcp } = made;
      const stop = newAbort();
      onTestFinished(() => stop.abort());
      let left = Number.POSITIVE_INFINITY;
      const note = ledger.note.bind(ledger);
      ledger.note = (entry) => {
        if (entry.type === "cancelled") left = kept + 1;
        if (left-- > 0) note(entry);
      };
      const before = life();
      void made.ask("i-1", before);
      await clock.advance(60_000);
      const undoing = before.cancel(made.drainId(), undefined, stop.signal).catch(() => {});
      await clock.advance(kept * 2_000);
      stop.abort();
      await clock.advance(0);
      await undoing;
      ledger.note = note;
      const known = await record(ledger, made.drainId());
      const next = life();
      if ((await ledger.unfinished()).length > 0) await clock.run(next.resume(known, never));
      expect([await registered(web), await registered(tcp)].filter((state) => state === "draining")).toEqual([]);
      expect(cloud.callsOf("deregister")).toHaveLength(2);
      expect(await ledger.unfinished()).toEqual([]);
      expect((await record(ledger, made.drainId())).undo?.end?.registrations.map(({ state }) => state)).toEqual([
        "registered",
        "registered",
      ]);
    },
  );
});

test("an undo in a term that is over has not failed: the next leader goes on with it", async () => {
  const { cloud, clock, node, web } = scene();
  const over = newAbort();
  const registration = { pool: web, target: "i-1:80", state: "live", detail: "", isHealthy: true } as const;
  cloud.before = (_, signal) => whenAborted(signal);
  const undone = undo(
    { cloud, clock, drainId: "d-1", node, undoables: [{ registration, deregisteredBy: "drain" }], stoppedAt: 0 },
    over.signal,
  );
  const reason = new DrainError("not-leader", "this replica is not the leader any more");
  over.abort(reason);
  await expect(undone).rejects.toBe(reason);
});
