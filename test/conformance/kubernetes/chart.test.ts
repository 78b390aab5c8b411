import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { OPTIONS } from "../../../src/config/config.ts";
import { CHART } from "../../support/chart-options.ts";
import { renamedValues } from "../../support/chart-schema.ts";
import { codeBlocks, DOCUMENTS } from "../../support/documents.ts";
import { KUSTOMIZE, kustomizeFiles } from "../../support/kustomize-files.ts";
import { runHere } from "../../support/run-here.ts";
import { LEAST, VARIANTS } from "../support/chart-values.ts";
import { HELMS, type HelmProgram, mustRun, runProgram, setting, template } from "../support/helm.ts";
import { addKinds } from "../support/kubernetes-workloads.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [key: string]: unknown;
}

/** Without a cluster Helm knows Kubernetes' own kinds only. */
const KINDS = [
  "gateway.networking.k8s.io/v1/HTTPRoute",
  "monitoring.coreos.com/v1/ServiceMonitor",
  "monitoring.coreos.com/v1/PrometheusRule",
].map((kind) => `--api-versions=${kind}`);
/** All of Kubernetes 1.30 that is not about to change, and what the kinds above are. */
const STABLE = ["v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1"];

const objectsIn = (text: string): readonly Made[] =>
  parseAllDocuments(text)
    .map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Made | null;
    })
    .filter((object) => object !== null);

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
      };
      const { code, stderr } = await runProgram(helm, ["install", "x", CHART, ...setting(values)], cluster());
      expect(code).toBe(1);
      for (const [value, of] of [
        ["httpRoute", "the Gateway API"],
        ["serviceMonitor", "the Prometheus operator"],
        ["prometheusRule", "the Prometheus operator"],
      ])
        expect(stderr).toMatch(
          new RegExp(`- ${value}\\.enabled is true, and the cluster has no \\S+: install ${of} first`),
        );
    });
  });

  describe("in a cluster with them", () => {
    beforeAll(async () => {
      for (const project of ["gateway-api", "prometheus-operator"] as const) await addKinds(cluster(), project);
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
      expect(await render("helm-3", VARIANTS[name] ?? {})).toBe(text);
      const { code, stdout, stderr } = await apply(cluster().writeFile("chart.yaml", text));
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const objects = objectsIn(text);
      expect(stdout.trimEnd().split("\n")).toEqual(
        objects.map(({ kind }) => expect.stringMatching(new RegExp(`^${kind.toLowerCase()}\\S* serverside-applied`))),
      );
      for (const { apiVersion } of objects)
        expect(STABLE.includes(apiVersion) || KINDS.some((kind) => kind.includes(apiVersion))).toBe(true);
    });

    test("makes every kind of object in one of the variants, and no disruption budget in any", async () => {
      const texts = await Promise.all(Object.values(VARIANTS).map((values) => render("helm", values)));
      const kinds = new Set(texts.flatMap((text) => objectsIn(text).map(({ kind }) => kind)));
      expect([...kinds].sort()).toEqual(
        [
          ...["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret", "PersistentVolumeClaim", "Deployment"],
          ...["Service", "NetworkPolicy", "ServiceMonitor", "PrometheusRule", "Ingress", "HTTPRoute", "DaemonSet"],
          ...["PriorityClass", "Pod"],
        ].sort(),
      );
      for (const text of texts) {
        const deployment = objectsIn(text).find(({ kind }) => kind === "Deployment");
        expect(deployment?.["spec"]).toMatchObject({ strategy: { type: "Recreate" } });
        // A blank line would be part of a template that did nothing.
        expect(text.replace(/^ +- \/nodejs[\s\S]*?^ +env:/m, "")).not.toMatch(/^ +$/m);
      }
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
      const text = await render("helm", { ...VARIANTS["TLS"], ...VARIANTS["everything"], "secret.value": "" });
      const [container] = podOf(objectsIn(text), "Deployment").containers;
      const known = new Set([...variables, "NODE_OPTIONS"]);
      expect(container.env.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
    });

    test.each([
      ["the cluster of the pod", { "options.KUBERNETES": "in-cluster" }, ["rbac", "--namespace", "kube-system"]],
      ["no cluster", { "options.KUBERNETES": null, "options.UNDO": null }, undefined],
      ["the cluster of a kubeconfig", { "options.KUBERNETES": "/etc/kubeconfig/config" }, undefined],
      ["a role of its own", { "rbac.create": false }, undefined],
    ] as const)("allows the service what rbac prints for %s", async (_, values, printed) => {
      const objects = objectsIn(await render("helm", { ...LEAST, ...values }));
      const roles = objects.filter(({ apiVersion }) => apiVersion.startsWith("rbac."));
      const expected = printed === undefined ? [] : objectsIn((await runHere(printed)).stdout);
      expect(roles.map(({ metadata, ...rest }) => ({ ...rest, metadata: { name: metadata.name } }))).toEqual(expected);
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
      const files = Object.fromEntries(
        readdirSync(KUSTOMIZE)
          .filter((name) => name !== "kustomization.yaml")
          .map((name) => [name, readFileSync(join(KUSTOMIZE, name), "utf8")]),
      );
      expect(files).toEqual(made);
    });

    test("makes the same objects as Kustomize, which the API server accepts", async () => {
      const built = objectsIn(await mustRun("kubectl", ["kustomize", KUSTOMIZE]));
      const values = {
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
        ["apply", "--dry-run=server", "--validate=strict", `--kustomize=${KUSTOMIZE}`],
        cluster(),
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      for (const name of ["holder.yaml", "agent.yaml"]) expect((await apply(join(KUSTOMIZE, name))).code).toBe(0);
    });

    test("takes the values files of the documents", async () => {
      const blocks = DOCUMENTS.flatMap(codeBlocks).filter(({ language }) => language === "yaml");
      expect(blocks.length).toBeGreaterThan(0);
      for (const { text } of blocks) {
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
      [{ replicas: 2 }, /replicas is 2: give 1, because each process would act on the same Node objects/],
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

interface RenderedPod {
  readonly automountServiceAccountToken: boolean;
  readonly containers: readonly [{ readonly env: readonly { readonly name: string; readonly value?: string }[] }];
}

/** The variables of its container, by their names. */
function envOf({ containers: [{ env }] }: RenderedPod): Readonly<Record<string, { readonly value?: string }>> {
  return Object.fromEntries(env.map(({ name, ...given }) => [name, given]));
}

/** The pod of the workload of this kind whose name ends so. */
function podOf(objects: readonly Made[], kind: string, suffix = ""): RenderedPod {
  const found = objects.find((object) => object.kind === kind && object.metadata.name.endsWith(suffix));
  if (found === undefined) throw new Error(`the chart makes no ${kind} whose name ends with '${suffix}'`);
  return (found["spec"] as { readonly template: { readonly spec: RenderedPod } }).template.spec;
}

/** Without the labels that say that Helm manages it. */
function withoutHelm(object: Made): Made {
  const { "app.kubernetes.io/managed-by": _, "helm.sh/chart": __, ...labels } = object.metadata.labels ?? {};
  return { ...object, metadata: { ...object.metadata, labels } };
}

/** In one order, also the variables, which Kustomize appends. */
function sorted(objects: readonly Made[]): readonly Made[] {
  const byName = (list: readonly { readonly name: string }[]) => list.toSorted((a, b) => a.name.localeCompare(b.name));
  return objects
    .map((object) => {
      if (object.kind !== "Deployment") return object;
      const copy = structuredClone(object) as Made & {
        spec: { template: { metadata: { annotations?: object }; spec: { containers: { env: { name: string }[] }[] } } };
      };
      // Helm makes another pod for another role. In Kustomize the role is a patch of the service account alone.
      delete copy.spec.template.metadata.annotations;
      for (const container of copy.spec.template.spec.containers) container.env = [...byName(container.env)];
      return copy;
    })
    .toSorted((a, b) => a.kind.localeCompare(b.kind));
}
