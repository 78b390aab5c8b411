import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { KubernetesApi, type WatchEvent } from "../support/kubernetes-api.ts";
import type { KubernetesCluster } from "../support/kubernetes-cluster.ts";
import { addNode, nodePath } from "../support/kubernetes-nodes.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const READ_NODES = [{ apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] }];

/** Calls with this token until the test's end. */
function callsWith({ url, ca }: KubernetesCluster, token: string): KubernetesApi {
  const api = new KubernetesApi({ url, ca, token });
  onTestFinished(() => api.close());
  return api;
}

async function next(events: AsyncGenerator<WatchEvent>): Promise<WatchEvent | undefined> {
  return (await events.next()).value as WatchEvent | undefined;
}

describeOnKubernetes("an API server for tests", [], (cluster) => {
  test("is the version that is pinned, and is recognised by its certificate", async () => {
    const pinned = /k8s\.io\/kubernetes (v\S+)/.exec(
      readFileSync("test/conformance/kubernetes/programs/kube-apiserver/go.mod", "utf8"),
    )?.[1];
    expect(await cluster().api.get("/version")).toMatchObject({ gitVersion: pinned });
    const stranger = new KubernetesApi({ url: cluster().url, ca: "", token: cluster().adminToken });
    onTestFinished(() => stranger.close());
    await expect(stranger.get("/version")).rejects.toThrow(/certificate/);
  });

  test("takes nodes, and a watch sees them come, change and go", async () => {
    const { api } = cluster();
    const list = await api.get("/api/v1/nodes");
    const events = api.watch(`/api/v1/nodes?resourceVersion=${list.metadata.resourceVersion}`);
    onTestFinished(async () => void (await events.return(undefined)));

    const node = await addNode(api, { name: "one", providerId: "aws:///eu-west-1a/i-00000000000000001" });
    expect(node.spec).toEqual({ providerID: "aws:///eu-west-1a/i-00000000000000001" });
    expect(node.status.conditions).toMatchObject([{ type: "Ready", status: "True" }]);
    expect(await next(events)).toMatchObject({ type: "ADDED", object: { metadata: { name: "one" } } });
    await api.delete(nodePath("one"));
    const types: (string | undefined)[] = [];
    while (types.at(-1) !== "DELETED") types.push((await next(events))?.type);
    expect(types).toEqual(["MODIFIED", "MODIFIED", "DELETED"]);
  });

  test("allows a service account what its role names, until the role changes", async () => {
    const api = callsWith(cluster(), await cluster().tokenFor("reader", READ_NODES));
    expect((await api.call("GET", "/api/v1/nodes")).status).toBe(200);
    expect((await api.call("GET", "/api/v1/pods")).status).toBe(403);
    await cluster().allow("reader", []);
    await expect.poll(async () => (await api.call("GET", "/api/v1/nodes")).status).toBe(403);
    expect((await callsWith(cluster(), "wrong").call("GET", "/api/v1/nodes")).status).toBe(401);
  });

  test("comes back after a kill with all that it had, and its old watches have ended", async () => {
    const { api } = cluster();
    await addNode(api, { name: "kept" });
    const events = api.watch("/api/v1/nodes");
    expect(await next(events)).toMatchObject({ type: "ADDED" });
    await cluster().kill9();
    await expect(next(events)).rejects.toThrow();
    await expect(api.get("/version")).rejects.toThrow(/ECONNREFUSED/);
    await cluster().restart();
    expect(await api.get(nodePath("kept"))).toMatchObject({ metadata: { name: "kept" } });
  });

  test("is silent while it is stopped, and answers afterwards", async () => {
    const { api } = cluster();
    onTestFinished(() => cluster().resume());
    await cluster().pause();
    const answer = api.get("/version");
    // It would answer within a few milliseconds. On a busy machine the test proves less, and does not fail.
    const first = await Promise.race([answer, wait(300, "nothing")]);
    expect(first).toBe("nothing");
    cluster().resume();
    expect(await answer).toHaveProperty("gitVersion");
  });

  test("begins its resource versions anew after it has lost its data", async () => {
    const { api } = cluster();
    const before = await api.get("/api/v1/nodes");
    await cluster().restartEmpty();
    const after = await api.get<typeof before & { readonly items: readonly unknown[] }>("/api/v1/nodes");
    expect(after.items).toEqual([]);
    expect(Number(after.metadata.resourceVersion)).toBeLessThan(Number(before.metadata.resourceVersion));
  });
});
