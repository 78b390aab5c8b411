import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { never } from "../support/simulated-region.ts";

const PASSING = new DrainError("unavailable", "we are sorry");
const DENIED = new DrainError("access-denied", "no");

function scene(count: number, drainMs = 60_000) {
  const made = new DrainScene();
  const nodes = Array.from({ length: count }, (_, number) => made.cloud.addNode(`i-${number}`, `10.0.0.${number}`));
  const pool = made.cloud.addPool("alb", "web", nodes, { drainMs });
  return { ...made, scene: made, nodes, pool, cloud: made.cloud, clock: made.clock };
}

describe("a pool that does not say how it lets go", () => {
  test("for a while is asked again, and its node is out of it meanwhile", async () => {
    const { scene: made, cloud } = scene(1);
    cloud.before = ({ method, at }) => {
      if (method === "describe" && at - (made.clock.now() - made.clock.elapsedMs) < 20_000) throw PASSING;
    };
    expect(await made.drain("i-0")).toMatchObject({ status: "drained", registrations: [{ heldMs: 60_000 }] });
    expect(made.secondsOf("deregister")).toEqual([0]);
    expect(made.secondsOf("describe")).toEqual([0, 5, 10, 15, 20]);
    expect(made.elapsedSeconds).toBe(60);
  });

  test("for ever fails the drain, also where nobody set a limit", async () => {
    const { scene: made, cloud } = scene(1);
    cloud.before = ({ method }) => {
      if (method === "describe") throw PASSING;
    };
    expect(await made.drain("i-0")).toMatchObject({ status: "failed", error: { code: "unavailable" } });
    expect(made.elapsedSeconds).toBe(600);
    expect(made.clock.sleeping).toBe(0);
  });

  test("is asked once, though the answer to its deregistration comes when everybody has left", async () => {
    const { scene: made, cloud } = scene(1);
    cloud.before = async ({ method }, signal) => {
      if (method !== "describe") return;
      await made.clock.sleep(500, signal);
      throw DENIED;
    };
    const deregister = cloud.deregister.bind(cloud);
    cloud.deregister = async (pool, take, by) => {
      await deregister(pool, take, by);
      await made.clock.sleep(1_000, never);
    };
    expect(await made.drain("i-0")).toMatchObject({ status: "failed", error: { code: "access-denied" } });
    await made.clock.advance(600_000);
    expect(made.secondsOf("describe")).toEqual([0]);
    expect(made.clock.sleeping).toBe(0);
  });

  test("because that is denied fails at once", async () => {
    const { scene: made, cloud } = scene(1);
    cloud.before = ({ method }) => {
      if (method === "describe") throw DENIED;
    };
    expect(await made.drain("i-0")).toMatchObject({ status: "failed", error: { code: "access-denied" } });
    expect(made.elapsedSeconds).toBe(0);
  });
});

describe("the terms of a pool", () => {
  test("that have changed apply to the drains that begin after that, while earlier ones are still held", async () => {
    const { scene: made, pool, clock } = scene(3, 180_000);
    const first = made.ask("i-0");
    await clock.advance(100_000);
    const second = made.ask("i-1");
    await clock.advance(50_000);
    Object.assign(pool, { drainMs: 600_000 });
    const third = made.ask("i-2");
    const held = (await clock.run(Promise.all([first, second, third]))).map((outcome) =>
      "registrations" in outcome ? outcome.registrations[0]?.heldMs : undefined,
    );
    expect(held).toEqual([180_000, 180_000, 600_000]);
  });

  test("that can't be read any more fail only the drains that have not read them", async () => {
    const { scene: made, cloud, clock } = scene(2, 180_000);
    const first = made.ask("i-0");
    await clock.advance(100_000);
    cloud.before = ({ method }) => {
      if (method === "describe") throw DENIED;
    };
    const [one, two] = await clock.run(Promise.all([first, made.ask("i-1")]));
    expect(one).toMatchObject({ status: "drained", registrations: [{ heldMs: 180_000 }] });
    expect(two).toMatchObject({ status: "failed", error: { code: "access-denied" } });
  });

  test("are not polled by before they were read, also where the hold would be over", async () => {
    const { scene: made, cloud, clock } = scene(2);
    const first = made.ask("i-0");
    await clock.advance(10_000);
    const waits = made.clock.now() + 100_000;
    cloud.before = ({ method, at }) => {
      if (method === "describe" && at < waits) throw PASSING;
    };
    const outcomes = await clock.run(Promise.all([first, made.ask("i-1")]));
    expect(outcomes).toMatchObject([
      { status: "drained", registrations: [{ heldMs: 60_000 }] },
      { status: "drained", registrations: [{ heldMs: 100_000 }] },
    ]);
  });
});

describe("a read of the whole pool for another purpose", () => {
  /** When AWS was asked about one node by a drain of 300 s, where each `read` says what is known by then. */
  async function askedAt(
    read: (seconds: number) => { readonly at: number; readonly state?: "draining" | "live" | "absent" },
    options: { readonly deadlineSeconds?: number } = {},
  ) {
    const { scene: made, cloud, clock } = scene(1, 300_000);
    const origin = clock.now();
    const drained = made.ask("i-0", options);
    await clock.advance(0);
    cloud.knownHealth = () => {
      const { at, state = "draining" } = read((clock.now() - origin) / 1_000);
      const targets = state === "absent" ? [] : [{ target: "i-0:80", state, isHealthy: false }];
      return { at: origin + at * 1_000, targets, countNodes: () => 1 };
    };
    expect(await clock.run(drained)).toMatchObject({ status: "drained", registrations: [{ heldMs: 300_000 }] });
    return made.secondsOf("observe");
  }

  test("confirms deregistrations that it came after, so that the pool is asked at the end alone", async () => {
    expect(await askedAt((seconds) => ({ at: seconds - 1 }))).toEqual([300]);
    // Once: the next confirmation is due a minute later.
    expect(await askedAt(() => ({ at: 2 }))).toEqual([62, 122, 182, 242, 300]);
  });

  test("confirms a target that it lists no more, which is what an NLB does long before the hold's end", async () => {
    const read = (seconds: number) => ({
      at: seconds - 1,
      state: seconds < 50 ? ("draining" as const) : ("absent" as const),
    });
    expect(await askedAt(read)).toEqual([300]);
  });

  test("confirms nothing where it lists a target again that was absent: the hold begins anew by a call", async () => {
    const read = (seconds: number) => ({
      at: seconds - 1,
      state: seconds < 50 || seconds > 100 ? ("draining" as const) : ("absent" as const),
    });
    // The absence was read last at 65 s, and the hold ends 300 s after it was seen draining again.
    expect(await askedAt(read)).toEqual([125, 425]);
  });

  test("confirms nothing just before a poll that is made in any case, and may get an older answer", async () => {
    const { scene: made, cloud, clock } = scene(1, 300_000);
    const origin = clock.now();
    const observe = cloud.observe.bind(cloud);
    cloud.observe = async (pool, which, by) => {
      const { at } = await observe(pool, which, by);
      return { at, states: new Map(which().map(({ target }) => [target, "draining" as const])) };
    };
    const drained = made.ask("i-0");
    await clock.advance(0);
    const read = { at: origin + 299_500, targets: [], countNodes: () => 0 };
    cloud.knownHealth = () => (clock.now() < read.at + 100 ? undefined : read);
    expect(await clock.run(drained)).toMatchObject({
      status: "drained",
      registrations: [{ heldMs: 300_000, cameBack: 0 }],
    });
    expect(made.elapsedSeconds).toBe(300);
  });

  test("confirms nothing where it was sent before, or shows the target live", async () => {
    const usual = [7, 67, 127, 187, 247, 300];
    expect(await askedAt(() => ({ at: 0 }))).toEqual(usual);
    expect(await askedAt(() => ({ at: -5 }))).toEqual(usual);
    expect(await askedAt((seconds) => ({ at: seconds - 1, state: "live" }))).toEqual(usual);
  });

  test("confirms only what could still be held for its whole time if the next confirmation found it registered again", async () => {
    const read = () => ({ at: 2 });
    expect(await askedAt(read, { deadlineSeconds: 500 })).toEqual([62, 122, 182, 242, 300]);
    expect(await askedAt(read, { deadlineSeconds: 320 })).toEqual([7, 67, 127, 187, 247, 300]);
  });
});

describe("nodes of one pool", () => {
  test("that come while a look is under way are deregistered at once, and not taken for looked at", async () => {
    const { scene: made, cloud, pool } = scene(2);
    cloud.before = async ({ method }, signal) => {
      if (method === "observe") await made.clock.sleep(3_000, signal);
    };
    const first = made.ask("i-0");
    await made.clock.advance(8_000);
    const second = made.ask("i-1");
    const outcomes = await made.clock.run(Promise.all([first, second]));
    expect(outcomes).toMatchObject([{ status: "drained" }, { status: "drained" }]);
    expect(made.secondsOf("deregister", pool)).toEqual([0, 8]);
    // The look at 7 s is not about the second node, which is read back by one of its own.
    expect(cloud.callsOf("observe", pool).map(({ nodes }) => nodes?.length)).toEqual([1, 2, 2, 1]);
  });

  test("that leave while the call for them is under way are left alone, and the others' call is made anew", async () => {
    const { scene: made, cloud, pool } = scene(2);
    // The first call never answers.
    cloud.before = ({ method }, signal) =>
      method === "deregister" && cloud.callsOf("deregister").length === 1
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        : undefined;
    const leaving = new AbortController();
    const first = made.ask("i-0", { signal: leaving.signal });
    await made.clock.advance(5_000);
    const second = made.ask("i-1");
    await made.clock.advance(5_000);
    leaving.abort();
    expect(await first).toMatchObject({ status: "abandoned", registrations: [{ state: "registered" }] });
    expect(await made.clock.run(second)).toMatchObject({ status: "drained" });
    expect(cloud.callsOf("deregister", pool).map(({ nodes }) => nodes)).toEqual([["i-0:80"], ["i-1:80"]]);
  });

  test("do not wait for a look that is only about one who has left", async () => {
    const { scene: made, cloud } = scene(2);
    cloud.before = ({ method }, signal) =>
      method === "observe" && cloud.callsOf("observe").length === 1
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
        : undefined;
    const leaving = new AbortController();
    const first = made.ask("i-0", { signal: leaving.signal });
    await made.clock.advance(8_000);
    const second = made.ask("i-1");
    await made.clock.advance(5_000);
    leaving.abort();
    expect(await first).toMatchObject({ status: "abandoned", registrations: [{ state: "holding" }] });
    expect(await made.clock.run(second)).toMatchObject({ status: "drained" });
    expect(made.elapsedSeconds).toBe(68);
  });

  test("are not deregistered again for a drain that was abandoned while somebody asked whose address it is", async () => {
    const { scene: made, cloud, pool, nodes } = scene(2, 120_000);
    const owned = cloud.stillOwned.bind(cloud);
    cloud.stillOwned = async (...asked) => {
      await made.clock.sleep(5_000, never);
      return owned(...asked);
    };
    const leaving = new AbortController();
    const first = made.ask("i-0", { signal: leaving.signal });
    const second = made.ask("i-1");
    await made.clock.advance(10_000);
    for (const node of nodes.slice(0, 1)) cloud.addRegistration(pool, node);
    // The look at 67 s sees the first one back; it leaves while its address is asked for.
    await made.clock.advance(58_000);
    leaving.abort();
    expect(await first).toMatchObject({ status: "abandoned" });
    expect(await made.clock.run(second)).toMatchObject({ status: "drained" });
    expect(made.secondsOf("deregister", pool)).toEqual([0, 0]);
    expect(made.events.filter(({ type }) => type === "deregistering-again")).toEqual([]);
  });

  test("that were seen back, and left again before their address was known, are held anew", async () => {
    const { scene: made, cloud, pool, nodes } = scene(1, 120_000);
    const owned = cloud.stillOwned.bind(cloud);
    cloud.stillOwned = async () => {
      cloud.stillOwned = owned;
      throw PASSING;
    };
    const drain = made.ask("i-0");
    await made.clock.advance(10_000);
    for (const node of nodes) cloud.addRegistration(pool, node);
    // The look at 67 s sees it back, the next one draining.
    await made.clock.advance(58_000);
    cloud.force(pool, "draining");
    expect(await made.clock.run(drain)).toMatchObject({ status: "drained", registrations: [{ heldMs: 120_000 }] });
    expect(made.elapsedSeconds).toBe(192);
    expect(made.secondsOf("deregister", pool)).toEqual([0]);
  });

  test("that were seen back get new traffic, whoever is asked about their address", async () => {
    const { scene: made, cloud, pool, nodes } = scene(1, 120_000);
    cloud.stillOwned = async () => new Promise(() => {});
    const leaving = new AbortController();
    const drain = made.ask("i-0", { signal: leaving.signal });
    await made.clock.advance(10_000);
    for (const node of nodes) cloud.addRegistration(pool, node);
    await made.clock.advance(58_000);
    leaving.abort();
    expect(await drain).toMatchObject({ status: "abandoned", registrations: [{ newTrafficStopped: false }] });
  });

  test("that have come back are registered, not held, until they are deregistered again", async () => {
    const { scene: made, cloud, pool, nodes } = scene(1, 120_000);
    const drain = made.ask("i-0", { deadlineSeconds: 110 });
    await made.clock.advance(10_000);
    for (const node of nodes) cloud.addRegistration(pool, node);
    cloud.before = ({ method }) => {
      if (method === "deregister") throw PASSING;
    };
    const outcome = await made.clock.run(drain);
    expect(outcome).toMatchObject({ status: "deadline-passed" });
    expect(outcome).toMatchObject({
      registrations: [{ state: "registered", heldMs: 0, newTrafficStopped: false, cameBack: 1 }],
    });
  });

  test("that all leave and come again later are taken out again", async () => {
    const { scene: made, cloud, pool, nodes } = scene(2, 30_000);
    const leaving = new AbortController();
    const left = [made.ask("i-0", { signal: leaving.signal }), made.ask("i-1", { signal: leaving.signal })];
    await made.clock.advance(10_000);
    leaving.abort();
    await Promise.all(left);
    expect(made.clock.sleeping).toBe(0);
    await made.clock.advance(100_000);
    for (const node of nodes) cloud.addRegistration(pool, node);
    const outcomes = await made.clock.run(Promise.all([made.ask("i-0"), made.ask("i-1")]));
    expect(outcomes).toMatchObject([{ status: "drained" }, { status: "drained" }]);
    expect(made.secondsOf("deregister", pool)).toEqual([0, 0, 110, 110]);
  });

  test("are held each by the load balancer that used it when they were found", async () => {
    const made = new DrainScene();
    const [first, second] = [made.cloud.addNode("i-0", "10.0.0.1"), made.cloud.addNode("i-1", "10.0.0.2")];
    made.cloud.addPool("unattached", "web", [first], { drainMs: 0 });
    const early = made.ask("i-0");
    await made.clock.advance(1_000);
    // The same pool: an NLB has taken it into use.
    made.cloud.addPool("nlb", "web", [second], { drainMs: 0 });
    const late = made.ask("i-1");
    expect(await made.clock.run(early)).toMatchObject({ status: "drained" });
    expect(made.elapsedSeconds).toBe(7);
    expect(await made.clock.run(late)).toMatchObject({ status: "drained", registrations: [{ heldMs: 210_000 }] });
  });

  test("that are more than one call takes go by several, the earliest deadline first", async () => {
    const { scene: made, cloud, pool } = scene(5);
    cloud.targetsPerCallMax = 2;
    const drains = [0, 1, 2, 3, 4].map((number) =>
      made.ask(`i-${number}`, number === 4 ? { deadlineSeconds: 300 } : {}),
    );
    await made.clock.run(Promise.all(drains));
    const calls = cloud.callsOf("deregister", pool).map(({ nodes }) => nodes);
    // The first one is under way when the others come.
    expect(calls.map((nodes) => nodes?.length)).toEqual([1, 2, 2]);
    expect(calls[1]).toContain("i-4:80");
  });
});

describe("a search that fails in passing", () => {
  test("is made again until the deadline, and what it finds twice is taken out once", async () => {
    const { scene: made, cloud, pool } = scene(1);
    const find = cloud.findRegistrations.bind(cloud);
    let searches = 0;
    cloud.findRegistrations = async function* (...asked) {
      yield* find(...asked);
      searches += 1;
      if (searches < 4) throw PASSING;
    };
    const outcome = await made.drain("i-0", { deadlineSeconds: 200 });
    expect(outcome).toMatchObject({ status: "drained", registrations: [{ heldMs: 60_000 }] });
    expect("registrations" in outcome && outcome.registrations).toHaveLength(1);
    expect(searches).toBe(4);
    expect(cloud.callsOf("deregister", pool)).toHaveLength(1);
  });

  test("and never succeeds fails the drain just before its limit, with the reason", async () => {
    const { scene: made, cloud } = scene(1);
    cloud.before = ({ method }) => {
      if (method === "findRegistrations") throw PASSING;
    };
    expect(await made.drain("i-0", { deadlineSeconds: 120 })).toMatchObject({
      status: "failed",
      error: { code: "unavailable" },
    });
    expect(made.elapsedSeconds).toBeLessThanOrEqual(110);
  });

  test("before anything was found is repeated for a minute where no request has a limit, and the drain fails then", async () => {
    const { scene: made, cloud } = scene(1);
    cloud.before = ({ method }) => {
      if (method === "findRegistrations") throw PASSING;
    };
    expect(await made.drain("i-0")).toMatchObject({ status: "failed", error: { code: "unavailable" } });
    expect(made.elapsedSeconds).toBe(55);
    expect(cloud.callsOf("findRegistrations")).toHaveLength(12);
    expect(made.events.filter(({ type }) => type === "read-failed")).toHaveLength(11);
  });
});
