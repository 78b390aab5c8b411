import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { folder, kubeconfig } from "../support/api-client.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { pod } from "../support/fake-pods.ts";
import { GateClient } from "../support/gate-client.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { runHere, serveHere } from "../support/run-here.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const SECRET = "a-secret-of-the-gate";
const KARPENTER = { key: "karpenter.sh/disrupted", effect: "NoSchedule" };
const NODES = "/api/v1/nodes";
const ASKED = { namespace: "shop", name: "web" };

/** A service that is the eviction gate of a cluster with one node and one pod, behind a classic load balancer. */
async function scene(more: Readonly<Record<string, string>> = {}) {
  const clock = new ScaledClock(1);
  const region = new SimulatedRegion();
  const instance = region.node();
  region.classic({ name: "web", nodes: [instance] });
  const AWS_ENDPOINT_URL = await region.simulator.listen();
  onTestFinished(() => region.simulator.close());
  const fake = await FakeApiServer.start(clock);
  const putNode = (taints: readonly object[] = []) => {
    const spec = { providerID: `aws:///${instance.zone}/${instance.id}`, taints };
    fake.put(NODES, { metadata: { name: instance.name }, spec } as unknown as KubernetesObject);
  };
  putNode();
  const { metadata: { namespace: _, ...metadata } = {}, ...rest } = pod("web", { node: instance.name });
  fake.put("/api/v1/namespaces/shop/pods", { ...rest, metadata });
  const path = join(folder(), "config");
  writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca }));
  const gate = new GateClient();
  const options = {
    ...gate.options,
    AWS_ENDPOINT_URL,
    SECRET,
    KUBERNETES: path,
    UNDO: "true",
    MIN_HEALTHY: "0",
    SHUTDOWN_GRACE: "0",
    CLASSIC_MINIMUM: "300",
    ...more,
  };
  return { fake, gate, options, putNode, instance };
}

async function serving(more: Readonly<Record<string, string>> = {}) {
  const made = await scene(more);
  const { child, url } = await serveHere(made.options);
  await made.gate.connect(child);
  return { ...made, child, url };
}

async function reviews(url: string): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.matchAll(/^hasta_la_vista_eviction_reviews_total\{result="([\w-]+)"\} (\d+)$/gm);
  // Each result has a series from the start.
  return Object.fromEntries(
    [...found].map(([, result = "", count]) => [result, Number(count)]).filter(([, n]) => n !== 0),
  );
}

describe("a service that is the eviction gate", () => {
  test("holds the evictions of a node that leaves, on a port of its own, and counts them", async () => {
    const { gate, putNode, child, url, instance } = await serving();
    expect(await gate.review(ASKED)).toEqual({ isAllowed: true });
    putNode([KARPENTER]);
    expect(await gate.review(ASKED)).toEqual({ isAllowed: false });
    await child.line(/"msg":"target deregistered"/);
    expect(await gate.review(ASKED)).toEqual({ isAllowed: false });
    expect(JSON.parse(await child.line(/"msg":"eviction held"/))).toMatchObject({ pod: "shop/web", node: instance.id });
    expect(await reviews(url)).toEqual({ allowed: 1, held: 2 });
    expect((await fetch(`${url}/evictions`, { method: "POST", body: "{}" })).status).toBe(404);
    for (const path of ["/health", "/metrics", "/drain"]) expect((await gate.post(path, "")).status).toBe(404);
  });

  test("lets evictions pass within two seconds where the API server hangs, and says so", async () => {
    const { gate, putNode, child, url, fake } = await serving();
    putNode([KARPENTER]);
    await child.line(/"msg":"target deregistered"/);
    fake.isStopped = true;
    expect(await gate.review(ASKED)).toEqual({ isAllowed: true });
    expect(JSON.parse(await child.line(/"msg":"eviction review failed"/))).toMatchObject({ code: "unreachable" });
    expect(await reviews(url)).toEqual({ "failed-open": 1 });
  });

  test("uses a renewed certificate without a restart, and says until when it is valid", async () => {
    const { gate, child, url } = await serving();
    const expiry = /^hasta_la_vista_eviction_gate_certificate_expiry_timestamp_seconds (\d+)$/m;
    const [, seconds] = expiry.exec(await (await fetch(`${url}/metrics`)).text()) ?? [];
    expect(Number(seconds)).toBe(Date.parse("9999-12-31T23:59:59Z") / 1_000);
    gate.renew();
    await child.line(/"msg":"certificates reloaded"/);
    expect(await gate.review(ASKED)).toEqual({ isAllowed: true });
  });

  test("holds nothing in a dry run", async () => {
    const { gate, putNode } = await serving({ DRYRUN: "true" });
    putNode([KARPENTER]);
    expect(await gate.review(ASKED)).toEqual({ isAllowed: true });
  });

  test("says at its start which port is in use", async () => {
    const { options } = await scene();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void other.close());
    const EVICTION_GATE_PORT = String((other.address() as AddressInfo).port);
    const environment = { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", ...options, EVICTION_GATE_PORT };
    const { code, stderr } = await runHere([], environment, { program: "service" });
    expect(stderr).toBe(
      `hasta-la-vista: EVICTION_GATE_PORT is ${EVICTION_GATE_PORT}, which is already in use on 127.0.0.1: set another port\n`,
    );
    expect(code).toBe(2);
  });

  test("is asked by the replica that the API server has reached", async () => {
    const { gate, putNode, options } = await scene();
    const [first, second] = await replicas(options);
    await first.child.line(/"access check passed"/);
    await second.child.line(/"standing by"/);
    await gate.connect(second.child, "127.0.0.2");
    expect(await gate.review(ASKED)).toEqual({ isAllowed: true });
    putNode([KARPENTER]);
    await first.child.line(/"msg":"target deregistered"/);
    expect(await gate.review(ASKED)).toEqual({ isAllowed: false });
    expect(await reviews(first.url)).toEqual({ allowed: 1, held: 1 });
    expect(second.child.output).not.toMatch(/target|eviction held/);
  });

  test("lets evictions pass soon where no replica leads, and counts them", async () => {
    const { gate, options, fake } = await scene();
    fake.intercept = ({ path }) => (path.includes("/leases") ? "hang" : undefined);
    const [only] = await replicas(options, [1]);
    await gate.connect(only.child);
    expect(await gate.review(ASKED)).toEqual({ isAllowed: true });
    expect(await reviews(only.url)).toEqual({ "failed-open": 1 });
  });
});

type Served = Awaited<ReturnType<typeof serveHere>>;

/** Replicas at addresses of their own, whose gates have the same port, as those of pods. */
async function replicas(options: Readonly<Record<string, string>>, numbers = [1, 2]): Promise<[Served, Served]> {
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, resolve));
  const { port } = free.address() as AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const started: Served[] = [];
  for (const number of numbers) {
    const at = `127.0.0.${number}`;
    const ofPod = { POD_NAME: `pod-${number}`, POD_NAMESPACE: "kube-system", POD_IP: at, NODE_NAME: "elsewhere" };
    const own = { HOST: at, EVICTION_GATE_PORT: String(port), STATE_DIR: await stateDir() };
    started.push(await serveHere({ ...options, ...ofPod, ...own, LEASE: "hasta-la-vista" }));
    // The first one leads.
    await started[0]?.child.line(numbers.length === 1 ? /"listening"/ : /"leadership acquired"/);
  }
  return started as [Served, Served];
}
