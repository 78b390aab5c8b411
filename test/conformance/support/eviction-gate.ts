import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import { parseAllDocuments } from "yaml";
import { clusterRules } from "../../../src/kubernetes/rbac.ts";
import { Authority } from "../../support/certificates.ts";
import type { KubernetesCluster } from "./kubernetes-cluster.ts";

const WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MANIFEST = "deploy/kustomize/eviction-gate/eviction-gate.yaml";
/** What `rbac` prints for a service that is the eviction gate. */
export const GATE_RULES = clusterRules({ writes: true, watches: true, gates: true });

/** The options of a service that is the eviction gate of the cluster, and the authority of its certificate. */
export function gateOptions(cluster: KubernetesCluster) {
  const authority = new Authority("the gate's authority");
  const { cert, key } = authority.sign("gate");
  const options = {
    EVICTION_GATE: "true",
    EVICTION_GATE_PORT: "0",
    EVICTION_GATE_CERT_FILE: cluster.writeFile("gate.crt", cert),
    EVICTION_GATE_KEY_FILE: cluster.writeFile("gate.key", key),
  };
  return { options, authority };
}

/** Where the gate of a service listens. */
export async function gatePort(child: { line(pattern: RegExp): Promise<string> }): Promise<number> {
  return JSON.parse(await child.line(/"eviction gate listening"/)).port;
}

/**
 * Applies the webhook of the manifest for the rest of the test, at an address of this machine in place of the Service's:
 * the API server can't reach a Service. Evictions in the namespace `default` are reviewed then.
 */
export async function addGate(
  { api }: KubernetesCluster,
  { port, authority }: { readonly port: number; readonly authority: Authority },
): Promise<void> {
  const objects = parseAllDocuments(readFileSync(MANIFEST, "utf8")).map((document) => document.toJS());
  const manifest = objects.find(({ kind }) => kind === "ValidatingWebhookConfiguration");
  const [webhook] = manifest.webhooks;
  const { path } = webhook.clientConfig.service;
  const clientConfig = {
    url: `https://127.0.0.1:${port}${path}`,
    caBundle: Buffer.from(authority.cert).toString("base64"),
  };
  await api.post(WEBHOOKS, { ...manifest, webhooks: [{ ...webhook, clientConfig }] });
  onTestFinished(() => api.delete(`${WEBHOOKS}/${manifest.metadata.name}`).then(() => {}));
  const labels = webhook.namespaceSelector.matchLabels;
  await api.patch("/api/v1/namespaces/default", { metadata: { labels } });
}
