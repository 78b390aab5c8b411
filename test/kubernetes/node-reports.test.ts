import { expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { KubernetesError } from "../../src/kubernetes/errors.ts";
import { NodeReports } from "../../src/kubernetes/node-reports.ts";
import { clusterNode } from "../../src/kubernetes/nodes.ts";
import type { ClusterEvent, Node } from "../../src/kubernetes/objects.ts";
import { clientOf } from "../support/api-client.ts";
import { DrainScene } from "../support/drain-scene.ts";
import { FakeApiServer, refusal } from "../support/fake-api-server.ts";

const NODES = "/api/v1/nodes";
const EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events";
const ID = "i-00000000000000001";

/** A drainer whose drains are reported at the node's object. */
async function scene({ pools = 2 } = {}) {
  const reports: NodeReports[] = [];
  const made = new DrainScene({}, undefined, {}, [(event) => reports[0]?.observe(event)]);
  const { clock } = made;
  const members = [made.cloud.addNode(ID), made.cloud.addNode("i-2", "10.0.0.2")];
  for (let at = 1; at <= pools; at++) made.cloud.addPool("alb", `web-${at}`, members);
  const fake = await FakeApiServer.start(clock);
  fake.put(NODES, { metadata: { name: "node-1" }, spec: { providerID: `aws:///eu-west-1a/${ID}` } } as Node);
  const server = await clientOf(fake, clock);
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const object = await server.get<Node>(`${NODES}/node-1`, stop.signal);
  const troubles: KubernetesError[] = [];
  const known = clusterNode(object);
  const nodes = { isListed: true, byInstance: (id: string) => (id === ID ? known : undefined) };
  const mine = new NodeReports({ server, clock, nodes, instance: "pod-1", onTrouble: (error) => troubles.push(error) });
  reports.push(mine);
  void mine.run(stop.signal);
  const settle = async () => {
    for (let step = 0; step < 200 && !mine.isIdle; step++) await clock.advance(100);
  };
  const events = () =>
    fake.requests
      .filter(({ method, path }) => method === "POST" && path === EVENTS)
      .map(({ body }) => body as ClusterEvent);
  const annotations = async () => (await server.get<Node>(`${NODES}/node-1`, stop.signal)).metadata?.annotations;
  // Requests go over real sockets: time may not pass them.
  const drain = async (input: Parameters<typeof made.ask>[1] = {}) => {
    let isOver = false;
    const ended = made.ask(ID, input).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await made.clock.advance(1);
      await settle();
      await made.clock.advance(10_000);
    }
    await settle();
    return ended;
  };
  return { fake, drain, events, annotations, troubles };
}

test("a drain is told as Events of its node, and its annotations say how it stands", async () => {
  const { drain, events, annotations } = await scene();
  await drain();
  expect(events().map(({ reason, type }) => [reason, type].join(" "))).toEqual([
    "Deregistered Normal",
    "Deregistered Normal",
    "Draining Normal",
    "Released Normal",
    "Released Normal",
    "Drained Normal",
  ]);
  const prefix = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*-$/;
  for (const { metadata } of events()) expect(metadata?.generateName).toMatch(prefix);
  expect(events()[0]).toMatchObject({
    regarding: { apiVersion: "v1", kind: "Node", name: "node-1" },
    reportingController: "hasta-la-vista",
    reportingInstance: "pod-1",
    note: `Deregistered from alb web-1-lb/web-1 (${ID}:80).`,
  });
  expect(await annotations()).toMatchObject({
    "hasta-la-vista.io/state": "drained",
    "hasta-la-vista.io/result": "drained",
    "hasta-la-vista.io/drain-id": expect.stringMatching(/^d-/),
  });
});

test("a dry run tells nothing at its node, which stays as it is", async () => {
  const { drain, events, annotations } = await scene();
  expect((await drain({ dryRun: true })).status).toBe("planned");
  expect(events()).toEqual([]);
  expect(await annotations()).toBeUndefined();
  expect((await drain()).status).toBe("drained");
  expect(events()).toHaveLength(6);
});

test("a node in hundreds of pools has a few Events of each drain, and each trouble once", async () => {
  const { drain, events } = await scene({ pools: 200 });
  await drain();
  expect(events().length).toBeLessThan(20);
  expect(events().at(-1)).toMatchObject({ reason: "Drained" });
});

test("an API server that refuses them delays no drain, and is reported once", async () => {
  const { drain, fake, troubles } = await scene();
  fake.intercept = ({ method }) => (method === "POST" ? refusal(403, "Forbidden", "no") : undefined);
  expect((await drain()).status).toBe("drained");
  expect(troubles).toHaveLength(1);
});
