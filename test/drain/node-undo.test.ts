import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { type NodeUndo, nodeUndoFailure, undoNode } from "../../src/drain/node-undo.ts";
import type { NodeReference } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { FakeCluster } from "../support/fake-cluster.ts";
import { never } from "../support/simulated-region.ts";

const ID: NodeReference = { by: "id", value: "i-1" };

/** A node in an ALB's and an NLB's pool and in a cluster, and a drainer with a ledger. */
function scene() {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const cluster = new FakeCluster(() => clock);
  const node = cloud.addNode("i-1");
  const web = cloud.addPool("alb", "web", [node]);
  cloud.addPool("nlb", "tcp", [node]);
  const ledger = new MemoryLedger();
  const life = () => new Drainer({ cloud, cluster, clock, ledger, times: { deadlineMarginMs: 1 } });
  const drainer = life();
  const ask = (more: object = {}, signal = never) => drainer.drain({ node: ID, dryRun: false, ...more }, signal);
  const undo = (reference = ID, uncordons = false, parts: { readonly cluster?: FakeCluster } = { cluster }) =>
    clock.run(undoNode({ node: reference, uncordons }, { cloud, clock, ledger, drainer, ...parts }, never));
  return { clock, cloud, cluster, node, web, ledger, drainer, ask, undo };
}

const drainsOf = ({ drains }: NodeUndo) =>
  drains.map(({ registrations }) =>
    Object.fromEntries(registrations.map(({ registration, state }) => [registration.pool.name, state])),
  );

describe("the drains of a node are undone", () => {
  test("the one that runs is cancelled, and the node included", async () => {
    const { clock, cluster, node, ask, undo } = scene();
    const drain = ask({ isVoluntary: true });
    await clock.advance(60_000);
    expect(cluster.excluded).toEqual(new Set([node.name]));
    expect(drainsOf(await undo())).toEqual([{ web: "registered", tcp: "registered" }]);
    expect((await drain).status).toBe("cancelled");
    expect(cluster.excluded).toEqual(new Set());
  });

  test("one that has ended, by the name of the node, once: a second time there is nothing to undo", async () => {
    const { clock, node, ask, undo } = scene();
    await clock.run(ask());
    expect(drainsOf(await undo({ by: "name", value: node.name }))).toEqual([{ web: "registered", tcp: "registered" }]);
    expect(drainsOf(await undo())).toEqual([]);
  });

  test("all of them, where the last one found what the one before it had deregistered", async () => {
    const { clock, ask, undo } = scene();
    const stopped = newAbort();
    const first = ask({}, stopped.signal);
    await clock.advance(5_000);
    stopped.abort();
    await clock.run(first);
    await clock.run(ask());
    const [last, before, ...others] = drainsOf(await undo());
    expect(others).toEqual([]);
    expect(Object.values({ ...last, ...before })).toEqual(["registered", "registered"]);
  });

  test("not those before one that was undone", async () => {
    const { clock, cloud, web, ask, drainer, ledger, undo } = scene();
    await clock.run(ask());
    const [first] = ledger.listOf("i-1");
    await clock.run(drainer.cancel(first?.drain ?? "", undefined, never));
    await clock.run(ask());
    const { drains } = await undo();
    expect(drains.map(({ drainId }) => drainId)).toEqual([ledger.listOf("i-1")[0]?.drain]);
    expect(cloud.callsOf("register", web)).toHaveLength(2);
  });

  test("again, where it has failed", async () => {
    const { clock, cloud, ask, undo } = scene();
    await clock.run(ask());
    cloud.before = ({ method }) => {
      if (method === "register") throw new DrainError("access-denied", "no");
    };
    const failed = await undo();
    expect(nodeUndoFailure(failed)?.code).toBe("access-denied");
    cloud.before = () => {};
    expect(drainsOf(await undo())).toEqual([{ web: "registered", tcp: "registered" }]);
  });

  test("not where the machine is about to leave: the refusal names the event and the drain", async () => {
    const { clock, cloud, ledger, ask, undo } = scene();
    void ask({ asker: { via: "spot-interruption" } });
    await clock.advance(60_000);
    const [drain] = ledger.listOf("i-1");
    await expect(undo()).rejects.toMatchObject({
      code: "machine-leaves",
      message: expect.stringMatching(new RegExp(`'spot-interruption'.*cancel it by its id: ${drain?.drain}$`)),
    });
    expect(cloud.callsOf("register")).toEqual([]);
  });

  test("of a caller's own deadline, which is no event", async () => {
    const { clock, ask, undo } = scene();
    void ask({ asker: { via: "http" }, deadline: clock.now() + 600_000 });
    await clock.advance(60_000);
    expect(drainsOf(await undo())).toEqual([{ web: "registered", tcp: "registered" }]);
  });

  test("of a machine that the cloud knows no more: each registration says so", async () => {
    const { clock, cloud, node, ask, undo } = scene();
    await clock.run(ask());
    cloud.terminated.add(node.id);
    const undone = await undo();
    expect(undone.node.name).toBe(node.name);
    expect(nodeUndoFailure(undone)?.code).toBe("instance-gone");
  });

  test("none of a node that there is not", async () => {
    const { undo } = scene();
    await expect(undo({ by: "id", value: "i-9" })).rejects.toMatchObject({ code: "node-not-found" });
  });
});

describe("a node is uncordoned", () => {
  test("whichever program has cordoned it, also where there is no drain to undo", async () => {
    const { cluster, node, undo } = scene();
    cluster.cordoned.add(node.name);
    cluster.excluded.add(node.name);
    expect(await undo(ID, true)).toMatchObject({ drains: [], uncordoned: node.name });
    expect([cluster.cordoned, cluster.excluded]).toEqual([new Set(), new Set()]);
  });

  test("in time: what the cluster does not answer is a failure of its own, and the targets are registered", async () => {
    const { clock, cluster, ask, undo } = scene();
    await clock.run(ask());
    cluster.before = ({ verb }) => verb === "uncordon" && new Promise(() => {});
    const undone = await undo(ID, true);
    expect(drainsOf(undone)).toEqual([{ web: "registered", tcp: "registered" }]);
    expect(undone.error?.message).toMatch(/^the cluster did not answer within \d+ s$/);
  });

  test("not without a cluster, and nothing fails", async () => {
    const { clock, ask, undo } = scene();
    await clock.run(ask());
    expect(nodeUndoFailure(await undo(ID, true, {}))).toBeUndefined();
  });
});
