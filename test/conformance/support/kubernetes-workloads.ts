import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { vi } from "vitest";
import { parseAllDocuments, parseDocument } from "yaml";
import type { KubernetesObject } from "./kubernetes-api.ts";
import type { KubernetesCluster } from "./kubernetes-cluster.ts";
import { filesOf, RunningKubernetesProgram } from "./kubernetes-programs.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** What makes and removes pods of Deployments and DaemonSets, and binds and releases volumes. */
const CONTROLLERS = [
  ...["deployment", "replicaset", "daemonset", "garbage-collector"],
  ...["persistentvolume-binder", "persistentvolumeclaim-protection"],
];

/** The programs. */
export const WORKLOAD_PROGRAMS = ["kube-controller-manager", "kube-scheduler", "kwok"] as const;

/**
 * Kubernetes' own controllers and scheduler, with kwok in place of kubelets and one node: pods run as soon as they are
 * bound, though none of their programs does. The caller ends it.
 */
export class Workloads {
  readonly #programs: readonly RunningKubernetesProgram[];

  private constructor(programs: readonly RunningKubernetesProgram[]) {
    this.#programs = programs;
  }

  static async start(cluster: KubernetesCluster): Promise<Workloads> {
    const common = [`--kubeconfig=${cluster.kubeconfig}`, "--leader-elect=false", "--secure-port=0"];
    const controllers = `--controllers=${CONTROLLERS.map((name) => `${name}-controller`).join(",")}`;
    const programs = [
      new RunningKubernetesProgram("kube-controller-manager", [...common, controllers]),
      new RunningKubernetesProgram("kube-scheduler", common),
      await startKwok(cluster, withQuickEnds(filesIn(filesOf("kwok")))),
    ];
    await cluster.api.post("/api/v1/nodes", {
      apiVersion: "v1",
      kind: "Node",
      metadata: {
        name: "worker",
        annotations: { "kwok.x-k8s.io/node": "fake" },
        labels: { "kubernetes.io/hostname": "worker", "karpenter.sh/nodepool": "default" },
      },
    });
    // kwok makes it ready, and no controller removes the taint that every new node has.
    await cluster.api.patch("/api/v1/nodes/worker", { spec: { taints: [] } });
    return new Workloads(programs);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
  }
}

/** kwok ends pods at a random time of their grace period, which is minutes. Here they end at once. */
function withQuickEnds(stages: readonly string[]): readonly string[] {
  const kept = stages.filter((stage) => parseDocument(stage).getIn(["metadata", "name"]) !== "pod-delete");
  const ending = {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name: "pod-delete" },
    spec: {
      resourceRef: { apiGroup: "v1", kind: "Pod" },
      selector: { matchExpressions: [{ key: ".metadata.deletionTimestamp", operator: "Exists" }] },
      next: { delete: true },
    },
  };
  // JSON is YAML.
  return [...kept, JSON.stringify(ending)];
}

/** A volume for the claim of a release: nothing provides volumes here. */
export async function addVolume(cluster: KubernetesCluster, name: string): Promise<void> {
  await cluster.api.post("/api/v1/persistentvolumes", {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/nonexistent" } },
  });
}

/**
 * kwok in place of kubelets: nodes become ready, pods that are bound to them run, and leave when they are deleted, after
 * the time in their annotation `pod-delete.stage.kwok.x-k8s.io/delay`, as with a preStop. Only of nodes with the
 * annotation `kwok.x-k8s.io/node=fake`, which Karpenter's kwok provider gives to those that it makes. The caller ends it.
 */
export async function startKwok(
  cluster: KubernetesCluster,
  files: readonly string[] = filesIn(filesOf("kwok")),
): Promise<RunningKubernetesProgram> {
  const stages = files.join("\n---\n");
  const program = new RunningKubernetesProgram("kwok", [
    `--kubeconfig=${cluster.kubeconfig}`,
    `--config=${cluster.writeFile("kwok.yaml", stages)}`,
    "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
    "--node-lease-duration-seconds=0",
  ]);
  await program.line(/"Watch nodes"/);
  return program;
}

interface KindOfObject extends KubernetesObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Adds kinds of objects to a cluster, and resolves when it has them. */
export async function addKinds(
  { api }: KubernetesCluster,
  project: "cert-manager" | "gateway-api" | "karpenter" | "prometheus-operator",
): Promise<void> {
  const kinds = filesIn(filesOf(project)).flatMap((text) => parseAllDocuments(text).map((one) => one.toJS()));
  for (const kind of kinds)
    await api.patch(`${CRDS}/${kind.metadata.name}?fieldManager=test`, kind, "apply-patch+yaml");
  await until("the kinds are established", async () => {
    const all = await Promise.all(kinds.map(({ metadata }) => api.get<KindOfObject>(`${CRDS}/${metadata.name}`)));
    const isEstablished = ({ status }: KindOfObject) =>
      status?.conditions?.some((one) => one.type === "Established" && one.status === "True") === true;
    return all.every(isEstablished) ? true : undefined;
  });
}

/** Also in hooks, where `expect.poll` cannot be used. */
export function until<T>(what: string, found: () => Promise<T | undefined>): Promise<T> {
  const attempt = async () => {
    const value = await found();
    if (value === undefined) throw new Error(`not yet: ${what}`);
    return value;
  };
  return vi.waitFor(attempt, { timeout: 60_000 });
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder).map((name) => readFileSync(path.join(folder, name), "utf8"));
}
