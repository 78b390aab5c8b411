import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { OPTIONS } from "../../src/config/config.ts";
import { account, ID } from "../support/account.ts";
import { Child } from "../support/child-process.ts";
import { only, readStage } from "../support/dockerfile.ts";
import { codeBlocks } from "../support/documents.ts";
import { Image } from "../support/image.ts";

const FILE = "deploy/kubernetes/hasta-la-vista.yaml";
const SECRET = "a-secret-of-the-manifest";

interface Variable {
  readonly name: string;
  readonly value?: string;
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

const text = readFileSync(FILE, "utf8");
const objects = parseAllDocuments(text).map((document) => {
  expect(document.errors).toEqual([]);
  return document.toJS();
});
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
