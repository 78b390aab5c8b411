import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { JointEviction } from "../../src/drain/eviction.ts";
import type { EvictionStep } from "../../src/drain/steps.ts";
import { KubernetesCluster } from "../../src/kubernetes/kubernetes-cluster.ts";
import type { KubernetesObject, Pod } from "../../src/kubernetes/objects.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, refusal } from "../support/fake-api-server.ts";
import { FakePods, pod } from "../support/fake-pods.ts";
import { never } from "../support/simulated-region.ts";

const ID = "i-0123456789abcdef0";
const MEMBER = { id: ID, name: "node-1" };

const DAEMON = [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "agent", uid: "d", controller: true }];

/** An API server that evicts as a real one does, with a kubelet that ends pods in their time. */
async function scene(pods: readonly Pod[]) {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  fake.put("/api/v1/nodes", {
    metadata: { name: "node-1" },
    spec: { providerID: `aws:///eu-west-1a/${ID}` },
  } as KubernetesObject);
  const { asked, answers, there, endsAt } = new FakePods(fake, clock, pods);
  const start = clock.now();
  const seconds = () => (clock.now() - start) / 1_000;
  const cluster = new KubernetesCluster({ server: await clientOf(fake, clock), clock });
  const events: EvictionStep[] = [];
  const evict = async (options: JointEviction = {}, signal = never) =>
    whileTimePasses(
      clock,
      cluster.evict(MEMBER, options, (event) => events.push(event), signal),
    );
  return { clock, fake, cluster, events, evict, asked, answers, there, endsAt, seconds };
}

/** Sockets take real time, in which the virtual one stands still. */
async function whileTimePasses<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const done = work.finally(() => {
    isOver = true;
  });
  done.catch(() => {});
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve));
    await settled();
    if (!isOver) await clock.advance(500);
  }
  return done;
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe("the eviction of a node's pods", () => {
  test("cordons the node, evicts each pod by its uid, and resolves once all are gone", async () => {
    const { evict, asked, events, fake } = await scene([pod("a"), pod("b", { grace: 5 }), pod("else", { node: "n2" })]);
    await evict();
    const cordon = fake.requests.find(({ method, path }) => method === "PATCH" && path.endsWith("/nodes/node-1"));
    expect(cordon?.query.get("fieldManager")).toBe("hasta-la-vista-cordon");
    expect(cordon?.body).toMatchObject({ spec: { unschedulable: true } });
    expect(asked.map((one) => one.pod)).toEqual(["a", "b"]);
    expect(asked[0]?.body).toMatchObject({
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "a", namespace: "shop" },
      deleteOptions: { preconditions: { uid: "uid-of-a" } },
    });
    expect(events).toEqual([
      { type: "evicting", pods: ["shop/a", "shop/b"] },
      { type: "evicted", pods: ["shop/b"] },
      { type: "evicted", pods: ["shop/a"] },
    ]);
  });

  test("evicts a pod that was put there before the scheduler knew of the cordon, unless the options don't allow it", async () => {
    const { evict, asked, answers, there, events } = await scene([pod("a", { grace: 0 })]);
    answers.set("a", () => {
      for (const late of [pod("late", { grace: 0 }), pod("late-data", { emptyDir: true })])
        there.set(late.metadata?.name ?? "", late);
      return undefined;
    });
    await expect(evict()).rejects.toMatchObject({
      message: expect.stringMatching(/^1 pod was not evicted: shop\/late-data \(the data in emptyDir/),
    });
    expect(asked.map((one) => one.pod)).toEqual(["a", "late"]);
    expect(events).toContainEqual({ type: "evicted", pods: ["shop/late"] });
  });

  test("reads the pods once, for the targets and the plan of a drain, and once before it asks them to go", async () => {
    const { clock, cluster, evict, fake } = await scene([pod("a", { grace: 0 })]);
    const lists = () => fake.requests.filter(({ path }) => path === "/api/v1/pods").length;
    const begins = Promise.all([cluster.podsOf(MEMBER, "now", never), cluster.planEviction(MEMBER, {}, never)]);
    await whileTimePasses(clock, begins);
    expect(lists()).toBe(1);
    await clock.advance(60_000);
    const asking = () => fake.requests.findIndex(({ path }) => path.endsWith("/eviction"));
    await evict();
    const before = fake.requests.slice(0, asking()).filter(({ path }) => path === "/api/v1/pods");
    expect(before).toHaveLength(2);
  });

  test("leaves DaemonSet and mirror pods, takes finished pods, and waits for one that is terminating", async () => {
    const { evict, asked, there } = await scene([
      pod("agent", { owners: DAEMON, emptyDir: true }),
      pod("etcd", { owners: [], annotations: { "kubernetes.io/config.mirror": "x" } }),
      pod("job", { owners: [], phase: "Succeeded", emptyDir: true }),
      pod("old-agent", { owners: DAEMON, phase: "Failed" }),
    ]);
    await evict();
    expect(asked.map((one) => one.pod)).toEqual(["job", "old-agent"]);
    expect([...there.keys()]).toEqual(["agent", "etcd"]);
  });

  test("waits for a pod that is terminating, and asks nothing of it", async () => {
    const of = await scene([pod("going", { deletionTimestamp: "2026-01-01T00:00:00Z" })]);
    of.endsAt.set("going", of.clock.now() + 20_000);
    await of.evict();
    expect(of.asked).toEqual([]);
    expect(of.seconds()).toBeGreaterThanOrEqual(20);
  });

  test("asks those with the longest time to end first", async () => {
    const { evict, asked } = await scene([
      pod("short", { grace: 5 }),
      pod("long", { grace: 60 }),
      pod("own", { grace: 30 }),
    ]);
    await evict();
    expect(asked.map((one) => one.pod)).toEqual(["long", "own", "short"]);
  });

  test.each([
    ["after the time that the API server gives", 10, 10],
    ["after five seconds where it gives none", undefined, 5],
  ])("tries a pod again whose budget is spent, %s", async (_, retryAfterSeconds, waited) => {
    const { evict, asked, answers, events } = await scene([pod("a", { grace: 0 })]);
    const headers: Record<string, string> = {};
    if (retryAfterSeconds !== undefined) headers["retry-after"] = String(retryAfterSeconds);
    const message = "The disruption budget web needs 3 healthy pods and has 3 currently";
    const details = { causes: [{ reason: "DisruptionBudget", message }] };
    let attempts = 0;
    answers.set("a", () =>
      attempts++ < 2
        ? { ...refusal(429, "TooManyRequests", "Cannot evict pod as it would violate its budget", details), headers }
        : undefined,
    );
    await evict();
    expect(asked).toHaveLength(3);
    const [first, second] = asked.map((one) => one.atSeconds) as [number, number];
    expect(second - first).toBeGreaterThanOrEqual(waited);
    expect(second - first).toBeLessThan(waited + 2);
    // Of refusals alike the first is reported.
    const refused = events.filter(({ type }) => type === "eviction-refused");
    expect(refused).toMatchObject([{ pod: "shop/a", budget: "web", willRetry: true, error: { code: "throttled" } }]);
  });

  test("names a pod that two budgets select, does not ask again, and evicts the others", async () => {
    const { evict, asked, answers, events } = await scene([pod("a"), pod("b", { grace: 1 })]);
    const message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    answers.set("a", () => refusal(500, "InternalError", message));
    await expect(evict()).rejects.toMatchObject({
      code: "not-evicted",
      message: expect.stringMatching(/^1 pod was not evicted: shop\/a \(.*more than one PodDisruptionBudget/),
    });
    expect(asked.filter((one) => one.pod === "a")).toHaveLength(1);
    expect(events).toContainEqual({ type: "evicted", pods: ["shop/b"] });
    expect(events).toContainEqual(expect.objectContaining({ pod: "shop/a", willRetry: false }));
  });

  test("repeats what fails in passing, and is content with a pod that is gone or has a successor", async () => {
    const { evict, asked, answers, there } = await scene([pod("a", { grace: 0 }), pod("b"), pod("c")]);
    let attempts = 0;
    answers.set("a", () => (attempts++ < 2 ? refusal(503, "ServiceUnavailable") : undefined));
    answers.set("b", () => {
      there.delete("b");
      return refusal(404, "NotFound");
    });
    answers.set("c", () => {
      there.delete("c");
      return refusal(409, "Conflict", "the UID in the precondition does not match");
    });
    await evict();
    expect(asked.map((one) => one.pod).sort()).toEqual(["a", "a", "a", "b", "c"]);
  });

  test("ends with the pods that it has no permission for, named with the permission", async () => {
    const { evict, answers } = await scene([pod("a")]);
    answers.set("a", () => refusal(403, "Forbidden", 'cannot create resource "pods/eviction"'));
    await expect(evict()).rejects.toMatchObject({
      code: "not-evicted",
      message: expect.stringContaining('cannot create resource "pods/eviction"'),
    });
  });

  test("goes on after the API server was away", async () => {
    const { evict, fake, asked, events } = await scene([pod("a", { grace: 3 })]);
    const { intercept } = fake;
    let requests = 0;
    fake.intercept = (request) => {
      requests += 1;
      return requests > 3 && requests < 8 ? refusal(503, "ServiceUnavailable") : intercept(request);
    };
    await evict();
    expect(asked.length).toBeGreaterThanOrEqual(1);
    expect(events.at(-1)).toEqual({ type: "evicted", pods: ["shop/a"] });
  });

  test("stops when the drain does", async () => {
    const { cluster, answers, clock } = await scene([pod("a")]);
    answers.set("a", () => refusal(429, "TooManyRequests"));
    const drain = newAbort();
    const evicting = cluster.evict(MEMBER, {}, () => {}, drain.signal);
    evicting.catch(() => {});
    await settled();
    await clock.advance(20_000);
    drain.abort(new Error("over"));
    await expect(evicting).rejects.toThrow("over");
  });

  test.each([
    [
      "data in emptyDir volumes",
      { emptyDir: true },
      {},
      /the data in emptyDir volumes of shop\/a .*--delete-emptydir-data/,
    ],
    ["pods without a controller", { owners: [] }, {}, /no controller would make shop\/a again .*--evict-unmanaged/],
  ] as const)(
    "evicts nothing, and does not cordon, where %s are not allowed to go",
    async (_, parts, options, message) => {
      const { cluster, evict, asked, fake } = await scene([pod("a", parts), pod("b")]);
      await expect(cluster.planEviction(MEMBER, options, never)).rejects.toMatchObject({
        code: "not-evicted",
        message: expect.stringMatching(message),
      });
      await expect(evict(options)).rejects.toMatchObject({ code: "not-evicted" });
      expect(asked).toEqual([]);
      expect(fake.requests.filter(({ method }) => method === "PATCH")).toHaveLength(0);
      const allowed = { deletesEmptyDirData: true, evictsUnmanaged: true } as const;
      expect(await cluster.planEviction(MEMBER, allowed, never)).toEqual({
        pods: ["shop/a", "shop/b"],
        graceMs: 30_000,
      });
    },
  );

  test("takes only the pods that a selector fits, with the time that was given", async () => {
    const { evict, asked } = await scene([pod("a", { labels: { app: "web" } }), pod("b", { labels: { app: "db" } })]);
    await evict({ podSelectors: ["app=web"], gracePeriodSeconds: 3 });
    expect(asked).toMatchObject([{ pod: "a", body: { deleteOptions: { gracePeriodSeconds: 3 } } }]);
  });

  test("deletes pods where evictions are disabled", async () => {
    const { evict, fake, endsAt, clock } = await scene([pod("a")]);
    const { intercept } = fake;
    fake.intercept = (request) => {
      if (request.method === "DELETE") endsAt.set("a", clock.now());
      return intercept(request);
    };
    await evict({ disablesEviction: true });
    const deleted = fake.requests.find(({ method }) => method === "DELETE");
    expect(deleted?.path).toBe("/api/v1/namespaces/shop/pods/a");
    expect(deleted?.body).toMatchObject({ kind: "DeleteOptions", preconditions: { uid: "uid-of-a" } });
  });

  test("does nothing for a machine that has no Node object", async () => {
    const { cluster, asked, events } = await scene([pod("a")]);
    const stranger = { id: "i-0ffffffffffffffff", name: "else" };
    await cluster.evict(stranger, {}, (event) => events.push(event), never);
    expect([asked, events]).toEqual([[], []]);
  });

  test("takes back the cordon with the exclusion, each by its own field manager", async () => {
    const { cluster, fake } = await scene([]);
    await cluster.include(MEMBER, never);
    const applied = fake.requests.filter(({ method }) => method === "PATCH");
    expect(applied.map(({ query }) => query.get("fieldManager"))).toEqual([
      "hasta-la-vista-exclusion",
      "hasta-la-vista-cordon",
    ]);
    expect(applied.at(-1)?.body).toMatchObject({ spec: {} });
  });
});
