import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXCLUDE_LABEL } from "../../../src/drain/cluster.ts";
import { clusterRules } from "../../../src/kubernetes/rbac.ts";
import { account, ID } from "../../support/account.ts";
import { folder } from "../../support/api-client.ts";
import { installPacked } from "../../support/packed.ts";
import { restrictChildren } from "../../support/printed-policy.ts";
import { ENVIRONMENT, type Finished } from "../../support/program-run.ts";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { addNode, type NodeObject, nodePath } from "../support/kubernetes-nodes.ts";
import { addPod, type PodObject } from "../support/kubernetes-pods.ts";
import { programPath } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const PODS = "/api/v1/namespaces/default/pods";
const NODE = "blue-1";
/** What `rbac --for drain` prints, with and without `--disable-eviction`. */
const RULES = clusterRules({ writes: true, watches: false });
const DELETING = clusterRules({ writes: true, watches: false, deletesPods: true });

type Terminating = KubernetesObject & {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
};

describeOnKubernetes("kubectl hasta-la-vista", ["kubectl"], (cluster) => {
  let kubelets: NodeJS.Timeout;

  beforeAll(async () => {
    await addNode(cluster().api, { name: NODE, providerId: `aws:///eu-west-1a/${ID}` });
    kubelets = setInterval(() => void endTerminating().catch(() => {}), 100);
  });

  afterAll(() => clearInterval(kubelets));

  /** As kubelets do, once the containers of a pod have ended. */
  async function endTerminating(): Promise<void> {
    const { items } = await cluster().api.get<{ items: readonly Terminating[] }>(PODS);
    const now = { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0 };
    for (const { metadata } of items)
      if (metadata.deletionTimestamp !== undefined) await cluster().api.call("DELETE", `${PODS}/${metadata.name}`, now);
  }

  const nodeNow = () => cluster().api.get<NodeObject>(nodePath(NODE));
  const podsNow = async () => {
    const { items } = await cluster().api.get<{ items: readonly PodObject[] }>(PODS);
    return items.map(({ metadata }) => metadata?.name);
  };

  /** The account of the node, and kubectl with the plug-in in its PATH, as a user has it who has these permissions. */
  async function scene(rules: typeof RULES = RULES) {
    const { env, simulator } = await account();
    restrictChildren(simulator, { UNDO: "true" });
    const bin = join(await installPacked(), "node_modules/.bin");
    const user = `user-${rules.length}`;
    const path = cluster().kubeconfigFor(user, await cluster().tokenFor(user, rules));
    const config = JSON.parse(readFileSync(path, "utf8"));
    const { clusters, users, contexts } = config;
    // As users have them: the current context is another cluster's, and the contexts are shared out over several files.
    const elsewhere = { name: "elsewhere", cluster: { server: "https://127.0.0.1:1" } };
    const other = { name: "other", context: { cluster: "elsewhere", user } };
    const base = { apiVersion: "v1", kind: "Config" };
    const files = [
      { ...base, clusters: [elsewhere], contexts: [other], "current-context": "other" },
      { ...base, clusters, users, contexts: [{ ...contexts[0], name: "prod" }] },
    ].map((file, index) => cluster().writeFile(`${user}-${index}.kubeconfig`, JSON.stringify(file)));
    const environment = {
      ...ENVIRONMENT,
      ...env,
      // kubectl keeps what it has learned of an API server there.
      HOME: folder(),
      PATH: [bin, dirname(programPath("kubectl")), process.env["PATH"]].join(delimiter),
      KUBECONFIG: [...files, "/nonexistent/config"].join(delimiter),
    };
    const kubectl = (...args: readonly string[]): Promise<Finished> =>
      promisify(execFile)(programPath("kubectl"), args, { env: environment }).then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
      );
    return { kubectl };
  }

  test("is listed as a plug-in", async () => {
    const { kubectl } = await scene();
    expect((await kubectl("plugin", "list")).stdout).toMatch(/\/kubectl-hasta_la_vista$/m);
  });

  test("drains and evicts in the cluster of kubectl, with --context behind the verb, and uncordon gives all back", async () => {
    const { kubectl } = await scene();
    await addPod(cluster().api, { name: "web-1", nodeName: NODE, owner: "ReplicaSet" });
    await addPod(cluster().api, { name: "agent-1", nodeName: NODE, owner: "DaemonSet" });
    const drained = await kubectl("hasta-la-vista", "drain", `node/${NODE}`, "--evict", "--context", "prod");
    expect(drained).toMatchObject({ code: 0, stderr: "" });
    expect(drained.stdout).toMatch(/evicted pod default\/web-1$/m);
    expect(drained.stdout).toMatch(/is drained: 3 registrations .* It can be terminated\.\nEvicted 1 pod\.\n$/);
    expect(await podsNow()).toEqual(["agent-1"]);
    const out = await nodeNow();
    expect([out.metadata?.labels?.[EXCLUDE_LABEL], out.spec.unschedulable]).toEqual(["true", true]);

    const back = await kubectl("hasta-la-vista", "uncordon", NODE, "--context", "prod");
    expect(back).toMatchObject({ code: 0, stderr: "" });
    expect(back.stdout).toMatch(/3 registrations registered again\.$/m);
    const { metadata, spec } = await nodeNow();
    expect([metadata?.labels?.[EXCLUDE_LABEL], spec.unschedulable]).toEqual([undefined, undefined]);
  });

  test("takes away the cordon of kubectl too", async () => {
    const { kubectl } = await scene();
    await kubectl("cordon", NODE, "--context", "prod");
    const { code, stderr } = await kubectl("hasta-la-vista", "uncordon", NODE, "--context", "prod");
    expect(code).toBe(0);
    expect(stderr).toMatch(/no drain of the node is recorded/);
    expect((await nodeNow()).spec.unschedulable).toBeUndefined();
  });

  test("fails before it changes anything where pods may not be deleted, and names the permission and the role", async () => {
    const { kubectl } = await scene();
    await addPod(cluster().api, { name: "db-1", nodeName: NODE, owner: "StatefulSet" });
    const flags = ["--evict", "--disable-eviction", "--context", "prod"];
    const { code, stdout } = await kubectl("hasta-la-vista", "drain", NODE, ...flags);
    expect(code).toBe(1);
    expect(stdout).toMatch(/grants this program no 'delete' of 'pods' in the namespace default\./);
    expect(stdout).toMatch(/'hasta-la-vista rbac --disable-eviction' prints the role/);
    const { metadata, spec } = await nodeNow();
    expect([metadata?.labels?.[EXCLUDE_LABEL], spec.unschedulable]).toEqual([undefined, undefined]);
    expect(await podsNow()).toContain("db-1");
  });

  test("deletes pods with the role that rbac --disable-eviction prints", async () => {
    const { kubectl } = await scene(DELETING);
    const flags = ["--evict", "--disable-eviction", "--context", "prod"];
    const { code, stdout } = await kubectl("hasta-la-vista", "drain", NODE, ...flags);
    expect({ code, stdout: code === 0 ? "" : stdout }).toEqual({ code: 0, stdout: "" });
    expect(await podsNow()).toEqual(["agent-1"]);
  });

  test("names the context that no file has", async () => {
    const { kubectl } = await scene();
    const { code, stderr } = await kubectl("hasta-la-vista", "drain", NODE, "--context", "nowhere");
    expect(code).toBe(2);
    expect(stderr).toMatch(/'nowhere', which the file does not have\. It has: other, prod/);
  });
});
