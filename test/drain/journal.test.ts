import { expect, test } from "vitest";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { never } from "../support/simulated-region.ts";

/** A node in three ALB pools, and a drainer with a ledger. */
function scene() {
  const drains = new DrainScene();
  const node = drains.cloud.addNode("i-1");
  for (const name of ["a", "b", "c"]) drains.cloud.addPool("alb", name, [node]);
  const ledger = new MemoryLedger();
  const { cloud, clock } = drains;
  const drainer = new Drainer({ cloud, clock, ledger, times: { deadlineMarginMs: 10_000 } });
  const ask = () => drainer.drain(drains.request("i-1"), never);
  const steps = async () => (await ledger.read(ledger.list(1)[0]?.drain ?? "")) ?? [];
  return { ...drains, cloud, clock, node, ask, steps, ledger };
}

test("what happens to many registrations at one moment is one step", async () => {
  const { clock, cloud, ask, steps } = scene();
  const drain = ask();
  await clock.advance(30_000);
  cloud.terminated.add("i-1");
  await clock.run(drain);
  expect((await steps()).filter(({ type }) => type === "released")).toMatchObject([{ of: [0, 1, 2] }]);
});

test("what fails again and again in one way is written down once, until it has worked or fails in another", async () => {
  const { clock, cloud, ask, steps } = scene();
  let code: "throttled" | "unavailable" | undefined = "throttled";
  cloud.before = ({ method }) => {
    if (method === "deregister" && code !== undefined) throw new DrainError(code, "no");
  };
  const drain = ask();
  await clock.advance(60_000);
  code = "unavailable";
  await clock.advance(60_000);
  code = undefined;
  await clock.run(drain);
  const failed = (await steps()).flatMap((step) => (step.type === "deregister-failed" ? [step] : []));
  const told = (wanted: string) => failed.filter(({ error }) => error.code === wanted).flatMap(({ of }) => of);
  expect([told("throttled").sort(), told("unavailable").sort()]).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
});

test("what has come back and left again unseen counts as come back in the ledger, too", async () => {
  const { clock, cloud, node, ask, steps } = scene();
  const tcp = cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
  const drain = ask();
  await clock.advance(200_000);
  cloud.force(tcp, "draining");
  await clock.advance(20_000);
  cloud.force(tcp, undefined);
  const record = drainRecord(await steps());
  expect(record?.registrations.at(-1)).toMatchObject({ registration: { pool: { id: tcp.id } }, cameBack: 1 });
  await clock.run(drain);
});

test("two hundred of those who join are written down, and the others join all the same", async () => {
  const { clock, ask, steps } = scene();
  const outcomes = await clock.run(Promise.all(Array.from({ length: 300 }, ask)));
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["drained"]));
  const types = (await steps()).map(({ type }) => type);
  expect(types.filter((type) => type === "joined")).toHaveLength(200);
  expect(types.filter((type) => type === "accepted")).toHaveLength(1);
});

test("a drain leaves nothing behind in its ledger's time, either", async () => {
  const { clock, ask } = scene();
  await clock.run(ask());
  await clock.advance(0);
  expect(clock.sleeping).toBe(0);
});
