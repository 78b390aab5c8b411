import { afterAll, expect, test } from "vitest";
import type { FindingCode } from "../../src/doctor/finding.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { auditCluster } from "../../src/kubernetes/audit.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { all } from "../doctor/facts.ts";
import { carry } from "../simulator/data-plane/carried.ts";
import { tally } from "../simulator/data-plane/clients.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { runKubectl } from "../support/kubectl.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** Enough that some come to each target. */
const CLIENTS = 8;
const NAMESPACES = "/api/v1/namespaces";
const SERVICES = "/api/v1/services";
/** Drains of nodes that nothing waits for. */
const over = newAbort();
afterAll(() => over.abort());

/** An API server with these objects, and what doctor finds there. */
async function clusterWith(objects: Readonly<Record<string, readonly object[]>>) {
  const clock = new SystemClock();
  const fake = await FakeApiServer.start(clock);
  for (const [path, these] of Object.entries(objects))
    for (const object of these) fake.put(path, object as KubernetesObject);
  const server = await clientOf(fake, clock);
  const found = async (code: FindingCode) => {
    const { facts: kubernetes, unread } = await auditCluster(server, never);
    expect(unread).toEqual([]);
    return all({ kubernetes }).filter((finding) => finding.code === code);
  };
  const mend = async (code: FindingCode) => {
    const lines = (await found(code)).flatMap((finding) => finding.mend);
    expect(lines).not.toEqual([]);
    for (const line of lines) runKubectl(line, fake);
  };
  return { fake, found, mend };
}

/** How many clients get no answer, of those of `seconds`. */
async function refused(region: SimulatedRegion, url: string, seconds: number): Promise<number> {
  let count = 0;
  for (let second = 0; second < seconds; second += 1) {
    await region.clock.advance(1_000);
    const answers = await tally(url, CLIENTS);
    for (const [by, times] of Object.entries(answers)) if (!by.startsWith("i-")) count += times;
  }
  return count;
}

/** A Deployment of one pod is replaced, as with maxUnavailable 0: the old pod goes as soon as the new one is ready. */
async function replaceThePod(hasGate: boolean): Promise<number> {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const pods = [region.node(), region.node()] as const;
  const [old, fresh] = pods.map(({ privateIp: id }) => ({ id })) as [{ id: string }, { id: string }];
  const group = region.group({ name: "web", targetType: "ip", nodes: [pods[0]] });
  const carried = await carry(world);
  const url = carried.plane.url("web-lb");
  world.registerTarget(group, fresh);
  const [target] = group.listed(clock.now()).filter(({ id }) => id === fresh.id);
  if (target === undefined) throw new Error("the new pod is registered");
  let lost = 0;
  // With the gate the pod is ready when its target is healthy. Without it, when its program answers: it does already.
  while (hasGate && group.apiHealth(target, clock.now()).state !== "healthy") lost += await refused(region, url, 1);
  world.deregisterTarget(group, old);
  // The old pod goes on for as long as its preStop hook takes.
  lost += await refused(region, url, 30);
  await carried.crash(pods[0].id);
  return lost + (await refused(region, url, 30));
}

test("without readiness gates the last healthy pod goes before the load balancer sends to the new one, and clients get no answer; with the label none is lost", async () => {
  const { fake, found, mend } = await clusterWith({
    [NAMESPACES]: [{ metadata: { name: "shop" } }],
    "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings": [
      { metadata: { name: "web", namespace: "shop" }, spec: { targetType: "ip" } },
    ],
  });
  // What the webhook of aws-load-balancer-controller goes by when the pod is made.
  const isInjected = () =>
    fake.stored(NAMESPACES, "shop")?.metadata?.labels?.["elbv2.k8s.aws/pod-readiness-gate-inject"] === "enabled";
  const results = [];
  for (const isMended of [false, true]) {
    if (isMended) await mend("readiness-gate-missing");
    results.push([(await found("readiness-gate-missing")).length, await replaceThePod(isInjected())]);
  }
  expect(results).toEqual([
    [1, expect.toSatisfy((lost: number) => lost > 0)],
    [0, 0],
  ]);
});

/** The only pod of the Service is on the first node, which is drained. With Cluster the second node passes requests on to it. */
async function drainTheNode(policy: string | undefined): Promise<number> {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = [region.node(), region.node()] as const;
  region.group({ name: "web", nodes, delaySeconds: 120 });
  const carried = await carry(world);
  if (policy === "Local") {
    world.setAnswering(nodes[1] as Instance, false);
    await carried.crash(nodes[1].id);
  }
  // The health check of the second node has failed by then, or is as it was.
  await clock.advance(120_000);
  const url = carried.plane.url("web-lb");
  const before = await refused(region, url, 1);
  region
    .engine()
    .drain({ node: { by: "id", value: nodes[0].id }, dryRun: false }, over.signal)
    .catch(() => {});
  return before + (await refused(region, url, 60));
}

test("with externalTrafficPolicy Local and all endpoints on one node, clients get no answer while it leaves; with Cluster all get one", async () => {
  const { fake, found, mend } = await clusterWith({
    [SERVICES]: [
      { metadata: { name: "web", namespace: "shop" }, spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" } },
    ],
    "/apis/discovery.k8s.io/v1/endpointslices": [
      {
        metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
        endpoints: [{ nodeName: "n1", conditions: { ready: true }, targetRef: { uid: "p1" } }],
      },
    ],
  });
  const policy = () => {
    const { spec } = fake.stored(SERVICES, "shop/web") as { spec?: { externalTrafficPolicy?: string } };
    return spec?.externalTrafficPolicy;
  };
  const results = [];
  for (const isMended of [false, true]) {
    if (isMended) await mend("local-policy-one-node");
    results.push([(await found("local-policy-one-node")).length, await drainTheNode(policy())]);
  }
  expect(results).toEqual([
    [1, expect.toSatisfy((lost: number) => lost > 0)],
    [0, 0],
  ]);
});
