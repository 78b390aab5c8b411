import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import manifest from "../../package.json" with { type: "json" };
import { OPTIONS } from "../../src/config/config.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { account, ID } from "../support/account.ts";
import { only, readStage } from "../support/dockerfile.ts";
import { InstanceMetadataServer } from "../support/instance-metadata.ts";
import { KUSTOMIZE } from "../support/kustomize-files.ts";
import { type PodSpec, startPod, type Variable } from "../support/pod-process.ts";
import { runHere } from "../support/run-here.ts";

/** These files are what the chart makes: test/conformance/kubernetes/chart.test.ts compares them. */
const [SERVICE, HOLDER, AGENT, KUSTOMIZATION] = ["service", "holder", "agent", "kustomization"].map(
  (name) => `${KUSTOMIZE}/${name}.yaml`,
) as [string, string, string, string];
const SECRET = "a-secret-of-the-manifest";
const SECRETS = { "hasta-la-vista": { secret: `${SECRET}\n` } };
/** A process shares the machine's ports, must not leave the machine, and has no cluster. */
const HERE = { HOST: "127.0.0.1", PORT: "0", KUBERNETES: "", LEASE: "" };

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

const objectsOf = (file: string) =>
  parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
const objects = objectsOf(SERVICE);
const [account_, role, binding, ownRole, ownBinding, budget, deployment, service] = [
  "ServiceAccount",
  "ClusterRole",
  "ClusterRoleBinding",
  "Role",
  "RoleBinding",
  "PodDisruptionBudget",
  "Deployment",
  "Service",
].map((kind) => objects.find((object) => object.kind === kind));
const pod = deployment.spec.template.spec;
const [container] = pod.containers;
const variables: readonly Variable[] = container.env;
const value = (name: string) => variables.find((variable) => variable.name === name)?.value;
const mountOf = (path: string) =>
  container.volumeMounts.find(({ mountPath }: { readonly mountPath: string }) => path.startsWith(mountPath));
const SERVICE_URL = `http://${service.metadata.name}.${service.metadata.namespace}:${service.spec.ports[0].port}`;

async function startedService() {
  const { env } = await account();
  const started = await startPod(pod, { secrets: SECRETS, environment: { ...env, ...HERE } });
  const { port } = JSON.parse(await started.line(/"listening"/));
  await started.line(/"access check passed"/);
  return { env, url: `http://127.0.0.1:${port}` };
}

describe(SERVICE, () => {
  test("makes what a service needs, under one name", () => {
    expect(objects).toHaveLength(10);
    for (const { kind, metadata } of objects)
      expect(metadata.name).toBe(kind.startsWith("Validating") ? "hasta-la-vista-ledger" : "hasta-la-vista");
    for (const { metadata } of [account_, ownRole, ownBinding, budget, deployment, service])
      expect(metadata.namespace).toBe("kube-system");
    expect(pod).toMatchObject({ serviceAccountName: account_.metadata.name, automountServiceAccountToken: true });
    expect(account_.automountServiceAccountToken).toBe(false);
  });

  test("allows exactly what hasta-la-vista rbac prints", async () => {
    const { stdout } = await runHere(["rbac", "--lease", value("LEASE") ?? ""]);
    const printed = parseAllDocuments(stdout).map((document) => document.toJS());
    expect(printed.map(({ kind, rules, roleRef, subjects }) => ({ kind, rules, roleRef, subjects }))).toEqual(
      [role, binding, ownRole, ownBinding].map(({ kind, rules, roleRef, subjects }) => ({
        kind,
        rules,
        roleRef,
        subjects,
      })),
    );
    const { name, namespace } = account_.metadata;
    expect(binding.subjects).toEqual([{ kind: "ServiceAccount", name, namespace }]);
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
    expect(pod.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: gid,
      fsGroup: gid,
      seccompProfile: { type: "RuntimeDefault" },
    });
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
    // The ledger is in the cluster, and this a copy of it.
    expect(state).toEqual({ name: "state", emptyDir: {} });
  });

  test("runs two replicas, of which one at a time is replaced or evicted, spread over zones and nodes", () => {
    expect(deployment.spec).toMatchObject({
      replicas: 2,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
    expect(budget.spec).toMatchObject({ maxUnavailable: 1, selector: deployment.spec.selector });
    const spread = pod.topologySpreadConstraints.map(({ topologyKey, whenUnsatisfiable }: Record<string, string>) => [
      topologyKey,
      whenUnsatisfiable,
    ]);
    expect(spread).toEqual([
      ["topology.kubernetes.io/zone", "ScheduleAnyway"],
      ["kubernetes.io/hostname", "ScheduleAnyway"],
    ]);
    for (const { labelSelector } of pod.topologySpreadConstraints)
      expect(labelSelector).toEqual(deployment.spec.selector);
    const fields = variables.flatMap(({ name, valueFrom }) => (valueFrom === undefined ? [] : [[name, valueFrom]]));
    expect(Object.fromEntries(fields)).toEqual({
      POD_NAME: { fieldRef: { fieldPath: "metadata.name" } },
      POD_NAMESPACE: { fieldRef: { fieldPath: "metadata.namespace" } },
      POD_IP: { fieldRef: { fieldPath: "status.podIP" } },
      NODE_NAME: { fieldRef: { fieldPath: "spec.nodeName" } },
    });
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

  test("starts the image so that its probes succeed and a node is drained through it", async () => {
    const { url } = await startedService();
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe] as readonly Probe[])
      expect((await fetch(`${url}${httpGet.path}`)).status).toBe(200);
    const headers = { Authorization: `Bearer ${SECRET}` };
    const answer = await fetch(`${url}/drain?id=${ID}&dryRun=true`, { method: "POST", headers });
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({
      status: 200,
      body: { status: "planned" },
    });
  });
});

describe(KUSTOMIZATION, () => {
  const text = readFileSync(KUSTOMIZATION, "utf8");
  const { resources, images, patches } = parse(text);

  test("marks the lines to edit, as many as the page says", () => {
    expect(text.match(/# EDIT\b/g)).toHaveLength(4);
    expect(readFileSync("docs/install.md", "utf8")).toMatch(/four\s+(marked\s+)?lines/);
  });

  test("takes the service, and the DaemonSets if their lines are no comments", () => {
    expect(resources).toEqual(["service.yaml"]);
    expect([...text.matchAll(/^ {2}# - (\S+)$/gm)].map(([, file]) => file)).toEqual(["holder.yaml", "agent.yaml"]);
  });

  test("replaces the image of all pods, and patches objects that there are with options that there are", () => {
    expect(images).toEqual([{ name: "hasta-la-vista", newName: "hasta-la-vista", newTag: manifest.version }]);
    const [options, iam] = patches.map(({ patch }: { readonly patch: string }) => parse(patch));
    for (const { kind, metadata } of [options, iam]) {
      const { name, namespace } = metadata;
      expect(objects).toContainEqual(
        expect.objectContaining({ kind, metadata: expect.objectContaining({ name, namespace }) }),
      );
    }
    expect(Object.keys(iam.metadata.annotations)).toEqual(["eks.amazonaws.com/role-arn"]);
    const [patched] = options.spec.template.spec.containers;
    expect(patched.name).toBe(container.name);
    const names = patched.env.map(({ name }: Variable) => name);
    expect(names).toEqual([OPTIONS.region.variable, OPTIONS.clusterName.variable]);
  });
});

describe(HOLDER, () => {
  const [priority, holder] = objectsOf(HOLDER);
  const held = holder.spec.template.spec;
  const [hold] = held.containers;

  test("calls the Service with its Secret, by the image that is a service", () => {
    expect(holder).toMatchObject({ kind: "DaemonSet", metadata: { namespace: service.metadata.namespace } });
    expect(hold.image).toBe(container.image);
    expect(hold.args).toEqual(["hold", "$(NODE_NAME)", "--server", SERVICE_URL]);
    expect(hold.env).toContainEqual({ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } });
    expectCaller(holder);
  });

  test("runs only where Karpenter waits for it, and is evicted before the pods of the critical classes", () => {
    expect(held.tolerations ?? []).toEqual([]);
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

  test("starts the image so that it waits, and ends where its node is not being drained", async () => {
    const { env, url } = await startedService();
    const environment = { ...env, NODE_NAME: "i-0fffffffffffffff0" };
    const holding = await startPod(held, { secrets: SECRETS, environment, addresses: { [SERVICE_URL]: url } });
    await holding.line(/"msg":"hold ready"/);
    holding.signal("SIGTERM");
    await holding.line(/"result":"node-not-found","msg":"hold ended"/);
    expect((await holding.finished).code).toBe(0);
  });
});

describe(AGENT, () => {
  const [agent] = objectsOf(AGENT);
  const watching = agent.spec.template.spec;
  const [watch] = watching.containers;

  test("calls the Service with its Secret, from every node and its network", () => {
    expect(agent).toMatchObject({ kind: "DaemonSet", metadata: { namespace: service.metadata.namespace } });
    expect(watch.image).toBe(container.image);
    expect(watch.args).toEqual(["watch", "--server", SERVICE_URL]);
    expect(watching).toMatchObject({ hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" });
    expect(watching.tolerations).toEqual([{ operator: "Exists" }]);
    expectCaller(agent);
  });

  test("starts the image so that it reaches the service with its secret", async () => {
    const { env, url } = await startedService();
    const imds = await new InstanceMetadataServer(new SystemClock(), { instanceId: ID }).listen();
    const environment = { ...env, AWS_EC2_METADATA_SERVICE_ENDPOINT: imds };
    const watched = await startPod(watching, { secrets: SECRETS, environment, addresses: { [SERVICE_URL]: url } });
    await watched.line(/"service check passed"/);
    watched.signal("SIGTERM");
    expect((await watched.finished).code).toBe(0);
  });
});

interface DaemonSet {
  readonly spec: {
    readonly selector: { readonly matchLabels: object };
    readonly template: {
      readonly metadata: { readonly labels: object };
      readonly spec: PodSpec & { readonly automountServiceAccountToken?: boolean; readonly securityContext?: object };
    };
  };
}

/** No permissions, nothing written, few resources, and none of the service's traffic. */
function expectCaller({ spec: { template, selector } }: DaemonSet): void {
  const { metadata, spec } = template;
  const [caller] = spec.containers;
  expect(metadata.labels).toMatchObject(selector.matchLabels);
  expect(metadata.labels).not.toMatchObject(service.spec.selector);
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.securityContext).toEqual(pod.securityContext);
  expect(caller).toMatchObject({
    securityContext: container.securityContext,
    resources: { requests: { cpu: "5m", memory: "64Mi" }, limits: { memory: "128Mi" } },
  });
  const file = caller?.env.find(({ name }) => name === "SECRET_FILE")?.value;
  expect(file).toBe(value("SECRET_FILE"));
  expect(caller?.volumeMounts).toEqual([mountOf(file ?? "")]);
  expect(spec.volumes).toEqual(pod.volumes.filter(({ secret }: { readonly secret?: object }) => secret !== undefined));
}
