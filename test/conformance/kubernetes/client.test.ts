import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../../src/drain/abort.ts";
import { SystemClock } from "../../../src/drain/clock.ts";
import type { ApiServer } from "../../../src/kubernetes/api-server.ts";
import type { Node } from "../../../src/kubernetes/objects.ts";
import { clusterRules } from "../../../src/kubernetes/rbac.ts";
import { Watch, type WatchState } from "../../../src/kubernetes/watch.ts";
import { connectBy, failure, folder } from "../../support/api-client.ts";
import { never } from "../../support/simulated-region.ts";
import type { KubernetesCluster } from "../support/kubernetes-cluster.ts";
import { addNode, nodePath } from "../support/kubernetes-nodes.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const NODES = "/api/v1/nodes";
/** What the printed role of the service allows. */
const RULES = clusterRules({ writes: true, watches: true });
/** Short watches, so that their ends come soon. */
const WATCH_SECONDS = 4;
const PATIENCE = { timeout: 90_000, interval: 100 };
const TAINT = { key: "karpenter.sh/disrupted", effect: "NoSchedule" } as const;

/** The change that shows a node with the taint: it may have come as well with it, as without. */
const tainted = (name: string) => expect.stringMatching(new RegExp(`^(added|changed) ${name} ${TAINT.key}$`));

let users = 0;

/** A client with a token of its own, under the printed role. */
async function clientOf(cluster: KubernetesCluster) {
  const user = `client-${++users}`;
  const token = await cluster.tokenFor(user, RULES);
  const server = await connectBy(cluster.kubeconfigFor(user, token), new SystemClock());
  return { user, token, server };
}

/** A watch of the nodes that runs until the test's end, and the changes that a reader has got. */
function watchOf(server: ApiServer, watchSeconds?: number) {
  const states: WatchState[] = [];
  const stop = newAbort();
  const watch = new Watch<Node, readonly string[]>({
    server,
    clock: new SystemClock(),
    path: NODES,
    project: ({ spec }) => (spec?.taints ?? []).map(({ key }) => key),
    onState: (state) => states.push(state),
    ...(watchSeconds === undefined ? {} : { watchSeconds }),
  });
  const changes: string[] = [];
  const read = async () => {
    for await (const { kind, key, value } of watch.changes(stop.signal)) changes.push([kind, key, ...value].join(" "));
  };
  const ended = [watch.run(stop.signal), read()].map((work) => work.catch(() => {}));
  onTestFinished(async () => {
    stop.abort();
    await Promise.all(ended);
  });
  const told = () =>
    states.map((state) => (state.kind === "failing" ? `${state.error.status} ${state.error.reason}` : state.kind));
  return { watch, states, told, changes, listed: () => watch.listed(stop.signal) };
}

describeOnKubernetes("the client, on a real API server,", [], (cluster) => {
  test("may do what the printed role allows, and names what it may not", async () => {
    const { server, user } = await clientOf(cluster());
    await addNode(cluster().api, { name: "role-1" });
    const labels = { "node.kubernetes.io/exclude-from-external-load-balancers": "true" };
    const object = { apiVersion: "v1", kind: "Node", metadata: { name: "role-1", labels } };
    const applied = await server.apply<Node>(nodePath("role-1"), object, { fieldManager: "hasta-la-vista" }, never);
    expect(applied.metadata?.labels).toMatchObject(labels);
    const other = {
      ...object,
      metadata: { name: "role-1", labels: { ...labels, [Object.keys(labels)[0] ?? ""]: "false" } },
    };
    const conflict = await failure(server.apply(nodePath("role-1"), other, { fieldManager: "another" }, never));
    expect(conflict).toMatchObject({ status: 409, reason: "Conflict" });
    expect(conflict.causes).toMatchObject([
      { reason: "FieldManagerConflict", message: expect.stringContaining("hasta-la-vista") },
    ]);
    const removed = await server.apply<Node>(
      nodePath("role-1"),
      { ...object, metadata: { name: "role-1" } },
      { fieldManager: "hasta-la-vista" },
      never,
    );
    expect(Object.keys(removed.metadata?.labels ?? {})).not.toContain(Object.keys(labels)[0]);
    const refused = await failure(server.delete(nodePath("role-1"), never));
    expect(refused).toMatchObject({ status: 403, reason: "Forbidden" });
    expect(refused.message).toBe(
      `DELETE /api/v1/nodes/role-1: the API server answered 403 Forbidden: nodes "role-1" is forbidden: User "system:serviceaccount:default:${user}" cannot delete resource "nodes" in API group "" at the cluster scope. Grant the permission: 'hasta-la-vista rbac' prints the role`,
    );
    expect(await failure(server.get(nodePath("no-such-node"), never))).toMatchObject({
      status: 404,
      reason: "NotFound",
    });
  });

  test("lists by pages, and begins again where the continue token is too old", async () => {
    const { server } = await clientOf(cluster());
    for (let at = 0; at < 7; at++) await addNode(cluster().api, { name: `page-${at}` });
    const sizes: number[] = [];
    for await (const { items } of server.pages<Node>(NODES, never, { limit: 3 })) sizes.push(items.length);
    expect(sizes.slice(0, -1).every((size) => size === 3)).toBe(true);
    const { items } = await server.list<Node>(NODES, never, { limit: 3 });
    expect(items).toHaveLength(sizes.reduce((sum, size) => sum + size));
  });

  test("reads a token file again after a 401", async () => {
    const { token, server } = await clientOf(cluster());
    await server.list(NODES, never);
    const home = folder();
    writeFileSync(join(home, "token"), "not-a-token");
    const { url, ca } = cluster();
    const config = {
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [
        { name: "c", cluster: { server: url, "certificate-authority-data": Buffer.from(ca).toString("base64") } },
      ],
      users: [{ name: "u", user: { tokenFile: "token" } }],
    };
    writeFileSync(join(home, "config"), JSON.stringify(config));
    const rotating = await connectBy(join(home, "config"), new SystemClock());
    const { status, message } = await failure(rotating.list(NODES, never));
    expect({ status, message }).toEqual({
      status: 401,
      message:
        "GET /api/v1/nodes: the API server answered 401 Unauthorized: Unauthorized. Check the token or the client certificate of this program",
    });
    writeFileSync(join(home, "token"), token);
    await rotating.list(NODES, never);
  });

  test("watches for longer than a watch lasts, from bookmark to bookmark, without another list", async () => {
    const { server } = await clientOf(cluster());
    const lists: string[] = [];
    const pages = server.pages.bind(server);
    // One of a single item asks for the version alone.
    server.pages = (path, signal, query) => {
      if (query?.["limit"] === undefined) lists.push(path);
      return pages(path, signal, query);
    };
    // As long as in production: a watch of a few seconds ends before etcd has told the server of its newest version.
    const { changes, told, listed } = watchOf(server);
    await listed();
    const from = Date.now();
    await expect.poll(() => Date.now() - from, PATIENCE).toBeGreaterThan(33_000);
    await addNode(cluster().api, { name: "late", taints: [TAINT] });
    await expect.poll(() => changes, PATIENCE).toContainEqual(tainted("late"));
    expect(lists).toHaveLength(1);
    expect(told()).toEqual([]);
  });

  test("watches again after its server was killed, and finds what it has missed", async () => {
    const { server } = await clientOf(cluster());
    await addNode(cluster().api, { name: "killed-1" });
    const { changes, told, listed } = watchOf(server, WATCH_SECONDS);
    await listed();
    await cluster().kill9();
    await expect.poll(told, PATIENCE).toEqual(["0 Unreachable"]);
    await cluster().restart();
    await cluster().api.delete(nodePath("killed-1"));
    await addNode(cluster().api, { name: "killed-2", taints: [TAINT] });
    await expect.poll(() => changes, PATIENCE).toContain("deleted killed-1");
    await expect.poll(() => changes, PATIENCE).toContainEqual(tainted("killed-2"));
    await expect.poll(() => told().at(-1), PATIENCE).toBe("recovered");
  });

  test("gives up requests to a server that was stopped in time, and watches on when it continues", async () => {
    const { server } = await clientOf(cluster());
    await addNode(cluster().api, { name: "stopped-1" });
    const { changes, told, listed } = watchOf(server, WATCH_SECONDS);
    await listed();
    await cluster().pause();
    onTestFinished(() => cluster().resume());
    const asked = { method: "GET", path: NODES, timeoutMs: 500 } as const;
    expect(await failure(server.request(asked, never))).toMatchObject({ status: 0, reason: "Timeout" });
    await expect.poll(told, PATIENCE).toEqual(["0 Timeout"]);
    cluster().resume();
    await cluster().api.patch(nodePath("stopped-1"), { spec: { taints: [TAINT] } });
    await expect.poll(() => changes, PATIENCE).toContainEqual(tainted("stopped-1"));
    await expect.poll(told, PATIENCE).toEqual(["0 Timeout", "recovered"]);
  });

  test("reports that its permissions were taken away once, and watches on when it has them again", async () => {
    const { server, user } = await clientOf(cluster());
    const { changes, told, listed } = watchOf(server, WATCH_SECONDS);
    await listed();
    await cluster().allow(user, []);
    await expect.poll(told, PATIENCE).toEqual(["403 Forbidden"]);
    await cluster().allow(user, RULES);
    await addNode(cluster().api, { name: "allowed", taints: [TAINT] });
    await expect.poll(() => changes, PATIENCE).toContainEqual(tainted("allowed"));
    await expect.poll(told, PATIENCE).toEqual(["403 Forbidden", "recovered"]);
  });

  test("notices that its server goes on from an earlier state, whose versions are lower than its own", async () => {
    for (let at = 0; at < 30; at++) await addNode(cluster().api, { name: `before-${at}` });
    // A service account would be gone with all else.
    const server = await connectBy(cluster().kubeconfig, new SystemClock());
    const { changes, watch, listed } = watchOf(server, WATCH_SECONDS);
    await listed();
    expect(watch.get("before-7")).toBeDefined();
    await cluster().restartEmpty();
    await addNode(cluster().api, { name: "after", taints: [TAINT] });
    await expect.poll(() => changes, PATIENCE).toContain("deleted before-7");
    await expect.poll(() => changes, PATIENCE).toContainEqual(tainted("after"));
  });
});
