import { newAbort } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer, type DrainerOptions } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { GapFinder } from "../../src/ledger/gaps.ts";
import { LedgerIndex } from "../../src/ledger/ledger-index.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { cutOff } from "./cut-off-ledger.ts";
import { FakeCloud } from "./fake-cloud.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { never } from "./simulated-region.ts";

const GUARD: GuardOptions = { minHealthy: { count: 1 }, maxVoluntary: { percent: 100 }, waitMs: 120_000 };
const DAY_MS = 86_400_000;
const THROTTLED = new DrainError("throttled", "slow down");
const UNREACHABLE = new DrainError("unreachable", "the API server does not answer");

/** A cloud and a cluster in memory, and a ledger whose entries are kept as they come. */
class Scene {
  readonly clock = new VirtualClock();
  readonly cloud = new FakeCloud(this.clock);
  readonly cluster = new FakeCluster(() => this.clock);
  readonly ledger = new MemoryLedger();
  readonly told: DrainEvent[] = [];
  readonly #entries: LedgerEntry[];

  constructor(entries: LedgerEntry[]) {
    this.#entries = entries;
  }

  /** A process on the ledger, and its death. */
  life(more: Partial<DrainerOptions> = {}): { readonly drainer: Drainer; readonly die: () => void } {
    const dead = newAbort();
    const { cloud, clock } = this;
    const ledger = cutOff(this.ledger, dead.signal, (entry) => this.#entries.push(entry));
    const times = { deadlineMarginMs: 10_000, hasFastPath: true };
    const observers = [(event: DrainEvent) => dead.signal.aborted || this.told.push(event)];
    return { drainer: new Drainer({ cloud, clock, ledger, times, observers, ...more }), die: () => dead.abort() };
  }

  request(id: string, more: Partial<DrainRequest> = {}): DrainRequest {
    return { node: { by: "id", value: id }, dryRun: false, ...more };
  }

  get now(): number {
    return this.clock.now();
  }

  async lastDrain(): Promise<string> {
    return this.ledger.list(1)[0]?.drain ?? "";
  }
}

/** Troubles on the way, requests that join, and a target that another program registers again and deregisters. */
async function troubled(scene: Scene): Promise<void> {
  const { cloud, clock } = scene;
  const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  const web = cloud.addPool("alb", "web", nodes);
  const tcp = cloud.addPool("nlb", "tcp", nodes, { drainMs: 30_000 });
  cloud.addPool("classic", "old", nodes);
  const gone = cloud.addPool("unattached", "gone", nodes);
  cloud.force(gone, "draining");
  const { drainer } = scene.life();
  cloud.before = ({ method, pool, at }) => {
    const since = (at - scene.now + clock.elapsedMs) / 1_000;
    if (method === "deregister" && pool === web.id && since < 10) throw THROTTLED;
    if (method === "observe" && pool === tcp.id && since > 100 && since < 130) throw THROTTLED;
  };
  const asker = { via: "spot-interruption", event: "e-1", address: "192.0.2.1" };
  const drain = drainer.drain(
    scene.request("i-1", { reason: "spot interruption", asker, deadline: scene.now + 900_000 }),
    never,
  );
  await clock.advance(5_000);
  const joined = drainer.drain(scene.request("i-1", { reason: "retired", timeoutMs: 1_200_000, force: true }), never);
  await clock.advance(30_000);
  cloud.force(web, "live");
  await clock.advance(30_000);
  cloud.force(web, undefined);
  cloud.force(tcp, "draining");
  await clock.advance(20_000);
  cloud.force(tcp, "live");
  await clock.advance(40_000);
  cloud.force(tcp, "draining");
  await clock.advance(20_000);
  cloud.force(tcp, undefined);
  cloud.force(gone, undefined);
  await clock.run(Promise.all([drain, joined]));
}

/** A program that registers a target again whenever it is deregistered. */
async function neverGone(scene: Scene): Promise<void> {
  const { cloud, clock } = scene;
  const web = cloud.addPool("nlb", "web", [cloud.addNode("i-1")]);
  cloud.force(web, "live");
  await clock.run(scene.life().drainer.drain(scene.request("i-1"), never));
}

/** A cluster that fails now and then, around a drain that is cancelled. */
async function cancelled(scene: Scene): Promise<void> {
  const { cloud, clock, cluster } = scene;
  const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  for (const name of ["a", "b", "c"]) cloud.addPool("alb", name, nodes);
  cloud.remembersAll = true;
  let fails = true;
  cluster.before = () => {
    if (fails) throw UNREACHABLE;
  };
  const { drainer } = scene.life({ cluster });
  const drain = drainer.drain(scene.request("i-1"), never);
  await clock.advance(10_000);
  fails = false;
  await clock.advance(30_000);
  cloud.refused.add("i-1:80");
  fails = true;
  const undone = drainer.cancel(
    await scene.lastDrain(),
    { via: "HTTP", address: "192.0.2.7", agent: "curl/8", user: "system:node:a" },
    never,
  );
  await clock.advance(5_000);
  fails = false;
  await clock.run(Promise.all([drain, undone]));
  cloud.refused.clear();
  await clock.run(drainer.cancel(await scene.lastDrain(), undefined, never));
}

/** An NLB that can be left by failing its health checks, until a pool is found that can't. */
async function tainted(scene: Scene): Promise<void> {
  const { cloud, clock, cluster } = scene;
  const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  const checked = { kubeProxyCheckMs: 20_000 };
  cloud.addPool("nlb", "tcp", nodes, { ...checked, keepsUnhealthyMs: Number.POSITIVE_INFINITY });
  const late = cloud.addPool("nlb", "late", nodes, checked);
  cloud.foundLate.add(late.id);
  cloud.searchMs = 20_000;
  cloud.remembersAll = true;
  cluster.before = ({ verb, at }) => {
    const since = at - scene.now + clock.elapsedMs;
    if ((verb === "taint" && since < 500) || (verb === "untaint" && since < 22_000)) throw UNREACHABLE;
  };
  const { drainer } = scene.life({ cluster });
  await clock.run(drainer.drain(scene.request("i-1", { deadline: scene.now + 120_000 }), never));
}

/** Pods that are evicted, one of them late, one of them never. */
async function evicted(scene: Scene): Promise<void> {
  const { cloud, clock, cluster } = scene;
  const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  cloud.addPool("alb", "web", nodes, { drainMs: 60_000 });
  cluster.pods.set("i-1.internal", [
    { pod: "shop/web-1" },
    { pod: "shop/late", allowedFrom: scene.now + 300_000 },
    { pod: "shop/stuck", isStuck: true },
  ]);
  let fails = true;
  cluster.before = ({ verb }) => {
    if (verb === "planEviction" && fails) throw UNREACHABLE;
  };
  const { drainer } = scene.life({ cluster });
  const drain = drainer.drain(scene.request("i-1", { evict: { gracePeriodSeconds: 20 } }), never);
  await clock.advance(10_000);
  fails = false;
  await clock.run(drain);
}

/** What the guard does: waits, goes on, gives up, keeps, refuses. */
async function guarded(scene: Scene): Promise<void> {
  const { cloud, clock } = scene;
  const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  const [one, two] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  const web = cloud.addPool("alb", "web", nodes);
  cloud.addPool("alb", "alone", [one]);
  cloud.unhealthy.add(`${web.id}|${two.id}:80`);
  const pair = cloud.addPool("nlb", "pair", nodes);
  const { drainer } = scene.life({ guard: GUARD });
  await clock.run(drainer.drain(scene.request("i-1", { isVoluntary: true, timeoutMs: 60_000 }), never));
  cloud.before = ({ method, pool }) => {
    if (method === "healthOf" && pool === pair.id) throw THROTTLED;
  };
  const drain = drainer.drain(scene.request("i-1", { deadline: scene.now + 600_000 }), never);
  await clock.advance(30_000);
  cloud.unhealthy.clear();
  await clock.run(drain);
}

/** Processes that die, stop, and take up what was left; and a message that another process has tried before. */
async function takenUp(scene: Scene): Promise<void> {
  const { cloud, clock, ledger } = scene;
  const nodes = ["i-1", "i-2", "i-3", "i-4"].map((id, at) => cloud.addNode(id, `10.0.0.${at + 1}`));
  const web = cloud.addPool("alb", "web", nodes);
  cloud.addPool("nlb", "tcp", nodes);
  cloud.addPool("classic", "old", nodes);
  const takeUp = async (drainer: Drainer) => {
    const records = (await ledger.unfinished()).map(drainRecord).filter((record) => record !== undefined);
    await clock.run(Promise.all(records.map((record) => drainer.resume(record, never))));
  };
  const first = scene.life();
  first.drainer.drain(scene.request("i-1", { deadline: scene.now + 800_000 }), never);
  await clock.advance(20_000);
  first.die();
  await clock.advance(30_000);
  const second = scene.life();
  const stop = newAbort();
  const records = (await ledger.unfinished()).map(drainRecord).filter((record) => record !== undefined);
  const resumed = Promise.all(records.map((record) => second.drainer.resume(record, stop.signal)));
  await clock.advance(100_000);
  stop.abort();
  await clock.run(resumed);
  cloud.force(web, "live");
  await clock.advance(10_000);
  cloud.force(web, undefined);
  await takeUp(scene.life().drainer);
  // Cancelled, and interrupted while it is undone.
  const third = scene.life();
  third.drainer.drain(scene.request("i-2"), never);
  await clock.advance(20_000);
  third.drainer.cancel(await scene.lastDrain(), undefined, never).catch(() => {});
  await clock.advance(1_000);
  third.die();
  await takeUp(scene.life().drainer);
  // Ends short, and its holds go on in the next one, whose message another process has tried.
  const fourth = scene.life();
  await clock.run(fourth.drainer.drain(scene.request("i-3", { timeoutMs: 40_000 }), never));
  await clock.run(fourth.drainer.drain(scene.request("i-3", { firstTriedAt: scene.now - 50_000 }), never));
  cloud.force(web, "draining");
  const again = fourth.drainer.drain(scene.request("i-4", { firstTriedAt: scene.now - 50_000 }), never);
  await clock.advance(20_000);
  cloud.force(web, undefined);
  await clock.run(again);
  await clock.run(fourth.drainer.cancel(await scene.lastDrain(), undefined, never));
}

/** Nothing was heard of it for a day, or of the undo of another. */
async function stale(scene: Scene): Promise<void> {
  const { cloud, clock, ledger } = scene;
  const nodes = [cloud.addNode("i-1"), cloud.addNode("i-2", "10.0.0.2")];
  cloud.addPool("alb", "web", nodes);
  const first = scene.life();
  first.drainer.drain(scene.request("i-1"), never);
  first.drainer.drain(scene.request("i-2"), never);
  await clock.advance(20_000);
  first.drainer.cancel(await scene.lastDrain(), undefined, never).catch(() => {});
  await clock.advance(0);
  first.die();
  await clock.advance(2 * DAY_MS);
  const { drainer } = scene.life();
  const records = (await ledger.unfinished()).map(drainRecord).filter((record) => record !== undefined);
  await clock.run(Promise.all(records.map((record) => drainer.resume(record, never))));
}

/** Each other way to end. */
async function ends(scene: Scene): Promise<void> {
  const { cloud, clock } = scene;
  const nodes = ["i-1", "i-2", "i-3"].map((id, at) => cloud.addNode(id, `10.0.0.${at + 1}`));
  cloud.addNode("i-9", "10.0.0.9");
  cloud.addPool("alb", "web", nodes);
  const { drainer } = scene.life({ registersAgain: true });
  await clock.run(drainer.drain(scene.request("i-9"), never));
  await clock.run(drainer.drain(scene.request("i-1", { deadline: scene.now + 60_000 }), never));
  const goes = drainer.drain(scene.request("i-2"), never);
  await clock.advance(30_000);
  cloud.terminated.add("i-2");
  await clock.run(goes);
  cloud.stopped.add("i-3");
  const stopped = drainer.drain(scene.request("i-3", { holdsWhile: { machine: "stops" } }), never);
  await clock.advance(30_000);
  cloud.stopped.delete("i-3");
  await clock.run(stopped);
  const denied = new DrainError("access-denied", "not authorized");
  cloud.before = ({ method }) => {
    if (method === "findRegistrations") throw denied;
  };
  await clock.run(drainer.drain(scene.request("i-1"), never));
}

const SCENES = { troubled, neverGone, cancelled, tainted, evicted, guarded, takenUp, stale, ends };

/** Drains in which everything happens that a ledger has an entry for, always the same. */
export async function ledgerStory(): Promise<readonly LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  for (const play of Object.values(SCENES)) await play(new Scene(entries));
  const ids = [...new Set(entries.map(({ drain }) => drain))];
  const names = new Map(ids.map((id, index) => [id, `d-${String(index + 1).padStart(10, "0")}`]));
  const named = entries.map((entry) => ({ ...entry, drain: names.get(entry.drain) ?? "" }));
  return [...named, ...gapsIn(named)];
}

/** What a start writes down that finds no beginning of the last drain. */
function gapsIn(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const last = entries.at(-1);
  const finder = new GapFinder();
  for (const entry of entries) if (entry.drain === last?.drain && entry.n > 1) finder.entry(entry);
  return finder.gaps(new LedgerIndex(), last?.at ?? 0).flatMap(({ mark }) => mark ?? []);
}
