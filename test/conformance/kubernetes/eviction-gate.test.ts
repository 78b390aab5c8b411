import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { KubernetesCluster } from "../../../src/kubernetes/kubernetes-cluster.ts";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { connectBy } from "../../support/api-client.ts";
import { Authority } from "../../support/certificates.ts";
import { serveHere } from "../../support/run-here.ts";
import { never, SimulatedRegion } from "../../support/simulated-region.ts";
import { addGate, GATE_RULES, gateOptions, gatePort } from "../support/eviction-gate.ts";
import type { ApiAnswer } from "../support/kubernetes-api.ts";
import { addNodeOf, nodePath } from "../support/kubernetes-nodes.ts";
import { addPod, type PodInput, podPath } from "../support/kubernetes-pods.ts";
import { programPath } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const SECRET = "a-secret-of-the-gate";
const KARPENTER = { key: "karpenter.sh/disrupted", effect: "NoSchedule" };
const DENIED =
  /^admission webhook "eviction-gate\.hasta-la-vista\.io" denied the request: load balancers may still send/;
/** Within what the hold of a drain says when to try again. */
const HOLD_SECONDS = 4;

const run = promisify(execFile);

describeOnKubernetes("the eviction gate", ["kubectl"], (cluster) => {
  let kubeconfig: string;
  let pods = 0;

  beforeAll(async () => {
    kubeconfig = cluster().kubeconfigFor("gate", await cluster().tokenFor("gate", GATE_RULES));
  });

  /** Two nodes behind a classic load balancer, and the service that drains them, with the printed role. */
  async function scene({ holdSeconds = HOLD_SECONDS } = {}) {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    const classic = region.classic({ name: "web", nodes });
    const AWS_ENDPOINT_URL = await region.simulator.listen();
    onTestFinished(() => region.simulator.close());
    for (const node of nodes) {
      await addNodeOf(cluster().api, node);
      onTestFinished(() =>
        cluster()
          .api.delete(nodePath(node.name))
          .then(() => {}),
      );
    }
    const { options, authority } = gateOptions(cluster());
    const { child } = await serveHere({
      ...options,
      AWS_ENDPOINT_URL,
      SECRET,
      KUBERNETES: kubeconfig,
      UNDO: "true",
      MIN_HEALTHY: "0",
      SHUTDOWN_GRACE: "0",
      CLASSIC_MINIMUM: String(holdSeconds),
    });
    await addGate(cluster(), { port: await gatePort(child), authority });
    const [node, other] = nodes;
    const addTo = async ({ name: nodeName }: Instance, more: Partial<PodInput> = {}) => {
      const name = `pod-${++pods}`;
      await addPod(cluster().api, { name, nodeName, owner: "ReplicaSet", ...more });
      // The next test has nodes of the same names. No kubelet ends what was evicted.
      onTestFinished(() =>
        cluster()
          .api.call("DELETE", `${podPath(name)}?gracePeriodSeconds=0`)
          .then(() => {}),
      );
      return name;
    };
    const taint = ({ name }: Instance) => cluster().api.patch(nodePath(name), { spec: { taints: [KARPENTER] } });
    const isRegistered = ({ id }: Instance) => classic.registered(region.clock.now()).includes(id);
    return { child, addTo, taint, isRegistered, node, other };
  }

  function evict(pod: string, query = ""): Promise<ApiAnswer> {
    const metadata = { name: pod, namespace: "default" };
    return cluster().api.call("POST", `${podPath(pod)}/eviction${query}`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata,
    });
  }

  /** The API server has learned of the webhook. */
  async function untilReviewed(child: { readonly output: string }, pod: string): Promise<void> {
    await expect.poll(async () => (await evict(pod, "?dryRun=All")).status, { message: child.output }).toBe(429);
  }

  /** As evictors do: again, as soon as the answer says, or after a while. Resolves with all answers. */
  async function evictPatiently(pod: string): Promise<readonly ApiAnswer[]> {
    const answers: ApiAnswer[] = [];
    await expect
      .poll(
        async () => {
          const answer = await evict(pod);
          answers.push(answer);
          return answer.status;
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(201);
    return answers;
  }

  test("answers evictions with 429 and Retry-After until the load balancer has let go, and then they succeed", async () => {
    const { child, addTo, taint, isRegistered, node } = await scene();
    const pod = await addTo(node);
    await taint(node);
    await untilReviewed(child, pod);
    const answers = await evictPatiently(pod);
    const refusals = answers.slice(0, -1);
    expect(refusals.length).toBeGreaterThan(1);
    for (const { status, body } of refusals) {
      expect(status).toBe(429);
      expect(body).toMatchObject({
        kind: "Status",
        status: "Failure",
        reason: "TooManyRequests",
        code: 429,
        message: expect.stringMatching(DENIED),
      });
    }
    const times = refusals.flatMap(({ headers }) => headers["retry-after"] ?? []);
    expect(times.length).toBeGreaterThan(0);
    for (const seconds of times) expect(Number(seconds)).toBeLessThanOrEqual(HOLD_SECONDS + 1);
    expect(isRegistered(node)).toBe(false);
    expect(child.output).toMatch(/"msg":"drain completed"/);
    const held = await child.line(/"msg":"eviction held"/);
    expect(JSON.parse(held)).toMatchObject({ pod: `default/${pod}` });
    expect(JSON.parse(await child.line(/"msg":"held eviction allowed"/))).toMatchObject({ because: "released" });
    expect(child.output.match(/"msg":"eviction held"/g)).toHaveLength(1);
  });

  test("refuses an eviction that comes in the moment after the taint", async () => {
    const { child, addTo, taint, node, other } = await scene();
    const [known, first, pod] = [await addTo(other), await addTo(node), await addTo(node)];
    await taint(other);
    await untilReviewed(child, known);
    // The webhook is in use, and the node stays until now.
    expect((await evict(first)).status).toBe(201);
    await taint(node);
    expect((await evict(pod)).status, child.output).toBe(429);
  });

  test("never holds pods of DaemonSets, pods of nodes that stay, and namespaces without the label", async () => {
    const { child, addTo, taint, node, other } = await scene();
    const [held, agent, elsewhere] = [await addTo(node), await addTo(node, { owner: "DaemonSet" }), await addTo(other)];
    await taint(node);
    await untilReviewed(child, held);
    expect((await evict(agent)).status).toBe(201);
    expect((await evict(elsewhere)).status).toBe(201);
    const labels = { "hasta-la-vista.io/eviction-gate": null };
    await cluster().api.patch("/api/v1/namespaces/default", { metadata: { labels } });
    await expect.poll(async () => (await evict(held, "?dryRun=All")).status).toBe(201);
  });

  function kubectlDrain({ name }: Instance, ...args: readonly string[]) {
    const command = ["drain", name, "--ignore-daemonsets", "--force", `--kubeconfig=${cluster().kubeconfig}`];
    const env = { HOME: "/nonexistent" };
    return run(programPath("kubectl"), [...command, ...args], { env });
  }

  test("answers a dry run of kubectl drain, which shows why, and changes nothing", async () => {
    const { child, addTo, taint, node } = await scene({ holdSeconds: 300 });
    const pod = await addTo(node);
    await taint(node);
    await untilReviewed(child, pod);
    await expect(kubectlDrain(node, "--dry-run=server", "--timeout=4s")).rejects.toMatchObject({
      stderr: expect.stringMatching(/will retry after 5s.*load balancers may still send traffic to the pod's node/),
    });
    expect(child.output).not.toMatch(/"msg":"eviction held"/);
  });

  test("makes kubectl drain wait until the load balancer has let go", async () => {
    const { child, addTo, taint, node } = await scene();
    const pod = await addTo(node);
    await taint(node);
    await untilReviewed(child, pod);
    const draining = kubectlDrain(node, "--timeout=60s");
    draining.catch(() => {}); // Waited for below.
    await expect
      .poll(async () => (await cluster().api.call("GET", podPath(pod))).body, { timeout: 60_000 })
      .toMatchObject({ metadata: { deletionTimestamp: expect.any(String) } });
    expect(child.output).toMatch(/"msg":"drain completed"/);
    await cluster().api.delete(`${podPath(pod)}?gracePeriodSeconds=0`);
    expect(await draining).toMatchObject({ stdout: expect.stringMatching(/drained/) });
  });

  test("lets evictions pass once the service has been stopped in the middle of a drain", async () => {
    const { child, addTo, taint, node } = await scene();
    const pod = await addTo(node);
    await taint(node);
    await untilReviewed(child, pod);
    child.signal("SIGTERM");
    child.signal("SIGTERM");
    await child.finished;
    expect(child.output).not.toMatch(/"msg":"drain completed"/);
    expect((await evict(pod)).status).toBe(201);
  });

  /** A server that answers each review so, or not at all. */
  async function startServer(
    answer: ((review: { request: { uid: string } }) => object) | undefined,
  ): Promise<Authority> {
    const authority = new Authority("a server's authority");
    const server = createServer(authority.sign("server"), async (request, response) => {
      if (answer === undefined) return;
      let text = "";
      for await (const chunk of request) text += chunk;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer(JSON.parse(text))));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    });
    await addGate(cluster(), { port: (server.address() as AddressInfo).port, authority });
    return authority;
  }

  test("is left out by the API server where it does not answer", async () => {
    await startServer(undefined);
    const pod = `pod-${++pods}`;
    await addPod(cluster().api, { name: pod, nodeName: "none" });
    expect((await evict(pod)).status).toBe(201);
    await expect.poll(() => cluster().log).toMatch(/failing open eviction-gate\.hasta-la-vista\.io/);
  });

  test("is not asked about the service's own evictions, which have a label", async () => {
    await startServer(({ request: { uid } }) => ({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid, allowed: false, status: { code: 429, reason: "TooManyRequests" } },
    }));
    const instance = new SimulatedRegion().node();
    await addNodeOf(cluster().api, instance);
    const [own, others] = ["own", "others"];
    // The label of a pod says nothing: the API server compares that of the eviction.
    const labels = { "app.kubernetes.io/managed-by": "hasta-la-vista" };
    await addPod(cluster().api, { name: others, nodeName: instance.name, labels, owner: "ReplicaSet" });
    await expect.poll(async () => (await evict(others, "?dryRun=All")).status).toBe(429);
    await addPod(cluster().api, { name: own, nodeName: instance.name, labels: { app: own }, owner: "ReplicaSet" });
    const clock = new ScaledClock(1);
    const product = new KubernetesCluster({ server: await connectBy(kubeconfig, clock), clock });
    const evicting = product.evict(instance, { podSelectors: [`app=${own}`] }, () => {}, never);
    await expect
      .poll(async () => (await cluster().api.call("GET", podPath(own))).body)
      .toMatchObject({ metadata: { deletionTimestamp: expect.any(String) } });
    await cluster().api.delete(`${podPath(own)}?gracePeriodSeconds=0`);
    await evicting;
    expect((await evict(others)).status).toBe(429);
  });
});
