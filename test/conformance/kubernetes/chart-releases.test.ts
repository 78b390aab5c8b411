import { once } from "node:events";
import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { account } from "../../support/account.ts";
import { CHART } from "../../support/chart-options.ts";
import { type PodSpec, startPod } from "../../support/pod-process.ts";
import { keepSecret } from "../../support/secret-search.ts";
import { HELMS, type HelmProgram, mustRun, runProgram, setting } from "../support/helm.ts";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { addVolume, until, WORKLOAD_PROGRAMS, Workloads } from "../support/kubernetes-workloads.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

type Values = Readonly<Record<string, unknown>>;

interface PodObject extends KubernetesObject {
  readonly spec: PodSpec;
}

interface DeploymentObject extends KubernetesObject {
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly spec: PodSpec & { readonly terminationGracePeriodSeconds: number } };
  };
  readonly status: { readonly availableReplicas?: number };
}

interface Webhook {
  readonly clientConfig: { readonly caBundle: string };
}

const VALUES: Values = {
  "image.repository": "hasta-la-vista",
  "options.AWS_REGION": "eu-west-1",
  "options.CLUSTERNAME": "demo",
};
const WAIT = ["--wait", "--timeout=60s"];

describeOnKubernetes("a release of the chart", [...WORKLOAD_PROGRAMS, ...HELMS], (cluster) => {
  let workloads: Workloads;
  let releases = 0;

  beforeAll(async () => {
    workloads = await Workloads.start(cluster());
  });
  afterAll(() => workloads.stop());

  /** A release in a namespace of its own, with a volume for its ledger. */
  async function newRelease() {
    const name = `release-${++releases}`;
    const full = `${name}-hasta-la-vista`;
    const { api } = cluster();
    await api.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    await addVolume(cluster(), name);
    const at = (path: string) => path.replace("~", `namespaces/${name}`);
    const helm = (program: HelmProgram, verb: string, args: readonly string[], more: readonly string[] = WAIT) =>
      mustRun(program, [verb, name, ...args, `--namespace=${name}`, ...more], cluster());
    const upgrade = (program: HelmProgram, values: Values, more: readonly string[] = []) =>
      helm(program, "upgrade", [CHART, "--install", ...setting({ ...VALUES, ...values }), ...more]);
    onTestFinished(async () => {
      await runProgram("helm", ["uninstall", name, `--namespace=${name}`], cluster());
    });
    return {
      helm,
      upgrade,
      url: `http://${full}.${name}:8080`,
      namespace: name,
      deployment: () => api.get<DeploymentObject>(at(`/apis/apps/v1/~/deployments/${full}`)),
      holder: () => api.call("GET", at(`/apis/apps/v1/~/daemonsets/${full}-holder`)),
      secret: async () => {
        const { data } = await api.get<KubernetesObject & { readonly data: { readonly secret: string } }>(
          at(`/api/v1/~/secrets/${full}`),
        );
        const secret = Buffer.from(data.secret, "base64").toString();
        keepSecret(secret);
        return secret;
      },
      revisions: async (program: HelmProgram) => {
        const printed = await helm(program, "history", [], ["--output=json"]);
        return (JSON.parse(printed) as readonly { readonly status: string }[]).map(({ status }) => status);
      },
    };
  }

  const variableOf = ({ spec }: DeploymentObject, name: string) =>
    spec.template.spec.containers[0]?.env.find((variable) => variable.name === name)?.value;

  test.each(HELMS)("is installed, upgraded and rolled back, and keeps its generated secret: %s", async (program) => {
    const { upgrade, helm, deployment, holder, secret, revisions } = await newRelease();
    expect(await upgrade(program, {})).toContain("Wait until it is ready");
    const generated = await secret();
    expect(generated).toMatch(/^[A-Za-z0-9]{40}$/);
    expect((await deployment()).status.availableReplicas).toBe(2);
    expect((await holder()).status).toBe(404);

    await upgrade(program, { "options.SHUTDOWN_GRACE": 100, "options.QUEUE": "departures", "holder.enabled": true });
    const changed = await deployment();
    expect([variableOf(changed, "SHUTDOWN_GRACE"), variableOf(changed, "QUEUE")]).toEqual(["100", "departures"]);
    expect(changed.spec.template.spec.terminationGracePeriodSeconds).toBe(135);
    expect(changed.status.availableReplicas).toBe(2);
    expect((await holder()).body).toMatchObject({ status: { numberReady: 1 } });
    expect(await secret()).toBe(generated);

    await helm(program, "rollback", ["1"]);
    const again = await deployment();
    expect([variableOf(again, "SHUTDOWN_GRACE"), variableOf(again, "QUEUE")]).toEqual([undefined, undefined]);
    expect(again.spec.template.spec.terminationGracePeriodSeconds).toBe(60);
    expect((await holder()).status).toBe(404);
    expect(await secret()).toBe(generated);
    expect(await revisions(program)).toEqual(["superseded", "superseded", "deployed"]);

    await upgrade(program, { "secret.value": "a-secret-of-the-values" });
    expect(await secret()).toBe("a-secret-of-the-values");
    await upgrade(program, { replicas: 0 });
    expect(await deployment()).toMatchObject({ spec: { replicas: 0 } });
    expect(await secret()).toBe("a-secret-of-the-values");
  });

  test.each(["auto", "true"])("goes on with Helm 4 after Helm 3, and back: --server-side=%s", async (mode) => {
    const { upgrade, helm, deployment, holder, secret, revisions } = await newRelease();
    await upgrade("helm-3", { "options.QUEUE": "departures", "holder.enabled": true });
    const generated = await secret();

    await upgrade("helm", { "options.TIMEOUT": 600 }, [`--server-side=${mode}`]);
    const changed = await deployment();
    // What Helm 3 has set is gone where Helm 4 does not set it.
    expect([variableOf(changed, "QUEUE"), variableOf(changed, "TIMEOUT")]).toEqual([undefined, "600"]);
    expect((await holder()).status).toBe(404);
    expect(await secret()).toBe(generated);

    await helm("helm", "rollback", ["1"], [...WAIT, `--server-side=${mode}`]);
    const again = await deployment();
    expect([variableOf(again, "QUEUE"), variableOf(again, "TIMEOUT")]).toEqual(["departures", undefined]);
    expect((await holder()).status).toBe(200);

    await upgrade("helm-3", { "options.TIMEOUT": 700 });
    const last = await deployment();
    expect([variableOf(last, "QUEUE"), variableOf(last, "TIMEOUT")]).toEqual([undefined, "700"]);
    expect((await holder()).status).toBe(404);
    expect(await secret()).toBe(generated);
    expect(await revisions("helm")).toEqual(["superseded", "superseded", "superseded", "deployed"]);
  });

  /** kwok runs no process. This test is the kubelet of the pod of `helm test`: it runs it against a service. */
  test.each(HELMS)("is tested against the service that it has installed, with its Secret: %s", async (program) => {
    const { upgrade, helm, deployment, secret, url, namespace } = await newRelease();
    await upgrade(program, {});
    const given = await secret();
    const secrets = { [`${namespace}-hasta-la-vista`]: { secret: given } };
    const { env } = await account();
    // It has no token of the cluster here.
    const here = { ...env, HOST: "127.0.0.1", PORT: "0", KUBERNETES: "", LEASE: "", AWS_REGION: "eu-west-1" };
    const service = await startPod((await deployment()).spec.template.spec, { secrets, environment: here });
    const { port } = JSON.parse(await service.line(/"listening"/));
    await service.line(/"access check passed"/);

    const { api } = cluster();
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    const runHook = async (with_: typeof secrets) => {
      const path = `${pods}/${namespace}-hasta-la-vista-test`;
      const pod = await until("the pod of helm test is there", async () => {
        const { status, body } = await api.call("GET", path);
        return status === 200 ? (body as PodObject) : undefined;
      });
      const addresses = { [url]: `http://127.0.0.1:${port}` };
      const { code, stdout } = await (await startPod(pod.spec, { secrets: with_, environment: {}, addresses }))
        .finished;
      await api.patch(`${path}/status`, { status: { phase: code === 0 ? "Succeeded" : "Failed" } });
      return stdout;
    };
    const [passed, said] = await Promise.all([helm(program, "test", [], ["--timeout=60s"]), runHook(secrets)]);
    expect(said).toMatch(/^(ok: .+\n){3}$/);
    expect(passed).toMatch(/Phase: +Succeeded/);

    const wrong = { [`${namespace}-hasta-la-vista`]: { secret: "another-secret-than-that" } };
    const args = ["test", namespace, `--namespace=${namespace}`, "--timeout=60s"];
    const [failed, why] = await Promise.all([runProgram(program, args, cluster()), runHook(wrong)]);
    expect(failed.code).toBe(1);
    expect(why).toContain("failed: the service takes the secret: GET /drains answered 403");
  });

  test.each(HELMS)("leaves nothing behind when it is uninstalled: %s", async (program) => {
    const { upgrade, helm, namespace } = await newRelease();
    await upgrade(program, { "holder.enabled": true, "agent.enabled": true, "networkPolicy.enabled": true });
    await helm(program, "uninstall", []);
    const { api } = cluster();
    const kinds = [
      ...["secrets", "services", "serviceaccounts"].map((kind) => `/api/v1/namespaces/${namespace}/${kind}`),
      ...["deployments", "daemonsets"].map((kind) => `/apis/apps/v1/namespaces/${namespace}/${kind}`),
      `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`,
      ...["clusterroles", "clusterrolebindings"].map((kind) => `/apis/rbac.authorization.k8s.io/v1/${kind}`),
      "/apis/scheduling.k8s.io/v1/priorityclasses",
    ];
    const left = async () => {
      const lists = await Promise.all(
        kinds.map((kind) =>
          api.get<{ readonly items: readonly KubernetesObject[] }>(
            `${kind}?labelSelector=app.kubernetes.io/instance=${namespace}`,
          ),
        ),
      );
      return lists.flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
    };
    await until("all objects are gone", async () => ((await left()).length === 0 ? true : undefined));
  });

  test.each(HELMS)(
    "generates a certificate for the eviction gate once, which its authority vouches for: %s",
    async (program) => {
      const { upgrade, namespace } = await newRelease();
      const { api } = cluster();
      const gate = async () => {
        const name = `${namespace}-hasta-la-vista-eviction-gate`;
        const { data } = await api.get<KubernetesObject & { readonly data: Readonly<Record<string, string>> }>(
          `/api/v1/namespaces/${namespace}/secrets/${name}`,
        );
        const { webhooks } = await api.get<KubernetesObject & { readonly webhooks: readonly [Webhook] }>(
          `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${name}`,
        );
        expect(webhooks[0].clientConfig.caBundle).toBe(data["ca.crt"]);
        return { ...data, host: `${name}.${namespace}.svc` };
      };
      await upgrade(program, { "evictionGate.enabled": true });
      const first = await gate();
      const [ca, cert, key] = ["ca.crt", "tls.crt", "tls.key"].map((name) =>
        Buffer.from(first[name as keyof typeof first] ?? "", "base64").toString(),
      );
      const server = createServer({ cert, key }, (_, response) => response.end("reviewed")).listen(0, "127.0.0.1");
      onTestFinished(() => void server.close());
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const [response] = await once(
        get({ host: "127.0.0.1", port, servername: first.host, ca, agent: false }),
        "response",
      );
      response.resume();
      expect(response.statusCode).toBe(200);

      await upgrade(program, { "evictionGate.enabled": true, "options.LOGLEVEL": "debug" });
      expect(await gate()).toEqual(first);
    },
  );

  test("of the same name in another namespace is refused, because one service acts on all nodes", async () => {
    const { namespace } = await newRelease();
    const install = (into: string) =>
      runProgram(
        "helm",
        ["install", "hasta-la-vista", CHART, `--namespace=${into}`, ...setting({ ...VALUES, replicas: 0 })],
        cluster(),
      );
    onTestFinished(async () => {
      await runProgram("helm", ["uninstall", "hasta-la-vista", `--namespace=${namespace}`], cluster());
    });
    expect(await install(namespace)).toMatchObject({ code: 0 });
    const { code, stderr } = await install("default");
    expect(code).toBe(1);
    expect(stderr).toMatch(/ClusterRole "hasta-la-vista".*exists and cannot be imported into the current release/);
  });
});
