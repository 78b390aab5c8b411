import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bucket, RequestQuota } from "../../src/aws/request-quota.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { PURPOSES, type Purpose, Rises, type Urgency } from "../../src/drain/urgency.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";

const NEVER = Number.POSITIVE_INFINITY;

class Scene {
  readonly clock = new VirtualClock();
  readonly quota: RequestQuota;
  /** In the order in which they were granted. */
  readonly granted: { readonly name: string; readonly at: number }[] = [];

  constructor(share = 1) {
    this.quota = new RequestQuota({ clock: this.clock, share });
  }

  ask(name: string, urgency: Partial<Urgency> = {}, bucket: Bucket = "v2-read", signal = never): Promise<void> {
    const about = { purpose: "find" as Purpose, deadline: NEVER, ...urgency };
    return this.quota
      .permit(bucket, { urgency: () => about, signal })
      .then(() => void this.granted.push({ name, at: this.clock.elapsedMs }));
  }

  /** Leaves no room in the bucket. */
  async exhaust(bucket: Bucket = "v2-read"): Promise<void> {
    while (this.quota.msFor(bucket, 1) === 0) await this.ask("first", {}, bucket);
    this.granted.length = 0;
  }

  get names(): readonly string[] {
    return this.granted.map(({ name }) => name);
  }
}

describe("where calls have to wait", () => {
  test("they go by purpose, whatever their deadlines", async () => {
    const scene = new Scene();
    await scene.exhaust();
    const asks = [...PURPOSES].reverse().map((purpose, index) => scene.ask(purpose, { purpose, deadline: index }));
    await scene.clock.run(Promise.all(asks));
    expect(scene.names).toEqual([
      "deregister",
      "guard",
      "find",
      "register",
      "describe",
      "poll",
      "confirm",
      "verify",
      "refresh",
    ]);
  });

  test("of one purpose, the earliest deadline goes first, and of one deadline the lower rank", async () => {
    const scene = new Scene();
    await scene.exhaust();
    const asks = [
      scene.ask("nobody said"),
      scene.ask("soon, second", { deadline: 1_000, rank: 1 }),
      scene.ask("soon, first", { deadline: 1_000 }),
      scene.ask("later", { deadline: 5_000 }),
    ];
    await scene.clock.run(Promise.all(asks));
    expect(scene.names).toEqual(["soon, first", "soon, second", "later", "nobody said"]);
  });

  test("a call that becomes more urgent while it waits overtakes", async () => {
    const scene = new Scene();
    await scene.exhaust();
    let deadline = NEVER;
    const rises = new Rises();
    const first = scene.ask("first", { deadline: 9_000 });
    const second = scene.quota
      .permit("v2-read", { urgency: () => ({ purpose: "find", deadline }), onRise: rises.on, signal: never })
      .then(() => void scene.granted.push({ name: "second", at: scene.clock.elapsedMs }));
    deadline = 1_000;
    rises.announce();
    await scene.clock.run(Promise.all([first, second]));
    expect(scene.names).toEqual(["second", "first"]);
  });

  test("one call in twenty is for whoever has waited longest: nobody starves", async () => {
    const scene = new Scene();
    await scene.exhaust();
    const stop = newAbort();
    const refresh = scene.ask("refresh", { purpose: "refresh" });
    const crowd = Array.from({ length: 100 }, () => scene.ask("find", {}, "v2-read", stop.signal).catch(() => {}));
    await scene.clock.run(refresh);
    expect(scene.names.indexOf("refresh")).toBeLessThan(20);
    stop.abort();
    await scene.clock.run(Promise.all(crowd));
  });
});

describe("each bucket has its own room", () => {
  test.each<[Bucket, number, number]>([
    ["v2-read", 40, 10],
    ["v2-register", 20, 4],
    ["classic-read", 40, 10],
    ["classic-register", 20, 4],
    ["ec2-describe-instances", 100, 20],
  ])("%s: %i at once, then %i a second", async (bucket, burst, perSecond) => {
    const scene = new Scene();
    const calls = burst + 3 * perSecond;
    await scene.clock.run(Promise.all(Array.from({ length: calls }, () => scene.ask("call", {}, bucket))));
    expect(scene.granted.filter(({ at }) => at === 0)).toHaveLength(burst);
    expect(scene.granted.filter(({ at }) => at <= 1_000)).toHaveLength(burst + perSecond);
    expect(scene.clock.elapsedMs).toBe(3_000);
  });

  test("where one is empty the others go on", async () => {
    const scene = new Scene();
    await scene.exhaust("v2-register");
    const late = scene.ask("deregister", { purpose: "deregister" }, "v2-register");
    await Promise.all([scene.ask("read", {}, "v2-read"), scene.ask("classic", {}, "classic-register")]);
    expect(scene.names).toEqual(["read", "classic"]);
    await scene.clock.run(late);
  });

  test("but both versions of the API draw on the account's, and EC2 does not", async () => {
    const scene = new Scene();
    await scene.exhaust("v2-read");
    const late = scene.ask("classic", { purpose: "deregister" }, "classic-register");
    await scene.ask("ec2", {}, "ec2-describe-instances");
    await scene.clock.run(late);
    expect(scene.names).toEqual(["ec2", "classic"]);
    expect(scene.clock.elapsedMs).toBe(100);
  });

  test("of a tenth of the quotas a tenth is used, of twice as much twice", async () => {
    for (const share of [0.1, 2]) {
      const scene = new Scene(share);
      await scene.clock.run(Promise.all(Array.from({ length: 60 * share }, () => scene.ask("call"))));
      expect(scene.granted.filter(({ at }) => at === 0)).toHaveLength(40 * share);
      expect(scene.clock.elapsedMs).toBe(2_000);
    }
  });
});

test("what AWS throttles slows its own bucket down, and no other", async () => {
  const scene = new Scene();
  scene.quota.throttled("v2-register");
  expect(scene.quota.msFor("v2-register", 1)).toBeGreaterThan(250);
  expect(scene.quota.msFor("v2-read", 1)).toBe(0);
});

test("every ask is granted once, or rejected with its own signal's reason, and nothing is left behind", async () => {
  const ask = fc.record({
    atMs: fc.nat(3_000),
    leavesAfterMs: fc.option(fc.nat(3_000), { nil: undefined }),
    bucket: fc.constantFrom<Bucket>("v2-read", "v2-register", "classic-read", "ec2-describe-instances"),
    purpose: fc.constantFrom(...PURPOSES),
    deadline: fc.nat(10_000),
    throttled: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(ask, { maxLength: 40 }), async (asks) => {
      const { clock, quota } = new Scene(0.1);
      const settled = asks.map(async ({ atMs, leavesAfterMs, bucket, purpose, deadline, throttled }, index) => {
        await clock.sleep(atMs, never);
        const leaving = newAbort();
        const left = clock.sleep(leavesAfterMs ?? 0, never).then(() => {
          if (leavesAfterMs !== undefined) leaving.abort(index);
        });
        const answer = await quota
          .permit(bucket, { urgency: () => ({ purpose, deadline }), signal: leaving.signal })
          .then(
            () => "granted",
            (reason: unknown) => reason,
          );
        if (throttled) quota.throttled(bucket);
        await left;
        return answer;
      });
      const answers = await clock.run(Promise.all(settled));
      for (const [index, answer] of answers.entries()) {
        const mayLeave = asks[index]?.leavesAfterMs !== undefined;
        expect(answer === "granted" || (mayLeave && answer === index)).toBe(true);
      }
      await clock.advance(0);
      expect(clock.sleeping).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test("whoever leaves wakes nobody up for nothing: without asks there is no wait", async () => {
  const scene = new Scene();
  await scene.exhaust();
  const leaving = newAbort();
  const ask = scene.ask("leaving", {}, "v2-read", leaving.signal);
  await scene.clock.advance(10);
  expect(scene.clock.sleeping).toBe(1);
  leaving.abort("gone");
  await expect(ask).rejects.toBe("gone");
  await scene.clock.advance(0);
  expect(scene.clock.sleeping).toBe(0);
});

describe("how the quotas stand", () => {
  const stateOf = ({ quota }: Scene, name: string) => quota.state().find((one) => one.name === name);

  test("is told of those that were used: what is free, what waits, and what was granted", async () => {
    const scene = new Scene(0.5);
    expect(scene.quota.state().map(({ name }) => name)).toEqual(["all"]);
    await Promise.all([scene.ask("one"), scene.ask("two"), scene.ask("three", {}, "ec2-describe-instances")]);
    expect(stateOf(scene, "v2-read")).toEqual({
      ...{ name: "v2-read", available: 18, burst: 20, perSecond: 5, fullPerSecond: 5 },
      ...{ waiting: 0, granted: 2, throttled: 0 },
    });
    // EC2 counts its own calls.
    expect(stateOf(scene, "all")).toMatchObject({ available: 18, granted: 2 });
    await scene.exhaust();
    const asked = [scene.ask("four"), scene.ask("five")];
    expect(stateOf(scene, "v2-read")).toMatchObject({ available: 0, waiting: 2 });
    expect(stateOf(scene, "all")).toMatchObject({ waiting: 2 });
    await scene.clock.run(Promise.all(asked));
  });

  test("says that AWS has throttled, and how the pace comes back", async () => {
    const scene = new Scene();
    await scene.ask("one");
    scene.quota.throttled("v2-read");
    expect(stateOf(scene, "v2-read")).toMatchObject({ available: 0, perSecond: 8.5, fullPerSecond: 10, throttled: 1 });
    await scene.clock.advance(60_000);
    const before = scene.quota.msFor("v2-read", 50);
    expect(stateOf(scene, "v2-read")).toMatchObject({ available: 40, perSecond: 10, throttled: 1 });
    // To ask changes nothing.
    expect(scene.quota.msFor("v2-read", 50)).toBe(before);
  });
});
