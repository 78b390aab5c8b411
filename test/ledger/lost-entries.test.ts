import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { lineOf } from "../../src/ledger/lines.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { type Finding, openLedger } from "../../src/ledger/open-ledger.ts";
import { closeAtEnd, stateDir } from "../support/ledger-entries.ts";
import { type Life, live } from "../support/lives.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** An NLB may send new connections for so long, though it lists the node for 30 s. */
const HOLD_SECONDS = 210;
const DIES_AFTER_SECONDS = 100;

/** The lines of a ledger, and what is made of them. */
type Damage = (lines: readonly string[], entries: readonly LedgerEntry[]) => readonly string[];

/** Two nodes whose drains a process has begun when it dies, and what it has written of the first one. */
async function crashed() {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  region.group({ name: "tcp", type: "network", nodes: [node, other], delaySeconds: 30 });
  const ledger = new MemoryLedger();
  const first = live(region, ledger);
  for (const { id } of [node, other]) void first.ask(id);
  await region.clock.advance(DIES_AFTER_SECONDS * 1_000);
  first.die();
  const [own = [], others = []] = await ledger.unfinished();
  return { region, node, other, own, others };
}

type Crashed = Awaited<ReturnType<typeof crashed>>;

/** The next process, on a file of what the first one has written, less what `damage` takes away of the first drain. */
async function restarted({ region, own, others }: Crashed, damage: Damage) {
  const folder = await stateDir();
  const damaged = damage(
    own.map((entry) => lineOf(entry)),
    own,
  );
  await writeFile(join(folder, "drains.jsonl"), [...damaged, ...others.map((entry) => lineOf(entry))].join(""));
  const start = async () => {
    const opened = await openLedger(folder, { clock: region.clock });
    closeAtEnd(region.clock, opened.close);
    return { ...opened, life: live(region, opened.ledger) };
  };
  return { start, ...(await start()) };
}

/** How long after the start the node's drain is answered, whether it is resumed or requested. */
async function answeredAfter({ region, node }: Crashed, life: Life): Promise<number> {
  void life.takeUp();
  const outcome = await region.clock.run(life.ask(node.id));
  expect(["drained", "nothing-registered"]).toContain(outcome.status);
  return region.clock.elapsedMs / 1_000;
}

/** What each start says names the drain and its node. */
function expectNamed(findings: readonly Finding[], { own, node }: Crashed): void {
  expect(findings).toContainEqual(expect.objectContaining({ drain: own[0]?.drain, node: node.id }));
}

const without =
  (isLost: (entry: LedgerEntry) => boolean): Damage =>
  (lines, entries) =>
    lines.filter((_, index) => !isLost(entries[index] as LedgerEntry));

/** `with`: the first line of the entries of this type, or of the first entry of all. */
const replaced =
  (type: LedgerEntry["type"], change: (line: string) => string): Damage =>
  (lines, entries) => {
    const index = entries.findIndex((entry) => entry.type === type);
    expect(index).toBeGreaterThanOrEqual(0);
    const changed = change(lines[index] ?? "");
    expect(changed).not.toBe(lines[index]);
    return lines.with(index, changed);
  };

const field = (name: string, value: string) => (line: string) =>
  line.replace(new RegExp(`"${name}":(?:-?[\\d.]+|\\[[^\\]]*\\])`), `"${name}":${value}`);

test("a drain whose entries are whole is held since its deregistration, and nothing is said", async () => {
  const scene = await crashed();
  const { life, findings } = await restarted(scene, (lines) => lines);
  expect(findings).toEqual([]);
  const seconds = await answeredAfter(scene, life);
  expect(seconds).toBeGreaterThanOrEqual(HOLD_SECONDS);
  expect(seconds).toBeLessThan(HOLD_SECONDS + 5);
});

describe("what is missing is held as long as it could be, and its drain and node are named:", () => {
  test.each<LedgerEntry["type"]>(["accepted", "found", "deregistered"])("the %s lines", async (type) => {
    const scene = await crashed();
    const { life, findings } = await restarted(
      scene,
      without((entry) => entry.type === type),
    );
    // The last line of all leaves no gap: what it said was open is held from now on.
    if (type !== "deregistered") expectNamed(findings, scene);
    const seconds = await answeredAfter(scene, life);
    expect(seconds).toBeGreaterThanOrEqual(HOLD_SECONDS);
    // Not longer than if it had been deregistered by the process that died.
    expect(seconds).toBeLessThanOrEqual(DIES_AFTER_SECONDS + HOLD_SECONDS + 10);
  });

  test("all but the first line, as a power failure leaves it", async () => {
    const scene = await crashed();
    const { life } = await restarted(scene, (lines) => lines.slice(0, 1));
    expect(await answeredAfter(scene, life)).toBeGreaterThanOrEqual(HOLD_SECONDS);
  });

  test("a later deregistration, after which the drain seems to hold since the first one", async () => {
    const scene = await crashed();
    const { own } = scene;
    const last = own.at(-1) as LedgerEntry;
    const [again, anew, after] = [1, 2, 3].map((more) => ({ drain: last.drain, n: last.n + more, at: last.at }));
    const later = [
      { ...again, type: "deregistering-again", of: [0], because: "back" },
      { ...anew, type: "deregistered", of: [0] },
      { ...after, at: scene.region.clock.now(), type: "joined", request: { askedAt: scene.region.clock.now() } },
    ] as LedgerEntry[];
    const { life } = await restarted({ ...scene, own: [...own, ...later] }, (lines) => [
      ...lines.slice(0, -3),
      ...lines.slice(-1),
    ]);
    expect(await answeredAfter(scene, life)).toBeGreaterThanOrEqual(DIES_AFTER_SECONDS + HOLD_SECONDS);
  });

  test.each<[string, LedgerEntry["type"], (line: string) => string]>([
    ["a first number of 4000000000", "found", field("first", "4000000000")],
    ["a first number of 1e8", "found", field("first", "1e8")],
    ["a first number that is only wrong", "found", field("first", "7")],
    ["a pool without fields", "found", (line) => line.replace(/"pool":\{[^}]*\}/, '"pool":{}')],
    ["a beginning in the year 3 billion", "accepted", field("startedAt", "1e20")],
    ["a request from before there were clouds", "accepted", field("askedAt", "1000")],
    [
      "a deadline that has passed long ago",
      "accepted",
      (line) => line.replace('"request":{', '"request":{"deadline":5,'),
    ],
    ["a moment that JSON has no number for", "deregistered", field("at", "1e999")],
    ["a moment before the drain", "deregistered", field("at", "1000000000000")],
    ["a hold from before the drain", "deregistered", (line) => line.replace('"of":', '"since":5,"of":')],
    ["registrations that there are not", "deregistered", field("of", "[3]")],
    ["a number that no drain comes to", "deregistered", field("n", "9007199254740991")],
    ["half of a line", "accepted", (line) => `${line.slice(0, line.length / 2)}\n`],
    ["half of a line", "found", (line) => `${line.slice(0, line.length / 2)}\n`],
    ["zeros", "accepted", (line) => `${"\0".repeat(line.length - 1)}\n`],
    ["zeros", "found", (line) => `${"\0".repeat(line.length - 1)}\n`],
    ["zeros", "deregistered", (line) => `${"\0".repeat(line.length - 1)}\n`],
  ])("%s in place of what %s says; the other drain goes on, and no start fails", async (_, type, change) => {
    const scene = await crashed();
    const { region, other, others } = scene;
    const { life } = await restarted(scene, replaced(type, change));
    const joined = life.ask(other.id);
    const seconds = await answeredAfter(scene, life);
    expect(seconds).toBeGreaterThanOrEqual(HOLD_SECONDS);
    expect(await region.clock.run(joined)).toMatchObject({ status: "drained", drainId: others[0]?.drain });
  });

  test("every line, one after the other", async () => {
    const count = (await crashed()).own.length;
    for (let lost = 0; lost < count; lost += 1) {
      const scene = await crashed();
      const { life } = await restarted(scene, (lines) => lines.toSpliced(lost, 1));
      expect(await answeredAfter(scene, life), `line ${lost + 1}`).toBeGreaterThanOrEqual(HOLD_SECONDS);
    }
  });
});

test("a drain whose first line can't be read is set aside, named with its node, and kept in the damaged file", async () => {
  const scene = await crashed();
  const { own, others } = scene;
  const damage = replaced("accepted", field("startedAt", "1e20"));
  const { findings, ledger } = await restarted(scene, damage);
  expectNamed(findings, scene);
  expect(findings[0]?.error).toMatch(/^these lines of the ledger can't be read: 1: the damaged file was kept as/);
  expect(ledger.list(10).map(({ drain }) => drain)).toEqual([others[0]?.drain]);
  expect(await ledger.read(own[0]?.drain ?? "", never)).toBeUndefined();
});

test("what one start has found missing the next one knows, and says nothing of it", async () => {
  const scene = await crashed();
  const { close, start } = await restarted(
    scene,
    without(({ type }) => type === "accepted" || type === "found"),
  );
  await scene.region.clock.outside(close());
  const { life, findings } = await start();
  expect(findings).toEqual([]);
  expect(await answeredAfter(scene, life)).toBeGreaterThanOrEqual(HOLD_SECONDS);
});

test("a registration that a drain was holding when it ended short is held to its end, though no entry names it", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "tcp", type: "network", nodes: [node], delaySeconds: 30 });
  const memory = new MemoryLedger();
  const first = live(region, memory);
  expect((await region.clock.run(first.ask(node.id, { timeoutMs: 60_000 }))).status).toBe("deadline-passed");
  first.die();
  const own = (await memory.read(memory.list(1)[0]?.drain ?? "")) ?? [];
  const scene = { region, node, other: node, own: [...own], others: [] };
  const { life } = await restarted(
    scene,
    without(({ type }) => type === "found"),
  );
  expect(await answeredAfter(scene, life)).toBe(HOLD_SECONDS);
});

test("a line of 40 MB is read past, and the drains of the other lines go on", async () => {
  const scene = await crashed();
  const { own } = scene;
  const long = `{"drain":"${own[0]?.drain}","n":2,"at":1,"type":"found","registrations":"${"x".repeat(40_000_000)}"}\n`;
  const { life, findings, ledger } = await restarted(scene, (lines) => lines.with(1, long));
  expectNamed(findings, scene);
  expect((await ledger.unfinished(never)).length).toBe(2);
  expect(await answeredAfter(scene, life)).toBeGreaterThanOrEqual(HOLD_SECONDS);
});
