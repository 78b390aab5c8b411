import { expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { CloudProvider } from "../../src/drain/cloud-provider.ts";
import { type DrainRecord, drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

/** A cloud, and processes that use it one after the other. */
function scene(guard?: GuardOptions) {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const nodes = ["i-1", "i-2", "i-3"].map((id, number) => cloud.addNode(id, `10.0.0.${number + 1}`));
  const ledger = new MemoryLedger();
  const times = { deadlineMarginMs: 10_000 };
  const life = () => new Drainer({ cloud, clock, ledger, times, ...(guard && { guard }) });
  const ask = (by: Drainer, id: string, signal = never, isVoluntary = false) =>
    by.drain({ node: { by: "id", value: id }, dryRun: false, isVoluntary }, signal);
  const allLeft = async () => (await ledger.unfinished()).flatMap((entries) => drainRecord(entries) ?? []);
  const left = async () => (await allLeft())[0] as DrainRecord;
  /** A process drains the node until its time is over; the next one takes the drain up. */
  const takenUp = async (id: string, isVoluntary = false) => {
    const stop = newAbort();
    const outcome = ask(life(), id, stop.signal, isVoluntary);
    await clock.advance(1_000);
    stop.abort();
    await outcome;
    return { next: life(), record: await left() };
  };
  return { clock, cloud, nodes, ask, left, allLeft, life, takenUp };
}

/** Deregistrations reach the cloud, and nobody hears of it. */
function withoutAnswers(cloud: CloudProvider): () => void {
  const deregister = cloud.deregister.bind(cloud);
  cloud.deregister = async (...call) => {
    await deregister(...call);
    await new Promise(() => {});
  };
  return () => {
    cloud.deregister = deregister;
  };
}

test.each([
  ["while its holds go on", false],
  ["before it has searched", true],
])(
  "a drain that was taken up and is cancelled %s undoes what no earlier process heard the answer of",
  async (_, isSearching) => {
    const { clock, cloud, nodes, takenUp } = scene();
    const web = cloud.addPool("alb", "web", nodes);
    const answer = withoutAnswers(cloud);
    const { next, record } = await takenUp("i-1");
    answer();
    if (isSearching)
      cloud.before = ({ method }, signal) =>
        method === "findRegistrations" && new Promise((_, reject) => signal.addEventListener("abort", reject));
    const resumed = next.resume(record, never);
    await clock.advance(1_000);
    const { registrations } = await clock.run(next.cancel(record.id, undefined, never));
    await resumed;
    expect(registrations).toMatchObject([{ registration: { pool: { id: web.id } }, state: "registered" }]);
    expect(cloud.callsOf("register", web)).toHaveLength(1);
  },
);

test("a drain that was taken up undoes what it had deregistered after others had, and somebody had put it back", async () => {
  const { clock, cloud, nodes, ask, left, life } = scene();
  const web = cloud.addPool("alb", "web", nodes);
  const stop = newAbort();
  cloud.force(web, "draining");
  const outcome = ask(life(), "i-1", stop.signal);
  await clock.advance(5_000);
  cloud.force(web, undefined);
  await clock.advance(5_000);
  expect(cloud.callsOf("deregister", web)).toHaveLength(1);
  stop.abort();
  await outcome;
  const [next, record] = [life(), await left()];
  const resumed = next.resume(record, never);
  await clock.advance(1_000);
  const { registrations } = await clock.run(next.cancel(record.id, undefined, never));
  await resumed;
  expect(registrations).toMatchObject([{ state: "registered" }]);
});

test("a voluntary drain that was taken up counts as one of those that may run at once", async () => {
  const { clock, cloud, nodes, ask, takenUp } = scene({
    minHealthy: { count: 0 },
    waitMs: 0,
    maxVoluntary: { count: 1 },
  });
  cloud.addPool("alb", "web", nodes);
  const { next, record } = await takenUp("i-1", true);
  const resumed = next.resume(record, never);
  await clock.advance(1_000);
  const outcome = await clock.run(ask(next, "i-2", never, true));
  expect(outcome).toMatchObject({ status: "refused", refusal: { reason: "too-many-drains" } });
  await clock.run(resumed);
  expect(await clock.run(ask(next, "i-2", never, true))).toMatchObject({ status: "drained" });
});

test("what a drain that was taken up has still to deregister is relied on by no other drain", async () => {
  const { clock, cloud, nodes, ask, takenUp } = scene({
    minHealthy: { count: 1 },
    waitMs: 0,
    maxVoluntary: { percent: 100 },
  });
  cloud.addPool("alb", "web", nodes);
  const tcp = cloud.addPool("nlb", "tcp", nodes.slice(0, 2));
  cloud.before = ({ method, pool }) => {
    if (method === "deregister" && pool === tcp.id) throw new DrainError("throttled", "later");
  };
  const { next, record } = await takenUp("i-1", true);
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const resumed = next.resume(record, stop.signal);
  await clock.advance(1_000);
  const outcome = await clock.run(ask(next, "i-2", never, true));
  expect(outcome).toMatchObject({ status: "refused", refusal: { pools: [{ pool: { id: tcp.id }, wouldStay: 0 }] } });
  stop.abort();
  await resumed;
});

test("what others have deregistered stays so when a drain is cancelled before its guard has decided", async () => {
  const { clock, cloud, nodes, ask } = scene();
  const guard = { minHealthy: { count: 1 }, waitMs: 0, maxVoluntary: { percent: 100 } };
  const web = cloud.addPool("alb", "web", nodes);
  const tcp = cloud.addPool("nlb", "tcp", nodes);
  cloud.force(web, "draining");
  cloud.before = ({ method }, signal) =>
    method === "healthOf" && new Promise((_, reject) => signal.addEventListener("abort", reject));
  const events: string[] = [];
  const drainer = new Drainer({
    ...{ cloud, clock, guard, ledger: new MemoryLedger() },
    times: { deadlineMarginMs: 10_000 },
    observers: [({ drainId }) => events.push(drainId)],
  });
  const outcome = ask(drainer, "i-1", never, true);
  await clock.advance(1_000);
  const { registrations } = await clock.run(drainer.cancel(events[0] ?? "", undefined, never));
  await outcome;
  const states = new Map(registrations.map(({ registration, state }) => [registration.pool.id, state]));
  expect([states.get(web.id), states.get(tcp.id)]).toEqual(["left", "untouched"]);
  expect(cloud.callsOf("register")).toEqual([]);
});

/** Two drains of one node whose processes have ended. The second one alone has found `api`. */
async function twoLeft({ clock, cloud, nodes, ask, life, allLeft }: ReturnType<typeof scene>, isAnswered = true) {
  const stops = [newAbort(), newAbort()];
  cloud.addPool("alb", "web", nodes);
  const asked: Promise<unknown>[] = [];
  let [api, answer] = [cloud.addPool("alb", "none", []), () => {}];
  for (const [number, { signal }] of stops.entries()) {
    if (number > 0) api = cloud.addPool("alb", "api", nodes);
    if (number > 0 && !isAnswered) answer = withoutAnswers(cloud);
    asked.push(ask(life(), "i-1", signal));
    await clock.advance(5_000);
  }
  for (const stop of stops) stop.abort();
  await Promise.all(asked);
  answer();
  const [first, second] = await allLeft();
  return { api, first: first as DrainRecord, second: second as DrainRecord };
}

test("what two drains that go on as one deregister again is held from then on, also after the next restart", async () => {
  const made = scene();
  const { clock, cloud, life, allLeft } = made;
  const { api, first, second } = await twoLeft(made);
  const stop = newAbort();
  const resumed = life().resume(first, stop.signal, [second]);
  cloud.before = ({ method }) =>
    cloud.force(api, method === "observe" && clock.elapsedMs < 150_000 ? "live" : undefined);
  await clock.advance(170_000);
  const calls = cloud.callsOf("deregister", api);
  expect(calls.length).toBeGreaterThan(1);
  stop.abort();
  await resumed;
  const [again, ...more] = await allLeft();
  await clock.run(life().resume(again as DrainRecord, never, more));
  expect(clock.now()).toBeGreaterThanOrEqual((calls.at(-1)?.at ?? 0) + 300_000);
});

test("two drains that go on as one are cancelled together, with all that either has found", async () => {
  const made = scene();
  const { clock, cloud, life, allLeft } = made;
  const { api, first, second } = await twoLeft(made, false);
  cloud.before = ({ method }, signal) =>
    method === "findRegistrations" && new Promise((_, reject) => signal.addEventListener("abort", reject));
  const next = life();
  const resumed = next.resume(first, never, [second]);
  await clock.advance(1_000);
  const { registrations } = await clock.run(next.cancel(first.id, undefined, never));
  await resumed;
  expect(registrations).toMatchObject([
    { registration: { pool: { id: "pool/web" } }, state: "registered" },
    { registration: { pool: { id: api.id } }, state: "registered" },
  ]);
  expect(cloud.callsOf("register", api)).toHaveLength(1);
  expect(await allLeft()).toEqual([]);
});
