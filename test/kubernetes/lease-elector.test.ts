import { describe, expect, onTestFinished, test } from "vitest";
import { newAbort, whenAborted } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";
import type { DrainError } from "../../src/drain/errors.ts";
import type { ElectionState, Leadership } from "../../src/drain/leadership.ts";
import type { Lease } from "../../src/kubernetes/lease.ts";
import { LeaseElector, type LeaseElectorOptions } from "../../src/kubernetes/lease-elector.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, refusal } from "../support/fake-api-server.ts";

const LEASES = "/apis/coordination.k8s.io/v1/namespaces/hlv/leases";
const NAME = "hasta-la-vista";
const SECOND_MS = 1_000;

interface Replica {
  readonly elector: LeaseElector;
  readonly stop: AbortController;
  readonly states: ElectionState[];
  readonly terms: Leadership[];
  /** Ends the work of the current term. */
  leadsUntil: AbortController;
  /** Resolves when `run` has. */
  readonly ended: Promise<string>;
}

/** An API server, and replicas that lead until they are told to stop or their term is over. */
async function scene() {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  const replica = async (identity: string, more: Partial<LeaseElectorOptions> = {}): Promise<Replica> => {
    const states: ElectionState[] = [];
    const elector = new LeaseElector({
      server: await clientOf(fake, more.clock ?? clock),
      clock,
      namespace: "hlv",
      name: NAME,
      identity,
      self: () => ({ address: `https://${identity}:8080`, fingerprint: "ab" }),
      onState: (state) => states.push(state),
      random: () => 0.5,
      ...more,
    });
    const stop = newAbort();
    onTestFinished(() => stop.abort());
    const terms: Leadership[] = [];
    const made = { elector, stop, states, terms, leadsUntil: newAbort() };
    const lead = async (term: Leadership) => {
      terms.push(term);
      made.leadsUntil = newAbort();
      const ends = [term.over, stop.signal, made.leadsUntil.signal].map((end) => whenAborted(end));
      await Promise.race(ends).catch(() => {});
    };
    const ended = elector.run(lead, stop.signal).then(
      () => "ended",
      (error: Error) => error.message,
    );
    return Object.assign(made, { ended });
  };
  const lease = () => fake.stored(LEASES, NAME) as Lease | undefined;
  const isLeading = ({ terms }: Replica) => terms.at(-1)?.over.aborted === false;
  return { clock, fake, replica, lease, isLeading };
}

const reason = (term: Leadership | undefined) => (term?.over.reason as DrainError | undefined)?.message;

describe("a Lease gives one replica at a time the lead:", () => {
  test("the first one creates it as Kubernetes' own components do, and the second one knows where the first one is", async () => {
    const { clock, replica, lease, isLeading } = await scene();
    const first = await replica("first");
    await clock.advance(SECOND_MS);
    const second = await replica("second");
    await clock.advance(60 * SECOND_MS);
    expect([isLeading(first), isLeading(second)]).toEqual([true, false]);
    expect(lease()).toMatchObject({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      spec: { holderIdentity: "first", leaseDurationSeconds: 15, leaseTransitions: 0 },
    });
    const { acquireTime = "", renewTime = "" } = lease()?.spec ?? {};
    for (const time of [acquireTime, renewTime]) expect(time).toMatch(/^2026-01-01T00:0\d:\d\d\.\d{6}Z$/);
    expect(Date.parse(renewTime) - Date.parse(acquireTime)).toBeGreaterThan(55 * SECOND_MS);
    const known = { identity: "first", address: "https://first:8080", fingerprint: "ab" };
    expect([first.elector.leader, second.elector.leader]).toEqual([known, known]);
    expect([...first.states, ...second.states]).toEqual([]);
  });

  test("it is renewed every two seconds, by one request", async () => {
    const { clock, fake, replica } = await scene();
    await replica("only");
    await clock.advance(SECOND_MS);
    const before = fake.requests.length;
    await clock.advance(60 * SECOND_MS);
    const methods = fake.requests.slice(before).map(({ method }) => method);
    expect(methods).toEqual(Array(30).fill("PUT"));
  });

  test("of ten that begin at the same time one leads", async () => {
    const { clock, replica, isLeading } = await scene();
    const all = await Promise.all(Array.from({ length: 10 }, (_, at) => replica(`replica-${at}`)));
    await clock.advance(30 * SECOND_MS);
    expect(all.filter(isLeading)).toHaveLength(1);
    expect(all.flatMap(({ terms }) => terms)).toHaveLength(1);
  });

  test("a leader that stops hands it over within a retry period, and the term's number grows", async () => {
    const { clock, replica, lease, isLeading } = await scene();
    const first = await replica("first");
    await clock.advance(SECOND_MS);
    const second = await replica("second");
    await clock.advance(5 * SECOND_MS);
    const changes: (string | undefined)[] = [];
    second.elector.onChange(() => changes.push(second.elector.leader?.identity));
    first.stop.abort();
    expect(await clock.run(first.ended)).toBe("ended");
    expect(lease()?.spec).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1 });
    expect(lease()?.metadata?.annotations).toEqual({});
    await clock.advance(2 * SECOND_MS);
    expect(isLeading(second)).toBe(true);
    expect(lease()?.spec).toMatchObject({ holderIdentity: "second", leaseDurationSeconds: 15, leaseTransitions: 1 });
    expect(second.terms[0]?.number).toBe(1);
    expect(changes).toEqual([undefined, "second"]);
  });

  test("one that leads no more on its own account may be the next one", async () => {
    const { clock, replica, isLeading } = await scene();
    const only = await replica("only");
    await clock.advance(SECOND_MS);
    only.leadsUntil.abort();
    await clock.advance(2 * SECOND_MS);
    expect(only.terms.map(({ number }) => number)).toEqual([0, 1]);
    expect(isLeading(only)).toBe(true);
  });

  test("work that fails ends the campaign, and others lead", async () => {
    const { clock, fake, replica, isLeading } = await scene();
    const elector = new LeaseElector({
      ...{ server: await clientOf(fake, clock), clock, namespace: "hlv", name: NAME, identity: "failing" },
    });
    const failed = elector.run(() => Promise.reject(new Error("the directory is full")), newAbort().signal);
    await expect(clock.run(failed)).rejects.toThrow("the directory is full");
    const other = await replica("other");
    await clock.advance(SECOND_MS);
    expect(isLeading(other)).toBe(true);
  });
});

describe("a leader that does not renew", () => {
  test("is replaced 15 s after its last renewal was seen, and has ended its term 5 s before", async () => {
    const { clock, fake, replica, isLeading } = await scene();
    const first = await replica("first");
    await clock.advance(SECOND_MS);
    const second = await replica("second");
    await clock.advance(10 * SECOND_MS);
    const written = new Set<unknown>(["first", ""]);
    fake.intercept = ({ body }) => (written.has((body as Lease)?.spec?.holderIdentity) ? "drop" : undefined);
    const cutAt = clock.now();
    const endedAt = whenAborted(first.terms[0]?.over ?? newAbort().signal).catch(() => clock.now());
    await clock.advance(9.9 * SECOND_MS);
    expect(isLeading(second)).toBe(false);
    await clock.advance(10 * SECOND_MS);
    expect(isLeading(second)).toBe(true);
    expect((await endedAt) - cutAt).toBeGreaterThanOrEqual(8 * SECOND_MS);
    expect((await endedAt) - cutAt).toBeLessThanOrEqual(10 * SECOND_MS);
    expect(reason(first.terms[0])).toMatch(
      /^this replica is not the leader any more: the Lease hlv\/hasta-la-vista was not renewed within 10 s: PUT .* could not be reached/,
    );
    expect(() => first.terms[0]?.check()).toThrow(expect.objectContaining({ code: "not-leader" }));
  });

  test("counts its term from when the renewal was sent, however late the answer comes", async () => {
    const { clock, fake, replica } = await scene();
    const only = await replica("only");
    await clock.advance(SECOND_MS);
    const [term] = only.terms;
    fake.isStopped = true;
    await clock.advance(8.9 * SECOND_MS);
    expect(() => term?.check()).not.toThrow();
    await clock.advance(2.2 * SECOND_MS);
    expect(() => term?.check()).toThrow("not the leader any more");
    expect(only.states.map(({ kind }) => kind)).toEqual(["failing"]);
    fake.isStopped = false;
    await clock.advance(20 * SECOND_MS);
    expect(only.states.map(({ kind }) => kind)).toEqual(["failing", "recovered"]);
    expect(only.terms).toHaveLength(2);
  });

  test("and stood still meanwhile, as after SIGSTOP, knows at once that its term is over", async () => {
    const { clock, fake, replica, isLeading } = await scene();
    const stopped = new StoppableClock(clock);
    const first = await replica("first", { clock: stopped });
    await clock.advance(SECOND_MS);
    const second = await replica("second");
    await clock.advance(5 * SECOND_MS);
    const [term] = first.terms;
    expect(() => term?.check()).not.toThrow();
    stopped.isStopped = true;
    const before = fake.requests.length;
    await clock.advance(60 * SECOND_MS);
    expect(isLeading(second)).toBe(true);
    // Nothing of this process has run since: the first line that does asks.
    expect(term?.over.aborted).toBe(false);
    expect(() => term?.check()).toThrow("was not renewed within 10 s");
    expect(term?.over.aborted).toBe(true);
    stopped.isStopped = false;
    await clock.advance(20 * SECOND_MS);
    expect(fake.requests.slice(before).some(({ body }) => (body as Lease)?.spec?.holderIdentity === "first")).toBe(
      false,
    );
    expect([isLeading(first), isLeading(second)]).toEqual([false, true]);
    expect(first.elector.leader?.identity).toBe("second");
  });
});

test.each([
  ["ahead", 3_600_000],
  ["behind", -3_600_000],
])("a replica whose clock is an hour %s takes no lease that is held, and keeps its own", async (_, shiftMs) => {
  const { clock, replica, isLeading, lease } = await scene();
  const first = await replica("first");
  await clock.advance(SECOND_MS);
  const shifted = await replica("shifted", { clock: new ShiftedClock(clock, shiftMs) });
  await clock.advance(60 * SECOND_MS);
  expect([isLeading(first), isLeading(shifted)]).toEqual([true, false]);
  first.stop.abort();
  await clock.advance(3 * SECOND_MS);
  const third = await replica("third");
  await clock.advance(60 * SECOND_MS);
  expect([isLeading(shifted), isLeading(third)]).toEqual([true, false]);
  expect(lease()?.spec?.leaseTransitions).toBe(1);
});

describe("a leader", () => {
  async function led() {
    const at = await scene();
    const first = await at.replica("first");
    await at.clock.advance(SECOND_MS);
    const change = (spec: Lease["spec"]) => {
      const now = at.lease();
      at.fake.put(LEASES, { ...now, spec: { ...now?.spec, ...spec } } as Lease);
    };
    return { ...at, first, change };
  }

  test("whose Lease another program has changed renews it all the same, and keeps what was written", async () => {
    const { clock, fake, lease, first, isLeading } = await led();
    const now = lease();
    const metadata = { ...now?.metadata, annotations: { ...now?.metadata?.annotations, owner: "platform" } };
    fake.put(LEASES, { ...now, metadata } as Lease);
    await clock.advance(30 * SECOND_MS);
    expect(isLeading(first)).toBe(true);
    expect(lease()?.metadata?.annotations).toMatchObject({ owner: "platform", "hasta-la-vista.io/address": /first/ });
  });

  test("whose Lease another one holds ends its term at once", async () => {
    const { clock, first, change } = await led();
    change({ holderIdentity: "other", renewTime: "2026-01-01T00:00:09.000000Z" });
    await clock.advance(2 * SECOND_MS);
    expect(reason(first.terms[0])).toBe(
      "this replica is not the leader any more: the Lease hlv/hasta-la-vista is held by 'other' now",
    );
    // `other` never renews.
    await clock.advance(20 * SECOND_MS);
    expect(first.terms).toHaveLength(2);
  });

  test("whose Lease an operator has released ends its term at once, and may lead again", async () => {
    const { clock, first, change, isLeading } = await led();
    change({ holderIdentity: "" });
    await clock.advance(2 * SECOND_MS);
    expect(reason(first.terms[0])).toContain("was released by another program");
    await clock.advance(5 * SECOND_MS);
    expect(isLeading(first)).toBe(true);
  });

  test("whose Lease was deleted creates it, and goes on", async () => {
    const { clock, fake, lease, first, isLeading } = await led();
    fake.remove(LEASES, NAME);
    await clock.advance(3 * SECOND_MS);
    expect(lease()?.spec).toMatchObject({ holderIdentity: "first", leaseTransitions: 0 });
    expect(isLeading(first)).toBe(true);
    expect(first.terms).toHaveLength(1);
  });

  test("that steps down leaves the lead to another replica", async () => {
    const { clock, first, replica, isLeading } = await led();
    const second = await replica("second");
    await clock.advance(5 * SECOND_MS);
    first.elector.stepDown("its node is being drained");
    expect(reason(first.terms[0])).toBe("this replica is not the leader any more: its node is being drained");
    await clock.advance(60 * SECOND_MS);
    expect([isLeading(first), isLeading(second)]).toEqual([false, true]);
    expect(first.terms).toHaveLength(1);
  });

  test("that steps down leads again where none of the others has done so for 15 s", async () => {
    const { clock, first, isLeading } = await led();
    first.elector.stepDown("its node is being drained");
    await clock.advance(14 * SECOND_MS);
    expect(isLeading(first)).toBe(false);
    await clock.advance(4 * SECOND_MS);
    expect(isLeading(first)).toBe(true);
  });
});

test("a replica that is reluctant leads only once the Lease has been free for 15 s", async () => {
  const { clock, replica, isLeading } = await scene();
  const reluctant = await replica("reluctant", { isReluctant: () => true });
  await clock.advance(14 * SECOND_MS);
  expect(isLeading(reluctant)).toBe(false);
  await clock.advance(4 * SECOND_MS);
  expect(isLeading(reluctant)).toBe(true);
});

describe("a replica takes a Lease", () => {
  test.each<[string, Lease]>([
    ["without a spec", {}],
    ["without a holder", { spec: { holderIdentity: "", leaseDurationSeconds: 15 } }],
    ["with values of other kinds", { spec: { holderIdentity: 7, leaseTransitions: "many" } as never }],
  ])("%s", async (_, { spec }) => {
    const { clock, fake, replica, isLeading } = await scene();
    fake.put(LEASES, { metadata: { name: NAME, namespace: "hlv" }, spec } as Lease);
    const only = await replica("only");
    await clock.advance(SECOND_MS);
    expect(isLeading(only)).toBe(true);
  });

  test.each([
    ["of a holder that is gone after as long as it says", 30, 29, 32],
    ["that says no sensible length after 15 s", 1e9, 14, 17],
  ])("%s", async (_, leaseDurationSeconds, notYet, then) => {
    const { clock, fake, replica, isLeading } = await scene();
    const spec = { holderIdentity: "gone", leaseDurationSeconds, renewTime: "2020-01-01T00:00:00.000000Z" };
    fake.put(LEASES, { metadata: { name: NAME, namespace: "hlv" }, spec } as Lease);
    const only = await replica("only");
    await clock.advance(notYet * SECOND_MS);
    expect(isLeading(only)).toBe(false);
    await clock.advance((then - notYet) * SECOND_MS);
    expect(isLeading(only)).toBe(true);
  });
});

test.each([
  ["may not be written", ["POST", "PUT"]],
  ["may not be read", ["GET"]],
])("a Lease that %s is named once with the permission, and led by as soon as it may be", async (_, methods) => {
  const { clock, fake, replica, isLeading } = await scene();
  fake.intercept = ({ method }) => (methods.includes(method) ? refusal(403, "Forbidden", "no leases") : undefined);
  const only = await replica("only");
  await clock.advance(60 * SECOND_MS);
  expect(only.terms).toEqual([]);
  expect(only.states).toMatchObject([
    { kind: "failing", error: { message: expect.stringMatching(/rbac' prints the role$/) } },
  ]);
  fake.intercept = () => undefined;
  await clock.advance(3 * SECOND_MS);
  expect(isLeading(only)).toBe(true);
  expect(only.states.map(({ kind }) => kind)).toEqual(["failing", "recovered"]);
});

test("a replica that stops while it takes the Lease leaves it free", async () => {
  const { clock, fake, replica, lease } = await scene();
  const only = await replica("only");
  fake.intercept = ({ method }) => {
    if (method === "POST") only.stop.abort();
    return undefined;
  };
  expect(await clock.run(only.ended)).toBe("ended");
  expect(lease()?.spec?.holderIdentity).toBe("");
  expect(only.terms).toEqual([]);
});

/** A process that stands still: none of its waits end, and its clock goes on. */
class StoppableClock implements Clock {
  isStopped = false;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  turn(): Promise<void> {
    return this.#clock.turn();
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
    while (this.isStopped) await this.#clock.sleep(SECOND_MS, signal);
  }
}

class ShiftedClock implements Clock {
  readonly #clock: Clock;
  readonly #shiftMs: number;

  constructor(clock: Clock, shiftMs: number) {
    this.#clock = clock;
    this.#shiftMs = shiftMs;
  }

  now(): number {
    return this.#clock.now() + this.#shiftMs;
  }

  turn(): Promise<void> {
    return this.#clock.turn();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }
}
