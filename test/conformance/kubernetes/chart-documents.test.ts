import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Child } from "../../support/child-process.ts";
import { codeBlocks } from "../../support/documents.ts";
import { HELMS, type HelmProgram } from "../support/helm.ts";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { programPath } from "../support/kubernetes-programs.ts";
import { addVolume, WORKLOAD_PROGRAMS, Workloads } from "../support/kubernetes-workloads.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

/** The commands of a document that call these programs, each on one line. */
const commandsOf = (document: string) =>
  codeBlocks(document)
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.replace(/\\\n\s*/g, "").split("\n"))
    .map((line) => line.trim());
const PAGES = ["docs/install.md", "docs/kubernetes.md", "docs/helm.md", "docs/wiring.md"].flatMap(commandsOf);
/** Those of the pages about kinds of nodes, which go on from there. A page may repeat another's. */
const AFTERWARDS = [...new Set(["docs/eks.md", "docs/upgrading.md"].flatMap(commandsOf))];
const QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/departures";
/** The one command that begins so. */
function command(start: string): string {
  const [found, ...others] = [...new Set(PAGES.filter((line) => line.startsWith(start)))];
  if (found === undefined || others.length > 0) throw new Error(`'${start}' begins ${others.length} commands too many`);
  return found;
}

describeOnKubernetes("the documents' commands", [...WORKLOAD_PROGRAMS, ...HELMS, "kubectl"], (cluster) => {
  let workloads: Workloads;
  beforeAll(async () => {
    workloads = await Workloads.start(cluster());
  });
  afterAll(() => workloads.stop());

  /** A shell that has nothing but kubectl and this helm. */
  async function shell(program: HelmProgram) {
    const home = mkdtempSync(join(tmpdir(), "home-"));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    symlinkSync(programPath(program), join(home, "helm"));
    symlinkSync(programPath("kubectl"), join(home, "kubectl"));
    const env = { HOME: home, PATH: home, KUBECONFIG: cluster().kubeconfig };
    return async (line: string) => {
      const { code, stdout, stderr } = await new Child({ command: ["/bin/sh", "-euc", line], options: {} }, [], env)
        .finished;
      if (code !== 0) throw new Error(`${line}: ${code}\n${stderr}${stdout}`);
      return stdout;
    };
  }

  test.each(HELMS)("install the chart in an empty cluster, and change it: %s", async (program) => {
    const run = await shell(program);
    const { api } = cluster();
    await addVolume(cluster(), program);
    onTestFinished(() => run("helm uninstall hasta-la-vista --namespace kube-system --wait").then(() => {}));

    await run(command("helm install"));
    expect(await run(command("kubectl rollout status"))).toContain("successfully rolled out");
    expect(await run(`${command("SECRET=$(kubectl get secret")}; echo "\${#SECRET}"`)).toBe("40\n");

    const status = async (path: string) => (await api.call("GET", path)).status;
    const role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/hasta-la-vista";
    const daemonSet = (name: string) => `/apis/apps/v1/namespaces/kube-system/daemonsets/hasta-la-vista-${name}`;
    const variables = async () => {
      const { spec } = await api.get<KubernetesObject & { readonly spec: DeploymentSpec }>(
        "/apis/apps/v1/namespaces/kube-system/deployments/hasta-la-vista",
      );
      return Object.fromEntries(spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]));
    };
    expect(await variables()).toMatchObject({ AWS_REGION: "eu-west-1", CLUSTERNAME: "demo", KUBERNETES: "in-cluster" });
    expect([await status(role), await status(daemonSet("holder")), await status(daemonSet("agent"))]).toEqual([
      200, 404, 404,
    ]);

    const upgrades = PAGES.filter((line) => line.startsWith("helm upgrade"));
    const upgradeWith = (flag: string) => upgrades.find((line) => line.includes(flag)) ?? `exit 1 # no ${flag}`;
    await run(upgradeWith("holder.enabled=true"));
    await run(upgradeWith("agent.enabled=true"));
    await run(upgradeWith("options.LOGLEVEL=debug"));
    expect(await variables()).toMatchObject({ LOGLEVEL: "debug", CLUSTERNAME: "demo", KUBERNETES: "in-cluster" });
    expect([await status(role), await status(daemonSet("holder")), await status(daemonSet("agent"))]).toEqual([
      200, 200, 200,
    ]);

    await run(upgradeWith("evictionGate.enabled=true"));
    expect(await variables()).toMatchObject({ EVICTION_GATE: "true" });
    await run(`${upgradeWith("options.LOGLEVEL=debug")} --set evictionGate.enabled=false`);

    await run(upgradeWith("tokenReview.enabled=true"));
    expect(await variables()).toMatchObject({ TOKEN_REVIEW: "true" });
    await run(`${upgradeWith("options.LOGLEVEL=debug")} --set tokenReview.enabled=false`);

    await run(upgradeWith("options.KUBERNETES=null"));
    const without = await variables();
    expect([without["KUBERNETES"], without["UNDO"], without["LOGLEVEL"]]).toEqual([undefined, undefined, "debug"]);
    expect(await status(role)).toBe(404);

    expect(await run(command("helm history"))).toMatch(/^9\s+.*deployed/m);
    await run(command("helm rollback"));
    expect(await variables()).toMatchObject({ CLUSTERNAME: "demo", KUBERNETES: "in-cluster" });
    expect([await status(role), await status(daemonSet("holder"))]).toEqual([200, 404]);
    expect(upgrades).toHaveLength(6);

    const afterwards = AFTERWARDS.filter((line) => line.startsWith("helm upgrade"));
    for (const line of afterwards) await run(`QUEUE=${QUEUE}; ${line}`);
    expect(await variables()).toMatchObject({
      ...{ QUEUE, QUEUE_FOREIGN: "delete", TERMINATION_HOOK: "hasta-la-vista", EVICT: "always" },
      ...{ AUTOSCALER_HOLD: "true", AUTOSCALER_DELAY: "600", KUBERNETES: "in-cluster", DRYRUN: "false" },
    });
    expect(await status(daemonSet("holder"))).toBe(200);
    expect(afterwards).toHaveLength(5);
    const held = AFTERWARDS.find((line) => line.startsWith("kubectl get nodes") && line.includes("HELD")) ?? "exit 1";
    expect(await run(held)).toMatch(/^NAME +HELD$/m);
  });
});

interface DeploymentSpec {
  readonly template: {
    readonly spec: {
      readonly containers: readonly [{ readonly env: readonly { readonly name: string; readonly value?: string }[] }];
    };
  };
}
