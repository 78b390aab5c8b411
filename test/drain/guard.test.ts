import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pool, PoolHealth } from "../../src/drain/cloud-provider.ts";
import { amountOf, isShort, type Share, worstOf } from "../../src/drain/guard.ts";
import { Ceiling, Reservations } from "../../src/drain/reservations.ts";

const POOL: Pool = { kind: "alb", id: "p", name: "p" };

/** Targets `name` are healthy, `name!` are not; `zone/name` in a pool whose zones are on their own. */
function health(...targets: readonly string[]): PoolHealth {
  const listed = targets.map((text) => {
    const [zone, name = ""] = text.includes("/") ? text.split("/") : [undefined, text];
    return { target: name.replace("!", ""), state: "live", isHealthy: !name.endsWith("!"), zone } as const;
  });
  const zones = new Map(listed.map(({ target, zone }) => [target, zone]));
  const isZonal = listed.some(({ zone }) => zone !== undefined);
  return {
    at: 0,
    targets: listed,
    countNodes: () => listed.length,
    ...(isZonal ? { zoneOf: (target: string) => zones.get(target) } : {}),
  };
}

function registrations(...targets: readonly string[]) {
  return targets.map((target) => ({ pool: POOL, target, state: "live", detail: "healthy", isHealthy: true }) as const);
}

function standings(reservations: Reservations, own: string, pool: PoolHealth, forWhom = "voluntary" as const) {
  return reservations.standings(POOL, own.split(" "), pool, forWhom);
}

describe("a share", () => {
  test.each<[Share, number, number]>([
    [{ count: 1 }, 100, 1],
    [{ count: 3 }, 0, 3],
    [{ percent: 20 }, 10, 2],
    [{ percent: 20 }, 11, 3],
    [{ percent: 50 }, 1, 1],
    [{ percent: 50 }, 3, 2],
    [{ percent: 100 }, 7, 7],
    [{ percent: 1 }, 1, 1],
  ])("of %j of %d is %d, a part of one being one", (share, all, expected) => {
    expect(amountOf(share, all)).toBe(expected);
  });
});

describe("where a pool would stand without a node", () => {
  test.each<[string, string, readonly string[], readonly object[]]>([
    ["one of three", "a", ["a", "b", "c"], [{ healthyNow: 3, wouldStay: 2, needed: 1 }]],
    ["the last healthy one", "a", ["a", "b!", "c!"], [{ healthyNow: 1, wouldStay: 0, needed: 1 }]],
    ["one that is not healthy loses nothing", "b", ["a", "b!"], []],
    ["one of a pool that is scaled to zero loses nothing", "a", ["a!", "b!"], []],
    ["one that is not there loses nothing", "x", ["a", "b"], []],
    ["two ports of one node go together", "a b", ["a", "b", "c"], [{ healthyNow: 3, wouldStay: 1, needed: 1 }]],
    ["each zone on its own", "a", ["1/a", "1/b!", "2/c", "2/d"], [{ zone: "1", wouldStay: 0 }]],
    [
      "a node in two zones",
      "a c",
      ["1/a", "1/b", "2/c"],
      [
        { zone: "1", wouldStay: 1 },
        { zone: "2", wouldStay: 0 },
      ],
    ],
  ])("%s", (_, own, listed, expected) => {
    expect(standings(new Reservations({ count: 1 }), own, health(...listed))).toMatchObject(expected);
  });

  test("whose zone nobody knows is compared with the whole pool, and is relied on in no zone", () => {
    const listed = health("1/a", "/b");
    const [targetA, targetB] = listed.targets;
    const zoneOf = (target: string) => (target === targetA?.target ? "1" : undefined);
    expect(targetB?.target).toBe("b");
    const reservations = new Reservations({ count: 1 });
    expect(standings(reservations, "a", { ...listed, zoneOf })).toMatchObject([{ zone: "1", wouldStay: 0 }]);
    expect(standings(reservations, "b", { ...listed, zoneOf })).toMatchObject([{ healthyNow: 2, wouldStay: 1 }]);
  });

  test("needs a part of all that are registered, rounded up, whatever their health", () => {
    const pool = health("a", "b", "c", "d!", "e!", "f!");
    expect(standings(new Reservations({ percent: 34 }), "a", pool)).toMatchObject([{ wouldStay: 2, needed: 3 }]);
  });

  test("is counted without those that others take away, until these are released", () => {
    const reservations = new Reservations({ count: 1 });
    const pool = health("a", "b", "c");
    reservations.reserve(registrations("b"), "leaving");
    expect(standings(reservations, "a", pool)).toMatchObject([{ healthyNow: 3, wouldStay: 1 }]);
    reservations.reserve(registrations("c"), "leaving");
    expect(standings(reservations, "a", pool)).toMatchObject([{ wouldStay: 0 }]);
    // A later read, in which one of them is draining.
    expect(standings(reservations, "a", health("a", "b", "c!"))).toMatchObject([{ healthyNow: 2, wouldStay: 0 }]);
    reservations.release(registrations("b"));
    expect(standings(reservations, "a", pool)).toMatchObject([{ wouldStay: 1 }]);
  });

  test("counts whoever waits for a replacement as gone for those alone who can be told no", () => {
    const reservations = new Reservations({ count: 1 });
    reservations.reserve(registrations("b"), "doomed");
    const pool = health("a", "b");
    expect(reservations.standings(POOL, ["a"], pool, "voluntary")).toMatchObject([{ wouldStay: 0 }]);
    expect(reservations.standings(POOL, ["a"], pool, "involuntary")).toMatchObject([{ wouldStay: 1 }]);
    expect(reservations.standings(POOL, ["b"], pool, "involuntary")).toMatchObject([{ wouldStay: 1 }]);
    expect(reservations.standings(POOL, ["b"], pool, "voluntary")).toMatchObject([{ wouldStay: 1 }]);
  });

  test("the worst of several is the one that lacks most", () => {
    const one = { healthyNow: 9, wouldStay: 3, needed: 2 };
    const worst = { zone: "b", healthyNow: 9, wouldStay: 0, needed: 2 };
    expect(worstOf([one, worst, { ...one, wouldStay: 1 }])).toBe(worst);
    expect(worstOf([])).toBeUndefined();
  });
});

/** A pool of up to twelve targets in up to three zones, some of them not healthy. */
const POOLS = fc.record({
  isZonal: fc.boolean(),
  targets: fc.array(fc.record({ isHealthy: fc.boolean(), zone: fc.constantFrom("1", "2", "3") }), { maxLength: 12 }),
  order: fc.array(fc.nat(11), { maxLength: 12 }),
  share: fc.oneof(
    fc.record({ count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
  ),
});

describe("whatever is asked in whatever order", () => {
  test("those who are let go leave enough in each part of the pool, and whoever is told no would not have", () => {
    fc.assert(
      fc.property(POOLS, ({ isZonal, targets, order, share }) => {
        const name = (index: number) => `${isZonal ? `${targets[index]?.zone}/` : ""}t${index}`;
        const pool = health(...targets.map(({ isHealthy }, index) => `${name(index)}${isHealthy ? "" : "!"}`));
        const reservations = new Reservations(share);
        const gone = new Set<number>();
        const partOf = (index: number) => targets.map((_, other) => other).filter((other) => isSamePart(index, other));
        const isSamePart = (one: number, other: number) => !isZonal || targets[one]?.zone === targets[other]?.zone;
        const staying = (index: number, without: ReadonlySet<number>) =>
          partOf(index).filter((other) => targets[other]?.isHealthy && !without.has(other)).length;
        for (const index of order.filter((one) => one < targets.length)) {
          if (gone.has(index)) continue;
          const judged = standings(reservations, `t${index}`, pool);
          const needed = amountOf(share, partOf(index).length);
          const after = staying(index, new Set([...gone, index]));
          if (targets[index]?.isHealthy) expect(judged.some(isShort)).toBe(after < needed);
          else expect(judged).toEqual([]);
          if (judged.some(isShort)) continue;
          reservations.reserve(registrations(`t${index}`), "leaving");
          gone.add(index);
        }
      }),
    );
  });
});

describe("the ceiling", () => {
  const ceiling = (maxVoluntary: Share) => new Ceiling({ minHealthy: { count: 1 }, waitMs: 0, maxVoluntary });
  const drain = () => ({ isRefusable: true });

  test.each<[string, Share, number, number]>([
    ["a number", { count: 2 }, 100, 2],
    ["a part of the nodes", { percent: 50 }, 6, 3],
    ["a part of one node, which is one", { percent: 50 }, 1, 1],
  ])("of %s lets so many in and no more", (_, share, nodes, allowed) => {
    const counted = ceiling(share);
    for (let entered = 0; entered < allowed; entered++) {
      expect(counted.refusal(nodes)).toBeUndefined();
      counted.enter(drain());
    }
    expect(counted.refusal(nodes)).toMatchObject({ reason: "too-many-drains", pools: [] });
    expect(counted.refusal(nodes)?.message).toMatch(
      allowed === 1 ? /^1 voluntary drain runs already/ : new RegExp(`^${allowed} voluntary drains run already`),
    );
  });

  test("counts neither drains that have ended nor those that somebody insists on by now", () => {
    const counted = ceiling({ count: 1 });
    const joined = { isRefusable: true };
    counted.enter(joined);
    joined.isRefusable = false;
    expect(counted.refusal(9)).toBeUndefined();
    const second = drain();
    counted.enter(second);
    expect(counted.refusal(9)).toBeDefined();
    counted.leave(second);
    expect(counted.refusal(9)).toBeUndefined();
  });

  test("of all of the nodes is none", () => {
    const counted = ceiling({ percent: 100 });
    for (let entered = 0; entered < 9; entered++) counted.enter(drain());
    expect(counted.refusal(1)).toBeUndefined();
  });
});
