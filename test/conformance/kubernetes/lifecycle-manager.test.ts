import { expect, onTestFinished, test } from "vitest";
import { clusterRules } from "../../../src/kubernetes/rbac.ts";
import { EventDelivery } from "../../../src/simulator/events/event-delivery.ts";
import { SqsSender } from "../../../src/simulator/events/sqs-sender.ts";
import type { LifecycleHook } from "../../../src/simulator/world/lifecycle-action.ts";
import { SHORT, SHORT_HOLDS_MS, SHORT_SPARES } from "../../support/departure-pools.ts";
import { DepartureScene, HOOK, linesOf } from "../../support/departure-scene.ts";
import { lostByTheProduct } from "../../support/loss-causes.ts";
import { realQueue } from "../../support/real-queue.ts";
import { startAwsByProxy } from "../support/aws-by-proxy.ts";
import type { KubernetesCluster, PolicyRule } from "../support/kubernetes-cluster.ts";
import { addNodeOf, nodePath } from "../support/kubernetes-nodes.ts";
import { programPath, RunningKubernetesProgram } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

/** As `lifecycle-manager enroll` makes it, with a heartbeat timeout that needs heartbeats within the test. */
const THEIR_HOOK: LifecycleHook = { ...HOOK, name: "lifecycle-manager", heartbeatTimeoutSeconds: 30 };
const THEIR_QUEUE = "lifecycle-manager-queue";

/** What its example manifest allows: https://github.com/keikoproj/lifecycle-manager/blob/v0.6.7/examples/lifecycle-manager.yaml */
const EXAMPLE_ROLE: readonly PolicyRule[] = [
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "patch"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
  { apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"] },
  { apiGroups: ["extensions", "apps"], resources: ["daemonsets"], verbs: ["get"] },
  { apiGroups: [""], resources: ["events"], verbs: ["get", "list", "create"] },
];
/** What it needs since 0.6.1, in which it began to delete the Node object. */
const WHOLE_ROLE = [...EXAMPLE_ROLE, { apiGroups: [""], resources: ["nodes"], verbs: ["delete"] }];

describeOnKubernetes(
  "lifecycle-manager on the same Auto Scaling group",
  ["lifecycle-manager", "kubectl"],
  (cluster) => {
    // Of the three minutes that it takes lifecycle-manager sleeps most.
    test("each completes its own hook, no request is lost, and no machine goes before both have ended", {
      timeout: 600_000,
    }, async () => {
      const scene = await DepartureScene.open({ nodes: 4, timing: SHORT, otherHooks: [THEIR_HOOK] });
      for (const node of scene.nodes) await addNodeOf(cluster().api, node);
      const theirs = await startLifecycleManager(cluster(), scene, WHOLE_ROLE);
      const child = await startBeside(cluster(), scene);
      const leaving = scene.nodes.slice(0, 2);
      const ids = leaving.map(({ id }) => id);
      scene.scaleIn(leaving);
      await scene.untilOff(leaving);
      await scene.untilQueueIsEmpty();
      const { sent, losses } = await scene.endTraffic();

      expect(lostByTheProduct(losses, SHORT_SPARES)).toEqual([]);
      expect(sent).toBeGreaterThan(100);
      const results = scene.hooks.map(({ instanceId, action }) => `${instanceId} ${action.hook.name} ${action.result}`);
      const expected = ids.flatMap((id) => [`${id} ${HOOK.name} CONTINUE`, `${id} ${THEIR_HOOK.name} CONTINUE`]);
      expect(results.sort(), theirs.program.output).toEqual(expected.sort());
      expect(
        linesOf(child, "hook completed")
          .map(({ node }) => node)
          .sort(),
      ).toEqual(ids);
      for (const { instanceId, action } of scene.hooks)
        expect(scene.world.instance(instanceId)?.terminatedAt).toBeGreaterThanOrEqual(action.endsAt);
      expect(child.output).not.toMatch(/target came back|"registered-again"/);
      // Of the two that deregister a node, the one that is first is noted.
      const deregistered = scene.books.map(({ pool, target }) => `${target} ${pool}`).sort();
      expect(deregistered).toEqual(
        ids.flatMap((id) => ["legacy", "reports", "tcp", "web"].map((pool) => `${id} ${pool}`)),
      );
      for (const { pool, target, at } of scene.books) {
        const aliveMs = (scene.world.instance(target)?.terminatedAt ?? 0) - at;
        expect(aliveMs, `${target} alive after ${pool} was asked`).toBeGreaterThanOrEqual(SHORT_HOLDS_MS[pool] ?? 0);
      }
      // lifecycle-manager deletes the Node objects of those that leave.
      for (const { name } of leaving) expect((await cluster().api.call("GET", nodePath(name))).status).toBe(404);
      await expect.poll(async () => await theirs.queue.depth()).toEqual({ waiting: 0, inFlight: 0 });
    });
  },
);

/** Ours, with its own hook and queue, and in the cluster as the chart has it. */
async function startBeside(cluster: KubernetesCluster, scene: DepartureScene) {
  const token = await cluster.tokenFor("hasta-la-vista", clusterRules({ writes: true, watches: true }));
  return scene.start({
    KUBERNETES: cluster.kubeconfigFor("hasta-la-vista", token),
    UNDO: "true",
    TERMINATION_HOOK: HOOK.name,
  });
}

/** Theirs, with its own hook and queue, allowed to do this in the cluster. */
async function startLifecycleManager(cluster: KubernetesCluster, scene: DepartureScene, role: readonly PolicyRule[]) {
  const queue = await realQueue(THEIR_QUEUE);
  sendHook(scene, queue.url);
  const proxy = await startAwsByProxy({ sqs: queue.endpoint, others: scene.endpoint });
  onTestFinished(() => proxy.stop());
  const kubeconfig = cluster.kubeconfigFor("lifecycle-manager", await cluster.tokenFor("lifecycle-manager", role));
  const program = new RunningKubernetesProgram(
    "lifecycle-manager",
    [
      ...["serve", "--region=eu-west-1", `--queue-name=${THEIR_QUEUE}`, "--polling-interval=1", "--log-level=debug"],
      ...[`--local-mode=${kubeconfig}`, `--kubectl-path=${programPath("kubectl")}`],
    ],
    {
      KUBECONFIG: kubeconfig,
      HTTPS_PROXY: proxy.url,
      SSL_CERT_FILE: cluster.writeFile("aws.crt", proxy.ca),
      AWS_ACCESS_KEY_ID: "lifecycle-manager",
      AWS_SECRET_ACCESS_KEY: "lifecycle-manager",
    },
  );
  onTestFinished(() => program.kill());
  await program.line(/starting metrics server/);
  return { program, queue };
}

/** The notifications of their hook go straight to their queue, as `enroll` arranges it. */
function sendHook({ world }: DepartureScene, url: string): void {
  const sender = new SqsSender({ url, region: world.region });
  const isTheirs = (body: string) => JSON.parse(body).LifecycleHookName === THEIR_HOOK.name;
  const delivery = new EventDelivery(
    world,
    [{ from: "auto-scaling", send: async (body, signal) => (isTheirs(body) ? sender.send(body, signal) : undefined) }],
    { onGivenUp: (error) => expect.unreachable(error.message) },
  );
  onTestFinished(async () => {
    await delivery.close();
    sender.close();
  });
}
