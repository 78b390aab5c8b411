import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { OPTIONS } from "../../../src/config/config.ts";
import { CHART, VALUES_FILES } from "../../support/chart-options.ts";
import { renamedValues } from "../../support/chart-schema.ts";
import { filesBelow } from "../../support/documents.ts";
import { KUSTOMIZE, kustomizeFiles } from "../../support/kustomize-files.ts";
import { runHere } from "../../support/run-here.ts";
import { envOf, objectsIn, podOf, sorted, withoutHelm } from "../support/chart-objects.ts";
import { LEAST, VARIANTS } from "../support/chart-values.ts";
import { HELMS, type HelmProgram, mustRun, runProgram, setting, template } from "../support/helm.ts";
import { addKinds } from "../support/kubernetes-workloads.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

/** Without a cluster Helm knows Kubernetes' own kinds only. */
const KINDS = [
  "gateway.networking.k8s.io/v1/HTTPRoute",
  "monitoring.coreos.com/v1/ServiceMonitor",
  "monitoring.coreos.com/v1/PrometheusRule",
  "cert-manager.io/v1/Certificate",
].map((kind) => `--api-versions=${kind}`);
/** All of Kubernetes 1.30 that is not about to change, and what the kinds above are. */
const STABLE = [
  ...["policy/v1", "v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1"],
  "admissionregistration.k8s.io/v1",
];

const RBAC = ["rbac", "--namespace", "kube-system"] as const;

async function render(helm: HelmProgram, values: Readonly<Record<string, unknown>>): Promise<string> {
  const { code, stdout, stderr } = await template(helm, values, KINDS);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describeOnKubernetes("the chart", ["kubectl", ...HELMS], (cluster) => {
  const apply = (file: string, ...more: readonly string[]) =>
    runProgram(
      "kubectl",
      ["apply", "--dry-run=server", "--server-side", "--validate=strict", `--filename=${file}`, ...more],
      cluster(),
    );

  // What it says without them comes before they are added.
  describe("in a cluster without the kinds of other projects", () => {
    test.each(HELMS)("says which of them an option needs: %s", async (helm) => {
      const values = {
        ...LEAST,
        "serviceMonitor.enabled": true,
        "prometheusRule.enabled": true,
        "httpRoute.enabled": true,
        "httpRoute.parentRefs": [{ name: "internal" }],
        "evictionGate.enabled": true,
        "evictionGate.certManager": true,
      };
      const { code, stderr } = await runProgram(helm, ["install", "x", CHART, ...setting(values)], cluster());
      expect(code).toBe(1);
      for (const [value, of] of [
        ["httpRoute.enabled", "the Gateway API"],
        ["serviceMonitor.enabled", "the Prometheus operator"],
        ["prometheusRule.enabled", "the Prometheus operator"],
        ["evictionGate.certManager", "cert-manager"],
      ])
        expect(stderr).toMatch(new RegExp(`- ${value} is true, and the cluster has no \\S+: install ${of} first`));
    });
  });

  describe("in a cluster with them", () => {
    beforeAll(async () => {
      for (const project of ["cert-manager", "gateway-api", "prometheus-operator"] as const)
        await addKinds(cluster(), project);
    });

    test.each(HELMS)("has nothing that %s lint finds", async (helm) => {
      for (const values of Object.values(VARIANTS)) {
        const lint = await runProgram(helm, ["lint", "--strict", CHART, ...setting(values)]);
        expect([lint.code, lint.stdout]).toEqual([0, expect.stringContaining("0 chart(s) failed")]);
        expect(lint.stdout + lint.stderr).not.toMatch(/\[(WARNING|ERROR)\]/);
      }
    });

    test.each(Object.keys(VARIANTS))("is accepted by an API server that allows no unknown field: %s", async (name) => {
      const text = await render("helm", VARIANTS[name] ?? {});
      // The two order kinds that they do not know in other ways.
      const documents = (whole: string) => whole.split(/^---\n/m).sort();
      expect(documents(await render("helm-3", VARIANTS[name] ?? {}))).toEqual(documents(text));
      const { code, stdout, stderr } = await apply(cluster().writeFile("chart.yaml", text));
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const objects = objectsIn(text);
      expect(stdout.trimEnd().split("\n")).toEqual(
        objects.map(({ kind }) => expect.stringMatching(new RegExp(`^${kind.toLowerCase()}\\S* serverside-applied`))),
      );
      for (const { apiVersion } of objects)
        expect(STABLE.includes(apiVersion) || KINDS.some((kind) => kind.includes(apiVersion))).toBe(true);
    });

    test("makes every kind of object in one of the variants, and replicas only without a volume", async () => {
      const texts = await Promise.all(Object.values(VARIANTS).map((values) => render("helm", values)));
      const kinds = new Set(texts.flatMap((text) => objectsIn(text).map(({ kind }) => kind)));
      expect([...kinds].sort()).toEqual(
        [
          ...["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret", "PersistentVolumeClaim", "Deployment"],
          ...["Service", "NetworkPolicy", "ServiceMonitor", "PodMonitor", "PrometheusRule", "Ingress", "HTTPRoute"],
          ...[
            "ConfigMap",
            "DaemonSet",
            "PriorityClass",
            "Pod",
            "ValidatingWebhookConfiguration",
            "Issuer",
            "Certificate",
          ],
          ...["Role", "RoleBinding", "PodDisruptionBudget"],
          ...["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
        ].sort(),
      );
      for (const text of texts) {
        const deployment = objectsIn(text).find(({ kind }) => kind === "Deployment");
        const isElected = envOf(podOf(objectsIn(text), "Deployment"))["LEASE"] !== undefined;
        expect(deployment?.["spec"]).toMatchObject({ strategy: { type: isElected ? "RollingUpdate" : "Recreate" } });
        const needed = objectsIn(text).filter(({ kind }) => ["Role", "PodDisruptionBudget"].includes(kind));
        expect(needed).toHaveLength(isElected ? 2 : 0);
        // A blank line would be part of a template that did nothing.
        expect(text.replace(/^ +- \/nodejs[\s\S]*?^ +env:/m, "")).not.toMatch(/^ +$/m);
      }
    });

    test("lets the service create and delete ConfigMaps of its ledger, and no others", async () => {
      const roles = ["ServiceAccount", "Role", "RoleBinding"];
      const policies = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
      const items = objectsIn(await render("helm", LEAST)).filter(({ kind }) => [...roles, ...policies].includes(kind));
      const list = cluster().writeFile("ledger.json", JSON.stringify({ apiVersion: "v1", kind: "List", items }));
      await mustRun("kubectl", ["apply", "--server-side", `--filename=${list}`], cluster());
      const { name: ledgerOf, namespace } = items.find(({ kind }) => kind === "ServiceAccount")?.metadata ?? {};
      const as = `--as=system:serviceaccount:${namespace}:${ledgerOf}`;
      const within = `--namespace=${namespace}`;
      const configMap = async (verb: "create" | "delete", name: string, ...more: readonly string[]) => {
        const run = await runProgram("kubectl", [verb, "configmap", name, within, ...more], cluster());
        return { code: run.code, stderr: run.stderr };
      };
      await mustRun("kubectl", ["create", "configmap", "another", within], cluster());
      const isDenied = { code: 1, stderr: expect.stringContaining("ConfigMaps of its ledger only") };
      // The API server takes a moment to know a new policy.
      const isInForce = () => configMap("create", "probe", as, "--dry-run=server");
      await expect.poll(isInForce, { timeout: 60_000 }).toEqual(isDenied);
      expect(await configMap("delete", "another", as)).toEqual(isDenied);
      expect(await configMap("create", `${ledgerOf}-ledger-1`, as)).toEqual({ code: 0, stderr: "" });
      expect(await configMap("delete", `${ledgerOf}-ledger-1`, as)).toEqual({ code: 0, stderr: "" });
      // Others are as free as before.
      expect((await configMap("delete", "another")).code).toBe(0);
      await mustRun("kubectl", ["delete", `--filename=${list}`], cluster());
    });

    test("passes options on as the service reads them", async () => {
      const objects = objectsIn(await render("helm", VARIANTS["everything"] ?? {}));
      const [container] = podOf(objects, "Deployment").containers;
      expect(envOf(podOf(objects, "Deployment"))).toMatchObject({
        CLOUDPROVIDER: { value: "aws" },
        HTTPS_PROXY: { valueFrom: { secretKeyRef: { name: "proxy", key: "url" } } },
        KUBERNETES: { value: "in-cluster" },
        NODE_OPTIONS: { value: "--max-old-space-size=300" },
        QUEUE_IN_FLIGHT: { value: "100000" },
        SHUTDOWN_GRACE: { value: "300.5" },
        STATE_DIR: { value: "/var/lib/hasta-la-vista" },
        UNDO: { value: "true" },
      });
      const names = container.env.map(({ name }) => name);
      expect(names).toEqual([...new Set(names)]);
      // SHUTDOWN_GRACE, rounded up, and 35 seconds.
      expect(podOf(objects, "Deployment")).toMatchObject({ terminationGracePeriodSeconds: 336 });
    });

    test("gives every option to the service that is set, under the name that it has", async () => {
      const variables = Object.values(OPTIONS)
        .filter(({ usedBy }) => (usedBy as readonly string[]).includes("serve"))
        .map(({ variable }) => variable as string);
      const text = await render("helm", {
        ...VARIANTS["TLS"],
        ...VARIANTS["everything"],
        "secret.value": "",
        "evictionGate.certManager": false,
      });
      const [container] = podOf(objectsIn(text), "Deployment").containers;
      const known = new Set([...variables, "NODE_OPTIONS"]);
      expect(container.env.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
    });

    test.each([
      ["the cluster of the pod", { "options.KUBERNETES": "in-cluster" }, [...RBAC, "--lease", "hasta-la-vista"]],
      [
        "the eviction gate",
        { "evictionGate.enabled": true, "evictionGate.certManager": true },
        [...RBAC, "--lease", "hasta-la-vista", "--eviction-gate"],
      ],
      ["a process without an election", { replicas: 1, "persistence.enabled": true }, RBAC],
      ["no cluster", { replicas: 1, "options.KUBERNETES": null, "options.UNDO": null }, undefined],
      ["the cluster of a kubeconfig", { replicas: 1, "options.KUBERNETES": "/etc/kubeconfig/config" }, undefined],
      [
        "callers with tokens",
        { "tokenReview.enabled": true },
        [...RBAC, "--lease", "hasta-la-vista", "--token-review"],
      ],
      [
        "GET /doctor, and callers with tokens",
        { "rbac.doctor": true, "tokenReview.enabled": true },
        [...RBAC, "--lease", "hasta-la-vista", "--doctor", "--token-review"],
      ],
      ["a role of its own", { "rbac.create": false }, undefined],
    ] as const)("allows the service what rbac prints for %s", async (_, values, printed) => {
      const objects = objectsIn(await render("helm", { ...LEAST, ...values }));
      const roles = objects.filter(({ apiVersion }) => apiVersion.startsWith("rbac."));
      const expected = printed === undefined ? [] : objectsIn((await runHere(printed)).stdout);
      const named = ({ metadata: { name, namespace }, ...rest }: (typeof roles)[number]) => ({
        ...rest,
        name,
        namespace,
      });
      expect(roles.map(named)).toEqual(expected.map(named));
      const { KUBERNETES = { value: "" } } = envOf(podOf(objects, "Deployment"));
      const { automountServiceAccountToken } = podOf(objects, "Deployment");
      expect(automountServiceAccountToken).toBe(KUBERNETES.value === "in-cluster");
    });

    test("has pods that run where Pod Security enforces the level restricted, except for the agent", async () => {
      const namespace = "restricted";
      await cluster().api.post("/api/v1/namespaces", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
      });
      const objects = objectsIn(await render("helm", { ...VARIANTS["TLS"], "holder.priorityClassName": "" }));
      const answers: Record<string, unknown> = {};
      for (const [name, spec] of [
        ["service", podOf(objects, "Deployment")],
        ["holder", podOf(objects, "DaemonSet", "-holder")],
        ["agent", podOf(objects, "DaemonSet", "-agent")],
        ["test", objects.find(({ kind }) => kind === "Pod")?.["spec"]],
      ] as const) {
        const pod = {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name, namespace },
          spec: { ...(spec as object), priorityClassName: undefined },
        };
        const { status, body } = await cluster().api.call(
          "POST",
          `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
          pod,
        );
        answers[name] = status === 201 ? "accepted" : (body as { message: string }).message;
      }
      expect(answers).toEqual({
        service: "accepted",
        holder: "accepted",
        agent: expect.stringMatching(/violates PodSecurity "restricted:latest": host namespaces \(hostNetwork=true\)/),
        test: "accepted",
      });
    });

    test("is what the files for Kustomize are made from: npm run kustomize", async () => {
      const made = await kustomizeFiles((args) => mustRun("helm", args));
      const names = filesBelow(KUSTOMIZE).filter((name) => !name.endsWith("kustomization.yaml"));
      const files = names.map((name) => [relative(KUSTOMIZE, name), readFileSync(name, "utf8")]);
      expect(Object.fromEntries(files)).toEqual(made);
    });

    test.each([
      ["as it is", "", {}],
      ["with the component", "eviction-gate", { "evictionGate.enabled": true, "evictionGate.certManager": true }],
    ])("makes the same objects as Kustomize, which the API server accepts: %s", async (_, component, more) => {
      const folder = mkdtempSync(join(tmpdir(), "kustomize-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      cpSync(KUSTOMIZE, folder, { recursive: true });
      const file = join(folder, "kustomization.yaml");
      const commented = `# components: [${component}]`;
      writeFileSync(file, readFileSync(file, "utf8").replace(commented, commented.slice(2)));
      const built = objectsIn(await mustRun("kubectl", ["kustomize", folder]));
      const values = {
        ...more,
        "image.repository": "hasta-la-vista",
        "secret.existingSecret": "hasta-la-vista",
        "options.AWS_REGION": "eu-west-1",
        "options.CLUSTERNAME": "demo",
        "serviceAccount.roleArn": "arn:aws:iam::123456789012:role/hasta-la-vista",
      };
      const rendered = objectsIn(await render("helm", values)).filter(({ kind }) => kind !== "Pod");
      expect(sorted(built)).toEqual(sorted(rendered.map(withoutHelm)));
      const { code, stderr } = await runProgram(
        "kubectl",
        ["apply", "--dry-run=server", "--validate=strict", `--kustomize=${folder}`],
        cluster(),
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      for (const name of ["holder.yaml", "agent.yaml"]) expect((await apply(join(KUSTOMIZE, name))).code).toBe(0);
    });

    test("takes the values files of the documents", async () => {
      expect(VALUES_FILES.length).toBeGreaterThan(0);
      for (const { text } of VALUES_FILES) {
        const values = cluster().writeFile("values.yaml", text);
        const { code, stdout, stderr } = await template("helm", LEAST, [`--values=${values}`, ...KINDS]);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(await apply(cluster().writeFile("chart.yaml", stdout))).toMatchObject({ code: 0 });
      }
    });
  });

  describe("refuses", () => {
    const refusal = async (
      helm: HelmProgram,
      values: Readonly<Record<string, unknown>>,
      ...more: readonly string[]
    ) => {
      const { code, stderr } = await template(helm, { ...LEAST, ...values }, more);
      expect(code).toBe(1);
      return stderr;
    };

    test.each(HELMS)("values that are misspelt or of a wrong kind, naming each: %s", async (helm) => {
      const values = {
        replica: 1,
        "image.name": "x",
        "options.CLUSTER_NAME": "demo",
        "options.MIN_HEALTHY": "most",
        "options.UNDO": "maybe",
        "options.AWS_REGION": "Ireland",
        "options.EVICT": "sometimes",
        "holder.enabled": "yes",
        "serviceAccount.roleArn": "hasta-la-vista",
        "persistence.size": "big",
        nodeSelector: ["a"],
        tolerations: {},
      };
      const said = await refusal(helm, values);
      for (const path of Object.keys(values)) {
        const names = path.split(".");
        const [section = "", last = ""] = [names.slice(0, -1).join("[./]"), names.at(-1)];
        // An unknown name stands behind the section that has no such name.
        expect(said).toMatch(new RegExp(`${section}.*\\b${last}\\b`));
      }
    });

    test.each(HELMS)("every value of 1.0, by its new name: %s", async (helm) => {
      const renamed = renamedValues();
      // `ingress.tls` has other values of 1.0 below it in no chart: any value is refused.
      const said = await refusal(helm, Object.fromEntries(Object.keys(renamed).map((path) => [path, "x"])));
      for (const [path, advice] of Object.entries(renamed))
        expect(said).toContain(`- ${path} is a value of the chart of 1.0: ${advice}\n`);
    });

    const REASONED: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [
        { "persistence.enabled": true },
        /replicas is 2, and persistence\.enabled is true: give 1, because a volume belongs to one process/,
      ],
      [
        { "options.KUBERNETES": null, "options.UNDO": null },
        /replicas is 2, and options\.KUBERNETES is not in-cluster: give 1/,
      ],
      [{ extraEnv: [{ name: "LEASE", value: "x" }] }, /extraEnv sets LEASE, which is an option/],
      [{ "image.repository": "" }, /image\.repository is empty: build and push the image/],
      [{ "secret.value": "x" }, /secret\.value and secret\.existingSecret are both set: set only one/],
      [{ "secret.existingSecret": "" }, /there is no cluster to keep a generated secret in: set one of them/],
      [
        { "serviceAccount.roleArn": "arn:aws:iam::123456789012:role/x", "serviceAccount.create": false },
        /annotate the service account yourself/,
      ],
      [{ "options.UNDO": false }, /options\.KUBERNETES is set, and options\.UNDO is not true/],
      [
        { "options.KUBERNETES": null, "options.UNDO": null, "options.REBALANCE": "drain" },
        /options\.REBALANCE is drain, and options\.UNDO is not true/,
      ],
      [{ "options.POLICY_SCOPE": "tag" }, /options\.POLICY_SCOPE is tag, and options\.CLUSTERNAME is not set/],
      [
        { "options.NLB_FAST_PATH": true, "options.KUBERNETES": null },
        /options\.NLB_FAST_PATH is true, and options\.KUBERNETES is not set/,
      ],
      [
        { "options.NLB_FAST_PATH": true, "options.UNDO": null, "options.NODE_TRIGGERS": "none" },
        /options\.NLB_FAST_PATH is true, and options\.UNDO is not true/,
      ],
      [
        { "tokenReview.enabled": true, "options.KUBERNETES": null, "options.UNDO": null },
        /tokenReview\.enabled is true, and options\.KUBERNETES is not set/,
      ],
      [
        { "tokenReview.callers": [{ name: "deployer", namespace: "ci" }] },
        /tokenReview\.callers is set, and tokenReview\.enabled is false/,
      ],
      [{ "options.HOST": "127.0.0.1" }, /options\.HOST is 127\.0\.0\.1: leave it out/],
      [{ "options.STATE_DIR": null }, /options\.STATE_DIR is not an absolute path/],
      [{ terminationGracePeriodSeconds: 45 }, /terminationGracePeriodSeconds is 45: give more than 45/],
      [{ "options.SHUTDOWN_GRACE": 300, terminationGracePeriodSeconds: 300 }, /is 300: give more than 320/],
      [
        { "agent.options.SHUTDOWN_GRACE": 60 },
        /agent\.terminationGracePeriodSeconds is 60: give more than its SHUTDOWN_GRACE of 60/,
      ],
      [{ "tls.clientCaKey": "ca.crt" }, /tls\.clientCaKey is set, and tls\.existingSecret is not/],
      [{ extraEnv: [{ name: "TIMEOUT", value: "60" }] }, /extraEnv sets TIMEOUT, which is an option/],
      [{ extraEnv: [{ name: "SECRET", value: "x" }] }, /extraEnv sets SECRET, which is an option/],
      [{ "holder.tolerations": [{ operator: "Exists" }] }, /holder\.tolerations tolerates all taints/],
      [
        { "holder.tolerations": [{ key: "karpenter.sh/disrupted", operator: "Exists" }] },
        /tolerates karpenter\.sh\/disrupted/,
      ],
      [{ "holder.priorityClassName": "system-node-critical" }, /holder\.priorityClassName is system-node-critical/],
      [
        { "evictionGate.enabled": true },
        /evictionGate\.enabled is true, and there is no cluster to keep a generated certificate in/,
      ],
      [
        { "evictionGate.enabled": true, "evictionGate.existingSecret": "gate-tls" },
        /evictionGate\.existingSecret is set, and evictionGate\.caBundle is not/,
      ],
      [
        { "evictionGate.enabled": true, "options.KUBERNETES": null },
        /evictionGate\.enabled is true, and options\.KUBERNETES is not set/,
      ],
      [{ "httpRoute.enabled": true }, /httpRoute\.parentRefs is empty: name the Gateway/],
    ];
    test.each(REASONED)("with the reason: %j", async (values, reason) => {
      for (const helm of HELMS) expect(await refusal(helm, values)).toMatch(reason);
    });

    test.each(HELMS)("a cluster that is too old: %s", async (helm) => {
      expect(await refusal(helm, {}, "--kube-version=1.29.9")).toMatch(
        /requires kubeVersion: >=1\.30\.0-0 .*v?1\.29\.9/,
      );
      const { code } = await template(helm, LEAST, ["--kube-version=1.30.4-eks-036c24b"]);
      expect(code).toBe(0);
    });
  });
});
