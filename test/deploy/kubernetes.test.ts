import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { OPTIONS } from "../../src/config/config.ts";
import { OWN_EVICTION } from "../../src/drain/eviction.ts";
import { REVIEW_PATH } from "../../src/web/eviction-review.ts";
import { account, ID } from "../support/account.ts";
import { Child } from "../support/child-process.ts";
import { only, readStage } from "../support/dockerfile.ts";
import { codeBlocks } from "../support/documents.ts";
import { Image } from "../support/image.ts";
import { runHere } from "../support/run-here.ts";

const FILE = "deploy/kubernetes/hasta-la-vista.yaml";
const ROLE = "deploy/kubernetes/rbac.yaml";
const GATE = "deploy/kubernetes/eviction-gate.yaml";
const HOLDER = "deploy/kubernetes/holder.yaml";
const SECRET = "a-secret-of-the-manifest";

interface Variable {
  readonly name: string;
  readonly value?: string;
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

const objectsOf = (manifest: string) =>
  parseAllDocuments(manifest).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
const text = readFileSync(FILE, "utf8");
const objects = objectsOf(text);
const [account_, claim, deployment, service] = ["ServiceAccount", "PersistentVolumeClaim", "Deployment", "Service"].map(
  (kind) => objects.find((object) => object.kind === kind),
);
const pod = deployment.spec.template.spec;
const [container] = pod.containers;
const variables: readonly Variable[] = container.env;
const value = (name: string) => variables.find((variable) => variable.name === name)?.value;
const mountOf = (path: string) =>
  container.volumeMounts.find(({ mountPath }: { readonly mountPath: string }) => path.startsWith(mountPath));

describe(FILE, () => {
  test("makes what a service needs, and nothing that gives permissions in the cluster", () => {
    expect(objects.map(({ kind }) => kind)).toEqual([
      "ServiceAccount",
      "PersistentVolumeClaim",
      "Deployment",
      "Service",
    ]);
    for (const { metadata } of objects)
      expect(metadata).toMatchObject({ name: "hasta-la-vista", namespace: "kube-system" });
    expect(pod).toMatchObject({ serviceAccountName: account_.metadata.name, automountServiceAccountToken: false });
  });

  test("selects the pods that it makes, and leads to the port that they listen on", () => {
    const { labels } = deployment.spec.template.metadata;
    expect(labels).toMatchObject(deployment.spec.selector.matchLabels);
    expect(labels).toMatchObject(service.spec.selector);
    const [{ targetPort, port }] = service.spec.ports;
    const exposed = Number(only(readStage("service"), "EXPOSE").words[0]);
    expect(container.ports).toEqual([{ name: targetPort, containerPort: exposed }]);
    expect(port).toBe(exposed);
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe] as readonly Probe[])
      expect(httpGet.port).toBe(targetPort);
  });

  test("runs as the image's user, who can write to the ledger's volume alone", () => {
    const [uid, gid] = (only(readStage("service"), "USER").words[0] ?? "").split(":").map(Number);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: uid, runAsGroup: gid, fsGroup: gid });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    const writable = container.volumeMounts.filter(
      ({ readOnly }: { readonly readOnly?: boolean }) => readOnly !== true,
    );
    expect(writable).toEqual([mountOf(value("STATE_DIR") ?? "")]);
    const state = pod.volumes.find(({ name }: { readonly name: string }) => name === writable[0].name);
    expect(state.persistentVolumeClaim.claimName).toBe(claim.metadata.name);
    // Two processes must not share a ledger.
    expect(deployment.spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    expect(claim.spec.accessModes).toEqual(["ReadWriteOnce"]);
  });

  test("bounds memory, asks for what it needs, and gives running drains time to end", () => {
    expect(container.resources).toMatchObject({ requests: { cpu: expect.any(String), memory: expect.any(String) } });
    expect(container.resources.limits.memory).toMatch(/^\d+Mi$/);
    const [grace, poll] = [Number(OPTIONS.shutdownGraceMs.default) / 1_000, 20];
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(grace + poll);
  });

  test("sets only options that the service has, and its secret by a file", () => {
    const known = Object.values(OPTIONS).map(({ variable }) => variable as string);
    expect(variables.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
    const mount = mountOf(value("SECRET_FILE") ?? "");
    const volume = pod.volumes.find(({ name }: { readonly name: string }) => name === mount.name);
    const created = /kubectl create secret generic (\S+) --namespace (\S+) --from-literal=(\w+)=/.exec(
      readFileSync("docs/install.md", "utf8"),
    );
    expect(created?.slice(1)).toEqual([
      volume.secret.secretName,
      deployment.metadata.namespace,
      value("SECRET_FILE")?.replace(`${mount.mountPath}/`, ""),
    ]);
  });

  test("marks the lines to edit, as many as the page says", () => {
    expect(text.match(/# EDIT\b/g)).toHaveLength(4);
    for (const page of ["README.md", "docs/install.md"])
      expect(readFileSync(page, "utf8")).toMatch(/four\s+(marked\s+)?lines/);
  });

  test("has what the cluster's integration needs, and without it no token of the service account", async () => {
    expect(text).toMatch(/automountServiceAccountToken: false # KUBERNETES: true\n/);
    const integrated = text
      .replace("automountServiceAccountToken: false # KUBERNETES: true", "automountServiceAccountToken: true")
      .replaceAll(/# (- \{ name: (?:KUBERNETES|UNDO), )/g, "$1");
    const changed = objectsOf(integrated).find(({ kind }) => kind === "Deployment").spec.template.spec;
    expect(changed.automountServiceAccountToken).toBe(true);
    expect(changed.containers[0].env).toEqual(
      expect.arrayContaining([
        { name: OPTIONS.kubernetes.variable, value: "in-cluster" },
        { name: OPTIONS.undo.variable, value: "true" },
      ]),
    );
    expect({
      ...changed,
      automountServiceAccountToken: false,
      containers: [{ ...changed.containers[0], env: 0 }],
    }).toEqual({ ...pod, containers: [{ ...container, env: 0 }] });
  });

  test("starts the image so that its probes succeed and a node is drained through it", async () => {
    const { env } = await account();
    const image = await Image.of("service");
    const folder = mkdtempSync(join(tmpdir(), "mounts-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    // A new ext4 volume is not empty.
    mkdirSync(join(folder, "state", "lost+found"), { recursive: true });
    writeFileSync(join(folder, "secret"), `${SECRET}\n`);
    const given = Object.fromEntries(variables.map(({ name, value: set }) => [name, set]));
    const started = new Child({ ...image.program(), options: {} }, [], {
      ...env,
      ...given,
      // A process has no mounts, shares the machine's ports, and must not leave the machine.
      ...{ SECRET_FILE: join(folder, "secret"), STATE_DIR: join(folder, "state"), HOST: "127.0.0.1", PORT: "0" },
    });
    const { port } = JSON.parse(await started.line(/"listening"/));
    await started.line(/"access check passed"/);
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe] as readonly Probe[])
      expect((await fetch(`http://127.0.0.1:${port}${httpGet.path}`)).status).toBe(200);
    const headers = { Authorization: `Bearer ${SECRET}` };
    const answer = await fetch(`http://127.0.0.1:${port}/drain?id=${ID}&dryRun=true`, { method: "POST", headers });
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({
      status: 200,
      body: { status: "planned" },
    });
  });

  test("makes the Service and the Secret that the agents' DaemonSet calls", () => {
    const [block] = codeBlocks("docs/wiring.md").filter(({ language }) => language === "yaml");
    const agents = parse(block?.text ?? "");
    const [agent] = agents.spec.template.spec.containers;
    const { name, namespace } = service.metadata;
    expect(agent.args).toEqual(["watch", "--server", `http://${name}.${namespace}:${service.spec.ports[0].port}`]);
    expect(agent.image).toBe(container.image);
    expect(agents.metadata.namespace).toBe(namespace);
    const [{ valueFrom }] = agent.env;
    expect(valueFrom.secretKeyRef).toEqual({ name: "hasta-la-vista", key: "secret" });
    expect(agents.spec.template.metadata.labels).toMatchObject(agents.spec.selector.matchLabels);
    // Agents must not receive the service's traffic.
    expect(agents.spec.template.metadata.labels).not.toMatchObject(service.spec.selector);
  });
});

test(`${ROLE} is what hasta-la-vista rbac prints, for the service account of the manifest`, async () => {
  const role = readFileSync(ROLE, "utf8");
  const { stdout } = await runHere(["rbac"]);
  expect(role.replace(/^(?:#.*\n)+/, "")).toBe(stdout);
  const [, { subjects }] = objectsOf(role);
  const { name, namespace } = account_.metadata;
  expect(subjects).toEqual([{ kind: "ServiceAccount", name, namespace }]);
});

describe(GATE, () => {
  const page = readFileSync("docs/kubernetes.md", "utf8");
  const gateText = readFileSync(GATE, "utf8");
  const [gateService, { webhooks, metadata }] = objectsOf(gateText);
  const [webhook] = webhooks;
  const { name, namespace } = gateService.metadata;
  const [deploymentWithGate] = objectsOf(
    text.replaceAll(/# (- \{ name: (?:EVICTION_GATE\w*|eviction-gate),)/g, "$1"),
  ).filter(({ kind }) => kind === "Deployment");
  const gatePod = deploymentWithGate.spec.template.spec;

  test("leads the API server to the path and the port of the gate", () => {
    expect(webhook.clientConfig.service).toEqual({ name, namespace, path: REVIEW_PATH });
    const [{ port, targetPort }] = gateService.spec.ports;
    // The port that the API server calls where the webhook names none.
    expect(port).toBe(443);
    expect(targetPort).toBe(OPTIONS.evictionGatePort.default);
    expect(deployment.spec.template.metadata.labels).toMatchObject(gateService.spec.selector);
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
    expect(page).toContain(`kubectl label namespace ingress-nginx ${key}=${enabled}\n`);
    expect(gateText).toContain(`kubectl label namespace NAME ${key}=${enabled}\n`);
  });

  test("goes with the lines that the Deployment has for it", () => {
    const [main] = gatePod.containers;
    const set = Object.fromEntries(main.env.map((variable: Variable) => [variable.name, variable.value]));
    const mount = main.volumeMounts.find((one: { readonly name: string }) => one.name === "eviction-gate");
    expect(set).toMatchObject({
      [OPTIONS.evictionGate.variable]: "true",
      [OPTIONS.evictionGateCertFile.variable]: `${mount.mountPath}/tls.crt`,
      [OPTIONS.evictionGateKeyFile.variable]: `${mount.mountPath}/tls.key`,
    });
    const volume = gatePod.volumes.find((one: { readonly name: string }) => one.name === mount.name);
    const created = /kubectl create secret tls (\S+) --namespace (\S+) /.exec(page);
    expect(created?.slice(1)).toEqual([volume.secret.secretName, namespace]);
  });

  test("has a certificate of cert-manager for the name by which the API server calls the gate", () => {
    const [, commented = ""] = gateText.split("remove the # of these lines:\n");
    const [issuer, certificate] = objectsOf(commented.replaceAll(/^# ?/gm, "")).filter((one) => one !== null);
    expect(metadata.annotations).toEqual({
      "cert-manager.io/inject-ca-from": `${certificate.metadata.namespace}/${certificate.metadata.name}`,
    });
    expect(certificate.spec).toEqual({
      secretName: "hasta-la-vista-eviction-gate",
      dnsNames: [`${name}.${namespace}.svc`],
      issuerRef: { name: issuer.metadata.name },
    });
    expect(issuer.metadata.namespace).toBe(certificate.metadata.namespace);
  });

  test("is trusted with the certificate that the page's command makes", async () => {
    const [, command = ""] = /(openssl req [\s\S]*?tls\.crt)\n/.exec(page) ?? [];
    const folder = mkdtempSync(join(tmpdir(), "gate-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    await promisify(execFile)("sh", ["-euc", command], { cwd: folder });
    const [cert, key] = ["tls.crt", "tls.key"].map((file) => readFileSync(join(folder, file), "utf8"));
    const server = createServer({ cert, key }, (_, response) => response.end("reviewed"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const servername = `${name}.${namespace}.svc`;
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      get({ host: "127.0.0.1", port, servername, ca: cert, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).once("error", reject);
    });
    expect(answer).toBe(200);
  });
});

describe(HOLDER, () => {
  const [priority, holder] = objectsOf(readFileSync(HOLDER, "utf8"));
  const held = holder.spec.template.spec;
  const [hold] = held.containers;

  test("calls the manifest's Service with its Secret, by the image that is a service", () => {
    const { name, namespace } = service.metadata;
    expect(holder).toMatchObject({ kind: "DaemonSet", metadata: { namespace } });
    expect(hold.image).toBe(container.image);
    expect(hold.args).toEqual([
      "hold",
      "$(NODE_NAME)",
      "--server",
      `http://${name}.${namespace}:${service.spec.ports[0].port}`,
    ]);
    expect(hold.env).toContainEqual({ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } });
    const file = hold.env.find((variable: Variable) => variable.name === "SECRET_FILE").value;
    expect(file).toBe(value("SECRET_FILE"));
    expect(hold.volumeMounts).toEqual([mountOf(file)]);
    expect(held.volumes).toEqual(
      pod.volumes.filter(({ secret }: { readonly secret?: object }) => secret !== undefined),
    );
    const { labels } = holder.spec.template.metadata;
    expect(labels).toMatchObject(holder.spec.selector.matchLabels);
    expect(labels).not.toMatchObject(service.spec.selector);
  });

  test("runs only where Karpenter waits for it, and is evicted before the pods of the critical classes", () => {
    expect(held.tolerations).toEqual([]);
    expect(held.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms).toEqual([
      { matchExpressions: [{ key: "karpenter.sh/nodepool", operator: "Exists" }] },
    ]);
    expect(priority).toMatchObject({ kind: "PriorityClass", metadata: { name: held.priorityClassName } });
    expect(held.priorityClassName).not.toMatch(/^system-/);
    // Kubernetes keeps what is above for its own classes.
    expect(priority.value).toBeLessThanOrEqual(1_000_000_000);
  });

  test("may stay for as long as a drain with AWS's defaults can take", () => {
    const defaultHoldSeconds = 300;
    const guardWaitSeconds = OPTIONS.guardWaitMs.default / 1_000;
    expect(held.terminationGracePeriodSeconds).toBeGreaterThan(defaultHoldSeconds + guardWaitSeconds + 60);
  });

  test("has no permissions, writes nothing, and asks for little", () => {
    expect(held.automountServiceAccountToken).toBe(false);
    expect(held.securityContext).toEqual(pod.securityContext);
    expect(hold.securityContext).toEqual(container.securityContext);
    expect(hold.resources).toEqual({ requests: { cpu: "5m", memory: "64Mi" }, limits: { memory: "128Mi" } });
  });

  test("starts the image so that it waits, and ends where its node is not being drained", async () => {
    const { env } = await account();
    const given = { ...env, SECRET };
    const started = new Child({ ...(await Image.of("service")).program(), options: {} }, [], {
      ...given,
      CLOUDPROVIDER: "aws",
      HOST: "127.0.0.1",
      PORT: "0",
    });
    const { port } = JSON.parse(await started.line(/"listening"/));
    const args = hold.args.map((arg: string) =>
      arg.startsWith("http:") ? `http://127.0.0.1:${port}` : arg.replace("$(NODE_NAME)", "i-0fffffffffffffff0"),
    );
    const holding = new Child({ ...(await Image.of("service")).program(args), options: {} }, [], given);
    await holding.line(/"msg":"hold ready"/);
    holding.signal("SIGTERM");
    await holding.line(/"result":"node-not-found","msg":"hold ended"/);
    expect((await holding.finished).code).toBe(0);
  });
});
