import { beforeAll, expect, test } from "vitest";
import type { Lease } from "../../../src/kubernetes/lease.ts";
import type { ConfigMap } from "../../../src/kubernetes/ledger-chunk.ts";
import { clusterRules, namespaceRules } from "../../../src/kubernetes/rbac.ts";
import { account, ID } from "../../support/account.ts";
import { stateDir } from "../../support/ledger-entries.ts";
import { serveHere } from "../../support/run-here.ts";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const LEASE = "drains-of-the-test";
const AUTHORIZATION = "rbac.authorization.k8s.io";
const RBAC = `/apis/${AUTHORIZATION}/v1/namespaces/default`;
const MAPS = "/api/v1/namespaces/default/configmaps";
const SECRET = "a-secret-of-the-replicas";

describeOnKubernetes("a service with LEASE", [], (cluster) => {
  let token = "";

  beforeAll(async () => {
    token = await cluster().tokenFor("leader", clusterRules({ writes: true, watches: true }));
    const of = (kind: string) => ({ apiVersion: `${AUTHORIZATION}/v1`, kind });
    const { api } = cluster();
    await api.apply(`${RBAC}/roles/leader`, { ...of("Role"), rules: namespaceRules(LEASE) });
    await api.apply(`${RBAC}/rolebindings/leader`, {
      ...of("RoleBinding"),
      roleRef: { apiGroup: AUTHORIZATION, kind: "Role", name: "leader" },
      subjects: [{ kind: "ServiceAccount", namespace: "default", name: "leader" }],
    });
  });

  const mapsOf = async () => {
    const { items } = await cluster().api.get<KubernetesObject & { readonly items: readonly ConfigMap[] }>(
      `${MAPS}?labelSelector=hasta-la-vista.io/ledger=${LEASE}`,
    );
    return items.map(({ metadata }) => metadata?.name ?? "");
  };
  const holder = async () => {
    const path = `/apis/coordination.k8s.io/v1/namespaces/default/leases/${LEASE}`;
    return (await cluster().api.get<Lease & KubernetesObject>(path)).spec?.holderIdentity;
  };

  test("leads, keeps its ledger, and hands over, with exactly the roles that rbac prints", async () => {
    const { env } = await account();
    const { child, url } = await serveHere({
      ...env,
      SECRET,
      LEASE,
      KUBERNETES: cluster().kubeconfigFor("leader", token),
      NODE_TRIGGERS: "none",
      STATE_DIR: await stateDir(),
      ...{ POD_NAME: "pod-1", POD_NAMESPACE: "default", POD_IP: "127.0.0.1", NODE_NAME: "elsewhere" },
    });
    await child.line(/"leadership acquired"/);
    expect(await holder()).toMatch(/^pod-1_/);
    const headers = { authorization: `Bearer ${SECRET}` };
    await expect.poll(async () => (await fetch(`${url}/ready`)).status).toBe(200);
    const { status } = await fetch(`${url}/drain?id=${ID}&wait=false`, { method: "POST", headers });
    expect(status).toBe(202);
    expect((await mapsOf()).length).toBeGreaterThanOrEqual(2);
    child.signal("SIGTERM");
    child.signal("SIGTERM");
    await child.finished;
    expect(await holder()).toBe("");
    expect(child.output).not.toMatch(/Forbidden|failed/);
  });
});
