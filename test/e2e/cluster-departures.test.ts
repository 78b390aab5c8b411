import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import { disrupt, scaleDown } from "../support/cluster-actors.ts";
import { ClusterScene, type LostBecause, reasonsOf } from "../support/cluster-scene.ts";
import { SHORT_HOLDS_MS, SHORT_SPARES } from "../support/departure-pools.ts";
import { HOOK, REQUESTS_MIN } from "../support/departure-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";

/** What cluster-autoscaler is started with. */
const DELAY_LIMIT_MS = 120_000;

interface Run {
  readonly sent: number;
  readonly lost: number;
  /** What the product has lost. */
  readonly unsaved: readonly string[];
  readonly reasons: Readonly<Record<LostBecause, number>>;
  readonly byPool: Readonly<Record<string, number>>;
  readonly registeredAgain: number;
  /** From the announcement, the slowest node. Undefined: never. */
  readonly secondsToLabel: number | undefined;
  readonly secondsToFirstDeregistration: number | undefined;
}

async function finish(scene: ClusterScene): Promise<Run> {
  const { sent, losses } = await scene.endTraffic();
  const byPool: Record<string, number> = {};
  for (const { to } of losses) byPool[to] = (byPool[to] ?? 0) + 1;
  const since = (at: number | undefined, id: string) => (at ?? Number.NaN) - (scene.announcedAt.get(id) ?? Number.NaN);
  const slowest = (all: readonly number[]) => {
    const longest = Math.max(...all) / 1_000;
    return Number.isNaN(longest) ? undefined : Math.round(longest * 100) / 100;
  };
  return {
    sent,
    lost: losses.length,
    unsaved: lostByTheProduct(losses, SHORT_SPARES).map(({ to, cause }) => `${to} ${cause}`),
    reasons: reasonsOf(losses, scene.leaving, [...scene.podEndedAt.values()]),
    byPool,
    registeredAgain: scene.registeredAgain,
    secondsToLabel: slowest(scene.leaving.map(({ id, name }) => since(scene.labelledAt.get(name), id))),
    secondsToFirstDeregistration: slowest(
      scene.leaving.map(({ id }) => since(scene.books.find(({ target }) => target === id)?.at, id)),
    ),
  };
}

/** Each machine outlived the holds of all its registrations. */
function expectHeld({ books, leaving, world }: ClusterScene): void {
  const ids = new Set(leaving.map(({ id }) => id));
  const held = books.filter(({ target }) => ids.has(target));
  expect(new Set(held.map(({ pool, target }) => `${pool} ${target}`)).size).toBe(4 * ids.size);
  for (const { pool, target, at } of held) {
    const aliveMs = (world.instance(target)?.terminatedAt ?? 0) - at;
    expect(aliveMs, `${target} alive after ${pool} was asked`).toBeGreaterThanOrEqual(SHORT_HOLDS_MS[pool] ?? 0);
  }
}

/** Nobody waited for the load balancers: each loss is put down to a machine or a pod that was gone. */
function expectLost(run: Run): void {
  expect(run.lost).toBeGreaterThan(0);
  expect(run.reasons["any other"]).toBe(0);
}

function print(name: string, run: Run): void {
  console.log(`${name}: ${JSON.stringify(run)}`);
}

describe("Auto Scaling takes a third of the nodes, and controllers register nodes again", () => {
  async function scaleIn(how: "with the label" | "without the label" | "without us"): Promise<[Run, ClusterScene]> {
    const scene = await ClusterScene.open({ hooks: how === "without us" ? [] : [HOOK] });
    if (how !== "without us") await scene.serve({}, how === "with the label");
    for (const instance of scene.leaving) {
      scene.announce(instance);
      scene.world.beginScaleIn(scene.workers, instance);
    }
    const ids = scene.leaving.map(({ id }) => id);
    if (how !== "without us")
      await scene.until(() => ids.every((id) => scene.books.filter(({ target }) => target === id).length >= 4));
    await scene.disturb();
    await scene.untilOff();
    const run = await finish(scene);
    print(how, run);
    return [run, scene];
  }

  test("with the label no node is registered again and no request is lost", async () => {
    const [run, scene] = await scaleIn("with the label");
    expect(run).toMatchObject({ unsaved: [], registeredAgain: 0 });
    expect(run.sent).toBeGreaterThan(REQUESTS_MIN);
    expect(scene.labelledAt.size).toBe(scene.leaving.length);
    expectHeld(scene);
    expect(scene.simulator.access.recordOf("simulated")?.denied).toEqual(new Set());
  });

  test.runIf(ALL_CASES)("without the label they are registered again", async () => {
    const [run] = await scaleIn("without the label");
    expect(run.registeredAgain).toBeGreaterThan(0);
    expect(run.secondsToLabel).toBeUndefined();
  });

  test.runIf(ALL_CASES)("without us requests are lost", async () => {
    expectLost((await scaleIn("without us"))[0]);
  });
});

describe("Karpenter disrupts a third of the nodes", () => {
  async function consolidate(isHeld: boolean): Promise<[Run, ClusterScene]> {
    const scene = await ClusterScene.open();
    const url = isHeld ? (await scene.serve()).url : undefined;
    const holders = await Promise.all(
      scene.leaving.map((instance) => (url === undefined ? undefined : scene.hold(instance, url))),
    );
    await Promise.all(
      scene.leaving.map((instance, index) => disrupt(instance, scene.actor(true), { holder: holders[index] })),
    );
    const run = await finish(scene);
    print(isHeld ? "with us" : "without us", run);
    return [run, scene];
  }

  test("with the holder of the DaemonSet no request is lost", async () => {
    const [run, scene] = await consolidate(true);
    expect(run).toMatchObject({ unsaved: [], registeredAgain: 0 });
    expect(run.sent).toBeGreaterThan(REQUESTS_MIN);
    expectHeld(scene);
  });

  test.runIf(ALL_CASES)("without us requests are lost", async () => {
    expectLost((await consolidate(false))[0]);
  });
});

describe("cluster-autoscaler removes a third of the nodes", () => {
  async function shrink(isDelayed: boolean): Promise<[Run, ClusterScene, readonly string[]]> {
    const scene = await ClusterScene.open();
    if (isDelayed) {
      const { child } = await scene.serve({ AUTOSCALER_HOLD: "true" });
      await child.line(/"listening"/);
      await scene.untilDelayed();
    }
    const ends = await Promise.all(
      scene.leaving.map((instance) => scaleDown(instance, scene.actor(), { delayLimitMs: DELAY_LIMIT_MS })),
    );
    await scene.untilOff();
    const run = await finish(scene);
    print(isDelayed ? "with us" : "without us", run);
    return [run, scene, ends];
  }

  test("with the annotation on each node no request is lost, and the machines go when they are drained", async () => {
    const [run, scene, ends] = await shrink(true);
    expect(ends).toEqual(scene.leaving.map(() => "waited"));
    expect(run).toMatchObject({ unsaved: [], registeredAgain: 0 });
    expect(run.sent).toBeGreaterThan(REQUESTS_MIN);
    expectHeld(scene);
  });

  test.runIf(ALL_CASES)("without us requests are lost", async () => {
    const [run, scene, ends] = await shrink(false);
    expect(ends).toEqual(scene.leaving.map(() => "not-delayed"));
    expectLost(run);
  });
});

/** Each pod was there until the load balancers had let go, although its eviction was asked for before. */
function expectPodsHeld({ leaving, books, podEndedAt, refusedEvictions }: ClusterScene): void {
  for (const { id } of leaving) {
    const released = books
      .filter(({ target }) => target === id)
      .map(({ pool, at }) => at + (SHORT_HOLDS_MS[pool] ?? 0));
    expect(podEndedAt.get(id)).toBeGreaterThanOrEqual(Math.max(...released));
    expect(refusedEvictions.get(id)).toBeGreaterThan(0);
  }
}

/** Each node's own pod answers, and no other node's does in its place. */
describe("a third of the nodes leaves, whose pods get traffic with externalTrafficPolicy Local", () => {
  async function karpenter(how: "with the gate" | "without the gate" | "without us"): Promise<[Run, ClusterScene]> {
    const scene = await ClusterScene.open();
    const isGated = how === "with the gate";
    const service = how === "without us" ? undefined : await scene.serve(isGated ? scene.gateOptions() : {});
    if (isGated && service !== undefined) await scene.reviewBy(service.child);
    await Promise.all(
      scene.leaving.map(async (instance) => {
        const holder = service && (await scene.hold(instance, service.url));
        await disrupt(instance, scene.actor(true), { holder, pod: scene.pod(instance) });
      }),
    );
    const run = await finish(scene);
    print(`Karpenter ${how}`, run);
    return [run, scene];
  }

  async function autoscaler(isGated: boolean): Promise<[Run, ClusterScene]> {
    const scene = await ClusterScene.open();
    const { child } = await scene.serve({ AUTOSCALER_HOLD: "true", ...(isGated && scene.gateOptions()) });
    await child.line(/"listening"/);
    if (isGated) await scene.reviewBy(child);
    await scene.untilDelayed();
    await Promise.all(
      scene.leaving.map((instance) =>
        scaleDown(instance, scene.actor(), { delayLimitMs: DELAY_LIMIT_MS, pod: scene.pod(instance) }),
      ),
    );
    await scene.untilOff();
    const run = await finish(scene);
    print(`cluster-autoscaler ${isGated ? "with" : "without"} the gate`, run);
    return [run, scene];
  }

  test("with the eviction gate and the holder, Karpenter's evictions wait, and no request is lost", async () => {
    const [run, scene] = await karpenter("with the gate");
    expect(run).toMatchObject({ unsaved: [], registeredAgain: 0 });
    expect(run.sent).toBeGreaterThan(REQUESTS_MIN);
    expectHeld(scene);
    expectPodsHeld(scene);
  });

  test.runIf(ALL_CASES)(
    "with the eviction gate and the annotation, cluster-autoscaler's evictions wait, and no request is lost",
    async () => {
      const [run, scene] = await autoscaler(true);
      expect(run).toMatchObject({ unsaved: [], registeredAgain: 0 });
      expect(run.sent).toBeGreaterThan(REQUESTS_MIN);
      expectHeld(scene);
      expectPodsHeld(scene);
    },
  );

  test.runIf(ALL_CASES)("with the holder alone requests are lost", async () => {
    const [run, scene] = await karpenter("without the gate");
    expectLost(run);
    expectHeld(scene);
  });

  test.runIf(ALL_CASES)("with the annotation alone requests are lost", async () => {
    const [run, scene] = await autoscaler(false);
    expectLost(run);
    expectHeld(scene);
  });

  test.runIf(ALL_CASES)("without us requests are lost", async () => {
    expectLost((await karpenter("without us"))[0]);
  });
});
