import { expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { Change } from "../../src/kubernetes/collection.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import { Watch, type WatchState } from "../../src/kubernetes/watch.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";

const NODES = "/api/v1/nodes";

interface Projected {
  readonly taints: readonly string[];
}

function node(name: string, ...taints: readonly string[]): Node {
  return { metadata: { name }, spec: { taints: taints.map((key) => ({ key, effect: "NoSchedule" })) } };
}

/** A watch of the fake server's nodes that runs until the test's end. */
async function watchedNodes(count = 2) {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  for (let at = 1; at <= count; at++) fake.put(NODES, node(`node-${at}`));
  const states: WatchState[] = [];
  const server = await clientOf(fake, clock);
  const watch = new Watch<Node, Projected>({
    server,
    clock,
    path: NODES,
    project: ({ spec }) => ({ taints: (spec?.taints ?? []).map(({ key }) => key) }),
    onState: (state) => states.push(state),
    random: () => 0.5,
  });
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const changes: Change<Projected>[] = [];
  const read = async () => {
    for await (const change of watch.changes(stop.signal)) changes.push(change);
  };
  watch.run(stop.signal).catch(() => {});
  read().catch(() => {});
  return { clock, fake, server, watch, states, changes, signal: stop.signal };
}

const seen = (changes: readonly Change<Projected>[]) =>
  changes.map(({ kind, key, value }) => [kind, key, ...value.taints].join(" "));

test("a watch lists a collection, and then reports each change that its projection shows", async () => {
  const { clock, fake, watch, states, changes, signal } = await watchedNodes();
  await clock.run(watch.listed(signal));
  fake.put(NODES, node("node-1", "karpenter.sh/disrupted"));
  // A heartbeat.
  fake.put(NODES, { ...node("node-2"), status: { phase: "Running" } } as Node);
  fake.put(NODES, node("node-3"));
  fake.remove(NODES, "node-1");
  await clock.advance(1_000);
  expect(seen(changes)).toEqual([
    "added node-1",
    "added node-2",
    "changed node-1 karpenter.sh/disrupted",
    "added node-3",
    "deleted node-1 karpenter.sh/disrupted",
  ]);
  expect([...watch.entries()].map(([key]) => key)).toEqual(["node-2", "node-3"]);
  expect(states).toEqual([]);
  expect(fake.asked("list")).toHaveLength(1);
});
