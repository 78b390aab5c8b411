import { expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { ClusterNode } from "../../src/drain/cluster.ts";
import { DELAY_ANNOTATION, type DelayTrouble, DeletionDelays } from "../../src/kubernetes/deletion-delays.ts";
import { clusterNode } from "../../src/kubernetes/nodes.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import { Watch } from "../../src/kubernetes/watch.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, refusal } from "../support/fake-api-server.ts";
import { never } from "../support/simulated-region.ts";

const NODES = "/api/v1/nodes";
const TAINT = { key: "ToBeDeletedByClusterAutoscaler", value: "1767225600", effect: "NoSchedule" };
const idOf = (at: number) => `i-${String(at).padStart(17, "0")}`;

function node(at: number, ...taints: readonly object[]): Node {
  return {
    metadata: { name: `node-${at}` },
    spec: { providerID: `aws:///eu-west-1a/${idOf(at)}`, taints },
  } as unknown as Node;
}

async function scene() {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  const server = await clientOf(fake, clock);
  const nodes = new Watch<Node, ClusterNode>({ server, clock, path: NODES, project: clusterNode, onState: () => {} });
  const troubles: DelayTrouble[] = [];
  const delays = new DeletionDelays({ server, clock, nodes, onTrouble: (trouble) => troubles.push(trouble) });
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const start = () => {
    nodes.run(stop.signal).catch(() => {});
    delays.run(stop.signal).catch(() => {});
  };
  const delayed = async () => {
    const { items } = await server.list<Node>(NODES, never);
    return items
      .filter(({ metadata }) => metadata?.annotations?.[DELAY_ANNOTATION])
      .map(({ metadata }) => metadata?.name);
  };
  const writes = () => fake.requests.filter(({ method }) => method === "PATCH").length;
  return { clock, fake, delays, start, delayed, writes, troubles };
}

test("every node is delayed as it appears, once, and released when it is drained", async () => {
  const { clock, fake, delays, start, delayed, writes } = await scene();
  fake.put(NODES, node(1));
  fake.put(NODES, { metadata: { name: "no-instance" } });
  start();
  await clock.advance(1_000);
  fake.put(NODES, node(2));
  await clock.advance(40_000);
  expect(await clock.run(delayed())).toEqual(["node-1", "node-2"]);
  expect(writes()).toBe(2);
  delays.release(idOf(1));
  await clock.advance(40_000);
  expect(await clock.run(delayed())).toEqual(["node-2"]);
  expect(writes()).toBe(3);
});

test("a node that has its taint is not delayed any more: the autoscaler has looked before", async () => {
  const { clock, fake, start, delayed } = await scene();
  fake.put(NODES, node(1, TAINT));
  start();
  await clock.advance(5_000);
  expect(await clock.run(delayed())).toEqual([]);
});

test("a delay stays while the node has its taint, and comes back where the node stays after all", async () => {
  const { clock, fake, delays, start, delayed } = await scene();
  fake.put(NODES, node(1));
  start();
  await clock.advance(1_000);
  const metadata = { annotations: { [DELAY_ANNOTATION]: "true" }, name: "node-1" };
  fake.put(NODES, { ...node(1, TAINT), metadata } as Node);
  await clock.advance(1_000);
  expect(await clock.run(delayed())).toEqual(["node-1"]);
  delays.release(idOf(1));
  await clock.advance(1_000);
  expect(await clock.run(delayed())).toEqual([]);
  fake.put(NODES, node(1));
  delays.retain(idOf(1));
  await clock.advance(1_000);
  expect(await clock.run(delayed())).toEqual(["node-1"]);
});

test("what the API server refuses is reported once and tried again", async () => {
  const { clock, fake, start, delayed, troubles } = await scene();
  fake.put(NODES, node(1));
  fake.intercept = ({ method }) => (method === "PATCH" ? refusal(403, "Forbidden", "no") : undefined);
  start();
  for (let second = 0; second < 20; second++) await clock.advance(1_000);
  expect(troubles.map((trouble) => trouble.node)).toEqual(["node-1"]);
  fake.intercept = () => undefined;
  for (let second = 0; second < 20; second++) await clock.advance(1_000);
  expect(await clock.run(delayed())).toEqual(["node-1"]);
});
