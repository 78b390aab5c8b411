import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { OPTIONS } from "../../src/config/config.ts";
import { OWN_EVICTION } from "../../src/drain/eviction.ts";
import { REVIEW_PATH } from "../../src/web/eviction-review.ts";
import { KUSTOMIZE } from "../support/kustomize-files.ts";
import type { Variable } from "../support/pod-process.ts";

const GATE = `${KUSTOMIZE}/eviction-gate/eviction-gate.yaml`;
const COMPONENT = `${KUSTOMIZE}/eviction-gate/kustomization.yaml`;

const objectsOf = (file: string) =>
  parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
const [service, webhooks, issuer, certificate] = [
  "Service",
  "ValidatingWebhookConfiguration",
  "Issuer",
  "Certificate",
].map((kind) => objectsOf(GATE).find((object) => object.kind === kind));
const deployment = objectsOf(`${KUSTOMIZE}/service.yaml`).find(({ kind }) => kind === "Deployment");
const { name, namespace } = service.metadata;

describe(GATE, () => {
  const [webhook] = webhooks.webhooks;

  test("leads the API server to the path and the port of the gate", () => {
    expect(webhook.clientConfig.service).toEqual({ name, namespace, path: REVIEW_PATH });
    // The port that the API server calls where the webhook names none.
    expect(service.spec.ports).toEqual([{ name: "https", port: 443, targetPort: "eviction-gate" }]);
    expect(deployment.spec.template.metadata.labels).toMatchObject(service.spec.selector);
  });

  test("never blocks an eviction where the gate does not answer, and asks about evictions alone", () => {
    expect(webhook).toMatchObject({ failurePolicy: "Ignore", sideEffects: "NoneOnDryRun" });
    expect(webhook.timeoutSeconds).toBeLessThanOrEqual(3);
    expect(webhook.rules).toMatchObject([{ resources: ["pods/eviction"], operations: ["CREATE"] }]);
  });

  test("leaves out the evictions that the program makes, and namespaces without the label that the page names", () => {
    const { label, value: own } = OWN_EVICTION;
    expect(webhook.objectSelector.matchExpressions).toEqual([{ key: label, operator: "NotIn", values: [own] }]);
    const [[key = "", enabled] = []] = Object.entries(webhook.namespaceSelector.matchLabels);
    const page = readFileSync("docs/kubernetes.md", "utf8");
    expect(page).toContain(`kubectl label namespace ingress-nginx ${key}=${enabled}\n`);
    expect(readFileSync(GATE, "utf8")).toContain(`kubectl label namespace NAME ${key}=${enabled}\n`);
  });

  test("has a certificate of cert-manager for the name by which the API server calls the gate", () => {
    expect(webhooks.metadata.annotations).toEqual({
      "cert-manager.io/inject-ca-from": `${certificate.metadata.namespace}/${certificate.metadata.name}`,
    });
    expect(certificate.spec).toMatchObject({
      dnsNames: [`${name}.${namespace}.svc`],
      issuerRef: { name: issuer.metadata.name },
    });
    expect(issuer.metadata.namespace).toBe(certificate.metadata.namespace);
  });
});

describe(COMPONENT, () => {
  const { patches } = parse(readFileSync(COMPONENT, "utf8"));
  const [, patch] = patches.map(({ patch: text }: { readonly patch: string }) => parse(text));
  const { containers, volumes } = patch.spec.template.spec;
  const [container] = containers;

  test("gives the service the options of the gate, and the certificate that is made for it", () => {
    const set = Object.fromEntries(container.env.map((variable: Variable) => [variable.name, variable.value]));
    const [mount] = container.volumeMounts;
    expect(set).toEqual({
      [OPTIONS.evictionGate.variable]: "true",
      [OPTIONS.evictionGateCertFile.variable]: `${mount.mountPath}/tls.crt`,
      [OPTIONS.evictionGateKeyFile.variable]: `${mount.mountPath}/tls.key`,
    });
    expect(container.ports).toEqual([
      { name: service.spec.ports[0].targetPort, containerPort: OPTIONS.evictionGatePort.default },
    ]);
    expect(volumes.map((volume: { readonly name: string }) => volume.name)).toEqual([mount.name]);
    expect(volumes[0].secret.secretName).toBe(certificate.spec.secretName);
  });
});
