import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { lineOf } from "../../src/ledger/lines.ts";
import { ALL_CASES } from "../support/cases.ts";
import { CrashScene, HOLDS_MS, REQUESTS_MIN, SPARES, type Told } from "../support/crash-scene.ts";
import { EntriesOf } from "../support/ledger-entries.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import { VPC } from "../support/simulated-region.ts";

/** A cell takes about ten seconds, most of which it waits. */
const SIDE_BY_SIDE = 3;
/** A busy machine is no failure. */
const TIMEOUT_MS = 600_000;
/** The service's moments are whole milliseconds. */
const ROUNDING_MS = 2;
/** A ledger of more drains that have ended is written anew with the next entry. */
const ENDED_BEFORE = 15_001;

/** Runs a scene, up to the point where somebody may let the machine go. Throws what is wrong. */
type Cell = (scene: CrashScene) => Promise<void>;

/** What is wrong, cell by cell. Unless all cases are asked for, the first cell stands for the others. */
async function faultsOf(cells: Readonly<Record<string, Cell>>): Promise<readonly string[]> {
  const faults: string[] = [];
  const waiting = Object.entries(cells).slice(0, ALL_CASES ? undefined : 1);
  const runner = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, run] = next;
      try {
        await run(await CrashScene.open());
      } catch (error) {
        faults.push(`${name}: ${(error as Error).message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, runner));
  return faults;
}

/** Kills the service that drains the node when it is time; and then whatever `next` starts, until one is left alone. */
function killed(isTime: (scene: CrashScene) => boolean, ...next: readonly ((scene: CrashScene) => boolean)[]): Cell {
  return async (scene) => {
    const service = await scene.start();
    const first = service.drain();
    await scene.killWhen(service.child, () => isTime(scene));
    for (const isNextTime of next) await scene.startDoomed(() => isNextTime(scene));
    await goesOn(scene, await first);
  };
}

/** The next process takes the drain up, and ends it as if nothing had happened. `first`: what its caller was told. */
async function goesOn(scene: CrashScene, first: Told): Promise<void> {
  const atDeath = scene.entries().filter(isOurs);
  // From now on the ledger alone knows that the NLB still sends connections.
  await scene.forgotten();
  const service = await scene.start();
  const repeated = await service.drain();
  const { losses, sent } = await scene.letGo();
  service.child.signal("SIGTERM");
  await service.child.finished;

  const lost = lostByTheProduct(losses, SPARES);
  expect(lost, `requests that clients have lost: ${JSON.stringify(lost)}`).toEqual([]);
  expect(sent).toBeGreaterThan(REQUESTS_MIN);
  expect(repeated.status, "the answer to the caller who asks again").toBe(200);
  const entries = scene.entries().filter(isOurs);
  const id = entries[0]?.drain ?? "";
  if (first.drainId !== undefined) expect(first.drainId, "the drain that was promised").toBe(id);
  expectEndedOnce(of(entries, id));
  expectHeld(scene, of(entries, id));
  expect(scene.books.map(({ pool, target }) => `${pool} ${target}`).sort(), "AWS's books").toEqual(
    ["legacy", "tcp", "web"].map((pool) => `${pool} ${scene.leaving.id}`),
  );
  // Whoever asks once it has ended, asks for another one.
  if (ended(atDeath)) expect(repeated.drainId).not.toBe(id);
  else expect([repeated.drainId, new Set(entries.map(({ drain }) => drain)).size], "joined").toEqual([id, 1]);
  expect(entries.slice(0, atDeath.length), "what was written stays").toEqual(atDeath);
}

function expectEndedOnce(entries: readonly LedgerEntry[]): void {
  expect(
    entries.map(({ n }) => n),
    "entries, each once",
  ).toEqual(entries.map((_, index) => index + 1));
  const ends = entries.filter((entry) => entry.type === "ended");
  expect(ends.map(({ outcome }) => outcome.status)).toEqual(["drained"]);
  expect(entries.at(-1)?.type === "ended" || entries.at(-1)?.type === "joined").toBe(true);
  const results = ends[0]?.outcome.registrations ?? [];
  expect(results.map(({ state, newTrafficStopped }) => [state, newTrafficStopped])).toEqual(
    Array(3).fill(["released", true]),
  );
  const released = entries.flatMap((entry) => (entry.type === "released" ? entry.of : []));
  expect([...released].sort(), "released, each once").toEqual([0, 1, 2]);
}

/** None was let go before its rule allows it, counted from AWS's own acceptance; and what is known is not forgotten. */
function expectHeld({ books }: CrashScene, entries: readonly LedgerEntry[]): void {
  const pools = entries.flatMap((entry) =>
    entry.type === "found" ? entry.registrations.map(({ pool }) => pool.name) : [],
  );
  const since = new Map<number, number>();
  for (const entry of entries) {
    if (entry.type === "deregistered")
      for (const number of entry.of) {
        const at = entry.since ?? entry.at;
        expect(at, `${pools[number]} is held since it was deregistered`).toBe(since.get(number) ?? at);
        since.set(number, at);
      }
    if (entry.type !== "released") continue;
    for (const number of entry.of) {
      const pool = pools[number] ?? "";
      const acceptedAt = books.find((one) => one.pool === pool)?.at ?? Number.POSITIVE_INFINITY;
      const heldMs = entry.at - acceptedAt + ROUNDING_MS;
      expect(heldMs, `${pool} held, in milliseconds`).toBeGreaterThanOrEqual(HOLDS_MS[pool] ?? 0);
    }
  }
}

function ended(entries: readonly LedgerEntry[]): boolean {
  return entries.some(({ type }) => type === "ended");
}

function of(entries: readonly LedgerEntry[], drain: string): readonly LedgerEntry[] {
  return entries.filter((entry) => entry.drain === drain);
}

/** Not what a test has put there before. */
function isOurs({ drain }: LedgerEntry): boolean {
  return !drain.startsWith("d-before-");
}

function has(type: LedgerEntry["type"], count = 1): (scene: CrashScene) => boolean {
  return (scene) => scene.entries().filter((entry) => entry.type === type).length >= count;
}

function wrote(count: number): (scene: CrashScene) => boolean {
  return (scene) => scene.entries().length >= count;
}

function booked(count: number): (scene: CrashScene) => boolean {
  return ({ books }) => books.length >= count;
}

test(
  "after a kill at any entry of the ledger, traffic running, the next process loses nothing and does nothing twice",
  async () => {
    if (!ALL_CASES)
      return expect(await faultsOf({ "the first is deregistered": killed(has("deregistered")) })).toEqual([]);
    const quiet = await CrashScene.open();
    const service = await quiet.start();
    expect(await service.drain()).toMatchObject({ status: 200 });
    expect(lostByTheProduct((await quiet.letGo()).losses, SPARES)).toEqual([]);
    service.child.signal("SIGTERM");
    await service.child.finished;
    const steps = quiet.entries().map(({ type }) => type);
    expect(new Set(steps)).toEqual(new Set(["accepted", "found", "planned", "deregistered", "released", "ended"]));
    const cells = steps.map((type, index) => [`entry ${index + 1} (${type})`, killed(wrote(index + 1))] as const);
    expect(await faultsOf(Object.fromEntries(cells))).toEqual([]);
  },
  TIMEOUT_MS,
);

test.runIf(ALL_CASES)(
  "so it is when the process dies before it has heard of AWS's acceptance, and when the next ones die as well",
  async () => {
    const faults = await faultsOf({
      "found, then in the next one's deregistration": killed(has("found"), booked(3)),
      "AWS accepts the 1st": killed(booked(1)),
      "AWS accepts the 2nd": killed(booked(2)),
      "AWS accepts the 3rd": killed(booked(3)),
      "found, then taken up": killed(has("found"), has("resumed")),
      "deregistered, then taken up, twice": killed(has("deregistered", 3), has("resumed"), has("resumed", 2)),
      "deregistered, then released": killed(has("deregistered", 3), has("released")),
    });
    expect(faults).toEqual([]);
  },
  TIMEOUT_MS,
);

test.runIf(ALL_CASES)(
  "so it is when the process dies while the ledger is written anew",
  async () => {
    const text = Array.from({ length: ENDED_BEFORE }, (_, index) => {
      const before = new EntriesOf(`d-before-${index}`);
      return lineOf(before.accepted()) + lineOf(before.ended());
    }).join("");
    const prepared = (cell: Cell): Cell => {
      return async (scene) => {
        await writeFile(join(scene.folder, "drains.jsonl"), text);
        await cell(scene);
      };
    };
    let hasBegun = false;
    const faults = await faultsOf({
      "the new file is there": prepared(killed((scene) => scene.isCompacting)),
      "the new file has taken the old one's place": prepared(
        killed((scene) => {
          hasBegun ||= scene.isCompacting;
          return hasBegun && !scene.isCompacting;
        }),
      ),
    });
    expect(faults).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "whoever did not wait is promised nothing that a kill could break",
  async () => {
    const faults = await faultsOf({
      async "before the drain is in the ledger"(scene) {
        const service = await scene.start();
        const told = service.drain("&wait=false");
        service.child.signal("SIGKILL");
        await service.child.finished;
        expect(await told).toEqual({ status: "broken" });
        expect(scene.entries()).toEqual([]);
        const next = await scene.start();
        expect(await next.read("/drains")).toMatchObject({ drains: [] });
        next.child.signal("SIGKILL");
        await next.child.finished;
        await goesOn(scene, { status: "broken" });
      },
      async "as the drain is in the ledger"(scene) {
        const service = await scene.start();
        const told = service.drain("&wait=false");
        await scene.killWhen(service.child, () => scene.entries().length > 0);
        await goesOn(scene, await told);
      },
      async "after the 202"(scene) {
        const service = await scene.start();
        const told = await service.drain("&wait=false");
        service.child.signal("SIGKILL");
        await service.child.finished;
        expect(told.status).toBe(202);
        await goesOn(scene, told);
      },
    });
    expect(faults).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "after a kill nothing is deregistered that is in use again, or another machine's by now",
  async () => {
    const faults = await faultsOf({
      async "the drain has ended, and its node was put back"(scene) {
        const { world, leaving } = scene;
        const service = await scene.start();
        void service.drain();
        await scene.killWhen(service.child, () => has("ended")(scene));
        const before = scene.entries();
        for (const group of world.targetGroups.values()) world.registerTarget(group, { id: leaving.id });
        for (const classic of world.classics.values()) world.registerClassic(classic, leaving.id);
        const next = await scene.start();
        expect(await next.read("/drains")).toMatchObject({ drains: [{ status: "ended" }] });
        next.child.signal("SIGTERM");
        await next.child.finished;
        expect(scene.entries()).toEqual(before);
        expect(scene.books).toHaveLength(3);
      },
      async "its address is another machine's"(scene) {
        const { world, leaving } = scene;
        const group = world.addTargetGroup({
          ...{ name: "pods", vpcId: VPC, protocol: "HTTP", port: 8080, targetType: "ip" },
        });
        world.registerTarget(group, { id: leaving.privateIp }, { settled: true });
        const service = await scene.start();
        void service.drain();
        await scene.killWhen(service.child, () => has("planned")(scene));
        world.terminateInstance(leaving);
        // Until then EC2 gives its address to nobody.
        await scene.until(() => leaving.state(world.clock.now(), world.timing) === "terminated");
        world.addInstance({ id: "i-00000000000000009", vpcId: VPC, privateIp: leaving.privateIp });
        const before = scene.books.length;
        world.registerTarget(group, { id: leaving.privateIp });
        const next = await scene.start();
        await scene.until(() => has("ended")(scene));
        next.child.signal("SIGTERM");
        await next.child.finished;
        expect(scene.books).toHaveLength(before);
        expect(
          group.listed(world.clock.now()).map((target) => group.apiHealth(target, world.clock.now()).state),
        ).toEqual(["unused"]);
      },
    });
    expect(faults).toEqual([]);
  },
  TIMEOUT_MS,
);
