import { expect, test } from "vitest";
import { Connection, holdMany } from "../simulator/data-plane/clients.ts";
import { ALL_CASES } from "../support/cases.ts";
import { QUARTER, QUARTER_SPARES } from "../support/departure-pools.ts";
import { DepartureScene } from "../support/departure-scene.ts";
import {
  type ClientLoss,
  causeOf,
  countCauses,
  type Departed,
  type LossCause,
  lostByTheProduct,
} from "../support/loss-causes.ts";

/** What is left of the notice when its event comes, late: for the clients and lags of a quarter of AWS's. */
const NOTICE_MS = 35_000;
const LATE_MS = 120_000 - NOTICE_MS;
/** Enough for what is lost without the service to be more than what no service can save. */
const REQUEST_INTERVAL_MS = ALL_CASES ? 50 : 100;
/** Real milliseconds that a request takes which no notice of this length can save. */
const LONG_MS = NOTICE_MS + 4_000;
const LONG_REQUESTS = 20;
const KEPT_FLOWS = 20;
/** Half a minute of it is waiting; the rest depends on how busy the machine is, and decides nothing. */
const TIMEOUT_MS = 600_000;
/** Far longer than the service needs, and so much before the machines go that new ALB requests have ended by then. */
const PROMPT_MS = 20_000;
const THROUGH = { web: "alb", reports: "alb", tcp: "nlb", legacy: "classic" } as const;

interface Reclaim {
  /** Pools of which nothing may be lost, once for each request that was. */
  readonly unsaved: readonly string[];
  readonly scene: DepartureScene;
  readonly sent: number;
  readonly lost: number;
  readonly causes: Readonly<Record<LossCause, number>>;
  readonly byPool: Readonly<Record<keyof typeof THROUGH, number>>;
}

/** EC2 takes 10 of 20 nodes back at once. Beside steady traffic there are long requests to the ALB, and kept flows. */
async function reclaim(withService: boolean): Promise<Reclaim> {
  const scene = await DepartureScene.open({
    ...{ nodes: 20, timing: QUARTER, delaysSeconds: { web: 8, reports: 75 } },
    requestIntervalMs: REQUEST_INTERVAL_MS,
  });
  const { world, plane, nodes } = scene;
  const { clock } = world;
  if (withService) await scene.start();
  const startedAt = clock.now();
  const flows = await Connection.openMany(plane.url("tcp"), KEPT_FLOWS);
  const lost: (ClientLoss & { readonly pool: keyof typeof THROUGH })[] = [];
  const at = clock.now();
  // On their way before the machines are announced, however busy this one is.
  const held = await holdMany(`${plane.url("shop")}/reports?delay=${LONG_MS}`, LONG_REQUESTS);
  const long = held.map(async ({ answer }) => {
    const { status } = await answer;
    if (status !== 200) lost.push({ pool: "reports", through: "alb", openedAt: at, at, lostAt: clock.now() });
  });
  const kept = flows.map(async (flow) => {
    await flow.untilClosed();
    if (!flow.isBroken) return;
    const target = flow.servedBy ?? "";
    lost.push({ pool: "tcp", through: "nlb", openedAt: startedAt, at: startedAt, lostAt: clock.now(), target });
  });
  const leaving = nodes.slice(0, 10);
  for (const instance of leaving) {
    world.excluded.add(instance.id);
    world.interruptions.interrupt(instance, { lateMs: LATE_MS });
  }
  await scene.untilOff(leaving);
  await Promise.all(long);
  // Those whose machines live do so to the end.
  const answers = await Promise.all(flows.filter(({ isBroken }) => !isBroken).map((flow) => flow.send()));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const [{ sent, losses }] = await Promise.all([
    scene.endTraffic(),
    withService ? scene.untilQueueIsEmpty() : undefined,
  ]);
  for (const flow of flows) flow.leave();
  await Promise.all(kept);
  for (const { to, ...loss } of losses) {
    const pool = to as keyof typeof THROUGH;
    lost.push({ pool, through: THROUGH[pool], ...loss });
  }
  const causes = lost.map((loss) => causeOf(loss, departedFrom(scene, loss.pool), world.timing));
  const saved = losses.filter(({ to }) => to in QUARTER_SPARES);
  const unsaved = lostByTheProduct(saved, QUARTER_SPARES).map(({ to }) => to);
  const byPool = { web: 0, reports: 0, tcp: 0, legacy: 0 };
  for (const { pool } of lost) byPool[pool] += 1;
  return {
    unsaved,
    scene,
    sent: sent + LONG_REQUESTS + KEPT_FLOWS,
    lost: lost.length,
    causes: countCauses(causes),
    byPool,
  };
}

function departedFrom({ nodes, books }: DepartureScene, pool: string): readonly Departed[] {
  return nodes.flatMap(({ id, terminatedAt: diedAt }) => {
    if (diedAt === undefined) return [];
    const deregisteredAt = books.find((entry) => entry.pool === pool && entry.target === id)?.at;
    return [{ id, diedAt, deregisteredAt }];
  });
}

test("EC2 takes 10 of 20 nodes back at once: nothing is lost but what no notice of this length can save, and less than without us", {
  timeout: TIMEOUT_MS,
}, async () => {
  const [withUs, without] = await Promise.all([reclaim(true), ALL_CASES ? reclaim(false) : undefined]);
  const { scene, causes, unsaved } = withUs;
  console.log(tableOf({ "with the service": withUs, ...(without && { "without it": without }) }));

  // All that could be done was done, and in time.
  const warnedAt = (scene.nodes[0]?.terminatedAt ?? 0) - NOTICE_MS;
  const deregistered = scene.books.map(({ pool, target }) => `${target} ${pool}`).sort();
  const leaving = scene.nodes.slice(0, 10).map(({ id }) => id);
  expect(deregistered).toEqual(
    leaving.flatMap((id) =>
      Object.keys(THROUGH)
        .sort()
        .map((pool) => `${id} ${pool}`),
    ),
  );
  for (const { at } of scene.books) expect(at - warnedAt).toBeLessThan(PROMPT_MS);
  expect(causes["any other"]).toBe(0);
  expect(unsaved).toEqual([]);
  // Each cause is met: they are no excuses for what does not happen.
  expect(Object.values(causes).filter((count) => count > 0)).toHaveLength(3);
  expect(causes["in flight on an ALB's target at its death"]).toBeLessThanOrEqual(LONG_REQUESTS);

  if (without === undefined) return;
  expect(without.causes["any other"]).toBe(without.lost);
  for (const pool of ["web", "legacy", "tcp"] as const) expect(without.byPool[pool]).toBeGreaterThan(0);
  expect(withUs.lost).toBeLessThan(without.lost);
});

function tableOf(runs: Readonly<Record<string, Reclaim>>): string {
  return Object.entries(runs)
    .map(([name, { sent, lost, byPool, causes }]) => `${name}: ${JSON.stringify({ sent, lost, byPool, causes })}`)
    .join("\n");
}
