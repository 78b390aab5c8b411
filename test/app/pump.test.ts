import { expect, test } from "vitest";
import { pump } from "../../src/app/pump.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { AcceptedDrain, Delivery, EventSource } from "../../src/drain/event-source.ts";
import type { Ledger } from "../../src/drain/ledger.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { HttpSource } from "../../src/web/http-source.ts";
import { DrainScene } from "../support/drain-scene.ts";

/** A list of requests, and how each was answered. */
class ListSource implements EventSource {
  readonly settled: DrainOutcome[] = [];
  readonly accepted: AcceptedDrain[] = [];
  readonly unrecorded: Error[] = [];
  readonly #requests: readonly Delivery["request"][];

  constructor(requests: readonly Delivery["request"][]) {
    this.#requests = requests;
  }

  async *deliveries(stop: AbortSignal) {
    for (const request of this.#requests) {
      if (stop.aborted) return;
      yield {
        request,
        accepted: (drain: AcceptedDrain) => void this.accepted.push(drain),
        unrecorded: (_: AcceptedDrain, error: Error) => void this.unrecorded.push(error),
        settle: async (outcome: DrainOutcome) => void this.settled.push(outcome),
      };
    }
  }
}

function options(unsettled: unknown[] = []) {
  const stop = newAbort();
  const abandon = newAbort();
  const onUnsettled = (_: Delivery, error: unknown) => unsettled.push(error);
  return { stop, abandon, pumped: { stop: stop.signal, abandon: abandon.signal, onSettled: () => {}, onUnsettled } };
}

test("the pump drains side by side, settles each delivery once, and ends when all are settled", async () => {
  const scene = new DrainScene();
  const nodes = ["i-1", "i-2"].map((id) => scene.cloud.addNode(id, `10.0.0.${id.slice(2)}`));
  scene.cloud.addPool("alb", "web", nodes, { drainMs: 60_000 });
  const source = new ListSource(nodes.map(({ id }) => scene.request(id)));
  await scene.clock.run(pump(source, scene.drainer, options().pumped));
  expect(source.settled.map(({ status }) => status)).toEqual(["drained", "drained"]);
  expect(scene.elapsedSeconds).toBe(60);
});

test("the pump tells a delivery which drain will answer before it settles it, and nothing where there is none", async () => {
  const scene = new DrainScene();
  const node = scene.cloud.addNode("i-1");
  scene.cloud.addPool("alb", "web", [node]);
  const requests = [
    scene.request("i-1"),
    scene.request("i-1"),
    scene.request("i-2"),
    scene.request("i-1", { dryRun: true }),
  ];
  const source = new ListSource(requests);
  const running = pump(source, scene.drainer, options().pumped);
  await scene.clock.advance(1_000);
  expect(source.accepted).toEqual(Array(2).fill({ id: scene.events[0]?.drainId, node }));
  expect(source.settled.map(({ status }) => status).sort()).toEqual(["failed", "planned"]);
  await scene.clock.run(running);
  expect(source.accepted).toHaveLength(2);
  expect(source.settled).toHaveLength(4);
});

test("an answer that can't be delivered disturbs no other, and is reported", async () => {
  const scene = new DrainScene();
  for (const id of ["i-1", "i-2"]) scene.cloud.addNode(id);
  const source = new ListSource(["i-1", "i-2"].map((id) => scene.request(id)));
  const deliver = source.settled.push.bind(source.settled);
  source.settled.push = (...outcomes) => {
    if (source.settled.length === 0) {
      source.settled.push = deliver;
      throw new Error("the caller has gone");
    }
    return deliver(...outcomes);
  };
  const unsettled: unknown[] = [];
  await scene.clock.run(pump(source, scene.drainer, options(unsettled).pumped));
  expect(unsettled).toEqual([new Error("the caller has gone")]);
  expect(source.settled).toHaveLength(1);
});

test("abandoning settles every running drain as abandoned", async () => {
  const scene = new DrainScene();
  const node = scene.cloud.addNode("i-1");
  scene.cloud.addPool("alb", "web", [node]);
  const source = new ListSource([scene.request("i-1")]);
  const { abandon, pumped } = options();
  const running = pump(source, scene.drainer, pumped);
  await scene.clock.advance(10_000);
  abandon.abort();
  await running;
  expect(source.settled).toMatchObject([{ status: "abandoned", registrations: [{ state: "holding" }] }]);
});

test("the service takes ten thousand callers at once and no more, and those who are answered make room", async () => {
  const source = new HttpSource();
  const asked = Array.from({ length: 10_000 }, () =>
    source.submit({ node: { by: "id", value: "i-1" }, dryRun: false }),
  );
  expect(() => source.submit({ node: { by: "id", value: "i-1" }, dryRun: false })).toThrow(
    "10000 requests are already waiting: try again later",
  );
  const deliveries = source.deliveries(newAbort().signal);
  for (const { outcome } of asked) {
    const { value } = await deliveries.next();
    await value?.settle({ status: "instance-gone", message: "gone" });
    await outcome;
  }
  expect(() => source.submit({ node: { by: "id", value: "i-1" }, dryRun: false })).not.toThrow();
});

test("what HTTP callers asked before the stop is still drained, and nothing after it", async () => {
  const scene = new DrainScene();
  scene.cloud.addNode("i-1");
  const source = new HttpSource();
  const { stop, pumped } = options();
  const running = pump(source, scene.drainer, pumped);
  const before = source.submit(scene.request("i-1"));
  stop.abort();
  expect(() => source.submit(scene.request("i-1"))).toThrow("the service is stopping");
  expect(await before.outcome).toMatchObject({ status: "nothing-registered" });
  await running;
});

/** A pump on a scene whose drainer has this ledger. */
function recorded(scene: DrainScene, ledger: Ledger) {
  const { cloud, clock } = scene;
  const drainer = new Drainer({ cloud, clock, ledger, times: { deadlineMarginMs: 10_000 } });
  const source = new ListSource([scene.request("i-1")]);
  return { source, running: pump(source, drainer, options().pumped) };
}

test("the pump tells a delivery that its drain is accepted only once it is written down for good", async () => {
  const scene = new DrainScene();
  scene.cloud.addPool("alb", "web", [scene.cloud.addNode("i-1")]);
  const ledger = new MemoryLedger();
  let kept: () => void = () => {};
  ledger.append = (entry) => {
    ledger.note(entry);
    return new Promise<void>((resolve) => {
      kept = resolve;
    });
  };
  const { source, running } = recorded(scene, ledger);
  await scene.clock.advance(20_000);
  expect(source.accepted).toEqual([]);
  // It does not wait for that itself.
  expect(scene.cloud.callsOf("deregister")).toHaveLength(1);
  kept();
  await scene.clock.advance(0);
  expect(source.accepted).toHaveLength(1);
  await scene.clock.run(running);
  expect(source.settled).toHaveLength(1);
});

test("a ledger that fails, or never answers, stops no drain: the delivery is told, and settled as ever", async () => {
  for (const keep of [
    async () => Promise.reject(new DrainError("ledger-unavailable", "full")),
    () => new Promise<void>(() => {}),
  ]) {
    const scene = new DrainScene();
    scene.cloud.addPool("alb", "web", [scene.cloud.addNode("i-1")], { drainMs: 60_000 });
    const ledger = new MemoryLedger();
    ledger.append = keep;
    const { source, running } = recorded(scene, ledger);
    await scene.clock.run(running);
    expect(source.accepted).toEqual([]);
    expect(source.settled).toMatchObject([{ status: "drained" }]);
    expect(scene.elapsedSeconds).toBe(60);
    expect(source.unrecorded.length).toBeLessThanOrEqual(1);
  }
});
